/* The HTTP server: its start, its end, and what it reloads. */
#include "intake/http/server.h"
#include "intake/http/events.h"

#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/config.h"
#include "intake/core/log.h"
#include "intake/http/dispatch.h"
#include "intake/http/library_error.h"
#include "intake/http/listener.h"
#include "intake/http/settings.h"

/* Descriptors that are not connections: database, epoll, files, the log. */
enum { OTHER_DESCRIPTORS = 128 };
/* How long a client that was answered too early for its body may go on sending. */
enum { LINGER_MS = 2000 };
/* What requests that were just completed may take to be sent, before they are cut. */
enum { STOP_WAIT_MS = 2000 };
/* What libmicrohttpd may still be accepting when it is told not to. */
enum { ACCEPTING_MS = 20 };

struct server {
    struct dispatch dispatch;
    struct MHD_Daemon *daemon;
    int listen_fd;
    bool listen_fd_is_ours;
    bool quiesced;
    unsigned port;
};

static enum status raise_file_limit(long connections_max, struct err *err)
{
    const rlim_t needed = (rlim_t)connections_max + OTHER_DESCRIPTORS;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) {
        return STATUS_OK;
    }
    if (limit.rlim_max < needed) {
        return err_set(err, STATUS_INVALID,
                       "[http] connections_max: %ld connections need %llu open files and the "
                       "limit is %llu; raise it (LimitNOFILE=) or lower the key",
                       connections_max, (unsigned long long)needed,
                       (unsigned long long)limit.rlim_max);
    }
    limit.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return err_set(err, STATUS_INTERNAL, "the limit of open files cannot be raised");
    }
    return STATUS_OK;
}

/*
 * Starts the daemon with all signals blocked, which its threads inherit. The library's strict mode
 * stays off: what it refuses we refuse as well (wire.h), with a request id and a reason, where it
 * closes without a word or sends its headers twice.
 */
static enum status start_daemon(struct server *server, struct err *err)
{
    const struct config *config = server->dispatch.services->config;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, config->http.connections_max, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, config->http.connections_per_address_max, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, config->http.header_max_bytes, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, config->http.threads > 1 ? config->http.threads : 0, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        dispatch_call, &server->dispatch, MHD_OPTION_EXTERNAL_LOGGER, library_error_log, NULL,
        MHD_OPTION_ARRAY, options, MHD_OPTION_URI_LOG_CALLBACK, dispatch_first_line,
        &server->dispatch, MHD_OPTION_NOTIFY_COMPLETED, dispatch_completed, &server->dispatch,
        MHD_OPTION_NOTIFY_CONNECTION, dispatch_connection, &server->dispatch, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (server->daemon == NULL) {
        return err_set(err, STATUS_INTERNAL, "the HTTP server cannot be started");
    }
    return STATUS_OK;
}

static enum status start_deadlines(struct dispatch *dispatch, struct err *err)
{
    const struct config *config = dispatch->services->config;
    const struct deadline_limits limits = {
        .ms = {[DEADLINE_IDLE] = config->http.idle_timeout_ms,
               [DEADLINE_HEADERS] = config->http.header_timeout_ms,
               [DEADLINE_BODY] = config->http.body_timeout_ms,
               [DEADLINE_RESPONSE] = config->http.response_timeout_ms,
               [DEADLINE_LINGER] = LINGER_MS},
    };
    return deadlines_create(&limits, &dispatch->deadlines, err);
}

static enum status start_dispatch(struct dispatch *dispatch, const struct server_options *options,
                                  struct err *err)
{
    const struct config *config = options->services->config;
    dispatch->services = options->services;
    dispatch->table = options->table;
    pthread_rwlock_init(&dispatch->settings_lock, NULL);
    pthread_rwlock_init(&dispatch->work_lock, NULL);
    pthread_mutex_init(&dispatch->idle_mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&dispatch->idle, &attributes);
    pthread_condattr_destroy(&attributes);
    randombytes_buf(&dispatch->id_seed, sizeof dispatch->id_seed);

    dispatch->observe = observe_create(options->services->metrics, options->table);
    dispatch->rate_limit =
        rate_limit_create(config->http.rate_per_second, 1, config->http.rate_burst);
    dispatch->guess_limit = guess_limit_create(config->http.token_failures_per_minute);
    if (dispatch->observe == NULL || dispatch->rate_limit == NULL ||
        dispatch->guess_limit == NULL) {
        return err_no_memory(err);
    }
    return http_settings_parse(config, &dispatch->settings, err);
}

static void destroy(struct server *server)
{
    struct dispatch *dispatch = &server->dispatch;
    deadlines_destroy(dispatch->deadlines);
    rate_limit_destroy(dispatch->rate_limit);
    guess_limit_destroy(dispatch->guess_limit);
    observe_destroy(dispatch->observe);
    http_settings_finish(&dispatch->settings);
    pthread_cond_destroy(&dispatch->idle);
    pthread_mutex_destroy(&dispatch->idle_mutex);
    pthread_rwlock_destroy(&dispatch->settings_lock);
    pthread_rwlock_destroy(&dispatch->work_lock);
    if (server->listen_fd >= 0 && server->listen_fd_is_ours) {
        (void)close(server->listen_fd);
    }
    free(server);
}

enum status server_check(const struct config *config, struct err *err)
{
    struct http_settings settings;
    enum status status = http_settings_parse(config, &settings, err);
    if (status != STATUS_OK) {
        return status;
    }
    http_settings_finish(&settings);
    AUTO_CLOSE int fd = -1;
    return listener_open(config->http.address, 0, &fd, err);
}

enum status server_start(const struct server_options *options, struct server **ret_server,
                         struct err *err)
{
    const struct config *config = options->services->config;
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return err_no_memory(err);
    }
    server->listen_fd = options->inherited_fd;
    server->listen_fd_is_ours = options->inherited_fd < 0;
    enum status status = start_dispatch(&server->dispatch, options, err);
    if (status == STATUS_OK) {
        status = raise_file_limit(config->http.connections_max, err);
    }
    if (status == STATUS_OK) {
        status = server->listen_fd_is_ours ? listener_open(config->http.address, config->http.port,
                                                           &server->listen_fd, err)
                                           : listener_adopt(server->listen_fd, err);
    }
    if (status == STATUS_OK) {
        server->port = listener_port(server->listen_fd);
        status = start_deadlines(&server->dispatch, err);
    }
    if (status == STATUS_OK) {
        status = start_daemon(server, err);
    }
    if (status != STATUS_OK) {
        destroy(server);
        return status;
    }
    *ret_server = server;
    return STATUS_OK;
}

unsigned server_port(const struct server *server)
{
    return server->port;
}

enum status server_reload(struct server *server, const struct config *config, struct err *err)
{
    struct dispatch *dispatch = &server->dispatch;
    struct http_settings fresh;
    const enum status status = http_settings_parse(config, &fresh, err);
    if (status != STATUS_OK) {
        return status;
    }
    pthread_rwlock_wrlock(&dispatch->settings_lock);
    struct http_settings old = dispatch->settings;
    dispatch->settings = fresh;
    pthread_rwlock_unlock(&dispatch->settings_lock);
    http_settings_finish(&old);
    rate_limit_set(dispatch->rate_limit, config->http.rate_per_second, 1, config->http.rate_burst);
    guess_limit_set(dispatch->guess_limit, config->http.token_failures_per_minute);
    return STATUS_OK;
}

void server_quiesce(struct server *server)
{
    if (server->quiesced) {
        return;
    }
    server->quiesced = true;
    atomic_store(&server->dispatch.draining, true);
    events_end(server->dispatch.services->events);
    (void)MHD_quiesce_daemon(server->daemon);
    if (server->listen_fd_is_ours) { /* closed later: a thread may be about to accept from it */
        (void)shutdown(server->listen_fd, SHUT_RDWR);
    }
}

static struct timespec after_ms(int64_t wait_ms)
{
    const int64_t end_us = clock_monotonic_us() + wait_ms * 1000;
    return (struct timespec){.tv_sec = end_us / 1000000, .tv_nsec = end_us % 1000000 * 1000};
}

/* Waits until the count is 0, or the end. Mutex held. */
static void wait_for_none(struct dispatch *dispatch, _Atomic size_t *count,
                          const struct timespec *end)
{
    while (atomic_load(count) > 0 &&
           pthread_cond_timedwait(&dispatch->idle, &dispatch->idle_mutex, end) == 0) {
    }
}

/*
 * Waits until nobody is left who may ask: with `draining`, each reply closes its connection. Who is
 * neither expected nor in flight never comes back, as a request is expected before it is in flight
 * no more, and the other way round. Mutex held.
 */
static void wait_for_farewells(struct dispatch *dispatch)
{
    const struct timespec end = after_ms(dispatch->services->config->http.farewell_ms);
    while ((atomic_load(&dispatch->in_flight) > 0 || atomic_load(&dispatch->expected) > 0) &&
           pthread_cond_timedwait(&dispatch->idle, &dispatch->idle_mutex, &end) == 0) {
    }
}

bool server_drain(struct server *server, int64_t limit_ms)
{
    struct dispatch *dispatch = &server->dispatch;
    pthread_mutex_lock(&dispatch->idle_mutex);
    if (!dispatch->refusing) {
        const struct timespec accepted = after_ms(ACCEPTING_MS);
        while (pthread_cond_timedwait(&dispatch->idle, &dispatch->idle_mutex, &accepted) == 0) {
        }
        wait_for_farewells(dispatch);
    }
    const struct timespec end = after_ms(limit_ms); /* from the last that may have come */
    wait_for_none(dispatch, &dispatch->in_flight, &end);
    pthread_mutex_unlock(&dispatch->idle_mutex);
    pthread_rwlock_wrlock(&dispatch->work_lock);
    dispatch->refusing = true;
    pthread_rwlock_unlock(&dispatch->work_lock);
    return atomic_load(&dispatch->in_flight) == 0;
}

void server_stop(struct server *server)
{
    if (server == NULL) {
        return;
    }
    server_quiesce(server);
    (void)server_drain(server, STOP_WAIT_MS);
    MHD_stop_daemon(server->daemon);
    destroy(server);
}
