/*
 * The configuration: one table of keys (config.c) drives the parser, the environment's names, the
 * checks, and the documentation in config/intake.conf, which a test compares with
 * config_print_documentation().
 *
 * Later wins: default, file, credential (a file `<section>.<key>` in $CREDENTIALS_DIRECTORY),
 * environment (INTAKE_<SECTION>_<KEY>).
 */
#ifndef INTAKE_CORE_CONFIG_H
#define INTAKE_CORE_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "intake/core/err.h"
#include "intake/core/log.h"

struct config {
    struct {
        char *address;
        long port;
        long threads;
        long connections_max;
        long connections_per_address_max;
        long header_max_bytes;
        long body_max_bytes;
        long header_timeout_ms;
        long body_timeout_ms;
        long response_timeout_ms;
        long idle_timeout_ms;
        long farewell_ms;
        long rate_per_second;
        long rate_burst;
        long token_failures_per_minute;
        long streams_max;
        long events_heartbeat_ms;
        long events_lifetime_ms;
        char *trusted_proxies;
        char *cors_origins;
        bool submissions_require_token;
        bool metrics_require_token;
    } http;
    struct {
        char *conninfo;
        long connect_timeout_s;
        long statement_timeout_ms;
    } database;
    struct {
        long count;
        long batch_max;
        long queue_max;
        long deadline_ms;
    } lane;
    struct {
        long count;
        long queue_max;
        long deadline_ms;
    } executor;
    struct {
        bool enabled;
        long count;
        long batch_max;
        long poll_ms;
        long lease_ms;
        long attempts_max;
        long backoff_ms;
        long backoff_max_ms;
        long yield_age_ms;
    } worker;
    struct {
        char *directory;
        char *default_id;
    } questionnaires;
    struct {
        char *secret;
        char *base_url;
        long days;
        char *submissions; /* "off" or "required" */
    } link;
    struct {
        long days;
    } drafts;
    struct {
        long submission_days;
        long revision_days;
    } retention;
    struct {
        long idle_minutes;
        long hours;
    } session;
    struct {
        char *level;
    } log;
};

/*
 * Fills `ret_config` (untouched on failure; the caller frees it with config_finish). `path` may be
 * NULL: then $INTAKE_CONFIG, then /etc/intake/intake.conf where it exists, then defaults alone.
 * STATUS_INVALID names the file, the line and the key. Main thread, before others run or on
 * reload.
 */
enum status config_load(const char *path, struct config *ret_config, struct err *err);
void config_finish(struct config *config);

/* The level that log.level names. */
enum log_level config_log_level(const struct config *config);

/*
 * The name of the first key that differs between the two and cannot change while the program
 * runs, or NULL. Static storage.
 */
const char *config_needs_restart(const struct config *old, const struct config *fresh);

/* Prints config/intake.conf: every key with its meaning, unit, range and default. */
void config_print_documentation(FILE *out);

#endif
