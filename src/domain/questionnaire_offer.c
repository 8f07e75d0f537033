/* Which questionnaires are offered, and until when those live that were. */
#include "intake/domain/questionnaire_offer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "intake/domain/questionnaire_set.h"

/* Questionnaires that are offered, or were, and how many began to use what was offered then. */
struct questionnaire_use {
    struct questionnaire_set *set;
    size_t users;
    struct questionnaire_use *next; /* what was offered after it */
};

struct questionnaire_offer {
    _Atomic(const struct questionnaire_set *) offered; /* the last one's */
    pthread_mutex_t mutex;                             /* guards everything below */
    struct questionnaire_use *first;
    struct questionnaire_use *last;
};

struct questionnaire_offer *questionnaire_offer_create(struct questionnaire_set *questionnaires)
{
    struct questionnaire_offer *offer = calloc(1, sizeof *offer);
    if (offer == NULL) {
        return NULL;
    }
    pthread_mutex_init(&offer->mutex, NULL);
    if (!questionnaire_offer_exchange(offer, questionnaires)) {
        questionnaire_offer_destroy(offer);
        return NULL;
    }
    return offer;
}

static void destroy_uses(struct questionnaire_use *use)
{
    while (use != NULL) {
        struct questionnaire_use *next = use->next;
        questionnaire_set_destroy(use->set);
        free(use);
        use = next;
    }
}

void questionnaire_offer_destroy(struct questionnaire_offer *offer)
{
    if (offer == NULL) {
        return;
    }
    destroy_uses(offer->first);
    pthread_mutex_destroy(&offer->mutex);
    free(offer);
}

/*
 * Takes out what nobody can have seen any more: whoever began at one set may have seen those after
 * it. Mutex held.
 */
static struct questionnaire_use *take_unused(struct questionnaire_offer *offer)
{
    struct questionnaire_use *unused = NULL;
    struct questionnaire_use **end = &unused;
    while (offer->first != offer->last && offer->first->users == 0) {
        *end = offer->first;
        end = &offer->first->next;
        offer->first = offer->first->next;
    }
    *end = NULL;
    return unused;
}

bool questionnaire_offer_exchange(struct questionnaire_offer *offer,
                                  struct questionnaire_set *questionnaires)
{
    struct questionnaire_use *use = calloc(1, sizeof *use);
    if (use == NULL) {
        return false;
    }
    use->set = questionnaires;
    pthread_mutex_lock(&offer->mutex);
    if (offer->last != NULL) {
        offer->last->next = use;
    } else {
        offer->first = use;
    }
    offer->last = use;
    atomic_store(&offer->offered, questionnaires);
    struct questionnaire_use *unused = take_unused(offer);
    pthread_mutex_unlock(&offer->mutex);
    destroy_uses(unused);
    return true;
}

struct questionnaire_use *questionnaire_offer_enter(struct questionnaire_offer *offer)
{
    pthread_mutex_lock(&offer->mutex);
    struct questionnaire_use *use = offer->last;
    use->users++;
    pthread_mutex_unlock(&offer->mutex);
    return use;
}

void questionnaire_offer_leave(struct questionnaire_offer *offer, struct questionnaire_use *use)
{
    pthread_mutex_lock(&offer->mutex);
    use->users--;
    struct questionnaire_use *unused = take_unused(offer);
    pthread_mutex_unlock(&offer->mutex);
    destroy_uses(unused);
}

const struct questionnaire_set *questionnaire_offer_now(const struct questionnaire_offer *offer)
{
    return atomic_load(&offer->offered);
}
