/* What a worker's thread remembers from run to run. Private to processing*.c. */
#ifndef INTAKE_DOMAIN_PROCESSING_MEMORY_H
#define INTAKE_DOMAIN_PROCESSING_MEMORY_H

#include "processing_item.h"

/* Notes that these attempts are to be taken back; without memory they count. */
void processing_owe(struct processing_memory *memory, const struct processing_item *items,
                    size_t count);
/* Takes them back. */
enum status processing_pay(struct connection *connection, struct processing_memory *memory,
                           struct err *err);

/*
 * From how many claims before on a submission is taken alone: two attempts of its own are left to
 * it then at the least, with a back-off between them, whatever its neighbours did to the others.
 */
int processing_alone_from(const struct processing_options *options);

/*
 * Claims, and decides when to look at everything again. A NULL `ret_claim` (else PQclear it) tells
 * that it was not the time to look.
 */
enum status processing_look(struct connection *connection, const struct processing_options *options,
                            bool again, struct processing_memory *memory, PGresult **ret_claim,
                            struct err *err);
/*
 * Where the next look of this kind begins. What is committed late, or was locked by somebody, is
 * met when everything is looked at; and so is what is due before, for the database's clock was set
 * back, until the look begins there.
 */
void processing_remember_due(struct processing_memory *memory, bool again,
                             const struct processing_item *items, size_t count);

#endif
