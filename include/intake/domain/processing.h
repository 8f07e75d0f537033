/*
 * Processing: what happens to a submission after it was stored. Its answers are merged into the
 * patient's medical background, the age is derived where the profile has none, and it is marked
 * processed; what cannot be processed is marked failed with a reason that staff can read.
 */
#ifndef INTAKE_DOMAIN_PROCESSING_H
#define INTAKE_DOMAIN_PROCESSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"

struct connection;
struct processing_attempt;
struct questionnaire_set;

struct processing_options {
    long batch_max;
    long lease_ms;
    long attempts_max;
    long backoff_ms;
    long backoff_max_ms;
};

/* What one run did; claimed can be more than the others, when something was revised meanwhile. */
struct processing_counts {
    size_t claimed;
    size_t processed;
    size_t failed;
    size_t retried;
};

/*
 * What a thread remembers from run to run. Zero-initialise it.
 *
 * Attempts that came to nothing because the database's disk was full, or because another program
 * held the patient's row, are owed: they are taken back, so that nothing is given up for it. Of
 * another fault the submission may be the cause.
 *
 * While looking at everything takes long (an old snapshot keeps what was processed in the index),
 * it is done seldom, and in between only from where the last batch was due, for what is new; for
 * what is due again, as long as each look finds one. What it finds also tells when the database's
 * clock was set back.
 */
struct processing_memory {
    struct processing_attempt *owed;
    size_t owed_count;
    int64_t due_from_us;       /* of the database's clock */
    int64_t again_due_from_us; /* the same; 0: the last look found none */
    int64_t fresh_at_us;       /* monotonic: when to look at all that is new */
    int64_t again_at_us;       /* and at all that is due again */
    bool looked_at_everything; /* the last time */
};
void processing_memory_finish(struct processing_memory *memory);

/*
 * Claims a batch and processes it, in two transactions. Submissions that were claimed before
 * (`again`) are taken alone, or, once and where more than three attempts are allowed, a few at a
 * time: so that one which ends the program cannot use up its neighbours' attempts. On failure the
 * claimed ones come up again when their lease is over, and so does one whose patient's row another
 * program holds. Where the disk was full, or the row was held, the attempts are noted in `memory`,
 * and nothing is claimed any more until they were taken back. Worker thread.
 */
enum status processing_run(struct connection *connection,
                           const struct questionnaire_set *questionnaires,
                           const struct processing_options *options, bool again,
                           struct processing_memory *memory, struct processing_counts *ret_counts,
                           struct err *err);

/* The wait before the attempt after this one: exponential, with jitter, in milliseconds. */
long processing_backoff_ms(const struct processing_options *options, int attempts);

#endif
