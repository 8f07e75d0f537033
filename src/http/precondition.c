/* What If-Match and If-None-Match say of the state that a write expects. */
#include "intake/http/precondition.h"

#include <stdbool.h>
#include <string.h>

#include "intake/core/text.h"
#include "intake/db/store_submission.h"
#include "intake/http/etag.h"

static const char none_match_fault[] = "Here If-None-Match can only be *, and not beside If-Match.";

static bool none_match_fits(const char *match, const char *none_match)
{
    return none_match == NULL || (match == NULL && text_equal(none_match, "*"));
}

/* The versions that If-Match names; what is no version of ours is left out, for it cannot match. */
static void read_versions(const char *list, struct draft_condition *condition)
{
    struct view tag;
    while (condition->versions_count < DRAFT_VERSIONS_MAX &&
           (tag = etag_list_next(&list)).data != NULL) {
        char *version = condition->versions[condition->versions_count];
        if (tag.len == UUID_TEXT_SIZE + 1) { /* two quotes, no NUL; with a W/ it is no UUID */
            memcpy(version, tag.data + 1, UUID_TEXT_SIZE - 1);
            version[UUID_TEXT_SIZE - 1] = '\0';
            condition->versions_count += id_is_uuid(version);
        }
    }
}

const char *precondition_of_draft(const char *match, const char *none_match,
                                  struct draft_condition *ret_condition)
{
    if (!none_match_fits(match, none_match)) {
        return none_match_fault;
    }
    *ret_condition = (struct draft_condition){.expectation = DRAFT_NOT_STATED};
    if (none_match != NULL) {
        ret_condition->expectation = DRAFT_ABSENT;
    } else if (match != NULL && text_equal(match, "*")) {
        ret_condition->expectation = DRAFT_ANY;
    } else if (match != NULL) {
        ret_condition->expectation = DRAFT_ONE_OF;
        read_versions(match, ret_condition);
    }
    return NULL;
}

/* The revision of a list of one tag, as we print it; 0 when it is none of ours. */
static int32_t read_revision(const char *match)
{
    const struct view tag = etag_list_next(&match);
    const char *digits = tag.data == NULL ? "" : strchr(tag.data, '"') + 1;
    char text[sizeof "2147483647"] = {0};
    long revision = 0;
    const size_t len = strspn(digits, "0123456789");
    if (len < sizeof text) {
        memcpy(text, digits, len);
    }
    const bool is_last = match[strspn(match, " \t,")] == '\0';
    const bool is_ours = *text != '0' && text_to_long(text, 1, INT32_MAX, &revision);
    return is_last && is_ours && digits[len] == '"' ? (int32_t)revision : 0;
}

const char *precondition_of_submission(const char *match, const char *none_match,
                                       int32_t *ret_revision)
{
    if (!none_match_fits(match, none_match)) {
        return none_match_fault;
    }
    if (match == NULL) {
        *ret_revision = none_match != NULL ? 0 : SUBMISSION_ANY_REVISION;
        return NULL;
    }
    const int32_t revision = read_revision(match);
    if (revision == 0) {
        return "Here If-Match can only be the ETag of one revision.";
    }
    *ret_revision = revision;
    return NULL;
}
