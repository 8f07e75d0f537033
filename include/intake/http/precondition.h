/*
 * What If-Match and If-None-Match (RFC 9110 section 13.1) say of the state that a write expects.
 * All are pure: they take the values of the two headers, NULL where there is none, and return NULL,
 * or the sentence of a 400 and leave the rest untouched.
 */
#ifndef INTAKE_HTTP_PRECONDITION_H
#define INTAKE_HTTP_PRECONDITION_H

#include <stdint.h>

#include "intake/db/store_draft.h"

/*
 * Of a draft. Of the tags of If-Match the first DRAFT_VERSIONS_MAX that are versions of drafts are
 * kept: what is no version cannot match, and those behind are not looked at.
 */
const char *precondition_of_draft(const char *match, const char *none_match,
                                  struct draft_condition *ret_condition);

/*
 * Of a submission: the revision that the answers follow, as If-Match has it, weak or not (FHIR R4
 * http.html, "Managing Resource Contention"); with `If-None-Match: *` none, 0; without both
 * SUBMISSION_ANY_REVISION. A request that was given up, and is read after a later one, then changes
 * nothing.
 */
const char *precondition_of_submission(const char *match, const char *none_match,
                                       int32_t *ret_revision);

#endif
