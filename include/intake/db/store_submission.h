/*
 * users, patient_profiles, medical_questionnaire_submissions, submission_revisions and drafts: the
 * statements that write them all, for many submissions at once.
 */
#ifndef INTAKE_DB_STORE_SUBMISSION_H
#define INTAKE_DB_STORE_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/id.h"
#include "intake/db/audit.h"
#include "intake/db/connection.h"

enum submission_outcome {
    SUBMISSION_LATER,     /* met another entry or writer on the same person: write it again */
    SUBMISSION_CREATED,   /* the first for its booking */
    SUBMISSION_REVISED,   /* other content than before: the next revision */
    SUBMISSION_UNCHANGED, /* the same content again */
    SUBMISSION_GONE,      /* the booking's submission was deleted; nothing was written */
    SUBMISSION_STALE,     /* other content than what is there, whose revision is not the expected */
};

enum {
    SUBMISSION_STATUS_SIZE = 16, /* "submitted", "processed", "failed" */
    SUBMISSION_ANY_REVISION = -1,
};

/*
 * One submission on its way into the database. The submitter owns it and everything it points to
 * until `done` is called; strings are NUL-terminated, valid UTF-8 and without U+0000.
 */
struct submission_write {
    const char *booking_uid;
    const char *name;
    const char *email;
    const char *phone; /* E.164, or NULL */
    const char *data;  /* the body as it was posted, JSON */
    size_t data_len;
    const char *questionnaire_id;
    const char *questionnaire_version;
    /* The revision that it was written upon, 0 for none, or SUBMISSION_ANY_REVISION. */
    int32_t expected_revision;
    int32_t age;              /* for a profile that has to be made; -1: not known */
    struct audit_actor actor; /* who posts it; its texts live as long */
    /* Ids for what may have to be made (UUIDv7); a repeated attempt uses the same. */
    char user_id[UUID_TEXT_SIZE];
    char profile_id[UUID_TEXT_SIZE];
    char submission_id[UUID_TEXT_SIZE];

    /* What came of it, set when the status is STATUS_OK. Times: microseconds since 1970. */
    enum submission_outcome outcome;
    char id[UUID_TEXT_SIZE];
    int32_t revision;
    char status[SUBMISSION_STATUS_SIZE];
    int64_t created_at_us;
    int64_t updated_at_us;

    /* Called once, on a lane's thread, after the commit or when it was given up. */
    void (*done)(struct submission_write *write, enum status status, const struct err *err);

    /* The lane's own. */
    int64_t deadline_us;
    int conflicts;
    uint32_t keys[3];
    struct submission_write *next;
};

/* Memory of one lane for its parameters, kept between batches. */
struct submission_writer;

struct submission_writer *submission_writer_create(void);
void submission_writer_destroy(struct submission_writer *writer);

extern const struct statement_list submission_write_statements;

/*
 * Writes them in one transaction, each change with its row of audit_log (submission.create,
 * submission.revise), and sets what came of each. With `only_new`, those whose booking
 * and person are both new are written, quickly, and the others become SUBMISSION_LATER. No two of
 * them may name the same booking, e-mail or phone. Failures as connection_execute(), but that what
 * the database refuses is STATUS_INTERNAL.
 */
enum status submission_write_batch(struct connection *connection, struct submission_writer *writer,
                                   bool only_new, struct submission_write *const *writes,
                                   size_t count, int64_t deadline_us, struct err *err);

#endif
