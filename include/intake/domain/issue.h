/*
 * What is wrong with what somebody sent, all of it at once: a growing list of issues, each with a
 * code for programs and a sentence for the person. It knows neither questionnaires nor HTTP: the
 * envelope's checks and the questionnaire's fill the same list, in the order in which a reader
 * expects them.
 *
 * No sentence holds what a patient wrote. `field` may be a key that the client made up.
 */
#ifndef INTAKE_DOMAIN_ISSUE_H
#define INTAKE_DOMAIN_ISSUE_H

#include <stdbool.h>
#include <stddef.h>

#include "intake/core/text.h"

/* FHIR R4 issue-severity. FATAL: the thing does not have the shape that it must have at all. */
enum issue_severity { ISSUE_FATAL, ISSUE_ERROR, ISSUE_WARNING, ISSUE_INFORMATION };

struct issue {
    enum issue_severity severity;
    const char *code;  /* static: "required", "invalidAnswerType", "placeholder", … */
    const char *field; /* the field of the body, or the linkId; never NULL */
    /* FHIRPath to the element, "QuestionnaireResponse.item[0]"; "http.NAME" for a parameter of the
     * query (then `field` is no linkId); or "". */
    const char *path;
    const char *message; /* one sentence that a patient understands */
    char *texts;         /* the block that holds field, path and message */
};

/*
 * Zero-initialise it (`struct issues issues = {0};`) and free it with issues_finish. Look at
 * `failed` once at the end: memory was out and issues are missing. More than ISSUES_MAX are
 * counted but not kept, so that a hostile body cannot make a reply of any length. One thread.
 */
#define ISSUES_MAX 1000

struct issues {
    struct issue *items;
    size_t count;
    size_t capacity;
    size_t errors_count; /* those of ISSUE_FATAL and ISSUE_ERROR, kept or not */
    bool truncated;
    bool failed;
};

void issues_finish(struct issues *issues);

/*
 * Appends an error. `code` is kept as a pointer and must be static; `field`, `path` (NULL for
 * none) and the message are copied, and a field longer than ISSUE_FIELD_MAX bytes is cut.
 */
#define ISSUE_FIELD_MAX 255
void issues_add(struct issues *issues, const char *code, const char *field, const char *path,
                const char *message_format, ...) __attribute__((format(printf, 5, 6)));

/* The same with another severity. */
void issues_add_severity(struct issues *issues, enum issue_severity severity, const char *code,
                         const char *field, const char *path, const char *message_format, ...)
    __attribute__((format(printf, 6, 7)));

/* Whether what was checked can be accepted: no errors, and nothing was lost on the way. */
bool issues_are_none(const struct issues *issues);

/* The first issue of `field` with `code`, or NULL; either may be NULL for any. */
const struct issue *issues_find(const struct issues *issues, const char *field, const char *code);

/*
 * Appends `[{"field":…,"code":…,"message":…},…]`: the `errors` of a problem+json (RFC 9457). Where
 * the field alone does not say which one is meant, `path` does: "medications[1].dose".
 */
void issues_print_errors(const struct issues *issues, struct strbuf *out);

/*
 * Appends a FHIR R4 OperationOutcome: severity, code (issue-type), details.coding with our code,
 * expression and diagnostics. Without issues it says so with one of severity "information".
 */
void issues_print_operation_outcome(const struct issues *issues, struct strbuf *out);

#endif
