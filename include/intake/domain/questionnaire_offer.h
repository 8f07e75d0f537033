/*
 * The questionnaires that are offered now. The set can be exchanged while posts are checked against
 * the one before, which lives on as long as they do.
 */
#ifndef INTAKE_DOMAIN_QUESTIONNAIRE_OFFER_H
#define INTAKE_DOMAIN_QUESTIONNAIRE_OFFER_H

#include <stdbool.h>

struct questionnaire_offer;
struct questionnaire_set;
struct questionnaire_use;

/* Takes the set over. NULL when memory is out: the set is still the caller's. */
struct questionnaire_offer *questionnaire_offer_create(struct questionnaire_set *questionnaires);

/* With its sets; nobody uses one any more. NULL is accepted. */
void questionnaire_offer_destroy(struct questionnaire_offer *offer);

/* Takes a new set over and offers it from now on; false when memory is out. Main thread. */
bool questionnaire_offer_exchange(struct questionnaire_offer *offer,
                                  struct questionnaire_set *questionnaires);

/*
 * Whoever asks for questionnaires enters before, and leaves (once, with what entering returned)
 * after the last use of one: what was offered meanwhile is destroyed no earlier. Any thread.
 */
struct questionnaire_use *questionnaire_offer_enter(struct questionnaire_offer *offer);
void questionnaire_offer_leave(struct questionnaire_offer *offer, struct questionnaire_use *use);

/* The questionnaires offered now; valid until the caller leaves. Any thread. */
const struct questionnaire_set *questionnaire_offer_now(const struct questionnaire_offer *offer);

#endif
