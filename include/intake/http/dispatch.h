/*
 * From libmicrohttpd's callbacks to a handler and back: checks the request in the order wire,
 * target, rate, route, method, token, reason, type, size; collects the body; runs the handler here
 * or on an executor thread; sends the reply. What the checks refuse is never seen by a handler.
 */
#ifndef INTAKE_HTTP_DISPATCH_H
#define INTAKE_HTTP_DISPATCH_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/http/client_address.h"
#include "intake/http/deadline.h"
#include "intake/http/guess_limit.h"
#include "intake/http/observe.h"
#include "intake/http/rate_limit.h"
#include "intake/http/route.h"
#include "intake/http/services.h"
#include "intake/http/settings.h"

/* What all connections share; the server's, made and freed by it. */
struct dispatch {
    const struct http_services *services;
    const struct route_table *table;
    struct observe *observe;
    struct deadlines *deadlines;
    struct rate_limit *rate_limit;
    struct guess_limit *guess_limit;
    pthread_rwlock_t settings_lock; /* guards `settings` */
    struct http_settings settings;
    uint64_t id_seed;
    _Atomic uint64_t id_counter;
    pthread_rwlock_t work_lock; /* held for reading while a handler runs on an HTTP thread */
    bool refusing;              /* under work_lock: handlers are not called any more */
    _Atomic bool draining;      /* every reply closes its connection */
    _Atomic size_t in_flight;
    _Atomic size_t streams;     /* replies that are made while they are sent */
    _Atomic size_t expected;    /* connections that may ask something next: new or kept alive */
    pthread_mutex_t idle_mutex; /* for `idle`, signalled when in_flight or expected is 0 */
    pthread_cond_t idle;
};

/* What is kept for each open connection. */
struct http_connection {
    struct deadline_entry deadline;
    struct client_address peer;
    bool expected; /* it is counted in dispatch->expected */
};

/* libmicrohttpd's callbacks; the context is the struct dispatch. */
void dispatch_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code);
void *dispatch_first_line(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result dispatch_call(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request_context);
void dispatch_completed(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code);

#endif
