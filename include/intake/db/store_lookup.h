/*
 * What staff read: one submission with its patient, and lists of them. Every row that is read is
 * written to audit_log by the same statement, or it is not read.
 */
#ifndef INTAKE_DB_STORE_LOOKUP_H
#define INTAKE_DB_STORE_LOOKUP_H

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

/* One submission and what belongs to it. Texts live as long as `result`; data NULL is SQL's NULL.
 */
struct submission_record {
    char id[UUID_TEXT_SIZE];
    struct view booking_uid;
    struct view status;
    int32_t revision;
    int32_t attempts;
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t processed_at_us; /* 0: not processed */
    struct view failure_reason;
    struct view questionnaire_id;
    struct view questionnaire_version;
    struct view data;                /* JSON, as posted */
    struct view contradictions;      /* JSON, each with its resolution */
    struct view review;              /* JSON */
    struct view evaluation;          /* JSON; NULL: nothing was found, or not yet looked for */
    char patient_id[UUID_TEXT_SIZE]; /* "": no profile, or a deleted one */
    bool patient_deleted;
    struct view patient_name;
    struct view patient_email;
    struct view patient_phone;
    struct view patient_location;
    struct view patient_gender;
    struct view source_channel;
    struct view user_type;
    int32_t patient_age;            /* -1: not known */
    struct view medical_background; /* JSON */
    struct pg_result *result;
};

/* STATUS_NOT_FOUND when there is none. Free with submission_record_finish. */
enum status lookup_submission(struct connection *connection, const struct audit_actor *actor,
                              const char *booking_uid, struct submission_record *ret_record,
                              struct err *err);
/* The same by the submission's id, which must be a UUID. */
enum status lookup_submission_id(struct connection *connection, const struct audit_actor *actor,
                                 const char *id, struct submission_record *ret_record,
                                 struct err *err);
void submission_record_finish(struct submission_record *record);

/* What somebody looks for, in each of the ways in which it may be meant; NULL is none. */
struct submission_search {
    const char *booking_uid;
    const char *email;
    const char *phone; /* E.164 */
    const char *name;  /* a part of it; one or two characters: the beginning of a word */
};

/* What a list is narrowed to; NULL and 0 are no limit. Times: microseconds since 1970. */
struct submission_filter {
    const char *status;
    int64_t since_us; /* created at or after */
    int64_t until_us; /* created before */
    struct submission_search search;
    const char *questionnaire_id;
    const char *review_state;
    const char *flag;  /* the text of a flag, as a whole */
    int64_t before_us; /* with before_id: only what was created before this one */
    const char *before_id;
    int32_t limit;
};

struct submission_line {
    char id[UUID_TEXT_SIZE];
    struct view booking_uid;
    struct view status;
    int32_t revision;
    int64_t created_at_us;
    int64_t updated_at_us;
    struct view patient_name;
    struct view patient_email;
    struct view review_state;
    struct view questionnaire_id;
    struct view questionnaire_version;
    struct view flags;  /* JSON; NULL: none */
    int32_t unresolved; /* contradictions that nobody has decided */
};

/* Lines as they came from the database; they live as long as the page. */
struct submission_page {
    int32_t count;
    bool more;       /* there is a next page; this one may be short all the same */
    int64_t next_us; /* with next_id: the before_us and before_id of the next page */
    char next_id[UUID_TEXT_SIZE];
    struct pg_result *result;
};

/* Newest first, at most `filter->limit`. Free with submission_page_finish. */
enum status lookup_list(struct connection *connection, const struct audit_actor *actor,
                        const struct submission_filter *filter, struct submission_page *ret_page,
                        struct err *err);
void submission_page_line(const struct submission_page *page, int32_t index,
                          struct submission_line *ret_line);

/*
 * The same rows, whole (submission_page_record), at most `filter->limit`. Audited row by row,
 * as submission.export.
 */
enum status lookup_export(struct connection *connection, const struct audit_actor *actor,
                          const struct submission_filter *filter, struct submission_page *ret_page,
                          struct err *err);
/* A row of an export; it lives as long as the page, and is not finished. */
void submission_page_record(const struct submission_page *page, int32_t index,
                            struct submission_record *ret_record);

void submission_page_finish(struct submission_page *page);

/*
 * Submits a failed submission again. STATUS_NOT_FOUND when there is none, STATUS_CONFLICT when it
 * has not failed. `ret_record` has only the members of a receipt. Audited.
 */
enum status lookup_retry(struct connection *connection, const struct audit_actor *actor,
                         const char *booking_uid, struct submission_record *ret_record,
                         struct err *err);

extern const struct statement_list lookup_statements;

#endif
