/* `intake serve`: signals, the service manager, and the life of the app. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "app.h"
#include "command.h"
#include "intake/core/log.h"
#include "intake/http/server.h"

static const char usage[] = "serve [--config FILE] [--check]";

/* The signals that the main thread waits for; blocked everywhere. */
static void block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
    signal(SIGPIPE, SIG_IGN); // NOLINT(cert-err33-c): cannot fail for SIGPIPE
}

/* The socket of a socket unit; -1 when there is none. */
static enum status inherited_socket(int *ret_fd, struct err *err)
{
    const int count = sd_listen_fds(1);
    if (count > 1) {
        return err_set(err, STATUS_INVALID, "the service manager handed over %d sockets, not one",
                       count);
    }
    *ret_fd = count == 1 ? SD_LISTEN_FDS_START : -1;
    return STATUS_OK;
}

/* Whether the service manager watches us, and then half of its watchdog's time. */
static bool is_watched(struct timespec *ret_interval)
{
    uint64_t watchdog_us = 0;
    if (sd_watchdog_enabled(0, &watchdog_us) <= 0) {
        return false;
    }
    const uint64_t half_us = watchdog_us / 2;
    *ret_interval = (struct timespec){
        .tv_sec = (time_t)(half_us / 1000000),
        .tv_nsec = (long)(half_us % 1000000) * 1000,
    };
    return true;
}

static void reload(struct app *app)
{
    struct err err = {0};
    (void)sd_notify(0, "RELOADING=1");
    if (app_reload(app, &err) == STATUS_OK) {
        log_info("configuration and questionnaires were read again", LOG_TEXT("status", "ok"));
    } else {
        log_error("nothing was reloaded", LOG_TEXT("reason", err.message));
    }
    (void)sd_notify(0, "READY=1");
}

/* Serves until SIGINT or SIGTERM. */
static void run_until_stopped(struct app *app, const sigset_t *signals)
{
    struct timespec interval = {.tv_sec = 3600};
    const bool watched = is_watched(&interval);
    for (;;) {
        const int signal_number = sigtimedwait(signals, NULL, &interval);
        if (signal_number == SIGHUP) {
            reload(app);
        } else if (signal_number == SIGINT || signal_number == SIGTERM) {
            return;
        } else if (watched) { /* else this may be SIGCONT, and nobody listens: that would block */
            (void)sd_notify(0, "WATCHDOG=1");
        }
    }
}

static int serve(struct app *app)
{
    struct err err = {0};
    sigset_t signals;
    block_signals(&signals);
    int inherited_fd = -1;
    enum status status = inherited_socket(&inherited_fd, &err);
    if (status == STATUS_OK) {
        status = app_start(app, inherited_fd, &err);
    }
    if (status != STATUS_OK) {
        log_error("cannot serve", LOG_TEXT("reason", err.message));
        app_stop(app);
        return EXIT_UNUSABLE;
    }
    log_info("serving", LOG_TEXT("version", INTAKE_VERSION),
             LOG_TEXT("address", inherited_fd < 0 ? app->config.http.address : "inherited"),
             LOG_NUMBER("port", server_port(app->server)));
    (void)sd_notify(0, "READY=1");
    run_until_stopped(app, &signals);
    (void)sd_notify(0, "STOPPING=1");
    log_info("stopping", LOG_TEXT("reason", "signal"));
    app_stop(app);
    log_info("stopped", LOG_TEXT("status", "ok"));
    return EXIT_DONE;
}

int cmd_serve(int argc, char **argv)
{
    struct serve_arguments arguments;
    const enum arguments_read read = serve_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct app app = {.config_path = arguments.config, .connections = CONNECTION_GROUP_INIT};
    struct err err = {0};
    if (app_check(&app, &err) != STATUS_OK) {
        config_finish(&app.config);
        return command_fail(&err);
    }
    if (arguments.check) {
        config_finish(&app.config);
        puts("configuration, questionnaires and schema are in order");
        return EXIT_DONE;
    }
    return serve(&app);
}
