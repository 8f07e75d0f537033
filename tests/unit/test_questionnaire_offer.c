/* Which questionnaires are offered, and how long those live that were. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"

enum { SETS = 3 };

/* Stand-ins, of which only the address counts. */
static char sets[SETS];
static int destroyed[SETS];

static struct questionnaire_set *set(size_t i)
{
    return (struct questionnaire_set *)(void *)&sets[i];
}

void __wrap_questionnaire_set_destroy(struct questionnaire_set *set);
void __wrap_questionnaire_set_destroy(struct questionnaire_set *set)
{
    destroyed[(char *)(void *)set - sets]++;
}

static struct questionnaire_offer *offer_first(void)
{
    for (size_t i = 0; i < SETS; i++) {
        destroyed[i] = 0;
    }
    struct questionnaire_offer *offer = questionnaire_offer_create(set(0));
    assert_non_null(offer);
    return offer;
}

static void assert_destroyed(int first, int second, int third)
{
    assert_int_equal(destroyed[0], first);
    assert_int_equal(destroyed[1], second);
    assert_int_equal(destroyed[2], third);
}

static void test_what_nobody_uses_goes_when_it_is_exchanged(void **state)
{
    (void)state;
    struct questionnaire_offer *offer = offer_first();
    questionnaire_offer_leave(offer, questionnaire_offer_enter(offer));
    assert_destroyed(0, 0, 0);
    assert_true(questionnaire_offer_exchange(offer, set(1)));
    assert_ptr_equal(questionnaire_offer_now(offer), set(1));
    assert_destroyed(1, 0, 0);
    questionnaire_offer_destroy(offer);
    assert_destroyed(1, 1, 0);
}

static void test_what_somebody_uses_goes_when_he_leaves(void **state)
{
    (void)state;
    struct questionnaire_offer *offer = offer_first();
    struct questionnaire_use *one = questionnaire_offer_enter(offer);
    struct questionnaire_use *two = questionnaire_offer_enter(offer);
    assert_true(questionnaire_offer_exchange(offer, set(1)));
    questionnaire_offer_leave(offer, two);
    assert_destroyed(0, 0, 0);
    questionnaire_offer_leave(offer, one);
    assert_destroyed(1, 0, 0);
    questionnaire_offer_destroy(offer);
}

/* Two who began at the first set and at the second, while the third is offered. */
struct two_users {
    struct questionnaire_offer *offer;
    struct questionnaire_use *early;
    struct questionnaire_use *late;
};

static struct two_users begin_two(void)
{
    struct two_users two = {.offer = offer_first()};
    two.early = questionnaire_offer_enter(two.offer);
    assert_true(questionnaire_offer_exchange(two.offer, set(1)));
    two.late = questionnaire_offer_enter(two.offer);
    assert_true(questionnaire_offer_exchange(two.offer, set(2)));
    return two;
}

static void test_who_began_earlier_may_have_seen_what_came_later(void **state)
{
    (void)state;
    const struct two_users two = begin_two();
    questionnaire_offer_leave(two.offer, two.late);
    assert_destroyed(0, 0, 0);
    questionnaire_offer_leave(two.offer, two.early);
    assert_destroyed(1, 1, 0);
    questionnaire_offer_destroy(two.offer);
    assert_destroyed(1, 1, 1);
}

static void test_who_began_later_keeps_nothing_older(void **state)
{
    (void)state;
    const struct two_users two = begin_two();
    questionnaire_offer_leave(two.offer, two.early);
    assert_destroyed(1, 0, 0);
    questionnaire_offer_leave(two.offer, two.late);
    assert_destroyed(1, 1, 0);
    questionnaire_offer_destroy(two.offer);
    assert_destroyed(1, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_nobody_uses_goes_when_it_is_exchanged),
        cmocka_unit_test(test_what_somebody_uses_goes_when_he_leaves),
        cmocka_unit_test(test_who_began_earlier_may_have_seen_what_came_later),
        cmocka_unit_test(test_who_began_later_keeps_nothing_older),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
