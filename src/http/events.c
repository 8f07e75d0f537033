/* Server-sent events about submissions. */
#include "intake/http/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/condition.h"
#include "intake/core/config.h"
#include "intake/db/executor.h"
#include "intake/db/store_audit.h"
#include "intake/http/request.h"
#include "intake/http/stream.h"

enum {
    LOOK_EVERY_MS = 1000,
    LATE_LOOKS = 5,   /* how long a row of a smaller id is still waited for */
    KNOWN_MAX = 2048, /* ids that were told and could come again in that time */
    DELIVERED_TOGETHER = 64,
};

static const char content_type[] = "text/event-stream";

/* A request that listens; attached to it. */
struct listener {
    struct events *events;
    struct request *request;
    struct strbuf pending;
    int64_t heard; /* how much had been told when it asked for what is behind that */
    enum { JOINS, CATCHES_UP, IS_UP_TO_DATE } stage;
    int64_t begun_us;
    int64_t told_us; /* when it last got something */
    bool wanted;     /* its connection waits for what comes */
    struct listener *previous, *next;
};

struct told_row {
    int64_t id;
    int64_t number; /* so many were told with it */
};

struct events {
    struct executor *executor;
    int64_t heartbeat_us; /* of silence */
    int64_t lifetime_us;  /* of a stream: then its page's session is looked at again */
    struct executor_job job;
    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t changed;
    bool stopping;
    bool listened; /* there is a listener */
    bool looked;   /* the job is done */
    bool more;     /* and has left something to look at */
    struct listener *first;
    /* What was told already: rows up to `floor`, and those in `known`. */
    int64_t floor;
    int64_t marks[LATE_LOOKS]; /* the newest id at each of the last looks */
    int64_t newest;
    struct told_row known[KNOWN_MAX];
    size_t known_count;
    int64_t told; /* rows, ever */
    pthread_t thread;
};

void events_print(const struct submission_change *change, struct strbuf *out)
{
    char at[RFC3339_SIZE];
    clock_rfc3339(change->occurred_at_us, at);
    strbuf_printf(out, "id: %" PRId64 "\nevent: submission\ndata: {\"booking_uid\":", change->id);
    strbuf_json_string(out, change->booking_uid, strlen(change->booking_uid));
    strbuf_printf(out, ",\"revised\":%s,\"at\":\"%s\"}\n\n", change->revised ? "true" : "false",
                  at);
}

int64_t events_last_id(const char *header)
{
    long id = 0;
    return header != NULL && text_to_long(header, 1, INT64_MAX, &id) ? id : 0;
}

/* --- listeners; the mutex is held --------------------------------------------------------------
 */

/* Whether the listener's connection is to be given something, and then what. */
static bool take_piece(struct listener *listener, int64_t now_us, struct strbuf *ret_piece,
                       enum stream_state *ret_state)
{
    const bool behind = listener->pending.len > EVENTS_PENDING_MAX || listener->pending.failed;
    const struct events *events = listener->events;
    const bool over =
        events->stopping || behind || now_us - listener->begun_us > events->lifetime_us;
    if (!listener->wanted) {
        return false;
    }
    if (listener->pending.len == 0 && now_us - listener->told_us > events->heartbeat_us) {
        strbuf_puts(&listener->pending, ":\n\n");
    }
    if (listener->pending.len == 0 && !over) {
        return false;
    }
    listener->wanted = false;
    listener->told_us = now_us;
    *ret_piece = listener->pending;
    listener->pending = (struct strbuf){0};
    *ret_state = over ? STREAM_ENDS : STREAM_GOES_ON;
    return true;
}

/* Gives all that wait what there is for them. Takes the mutex, and lets it go to deliver. */
static void deliver_all(struct events *events)
{
    struct {
        struct request *request;
        struct strbuf piece;
        enum stream_state state;
    } ready[DELIVERED_TOGETHER];
    size_t count;
    do {
        count = 0;
        const int64_t now_us = clock_monotonic_us();
        pthread_mutex_lock(&events->mutex);
        for (struct listener *listener = events->first;
             listener != NULL && count < ARRAY_LENGTH(ready); listener = listener->next) {
            ready[count].request = listener->request;
            count += take_piece(listener, now_us, &ready[count].piece, &ready[count].state);
        }
        pthread_mutex_unlock(&events->mutex);
        for (size_t i = 0; i < count; i++) { /* nobody else has them: none is `wanted` any more */
            stream_deliver(ready[i].request, &ready[i].piece, ready[i].state);
        }
    } while (count == ARRAY_LENGTH(ready));
}

static void forget_listener(void *attachment)
{
    struct listener *listener = attachment;
    struct events *events = listener->events;
    pthread_mutex_lock(&events->mutex);
    if (listener->previous != NULL) {
        listener->previous->next = listener->next;
    } else if (events->first == listener) {
        events->first = listener->next;
    }
    if (listener->next != NULL) {
        listener->next->previous = listener->previous;
    }
    events->listened = events->first != NULL;
    pthread_mutex_unlock(&events->mutex);
    strbuf_finish(&listener->pending);
    free(listener);
}

/* The connection's thread: the connection is suspended. */
static void want_event(struct request *request)
{
    struct listener *listener = request->attachment;
    struct events *events = listener->events;
    struct strbuf piece = {0};
    enum stream_state state = STREAM_GOES_ON;
    pthread_mutex_lock(&events->mutex);
    listener->wanted = true;
    const bool ready = take_piece(listener, clock_monotonic_us(), &piece, &state);
    pthread_mutex_unlock(&events->mutex);
    if (ready) {
        stream_deliver(request, &piece, state);
    }
}

/* --- what has changed --------------------------------------------------------------------------
 */

static const struct told_row *find_told(const struct events *events, int64_t id)
{
    for (size_t i = 0; i < events->known_count; i++) {
        if (events->known[i].id == id) {
            return &events->known[i];
        }
    }
    return NULL;
}

/* Nothing up to that row is waited for any more. Mutex held. */
static void raise_floor(struct events *events, int64_t id)
{
    events->floor = id > events->floor ? id : events->floor;
    size_t kept = 0;
    for (size_t i = 0; i < events->known_count; i++) {
        if (events->known[i].id > events->floor) {
            events->known[kept++] = events->known[i];
        }
    }
    events->known_count = kept;
}

/* The number of the row that is told just now. Mutex held. */
static int64_t note_row(struct events *events, int64_t id)
{
    if (events->known_count == KNOWN_MAX) { /* a flood: late rows of its older half are lost */
        raise_floor(events, events->known[KNOWN_MAX / 2].id);
    }
    events->told++;
    events->known[events->known_count++] = (struct told_row){id, events->told};
    events->newest = id > events->newest ? id : events->newest;
    return events->told;
}

/* Mutex held. */
static void tell(struct events *events, const struct submission_change *change)
{
    const struct told_row *told = find_told(events, change->id);
    if (told == NULL && change->id <= events->floor) {
        return;
    }
    const bool is_new = told == NULL;
    const int64_t number = is_new ? note_row(events, change->id) : told->number;
    for (struct listener *listener = events->first; listener != NULL; listener = listener->next) {
        /* Others may have heard of it after this one asked what there is, and before it joined. */
        const bool hears = listener->stage == CATCHES_UP ? number > listener->heard
                                                         : is_new && listener->stage != JOINS;
        if (hears && listener->pending.len <= EVENTS_PENDING_MAX) {
            events_print(change, &listener->pending);
        }
    }
}

/* One look, begun after it joined, brings a listener all that others know. Mutex held. */
static void advance_listeners(struct events *events, int from, int to)
{
    for (struct listener *listener = events->first; listener != NULL; listener = listener->next) {
        if ((int)listener->stage == from) {
            listener->stage = to;
        }
    }
}

/* A row that commits late has a smaller id than others that were told. Mutex held. */
static void note_look(struct events *events)
{
    const int64_t oldest = events->marks[0];
    memmove(&events->marks[0], &events->marks[1], sizeof events->marks - sizeof events->marks[0]);
    events->marks[LATE_LOOKS - 1] = events->newest;
    raise_floor(events, oldest);
}

static struct events *events_of(struct executor_job *job)
{
    return (struct events *)((char *)job - offsetof(struct events, job));
}

static void end_look(struct events *events)
{
    events->looked = true;
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->mutex);
}

static void look(struct executor_job *job, struct connection *connection)
{
    struct events *events = events_of(job);
    pthread_mutex_lock(&events->mutex);
    const int64_t floor = events->floor;
    const int64_t newest = events->newest;
    advance_listeners(events, JOINS, CATCHES_UP);
    pthread_mutex_unlock(&events->mutex);
    AUTO(audit_changes_finish) struct audit_changes changes = {0};
    /* What fails now is found by the next look. */
    const enum status status = audit_changes(connection, floor, newest, &changes, NULL);
    pthread_mutex_lock(&events->mutex);
    if (status == STATUS_OK) {
        int fresh = 0;
        for (int32_t i = 0; i < changes.count; i++) {
            const struct submission_change change = audit_changes_at(&changes, i);
            fresh += change.id > newest;
            tell(events, &change);
        }
        advance_listeners(events, CATCHES_UP, IS_UP_TO_DATE);
        events->more = fresh == AUDIT_CHANGES_MAX;
        if (!events->more) {
            note_look(events);
        }
    }
    end_look(events);
}

static void skip_look(struct executor_job *job, const struct err *err)
{
    (void)err;
    struct events *events = events_of(job);
    pthread_mutex_lock(&events->mutex);
    end_look(events);
}

/* Looks once more, unless the end has come; the mutex is held. */
static void look_and_wait(struct events *events)
{
    events->looked = false;
    events->more = false;
    events->job = (struct executor_job){.run = look, .refuse = skip_look};
    /* With the mutex, so that nothing is handed over after events_end(). */
    const bool looking = !events->stopping && executor_submit(events->executor, &events->job);
    while (looking && !events->looked) {
        pthread_cond_wait(&events->changed, &events->mutex);
    }
}

static void *run_thread(void *arg)
{
    struct events *events = arg;
    bool stopping = false;
    while (!stopping) {
        pthread_mutex_lock(&events->mutex);
        while (!events->listened && !events->stopping) {
            pthread_cond_wait(&events->changed, &events->mutex);
        }
        look_and_wait(events);
        pthread_mutex_unlock(&events->mutex);
        deliver_all(events);
        pthread_mutex_lock(&events->mutex);
        if (!events->more) {
            condition_wait_ms(&events->changed, &events->mutex, LOOK_EVERY_MS, NULL,
                              &events->stopping);
        }
        stopping = events->stopping;
        pthread_mutex_unlock(&events->mutex);
    }
    return NULL;
}

enum status events_create(struct executor *executor, const struct config *config,
                          struct events **ret_events, struct err *err)
{
    struct events *events = calloc(1, sizeof *events);
    if (events == NULL) {
        return err_no_memory(err);
    }
    events->executor = executor;
    events->heartbeat_us = config->http.events_heartbeat_ms * INT64_C(1000);
    events->lifetime_us = config->http.events_lifetime_ms * INT64_C(1000);
    condition_init(&events->changed);
    pthread_mutex_init(&events->mutex, NULL);
    if (pthread_create(&events->thread, NULL, run_thread, events) != 0) {
        pthread_cond_destroy(&events->changed);
        pthread_mutex_destroy(&events->mutex);
        free(events);
        return err_set(err, STATUS_NO_MEMORY, "cannot start the thread for events");
    }
    *ret_events = events;
    return STATUS_OK;
}

void events_end(struct events *events)
{
    pthread_mutex_lock(&events->mutex);
    events->stopping = true;
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->mutex);
    deliver_all(events);
}

void events_destroy(struct events *events)
{
    if (events == NULL) {
        return;
    }
    events_end(events);
    pthread_join(events->thread, NULL);
    pthread_cond_destroy(&events->changed);
    pthread_mutex_destroy(&events->mutex);
    free(events);
}

int64_t events_told(struct events *events)
{
    pthread_mutex_lock(&events->mutex);
    const int64_t told = events->told;
    pthread_mutex_unlock(&events->mutex);
    return told;
}

void events_listen(struct events *events, struct request *request, int64_t heard, int64_t last_id,
                   struct strbuf *backlog)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        const struct err err = {.status = STATUS_NO_MEMORY, .message = "no memory to listen"};
        reply_failure(request, &err);
        return;
    }
    listener->events = events;
    listener->request = request;
    listener->heard = heard;
    listener->begun_us = clock_monotonic_us();
    listener->told_us = listener->begun_us;
    listener->pending = *backlog;
    *backlog = (struct strbuf){0};
    pthread_mutex_lock(&events->mutex);
    listener->next = events->first;
    if (events->first != NULL) {
        events->first->previous = listener;
    } else { /* nobody listened before, so nobody looked */
        events->floor = last_id;
        events->newest = last_id;
        memset(events->marks, 0, sizeof events->marks);
        events->known_count = 0;
    }
    events->first = listener;
    events->listened = true;
    pthread_cond_broadcast(&events->changed);
    pthread_mutex_unlock(&events->mutex);
    request_attach(request, listener, forget_listener);
    (void)reply_stream(request, 200, content_type, want_event);
}
