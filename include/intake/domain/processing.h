/*
 * Processing: what happens to a submission after it was stored. Its answers are merged into the
 * patient's medical background, the age is derived where the profile has none, and it is marked
 * processed; what cannot be processed is marked failed with a reason that staff can read.
 */
#ifndef INTAKE_DOMAIN_PROCESSING_H
#define INTAKE_DOMAIN_PROCESSING_H

#include <stdbool.h>
#include <stddef.h>

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
 * Attempts that came to nothing because the database's disk was full: they are taken back, so that
 * nothing is given up for it. Of another fault the submission may be the cause. Zero-initialise it;
 * one thread.
 */
struct processing_owed {
    struct processing_attempt *attempts;
    size_t count;
};
void processing_owed_finish(struct processing_owed *owed);

/*
 * Claims a batch and processes it, in two transactions. Submissions that were claimed before
 * (`again`) are taken one at a time, so that one which ends the program cannot use up its
 * neighbours' attempts. On failure the claimed ones come up again when their lease is over; where
 * the disk was full, their attempts are noted in `owed`, and nothing is claimed any more until they
 * were taken back. Worker thread.
 */
enum status processing_run(struct connection *connection,
                           const struct questionnaire_set *questionnaires,
                           const struct processing_options *options, bool again,
                           struct processing_owed *owed, struct processing_counts *ret_counts,
                           struct err *err);

/* The wait before the attempt after this one: exponential, with jitter, in milliseconds. */
long processing_backoff_ms(const struct processing_options *options, int attempts);

#endif
