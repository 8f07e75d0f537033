/* Writing what came of a batch. Private to processing*.c. */
#ifndef INTAKE_DOMAIN_PROCESSING_MARK_H
#define INTAKE_DOMAIN_PROCESSING_MARK_H

#include <stddef.h>

#include "intake/core/err.h"

struct connection;
struct processing_counts;
struct processing_item;

/*
 * Marks the submissions, which must be locked, by their verdicts, keeps the attempts that failed,
 * and adds all of them to `ret_counts`. Worker thread.
 */
enum status processing_mark_items(struct connection *connection,
                                  const struct processing_item *const *items, size_t count,
                                  struct processing_counts *ret_counts, struct err *err);

#endif
