/* The configuration: the table of keys, and what is done with it. */
#include "intake/core/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"

extern char **environ;

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_BOOLEAN, KEY_OFF_OR_REQUIRED, KEY_LOG_LEVEL };

struct key {
    const char *section;
    const char *name;
    enum key_type type;
    bool reloads; /* takes effect at SIGHUP */
    size_t offset;
    const char *standard; /* the default, as it is written in the file */
    long min;
    long max;
    const char *meaning;
};

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member's name cannot stand in parentheses */
#define AT(section, member) .offset = offsetof(struct config, section.member)

static const struct key keys[] = {
    {"http", "address", KEY_TEXT, false, AT(http, address), "127.0.0.1", 0, 0,
     "Address to listen on, IPv4 or IPv6. Unused when systemd hands over a socket."},
    {"http", "port", KEY_NUMBER, false, AT(http, port), "8080", 0, 65535,
     "TCP port; 0 takes a free one, which the log names."},
    {"http", "threads", KEY_NUMBER, false, AT(http, threads), "1", 1, 64,
     "Threads that parse, validate and reply. None of them ever waits for the database, so that "
     "one\n"
     "# does for ten thousand posts a second; more make smaller batches."},
    {"http", "connections_max", KEY_NUMBER, false, AT(http, connections_max), "10000", 1, 1000000,
     "Connections open at once; further ones wait to be accepted."},
    {"http", "connections_per_address_max", KEY_NUMBER, false,
     AT(http, connections_per_address_max), "0", 0, 1000000,
     "Connections from one peer address; 0 is no limit. Behind a proxy leave it at 0."},
    {"http", "header_max_bytes", KEY_NUMBER, false, AT(http, header_max_bytes), "12288", 4096,
     1048576, "Bytes for a request's line and headers (and for each connection's memory)."},
    {"http", "body_max_bytes", KEY_NUMBER, false, AT(http, body_max_bytes), "65536", 1024, 16777216,
     "Bytes of a request's body; more is 413."},
    {"http", "header_timeout_ms", KEY_NUMBER, false, AT(http, header_timeout_ms), "10000", 100,
     600000, "Milliseconds for the whole of a request's headers, however they drip."},
    {"http", "body_timeout_ms", KEY_NUMBER, false, AT(http, body_timeout_ms), "15000", 100, 600000,
     "Milliseconds for the whole of a request's body; slower is 408."},
    {"http", "response_timeout_ms", KEY_NUMBER, false, AT(http, response_timeout_ms), "30000", 100,
     3600000, "Milliseconds for the client to read the whole response."},
    {"http", "idle_timeout_ms", KEY_NUMBER, false, AT(http, idle_timeout_ms), "60000", 1000,
     3600000, "Milliseconds that a kept-alive connection may stay without a request."},
    {"http", "rate_per_second", KEY_NUMBER, true, AT(http, rate_per_second), "20", 0, 1000000,
     "Requests per second and client address, beyond the burst; more is 429. 0 is no limit."},
    {"http", "rate_burst", KEY_NUMBER, true, AT(http, rate_burst), "60", 1, 1000000,
     "Requests that an address may make at once before the rate counts."},
    {"http", "token_failures_per_minute", KEY_NUMBER, true, AT(http, token_failures_per_minute),
     "20", 0, 100000,
     "Wrong tokens from one address in a minute; while there are more, a request with a token is\n"
     "# 429, unless that token was right from there within the hour. Ten times as many from the\n"
     "# loopback address. 0 is no limit."},
    {"http", "streams_max", KEY_NUMBER, false, AT(http, streams_max), "64", 1, 100000,
     "Exports and event streams at once; more are 503."},
    {"http", "events_heartbeat_ms", KEY_NUMBER, false, AT(http, events_heartbeat_ms), "15000", 1000,
     600000,
     "Milliseconds after which a silent event stream shows that it is there; less than proxies "
     "wait."},
    {"http", "events_lifetime_ms", KEY_NUMBER, false, AT(http, events_lifetime_ms), "600000", 1000,
     86400000,
     "Milliseconds after which an event stream ends; its page opens the next if it still may."},
    {"http", "trusted_proxies", KEY_TEXT, true, AT(http, trusted_proxies), "", 0, 0,
     "Addresses, separated by commas, whose X-Forwarded-For is believed."},
    {"http", "cors_origins", KEY_TEXT, true, AT(http, cors_origins), "", 0, 0,
     "Origins, separated by commas, whose pages may call us from a browser (CORS)."},
    {"http", "submissions_require_token", KEY_BOOLEAN, false, AT(http, submissions_require_token),
     "false", 0, 0, "Whether POST /v1/submissions needs a token of role intake."},
    {"http", "metrics_require_token", KEY_BOOLEAN, false, AT(http, metrics_require_token), "false",
     0, 0, "Whether GET /metrics needs a token of role metrics."},

    {"database", "conninfo", KEY_TEXT, false, AT(database, conninfo), "", 0, 0,
     "libpq connection string, host=... dbname=... user=...; keep a password in a credential."},
    {"database", "connect_timeout_s", KEY_NUMBER, false, AT(database, connect_timeout_s), "3", 2,
     60, "Seconds for one attempt to connect."},
    {"database", "statement_timeout_ms", KEY_NUMBER, false, AT(database, statement_timeout_ms),
     "5000", 100, 600000, "Milliseconds for one statement of a look-up or of the worker."},

    {"lane", "count", KEY_NUMBER, false, AT(lane, count), "1", 1, 32,
     "Group-commit lanes: threads with one connection each that write submissions."},
    {"lane", "batch_max", KEY_NUMBER, false, AT(lane, batch_max), "64", 1, 1024,
     "Submissions that one transaction writes at the most."},
    {"lane", "queue_max", KEY_NUMBER, false, AT(lane, queue_max), "8192", 1, 1000000,
     "Submissions that wait for a lane; more are 503 with Retry-After."},
    {"lane", "deadline_ms", KEY_NUMBER, false, AT(lane, deadline_ms), "5000", 100, 600000,
     "Milliseconds from acceptance to commit; later is 503 with Retry-After."},

    {"executor", "count", KEY_NUMBER, false, AT(executor, count), "2", 1, 64,
     "Threads with one connection each for look-ups, lists and tokens."},
    {"executor", "queue_max", KEY_NUMBER, false, AT(executor, queue_max), "1024", 1, 1000000,
     "Requests that wait for such a thread; more are 503."},
    {"executor", "deadline_ms", KEY_NUMBER, false, AT(executor, deadline_ms), "5000", 100, 600000,
     "Milliseconds that a request may wait for such a thread; later is 503."},

    {"worker", "enabled", KEY_BOOLEAN, false, AT(worker, enabled), "true", 0, 0,
     "Whether this instance processes submissions, and seals the audit."},
    {"worker", "count", KEY_NUMBER, false, AT(worker, count), "3", 1, 16,
     "Threads with one connection each; all but the first only help with a backlog."},
    {"worker", "batch_max", KEY_NUMBER, false, AT(worker, batch_max), "256", 1, 10000,
     "Submissions that are claimed and processed together."},
    {"worker", "poll_ms", KEY_NUMBER, false, AT(worker, poll_ms), "1000", 50, 600000,
     "Milliseconds between looks for what other instances left or what is due again."},
    {"worker", "lease_ms", KEY_NUMBER, false, AT(worker, lease_ms), "30000", 1000, 3600000,
     "Milliseconds after which a claimed submission may be claimed again."},
    {"worker", "attempts_max", KEY_NUMBER, false, AT(worker, attempts_max), "5", 1, 100,
     "Attempts before a submission is marked failed."},
    {"worker", "backoff_ms", KEY_NUMBER, false, AT(worker, backoff_ms), "1000", 10, 3600000,
     "Milliseconds before the second attempt; doubles each time, with jitter."},
    {"worker", "backoff_max_ms", KEY_NUMBER, false, AT(worker, backoff_max_ms), "300000", 10,
     86400000, "The longest wait between attempts, in milliseconds."},
    {"worker", "yield_age_ms", KEY_NUMBER, false, AT(worker, yield_age_ms), "30000", 0, 3600000,
     "While patients are posting at full load, processing steps back until the oldest\n"
     "# unprocessed submission is this many milliseconds old. 0 never steps back."},

    {"questionnaires", "directory", KEY_TEXT, false, AT(questionnaires, directory),
     "config/questionnaires", 0, 0,
     "Directory of FHIR R4 Questionnaire files (*.json). Its content is read again at SIGHUP."},
    {"questionnaires", "default_id", KEY_TEXT, true, AT(questionnaires, default_id),
     "hair-transplant", 0, 0, "The questionnaire that a body answers which names none."},

    {"link", "secret", KEY_TEXT, false, AT(link, secret), "", 0, 0,
     "What the links to bookings are signed with, at least 32 characters, the same for every\n"
     "# instance; a credential is the place for it. Without it there are no links and no drafts."},
    {"link", "base_url", KEY_TEXT, false, AT(link, base_url), "http://127.0.0.1:8080", 0, 0,
     "What a link begins with: where patients reach this service."},
    {"link", "days", KEY_NUMBER, false, AT(link, days), "30", 1, 3650,
     "Days that a link is valid, where intake link is not told otherwise."},
    {"link", "submissions", KEY_OFF_OR_REQUIRED, false, AT(link, submissions), "off", 0, 0,
     "Whether a submission needs its booking's link too: off or required."},

    {"drafts", "days", KEY_NUMBER, false, AT(drafts, days), "30", 1, 3650,
     "Days that a draft is kept after it was last written."},

    {"retention", "submission_days", KEY_NUMBER, false, AT(retention, submission_days), "0", 0,
     36500, "Days after which intake retention run erases a submission; 0 keeps it."},
    {"retention", "revision_days", KEY_NUMBER, false, AT(retention, revision_days), "0", 0, 36500,
     "Days after which it deletes a revision that a later one replaced; 0 keeps it."},
    {"session", "idle_minutes", KEY_NUMBER, false, AT(session, idle_minutes), "30", 5, 1440,
     "Minutes without a request after which the staff page asks for the token again (one less, at\n"
     "# times: a use is noted once a minute)."},
    {"session", "hours", KEY_NUMBER, false, AT(session, hours), "12", 1, 168,
     "Hours after which it asks in any case."},

    {"log", "level", KEY_LOG_LEVEL, true, AT(log, level), "info", 0, 0,
     "error, warning, info (a line per request) or debug."},
};

/* What inih's handler works on. */
struct source {
    struct config *config;
    struct err *err;
    bool failed;
};

static const struct key *find_key(const char *section, const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (text_equal(keys[i].section, section) && text_equal(keys[i].name, name)) {
            return &keys[i];
        }
    }
    return NULL;
}

static bool is_section(const char *section)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (text_equal(keys[i].section, section)) {
            return true;
        }
    }
    return false;
}

static void *member(const struct key *key, struct config *config)
{
    return (char *)config + key->offset;
}

static enum status set_text(char **text, const char *value, struct err *err)
{
    char *copy = strdup(value);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    free(*text);
    *text = copy;
    return STATUS_OK;
}

static enum status set_value(const struct key *key, const char *value, struct config *config,
                             struct err *err)
{
    enum log_level level;
    switch (key->type) {
    case KEY_NUMBER:
        if (!text_to_long(value, key->min, key->max, member(key, config))) {
            return err_set(err, STATUS_INVALID,
                           "[%s] %s: \"%s\" is not a whole number from %ld to %ld", key->section,
                           key->name, value, key->min, key->max);
        }
        return STATUS_OK;
    case KEY_BOOLEAN:
        if (!text_equal(value, "true") && !text_equal(value, "false")) {
            return err_set(err, STATUS_INVALID, "[%s] %s: \"%s\" is neither true nor false",
                           key->section, key->name, value);
        }
        *(bool *)member(key, config) = text_equal(value, "true");
        return STATUS_OK;
    case KEY_OFF_OR_REQUIRED:
        if (!text_equal(value, "off") && !text_equal(value, "required")) {
            return err_set(err, STATUS_INVALID, "[%s] %s: \"%s\" is neither off nor required",
                           key->section, key->name, value);
        }
        return set_text(member(key, config), value, err);
    case KEY_LOG_LEVEL:
        if (!log_level_from_name(value, &level)) {
            return err_set(err, STATUS_INVALID,
                           "[%s] %s: \"%s\" is none of error, warning, info, debug", key->section,
                           key->name, value);
        }
        return set_text(member(key, config), value, err);
    case KEY_TEXT:
        return set_text(member(key, config), value, err);
    }
    return STATUS_INTERNAL;
}

/* inih's handler; 0 tells it to report the line as the first with an error. */
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct source *source = user;
    if (source->failed) {
        return 1;
    }
    const struct key *key = find_key(section, name);
    if (key != NULL) {
        source->failed = set_value(key, value, source->config, source->err) != STATUS_OK;
    } else {
        source->failed = true;
        (void)err_set(source->err, STATUS_INVALID,
                      is_section(section) ? "[%s] has no key \"%s\""
                                          : "no section [%s] (key \"%s\")",
                      section, name);
    }
    return !source->failed;
}

static enum status load_file(const char *path, struct config *config, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, STATUS_INVALID, "%s: %s", path, strerror(errno));
    }
    struct err local = {0};
    struct source source = {.config = config, .err = &local};
    const int line = ini_parse_file(file, take_line, &source);
    fclose(file);
    if (line == 0) {
        return STATUS_OK;
    }
    if (line < 0) {
        return err_set(err, STATUS_INVALID, "%s: cannot be read", path);
    }
    return err_set(err, source.failed ? local.status : STATUS_INVALID, "%s:%d: %s", path, line,
                   source.failed ? local.message : "neither a [section] nor a key = value");
}

static enum status load_credential(const struct key *key, const char *directory,
                                   struct config *config, struct err *err)
{
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/%s.%s", directory, key->section, key->name);
    AUTO_FREE char *name = strbuf_take(&path);
    if (name == NULL) {
        return err_no_memory(err);
    }
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return errno == ENOENT ? STATUS_OK
                               : err_set(err, STATUS_INVALID, "%s: %s", name, strerror(errno));
    }
    char value[4096];
    const size_t len = fread(value, 1, sizeof value - 1, file);
    fclose(file);
    const struct view trimmed = text_trim(value, len);
    AUTO_FREE char *copy = text_copy(trimmed.data, trimmed.len);
    if (copy == NULL) {
        return err_no_memory(err);
    }
    const enum status status = set_value(key, copy, config, err);
    return status == STATUS_OK ? status : err_prefix(err, "%s", name);
}

static void environment_name(const struct key *key, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "INTAKE_%s_%s", key->section, key->name);
    for (char *c = ret_name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

/* A variable of one of our sections that no key answers to is a typing error: say so. */
static enum status refuse_unknown_environment(struct err *err)
{
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        if (equals == NULL || !text_starts_with(*entry, "INTAKE_")) {
            continue;
        }
        const size_t len = (size_t)(equals - *entry);
        bool ours = false;
        bool known = false;
        for (size_t i = 0; i < ARRAY_LENGTH(keys) && !known; i++) {
            char name[128];
            environment_name(&keys[i], name, sizeof name);
            known = strlen(name) == len && strncmp(name, *entry, len) == 0;
            const size_t section = strlen("INTAKE_") + strlen(keys[i].section) + 1;
            ours = ours || (len > section && strncmp(name, *entry, section) == 0);
        }
        if (ours && !known) {
            return err_set(err, STATUS_INVALID, "environment: no key answers to %.*s", (int)len,
                           *entry);
        }
    }
    return STATUS_OK;
}

static enum status load_environment(struct config *config, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        char name[128];
        environment_name(&keys[i], name, sizeof name);
        const char *value = getenv(name);
        if (value != NULL && set_value(&keys[i], value, config, err) != STATUS_OK) {
            return err_prefix(err, "environment: %s", name);
        }
    }
    return refuse_unknown_environment(err);
}

static enum status load_all(const char *path, struct config *config, struct err *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < ARRAY_LENGTH(keys) && status == STATUS_OK; i++) {
        status = set_value(&keys[i], keys[i].standard, config, err);
    }
    if (status == STATUS_OK && path != NULL) {
        status = load_file(path, config, err);
    }
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    for (size_t i = 0; i < ARRAY_LENGTH(keys) && status == STATUS_OK && credentials; i++) {
        status = load_credential(&keys[i], credentials, config, err);
    }
    return status == STATUS_OK ? load_environment(config, err) : status;
}

enum status config_load(const char *path, struct config *ret_config, struct err *err)
{
    static const char system_path[] = "/etc/intake/intake.conf";
    if (path == NULL) {
        path = getenv("INTAKE_CONFIG");
    }
    if (path == NULL && access(system_path, F_OK) == 0) {
        path = system_path;
    }
    struct config config = {0};
    const enum status status = load_all(path, &config, err);
    if (status != STATUS_OK) {
        config_finish(&config);
        return status;
    }
    *ret_config = config;
    return STATUS_OK;
}

void config_finish(struct config *config)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (keys[i].type != KEY_NUMBER && keys[i].type != KEY_BOOLEAN) {
            free(*(char **)member(&keys[i], config));
        }
    }
    *config = (struct config){0};
}

enum log_level config_log_level(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    (void)log_level_from_name(config->log.level, &level);
    return level;
}

const char *config_needs_restart(const struct config *old, const struct config *fresh)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        const struct key *key = &keys[i];
        const void *a = (const char *)old + key->offset;
        const void *b = (const char *)fresh + key->offset;
        bool same = true;
        switch (key->type) {
        case KEY_NUMBER:
            same = *(const long *)a == *(const long *)b;
            break;
        case KEY_BOOLEAN:
            same = *(const bool *)a == *(const bool *)b;
            break;
        case KEY_TEXT:
        case KEY_OFF_OR_REQUIRED:
        case KEY_LOG_LEVEL:
            same = text_equal(*(char *const *)a, *(char *const *)b);
            break;
        }
        if (!same && !key->reloads) {
            return key->name;
        }
    }
    return NULL;
}

void config_print_documentation(FILE *out)
{
    fputs(
        "# Intake: every key with its default.\n"
        "# Each can also be given as INTAKE_<SECTION>_<KEY> in the environment, or as a file\n"
        "# <section>.<key> in $CREDENTIALS_DIRECTORY (the place for secrets). The environment\n"
        "# wins over a credential, a credential over this file. Keys marked (reload) take effect\n"
        "# at SIGHUP; the others need a restart.\n",
        out);
    const char *section = "";
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        const struct key *key = &keys[i];
        if (!text_equal(section, key->section)) {
            section = key->section;
            fprintf(out, "\n[%s]\n", section);
        }
        fprintf(out, "\n# %s%s\n", key->meaning, key->reloads ? " (reload)" : "");
        if (key->type == KEY_NUMBER) {
            fprintf(out, "# %ld to %ld.\n", key->min, key->max);
        }
        fprintf(out, "%s =%s%s\n", key->name, *key->standard ? " " : "", key->standard);
    }
}
