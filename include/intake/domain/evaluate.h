/*
 * What the answers to a questionnaire come to, for staff: scores with their bands, flags for the
 * doctor's eye, and the age that a range stands for. Only what is enabled counts.
 *
 * Scores come from FHIR's ordinalValue (or itemWeight) on the options of choices. The rest are
 * extensions of ours:
 *
 * - `urn:intake:score-band`, on the Questionnaire or a group, once per band, with the extensions
 *   `low` and `high` (valueDecimal or valueInteger, both included), `code` (valueCode) and `label`
 *   (valueString) inside.
 * - `urn:intake:flag`, on an answerOption: a valueString that is shown when the option is chosen.
 *   On an item of any type: with the extensions `text` (valueString) and `when` (any value; without
 *   it every answer counts) inside.
 * - `urn:intake:derived-age`, on an answerOption: a valueInteger, the age in years that stands for
 *   the range.
 */
#ifndef INTAKE_DOMAIN_EVALUATE_H
#define INTAKE_DOMAIN_EVALUATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/domain/decimal.h"

struct questionnaire;
struct strbuf;
struct json_lexemes;

/* A sum of ordinal values: of the whole questionnaire (linkId "") or of a group. */
struct score {
    const char *link_id;
    const char *text; /* the group's text, or the title */
    struct decimal value;
    size_t questions;      /* enabled and scored */
    size_t answered;       /* of these; a band is only given when all are */
    const char *band_code; /* NULL: none */
    const char *band_label;
};

struct flag {
    const char *link_id;
    const char *text;
};

/* Zero-initialise it; free with evaluation_finish. Texts belong to the questionnaire. */
struct evaluation {
    struct score *scores; /* the whole first, then groups in the definition's order */
    size_t scores_count;
    struct flag *flags; /* in the definition's order */
    size_t flags_count;
    int derived_age; /* or -1 */
};

/* Evaluates a flat body, valid or not: what cannot be read counts as unanswered. */
enum status questionnaire_evaluate(const struct questionnaire *questionnaire, const json_t *body,
                                   struct evaluation *ret, struct err *err);
void evaluation_finish(struct evaluation *evaluation);

/*
 * Appends it as JSON: {"scores":[{"link_id","text","value","questions","answered","band":{"code",
 * "label"}}],"flags":[{"link_id","text"}],"derived_age"}; band and derived_age only where known.
 */
void evaluation_print(const struct evaluation *evaluation, struct strbuf *out);

/* A band and a flag as the definition has them; false when they are broken. */
struct score_band {
    struct decimal low;
    struct decimal high;
    const char *code; /* may be NULL */
    const char *label;
};
bool score_band_read(const json_t *extension, struct score_band *ret);
bool item_flag_read(const json_t *extension, const char **ret_text, const json_t **ret_when);

#endif
