/* From libmicrohttpd's callbacks to a handler and back. */
#include "intake/http/dispatch.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/log.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/http/admit.h"
#include "intake/http/library_error.h"
#include "intake/http/request.h"

/* Different for each request, and without order (splitmix64). */
static uint64_t make_id(struct dispatch *dispatch)
{
    uint64_t id = dispatch->id_seed +
                  (atomic_fetch_add(&dispatch->id_counter, 1) + 1) * UINT64_C(0x9e3779b97f4a7c15);
    id = (id ^ (id >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    id = (id ^ (id >> 27)) * UINT64_C(0x94d049bb133111eb);
    return id ^ (id >> 31);
}

static void print_id(uint64_t id, char ret_id[static REQUEST_ID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < REQUEST_ID_SIZE - 1; i++) {
        ret_id[i] = hex[(id >> (60 - 4 * i)) & 15];
    }
    ret_id[REQUEST_ID_SIZE - 1] = '\0';
}

static struct http_connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/* One of the counts that a drain waits for has come to 0. */
static void wake_drain(struct dispatch *dispatch)
{
    if (atomic_load(&dispatch->draining)) {
        pthread_mutex_lock(&dispatch->idle_mutex);
        pthread_cond_broadcast(&dispatch->idle);
        pthread_mutex_unlock(&dispatch->idle_mutex);
    }
}

/* The connection is new, or its last reply left it open. `own` may be NULL. */
static void expect(struct dispatch *dispatch, struct http_connection *own)
{
    if (own != NULL && !own->expected) {
        own->expected = true;
        atomic_fetch_add(&dispatch->expected, 1);
    }
}

/* A request of the connection has begun, or it ends without one. `own` may be NULL. */
static void hear(struct dispatch *dispatch, struct http_connection *own)
{
    if (own != NULL && own->expected) {
        own->expected = false;
        if (atomic_fetch_sub(&dispatch->expected, 1) == 1) {
            wake_drain(dispatch);
        }
    }
}

void dispatch_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code)
{
    struct dispatch *dispatch = context;
    struct http_connection *own = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        own = calloc(1, sizeof *own);
        if (own == NULL) {
            return; /* its first request is refused, which closes it */
        }
        const union MHD_ConnectionInfo *address =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        client_address_from_socket(address == NULL ? NULL : address->client_addr, &own->peer);
        deadline_watch(
            dispatch->deadlines, &own->deadline,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        observe_connections(dispatch->observe, 1);
        expect(dispatch, own);
        *socket_context = own;
        return;
    }
    if (own == NULL) {
        return;
    }
    deadline_forget(&own->deadline);
    const enum deadline_phase phase = deadline_expired_phase(&own->deadline);
    if (phase != DEADLINE_EXPIRED) {
        char id[REQUEST_ID_SIZE];
        print_id(atomic_load(&own->deadline.request_id), id);
        observe_timeout(dispatch->observe, phase, id);
    }
    observe_connections(dispatch->observe, -1);
    hear(dispatch, own);
    free(own);
    *socket_context = NULL;
}

void *dispatch_first_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct dispatch *dispatch = context;
    struct http_connection *own = connection_of(connection);
    struct request *request = own == NULL ? NULL : request_create(dispatch, connection, target);
    if (request == NULL) {
        return NULL;
    }
    const uint64_t id = make_id(dispatch);
    print_id(id, request->id);
    request->services = dispatch->services;
    request->deadline = &own->deadline;
    atomic_store_explicit(&own->deadline.request_id, id, memory_order_relaxed);
    (void)deadline_enter(&own->deadline, DEADLINE_HEADERS);
    library_error_watch(request);
    wire_hide_cookies(connection);
    return request;
}

/* Hands the reply over; the request has ended but for its sending. */
static enum MHD_Result send_reply(struct request *request)
{
    if (!deadline_enter(request->deadline, DEADLINE_RESPONSE)) {
        return MHD_NO;
    }
    request->reply_bytes = request->reply.body_len;
    /*
     * The library takes a LF alone for the end of a chunk's line, where others do not: whatever
     * follows chunks is not read as a request.
     */
    request->reply.close |=
        request->headers.chunked ||
        atomic_load_explicit(&request->dispatch->draining, memory_order_relaxed);
    request->stage = REQUEST_ENDED;
    return reply_queue(request);
}

/* The first call: headers are there, the body is not. */
static enum MHD_Result begin(struct request *request, const char *method, const char *version)
{
    struct dispatch *dispatch = request->dispatch;
    request->counted = true;
    request->questionnaires = questionnaire_offer_enter(request->services->offer);
    atomic_fetch_add(&dispatch->in_flight, 1);
    observe_in_flight(dispatch->observe, 1);
    struct http_connection *own = connection_of(request->connection);
    hear(dispatch, own);
    if (!deadline_enter(request->deadline, DEADLINE_BODY)) {
        return MHD_NO;
    }
    request->stage = REQUEST_BODY;
    admit(request, method, version, &own->peer);
    if (!request->headers.chunked) {
        library_error_forget(request);
    }

    const struct wire_headers *headers = &request->headers;
    if (request->reply.status == 0 || !(wire_has_body(headers) || request->reply.close)) {
        return MHD_YES;
    }
    if (request->reply.close || headers->expects_continue) {
        return send_reply(request); /* in this call, so that the connection is closed after it */
    }
    if (headers->content_length > request->services->config->http.body_max_bytes) {
        return request_reply_now(request) ? MHD_YES : MHD_NO;
    }
    return MHD_YES; /* the body is read and thrown away, and the connection lives on */
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t len)
{
    request->received_bytes += len;
    if (request->stage == REQUEST_REFUSED) {
        return MHD_YES;
    }
    const bool refused = request->reply.status != 0;
    const size_t limit = refused ? (size_t)request->services->config->http.body_max_bytes
                                 : admit_body_limit(request);
    if (request->received_bytes > limit) {
        if (!refused) {
            reply_problem(request, 413, "The body is too large.");
        }
        return request_reply_now(request) ? MHD_YES : MHD_NO;
    }
    if (refused) {
        return MHD_YES;
    }
    if (!request_append_body(request, data, len, limit)) {
        const struct err err = {.status = STATUS_NO_MEMORY, .message = "no memory for a body"};
        reply_failure(request, &err);
    }
    return MHD_YES;
}

static struct request *request_of(struct executor_job *job)
{
    return (struct request *)((char *)job - offsetof(struct request, job));
}

static const struct request *request_of_const(const struct executor_job *job)
{
    return (const struct request *)((const char *)job - offsetof(struct request, job));
}

static void run_job(struct executor_job *job, struct connection *connection)
{
    struct request *request = request_of(job);
    if (request_has_credential(request) && !admit_caller(request, connection)) {
        request_complete(request);
        return;
    }
    if (request->route->handle(request, connection) == HANDLED_NOW) {
        request_complete(request);
    }
}

/* The same for several in one transaction; those with one token are looked up once. */
static void work_job(struct executor_job *job, const struct executor_job *earlier,
                     struct connection *connection)
{
    struct request *request = request_of(job);
    request->reply_kept = request->reply.headers_count;
    if (admit_caller_after(request, earlier == NULL ? NULL : request_of_const(earlier),
                           connection)) {
        (void)request->route->handle(request, connection);
    }
}

static void tell_job(struct executor_job *job)
{
    request_complete(request_of(job));
}

static void forget_job(struct executor_job *job)
{
    struct request *request = request_of(job);
    reply_forget(&request->reply, request->reply_kept);
    request->caller = (struct staff_caller){0};
}

static void refuse_job(struct executor_job *job, const struct err *err)
{
    struct request *request = request_of(job);
    reply_failure(request, err);
    request_complete(request);
}

/* Runs the handler, here or elsewhere; false when the reply is set and can be sent now. */
static bool start_work(struct request *request)
{
    const struct route *route = request->route;
    if (route->runs == ROUTE_DATABASE || request_has_credential(request)) {
        request->job = (struct executor_job){.run = run_job, .refuse = refuse_job};
        /* A session's use is noted in its row, which would stay locked: only tokens. */
        if (route->shares_commit && request->token != NULL) {
            request->job.work = work_job;
            request->job.tell = tell_job;
            request->job.forget = forget_job;
        }
        request_suspend(request);
        if (!executor_submit(request->services->executor, &request->job)) {
            const struct err err = {.status = STATUS_UNAVAILABLE,
                                    .message = "the executor's queue is full"};
            refuse_job(&request->job, &err);
        }
        return true;
    }
    if (route->handle(request, NULL) == HANDLED_LATER) {
        return true; /* the request may belong to another thread by now */
    }
    if (request->suspended) {
        request_complete(request);
        return true;
    }
    return false;
}

/* The whole request is there. */
static enum MHD_Result work(struct request *request)
{
    struct dispatch *dispatch = request->dispatch;
    request->stage = REQUEST_WORK;
    pthread_rwlock_rdlock(&dispatch->work_lock);
    if (dispatch->refusing) {
        const struct err err = {.status = STATUS_UNAVAILABLE, .message = "shutting down"};
        reply_failure(request, &err);
    }
    const bool elsewhere = !dispatch->refusing && start_work(request);
    pthread_rwlock_unlock(&dispatch->work_lock);
    return elsewhere ? MHD_YES : send_reply(request);
}

enum MHD_Result dispatch_call(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **request_context)
{
    (void)context;
    (void)connection;
    (void)url;
    struct request *request = *request_context;
    if (request == NULL) {
        return MHD_NO; /* memory was out */
    }
    if (request->stage == REQUEST_NEW) {
        return begin(request, method, version);
    }
    if (*upload_data_size > 0) {
        const size_t len = *upload_data_size;
        *upload_data_size = 0;
        return take_body(request, upload_data, len);
    }
    library_error_forget(request);
    if (request->stage == REQUEST_REFUSED) {
        return MHD_NO; /* the reply is out: close */
    }
    if (request->stage == REQUEST_BODY && request->reply.status == 0) {
        return work(request);
    }
    if (request->suspended && !atomic_load_explicit(&request->completed, memory_order_acquire)) {
        return MHD_YES; /* it is still being worked on */
    }
    return send_reply(request);
}

/* Counts and logs a request that got as far as our checks. */
static void log_end(const struct request *request, bool sent)
{
    const bool refused = request->stage == REQUEST_REFUSED;
    const bool answered = refused || request->stage == REQUEST_ENDED;
    const bool timed_out = !answered && deadline_expired_phase(request->deadline) == DEADLINE_BODY;
    observe_request(request->dispatch->observe, request, timed_out ? 408 : request->reply.status,
                    answered && (sent || refused));
}

void dispatch_completed(void *context, struct MHD_Connection *connection, void **request_context,
                        enum MHD_RequestTerminationCode code)
{
    struct dispatch *dispatch = context;
    struct request *request = *request_context;
    if (request == NULL) {
        return;
    }
    *request_context = NULL;
    library_error_forget(request);
    /* What another thread wrote into the request is ours from here on. */
    (void)atomic_load_explicit(&request->completed, memory_order_acquire);
    if (request->counted) {
        log_end(request, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
        observe_in_flight(dispatch->observe, -1);
    } else if (request->stage == REQUEST_REFUSED) {
        log_end(request, false);
    } else {
        log_debug("request without plain headers", LOG_TEXT("request_id", request->id));
    }
    (void)deadline_enter(request->deadline, DEADLINE_IDLE);
    const bool counted = request->counted;
    struct questionnaire_use *questionnaires = request->questionnaires;
    if (counted && !request->reply.close) {
        expect(dispatch, connection_of(connection)); /* before it is in flight no more: see drain */
    }
    request_destroy(request);
    if (counted) {
        questionnaire_offer_leave(dispatch->services->offer, questionnaires);
    }
    if (counted && atomic_fetch_sub(&dispatch->in_flight, 1) == 1) {
        wake_drain(dispatch);
    }
}
