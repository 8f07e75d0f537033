/*
 * All questionnaires of a directory, immutable once loaded and shared by threads. A reload builds
 * a new set and swaps it for the old one, which lives until its last user is done with it.
 */
#ifndef INTAKE_DOMAIN_QUESTIONNAIRE_SET_H
#define INTAKE_DOMAIN_QUESTIONNAIRE_SET_H

#include <stddef.h>

#include "intake/core/err.h"

struct issues;
struct questionnaire;
struct questionnaire_set;

/*
 * Loads every `*.json` of `directory`; each must be a Questionnaire with an `id`. Several versions
 * of one id stand side by side; the same id and version twice is an error. `default_id` must be
 * among them. STATUS_INVALID with file, linkId and reason for the first file that is broken.
 * The caller owns the result (questionnaire_set_destroy).
 */
enum status questionnaire_set_load(const char *directory, const char *default_id,
                                   struct questionnaire_set **ret, struct err *err);
void questionnaire_set_destroy(struct questionnaire_set *set);

/* What a submission answers that names none; NULL when no version of it is offered now. */
const struct questionnaire *questionnaire_set_default(const struct questionnaire_set *set);

/*
 * The questionnaire `id` in `version` whether offered or not, or with NULL the newest version that
 * is offered now. NULL when there is none.
 */
const struct questionnaire *questionnaire_set_find(const struct questionnaire_set *set,
                                                   const char *id, const char *version);

/*
 * What an answer or a search names: `id`, `id|version`, `url` or `url|version`. Without a version
 * it is the newest one that is offered now, and where none is, the newest. NULL when there is none.
 */
const struct questionnaire *questionnaire_set_resolve(const struct questionnaire_set *set,
                                                      const char *name);

/*
 * What a stored submission answered: that version, or where its file is gone the newest one of its
 * id; the default one for a NULL id, which other programs write. NULL when there is none.
 */
const struct questionnaire *questionnaire_set_answered(const struct questionnaire_set *set,
                                                       const char *id, const char *version);

/*
 * The questionnaire that an answer names now, as questionnaire_set_resolve() finds it; for NULL and
 * blank text the default one. When there is none, or it takes no answers now: NULL, and an issue
 * about `field` and `path`.
 */
const struct questionnaire *questionnaire_set_choose(const struct questionnaire_set *set,
                                                     const char *name, const char *field,
                                                     const char *path, struct issues *issues);

/* All of them, by id and then from the newest version to the oldest. */
size_t questionnaire_set_count(const struct questionnaire_set *set);
const struct questionnaire *questionnaire_set_at(const struct questionnaire_set *set, size_t index);

#endif
