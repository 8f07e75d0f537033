/* One claimed submission while it is processed. Private to processing*.c. */
#ifndef INTAKE_DOMAIN_PROCESSING_ITEM_H
#define INTAKE_DOMAIN_PROCESSING_ITEM_H

#include <jansson.h>

#include "intake/core/err.h"
#include "intake/db/store_processing.h"
#include "intake/domain/processing.h"

struct questionnaire_set;

enum verdict {
    VERDICT_PROCESSED,
    VERDICT_FAILED, /* for good: the same data would fail again */
    VERDICT_RETRY,
};

struct processing_item {
    struct claimed_submission claimed;
    enum verdict verdict;
    char reason[512];       /* unless processed: for staff; names fields, quotes nothing */
    json_t *answers;        /* linkId -> value, the answered ones */
    json_t *contradictions; /* of this attempt */
    char *contradictions_text;
    char *evaluation_text; /* JSON; NULL: the answers come to nothing */
    int age;               /* -1: the answers do not tell */
    long retry_after_ms;
};

/*
 * Parses and checks the claimed data against its questionnaire and sets the verdict.
 * STATUS_NO_MEMORY is the only failure.
 */
enum status processing_item_prepare(struct processing_item *item,
                                    const struct questionnaire_set *questionnaires,
                                    const struct processing_options *options, struct err *err);

/* Starts the contradictions afresh: those of the contact stay, those of answers are found anew. */
enum status processing_item_reset(struct processing_item *item, struct err *err);

void processing_item_finish(struct processing_item *item);

#endif
