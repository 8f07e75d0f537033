/*
 * A questionnaire: a FHIR R4 Questionnaire, loaded once into an immutable form that any number of
 * threads share. Nothing here allocates in proportion to the definition when answers are checked.
 *
 * The flat form of the answers, `{"linkId": answer, …}`:
 * - A question is a member named by its linkId; its answer is the obvious JSON value: true and
 *   false, numbers, texts (also for dates, times and URLs), the code of a choice (or an object with
 *   `system` and `code`), `{"value":…,"unit":…,"code":…,"system":…}` for a quantity (or the bare
 *   number where the item names its unit), FHIR's own object for an attachment, and for a reference
 *   the text or FHIR's object.
 *   The free text of an open-choice is a text, or `{"text":…}` where it happens to be a code.
 * - A question that repeats is a list, always; one that does not is never a list.
 * - A group that does not repeat may have its members directly in the surrounding object, or in an
 *   object under its own linkId. A group that repeats is a list of objects under its linkId.
 * - Questions below a question stand beside it; where the upper question repeats, an element of its
 *   list may be `{"answer": …, "linkId of a question below": …}`.
 * - null, a blank text, [] and {} are unanswered. false and 0 are answers.
 */
#ifndef INTAKE_DOMAIN_QUESTIONNAIRE_H
#define INTAKE_DOMAIN_QUESTIONNAIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/domain/issue.h"

struct questionnaire;

/* Larger definition files are refused. */
#define QUESTIONNAIRE_MAX_BYTES ((size_t)4 * 1024 * 1024)

/*
 * Compiles the definition in `data` (JSON text, copied). What makes it unusable is in `issues`
 * (field: the linkId) and the result is STATUS_INVALID, whose message names the first; warnings
 * are appended as well. The caller owns the result (questionnaire_destroy).
 */
enum status questionnaire_compile(const char *data, size_t len, struct issues *issues,
                                  struct questionnaire **ret, struct err *err);

/* The same for a file, whose path leads the message. */
enum status questionnaire_load(const char *path, struct issues *issues, struct questionnaire **ret,
                               struct err *err);

void questionnaire_destroy(struct questionnaire *questionnaire);

/* All of these live as long as the questionnaire; "" where the definition says nothing. */
const char *questionnaire_id(const struct questionnaire *questionnaire);
const char *questionnaire_version(const struct questionnaire *questionnaire);
const char *questionnaire_url(const struct questionnaire *questionnaire);
const char *questionnaire_title(const struct questionnaire *questionnaire);
const char *questionnaire_status(const struct questionnaire *questionnaire);

/* The definition as it was in the file, byte by byte, and as parsed. */
struct view questionnaire_text(const struct questionnaire *questionnaire);
const json_t *questionnaire_definition(const struct questionnaire *questionnaire);

/* The same compressed; NULL data before questionnaire_pack(), which is false without memory. */
struct view questionnaire_gzip(const struct questionnaire *questionnaire);
bool questionnaire_pack(struct questionnaire *questionnaire);

/* SHA-256 of the text in lower-case hexadecimal: an ETag, and proof of what was answered. */
const char *questionnaire_digest(const struct questionnaire *questionnaire);

/* Whether new answers are taken at `wall_ms`: status active, and within effectivePeriod. */
bool questionnaire_is_offered(const struct questionnaire *questionnaire, int64_t wall_ms);

/* The text of the item with this linkId, for people; NULL when there is none. */
const char *questionnaire_item_text(const struct questionnaire *questionnaire, const char *link_id);

/*
 * Appends everything that is wrong with the answers in `body` (a JSON object in the flat form) to
 * `issues`, in the questionnaire's order; the members of the envelope are skipped. STATUS_OK means
 * that the check was done, not that nothing was found. Any thread.
 */
enum status questionnaire_validate_flat(const struct questionnaire *questionnaire,
                                        const json_t *body, struct issues *issues, struct err *err);

struct json_lexemes;

/*
 * The same with the numbers as they were written (json_lexemes_read, core/json.h), so that
 * decimals keep every digit.
 */
enum status questionnaire_validate_flat_lexemes(const struct questionnaire *questionnaire,
                                                const json_t *body,
                                                const struct json_lexemes *lexemes,
                                                struct issues *issues, struct err *err);

/* The same with the text that `body` was parsed from; looks into it only where it must. */
enum status questionnaire_validate_flat_text(const struct questionnaire *questionnaire,
                                             const json_t *body, const char *text, size_t len,
                                             struct issues *issues, struct err *err);

/*
 * The same for a FHIR R4 QuestionnaireResponse. Only `completed` and `amended` demand what is
 * required. While `in-progress`, broken rules are warnings; a broken structure, an unknown linkId
 * or an answer of the wrong type is an error in every status. STATUS_INVALID when it is no
 * QuestionnaireResponse.
 *
 * A group that does not repeat is asked whether the response mentions it or not, so the required
 * questions in it are demanded; of a repeating group that is not there, nothing is.
 */
enum status questionnaire_validate_response(const struct questionnaire *questionnaire,
                                            const json_t *response,
                                            const struct json_lexemes *lexemes,
                                            struct issues *issues, struct err *err);

/*
 * Sets the age in years that the answers of a flat body stand for (urn:intake:derived-age on the
 * chosen option), or -1. STATUS_NO_MEMORY alone.
 */
enum status questionnaire_derived_age(const struct questionnaire *questionnaire, const json_t *body,
                                      int *ret_age, struct err *err);

#endif
