/*
 * What the worker does to the database: claim submissions, lock what they touch, write what came
 * of them. Everything is set-based; nothing here decides anything.
 */
#ifndef INTAKE_DB_STORE_PROCESSING_H
#define INTAKE_DB_STORE_PROCESSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/core/text.h"
#include "intake/db/connection.h"

/* A submission that was claimed. Texts live as long as the claim's result. */
struct claimed_submission {
    char id[UUID_TEXT_SIZE];
    struct view booking_uid;
    int32_t revision;
    int32_t attempts; /* this one included; with the revision it fences what is written */
    char profile_id[UUID_TEXT_SIZE]; /* "": none */
    struct view questionnaire_id;
    struct view questionnaire_version;
    struct view data;           /* JSON, as posted */
    struct view contradictions; /* JSON */
    int64_t due_at_us;          /* microseconds since 1970 */
};

/* What is to be claimed. */
struct claim {
    bool again; /* those that were claimed before, else those that never were */
    long limit;
    int alone_from;      /* claims: who has so many before this one is taken alone */
    long lease_ms;       /* until it may be claimed again */
    int64_t due_from_us; /* microseconds since 1970: what was due before is not looked at */
};

/*
 * Claims due submissions, oldest first: counts the attempt and sets the lease, in a transaction of
 * its own. PQclear `ret_result`.
 */
enum status processing_claim(struct connection *connection, const struct claim *claim,
                             PGresult **ret_result, struct err *err);
void processing_claimed(const PGresult *result, int row, struct claimed_submission *ret_claimed);

/* Begins the second transaction and ends it; processing_rollback never fails. */
enum status processing_begin(struct connection *connection, struct err *err);
enum status processing_commit(struct connection *connection, struct err *err);
void processing_rollback(struct connection *connection);

/*
 * Locks those of the claimed submissions that are still as they were claimed and sets their flag
 * in `ret_ours`; the others were revised or claimed by somebody else meanwhile.
 */
enum status processing_lock(struct connection *connection,
                            const struct claimed_submission *const *claimed, size_t count,
                            bool *ret_ours, struct err *err);

/* Whether the last statement failed because the server could not make a file longer. */
bool processing_disk_is_full(const struct connection *connection);
/* Or because somebody held a row for longer than `lock_timeout` (lock_not_available). */
bool processing_row_is_held(const struct connection *connection);

/* An attempt that was counted by a claim. */
struct processing_attempt {
    char id[UUID_TEXT_SIZE];
    int32_t revision;
    int32_t attempt;
};

/* Takes them back where the submission is still as it was claimed. */
enum status processing_return_attempts(struct connection *connection,
                                       const struct processing_attempt *attempts, size_t count,
                                       struct err *err);

/* What a medical background holds now. Texts live as long as the result. */
struct background_row {
    char profile_id[UUID_TEXT_SIZE];
    bool deleted;
    struct view medical_data;   /* JSON object */
    struct view answer_sources; /* JSON object: booking_uid -> {linkId -> value} */
};

/* Locks and reads the backgrounds of these profiles; those without one are not in the result. */
enum status processing_backgrounds(struct connection *connection, const char *const *profile_ids,
                                   size_t count, PGresult **ret_result, struct err *err);
void processing_background(const PGresult *result, int row, struct background_row *ret_row);

/* What to change in a profile's background, as JSON; what is not named stays as it is. */
struct background_write {
    const char *profile_id;
    const char *answers;     /* object: linkId -> value, put into medical_data */
    const char *sources;     /* object: booking_uid -> what it wrote, put into answer_sources */
    const char *booking_uid; /* without sources: the one booking, which wrote just `answers` */
    const char *removed;     /* array of linkIds that leave medical_data */
    int32_t age;             /* for a profile that has none; -1: not known */
    bool stored;             /* processing_backgrounds() found and locked it: changed, not made */
};

/*
 * Writes backgrounds and ages; profiles that were deleted are left alone. STATUS_RETRY when
 * somebody made one of the backgrounds since processing_backgrounds() looked.
 */
enum status processing_write_backgrounds(struct connection *connection,
                                         const struct background_write *writes, size_t count,
                                         struct err *err);

/* What came of a submission. */
struct processing_result {
    const char *id;
    const char *status;         /* "processed", "failed", or "submitted" to try again */
    const char *failure_reason; /* for staff; NULL when processed */
    const char *contradictions; /* JSON array */
    const char *evaluation;     /* JSON object, or NULL */
    int64_t retry_after_ms;     /* with "submitted" */
};

/* Marks the submissions, which processing_lock() must have locked. */
enum status processing_mark(struct connection *connection, const struct processing_result *results,
                            size_t count, struct err *err);

/* An attempt that failed, for the history. */
struct processing_failure {
    const char *submission_id;
    int32_t revision;
    int32_t attempt;
    const char *reason; /* for staff */
    bool is_final;      /* the submission was given up */
};

/* Keeps them, in the transaction that marks the submissions. */
enum status processing_note_failures(struct connection *connection,
                                     const struct processing_failure *failures, size_t count,
                                     struct err *err);

/* What the monitor reads. */
struct processing_state {
    int64_t oldest_us; /* age of the oldest due, unprocessed submission; 0: none */
    int64_t submitted; /* how many wait, counted up to a limit */
    int64_t failed;    /* how many failed, counted up to the same limit */
};

enum { PROCESSING_COUNT_MAX = 1000 };

enum status processing_state(struct connection *connection, struct processing_state *ret_state,
                             struct err *err);

/* `ret_read_only`: the server takes no writes. */
enum status processing_server_state(struct connection *connection, bool *ret_read_only,
                                    struct err *err);

extern const struct statement_list processing_statements;
extern const struct statement_list processing_state_statements;

#endif
