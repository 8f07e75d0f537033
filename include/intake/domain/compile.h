/*
 * The steps of questionnaire_compile, one file each. All append what is wrong to `issues`; a
 * result other than STATUS_OK means that memory is out.
 */
#ifndef INTAKE_DOMAIN_COMPILE_H
#define INTAKE_DOMAIN_COMPILE_H

#include "intake/domain/compiled.h"

struct compile {
    struct questionnaire *questionnaire;
    struct issues *issues;
};

/* Appends an issue of an item, with its linkId and its place in the definition. */
void compile_issue(struct compile *compile, enum issue_severity severity, uint32_t item,
                   const char *code, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The contained ValueSets. */
enum status compile_value_sets(struct compile *compile, struct err *err);
/* The one that `reference` names ("#id", or its url), or NULL. */
struct value_set *compile_value_set(const struct questionnaire *questionnaire,
                                    const char *reference);

/* answerOption and its extensions. */
enum status compile_options(struct compile *compile, uint32_t index, struct err *err);

/* The extensions that limit what an item takes. */
enum status compile_constraints(struct compile *compile, uint32_t index, struct err *err);

/* enableWhen of all items, after all are known, and the order in which they are evaluated. */
enum status compile_conditions(struct compile *compile, struct err *err);
enum status compile_order(struct compile *compile, struct err *err);

/* Makes room for one more element of `*array`; false when memory is out. */
bool compile_reserve(void **array, uint32_t count, uint32_t *capacity, size_t element_size);

#endif
