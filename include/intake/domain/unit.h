/*
 * Units of measure (UCUM, https://ucum.org): whether two are comparable and how values in them
 * compare, exactly. It knows the units that medical forms use, with metric prefixes, products,
 * quotients and exponents; a unit that it does not know is comparable with itself only.
 */
#ifndef INTAKE_DOMAIN_UNIT_H
#define INTAKE_DOMAIN_UNIT_H

#include <stdbool.h>

struct quantity;

/*
 * Compares two quantities: less than, equal to or greater than zero in `*ret_order`. False when
 * their units are not comparable or a value is missing. Without a system UCUM is meant, without a
 * code the `unit` counts.
 */
bool quantity_compare(const struct quantity *a, const struct quantity *b, int *ret_order);

/* Whether quantity_compare would find an order, were both values there. */
bool quantity_comparable(const struct quantity *a, const struct quantity *b);

#endif
