/* What a worker's thread remembers from run to run. */
#include "processing_memory.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"

/* A quick look at all that is due may be repeated at once; others take a twentieth of the time. */
enum {
    LOOK_QUICK_US = 2000,
    LOOK_SHARE = 20,
    LOOK_MAX_US = 15 * 1000 * 1000,
    LATE_COMMIT_US = 200 * 1000,
    AGAIN_BATCH_MAX = 16,
};

void processing_memory_finish(struct processing_memory *memory)
{
    free(TAKE(memory->owed));
    memory->owed_count = 0;
}

void processing_owe(struct processing_memory *memory, const struct processing_item *items,
                    size_t count)
{
    memory->owed = calloc(count, sizeof *memory->owed);
    memory->owed_count = memory->owed != NULL ? count : 0;
    for (size_t i = 0; i < memory->owed_count; i++) {
        const struct claimed_submission *claimed = &items[i].claimed;
        struct processing_attempt *attempt = &memory->owed[i];
        memcpy(attempt->id, claimed->id, sizeof attempt->id);
        attempt->revision = claimed->revision;
        attempt->attempt = claimed->attempts;
    }
}

enum status processing_pay(struct connection *connection, struct processing_memory *memory,
                           struct err *err)
{
    const enum status status =
        memory->owed_count == 0
            ? STATUS_OK
            : processing_return_attempts(connection, memory->owed, memory->owed_count, err);
    if (status == STATUS_OK) {
        processing_memory_finish(memory);
    }
    return status;
}

int processing_alone_from(const struct processing_options *options)
{
    return options->attempts_max > 3 ? 2 : 1;
}

/* How many may be claimed together. */
static long claim_limit(const struct processing_options *options, bool again)
{
    return again && options->batch_max > AGAIN_BATCH_MAX ? AGAIN_BATCH_MAX : options->batch_max;
}

enum status processing_look(struct connection *connection, const struct processing_options *options,
                            bool again, struct processing_memory *memory, PGresult **ret_claim,
                            struct err *err)
{
    const int64_t begun_us = clock_monotonic_us();
    int64_t *look_at_us = again ? &memory->again_at_us : &memory->fresh_at_us;
    const bool everything = begun_us >= *look_at_us;
    const int64_t due_from_us = again ? memory->again_due_from_us : memory->due_from_us;
    if (again && !everything && due_from_us == 0) {
        return STATUS_OK;
    }
    if (again) {
        memory->again_due_from_us = 0;
    }
    memory->looked_at_everything = everything;
    const struct claim claim = {
        .again = again,
        .limit = claim_limit(options, again),
        .alone_from = processing_alone_from(options),
        .lease_ms = options->lease_ms,
        .due_from_us = everything ? 0 : due_from_us,
    };
    const enum status status = processing_claim(connection, &claim, ret_claim, err);
    const int64_t end_us = clock_monotonic_us();
    const int64_t took_us = end_us - begun_us;
    if (status == STATUS_OK && everything && took_us > LOOK_QUICK_US) {
        const int64_t rest_us = took_us * LOOK_SHARE;
        *look_at_us = end_us + (rest_us < LOOK_MAX_US ? rest_us : LOOK_MAX_US);
    }
    return status;
}

void processing_remember_due(struct processing_memory *memory, bool again,
                             const struct processing_item *items, size_t count)
{
    int64_t *due_from_us = again ? &memory->again_due_from_us : &memory->due_from_us;
    if (memory->looked_at_everything && count > 0) {
        /* Nothing that is left is due before these, also where the clock went back. */
        *due_from_us = 0;
    }
    for (size_t i = 0; i < count; i++) {
        const int64_t from_us = items[i].claimed.due_at_us - LATE_COMMIT_US;
        /* Of what is due again some may be left between them; what is new is taken in its order. */
        if (again ? *due_from_us == 0 || from_us < *due_from_us : from_us > *due_from_us) {
            *due_from_us = from_us;
        }
    }
}
