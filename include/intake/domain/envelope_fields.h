/*
 * The members of a flat body that belong to the submission and not to the questionnaire. A
 * definition whose linkId would stand beside them under the same name is refused when it is loaded.
 */
#ifndef INTAKE_DOMAIN_ENVELOPE_FIELDS_H
#define INTAKE_DOMAIN_ENVELOPE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

/* The names, in the order in which they are checked and shown. Static storage. */
extern const char *const envelope_fields[];
extern const size_t envelope_fields_count;

/* Whether `name` is one of them. */
bool envelope_field_is(const char *name);

#endif
