/*
 * submission_drafts: what was begun for a booking and not sent yet. A draft that has expired is
 * not there for anybody, whether it was deleted yet or not.
 */
#ifndef INTAKE_DB_STORE_DRAFT_H
#define INTAKE_DB_STORE_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/core/text.h"

struct audit_actor;
struct connection;
struct pg_result; /* libpq's PGresult */
struct statement_list;

enum { DRAFT_VERSIONS_MAX = 8 };

/* What a writer says of the draft that it found. */
enum draft_expectation {
    DRAFT_NOT_STATED, /* holds when there is none: a draft that nobody has read is not written over
                       */
    DRAFT_ABSENT,
    DRAFT_ANY, /* there is one, whichever */
    DRAFT_ONE_OF,
};

struct draft_condition {
    enum draft_expectation expectation;
    char versions[DRAFT_VERSIONS_MAX][UUID_TEXT_SIZE]; /* of DRAFT_ONE_OF */
    size_t versions_count;
};

struct draft_record {
    char version[UUID_TEXT_SIZE];
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t expires_at_us;
    struct view data;         /* JSON, byte by byte as posted; only of draft_find */
    struct pg_result *result; /* owns `data` */
};

/*
 * Reads the draft of a booking; audited. STATUS_NOT_FOUND when there
 * is none. Free with draft_record_finish.
 */
enum status draft_find(struct connection *connection, const struct audit_actor *actor,
                       const char *booking_uid, struct draft_record *ret_record, struct err *err);
void draft_record_finish(struct draft_record *record);

/* What is written: JSON text, kept as it is. */
struct draft_write {
    const char *booking_uid;
    const char *version; /* a new UUID, for the case that it is other content than before */
    const char *data;    /* NUL-terminated */
    long days;           /* from now until it expires */
};

/*
 * Writes a draft where the condition holds; STATUS_CONFLICT, and nothing happened, where it does
 * not. The same content again is no conflict, for it loses nothing: it keeps its version and
 * expires later. STATUS_NOT_FOUND when the booking's submission was deleted: it takes no draft any
 * more. `ret_record` has no data and needs no finish.
 */
enum status draft_store(struct connection *connection, const struct draft_write *write,
                        const struct draft_condition *condition, struct draft_record *ret_record,
                        struct err *err);

/* Deletes the draft where the condition (DRAFT_ANY, DRAFT_ONE_OF) holds, else STATUS_CONFLICT. */
enum status draft_delete(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, const struct draft_condition *condition,
                         struct err *err);

/* Deletes up to `limit` drafts that have expired, and counts them. For the worker. */
enum status draft_delete_expired(struct connection *connection, long limit, size_t *ret_count,
                                 struct err *err);

extern const struct statement_list draft_statements;
extern const struct statement_list draft_expiry_statements;

#endif
