/* From where a worker's thread looks for what is due, whatever the database's clock does. */
#include "cmocka_all.h"

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/store_processing.h"
#include "processing_memory.h"

static const int64_t second_us = 1000 * 1000;
static const int64_t hour_us = INT64_C(3600) * 1000 * 1000;

/* What the surroundings say: this process's clock, and how long a look at everything takes. */
static struct {
    int64_t clock_us;
    int64_t full_look_us;
    struct claim asked; /* by the last look */
} world;

int64_t __wrap_clock_monotonic_us(void);
enum status __wrap_processing_claim(struct connection *connection, const struct claim *claim,
                                    PGresult **ret_result, struct err *err);

int64_t __wrap_clock_monotonic_us(void)
{
    return world.clock_us;
}

enum status __wrap_processing_claim(struct connection *connection, const struct claim *claim,
                                    PGresult **ret_result, struct err *err)
{
    (void)connection;
    (void)ret_result;
    (void)err;
    world.asked = *claim;
    world.clock_us += claim->due_from_us == 0 ? world.full_look_us : 0;
    return STATUS_OK;
}

static int set_up(void **state)
{
    (void)state;
    world.clock_us = 1000 * second_us;
    world.full_look_us = second_us; /* beside an old snapshot */
    return 0;
}

/* A look for what is new; `due_us`: when the one that it finds was due, 0: it finds none. */
static int64_t look(struct processing_memory *memory, int64_t due_us)
{
    const struct processing_options options = {.batch_max = 1};
    PGresult *claim = NULL;
    assert_int_equal(processing_look(NULL, &options, false, memory, &claim, NULL), STATUS_OK);
    const struct processing_item found = {.claimed = {.due_at_us = due_us}};
    processing_remember_due(memory, false, &found, due_us != 0 ? 1 : 0);
    return world.asked.due_from_us;
}

static void test_a_slow_look_at_everything_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    assert_int_equal(look(&memory, hour_us), 0);
    const int64_t from_us = look(&memory, hour_us + second_us);
    assert_in_range(from_us, hour_us - second_us, hour_us);
    assert_in_range(look(&memory, 0), from_us + second_us, hour_us + second_us);
    world.clock_us += 60 * second_us;
    assert_int_equal(look(&memory, 0), 0);
}

static void test_a_quick_look_at_everything_is_always_made(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    world.full_look_us = 0;
    assert_int_equal(look(&memory, hour_us), 0);
    assert_int_equal(look(&memory, hour_us), 0);
}

static void test_what_is_due_earlier_since_the_clock_was_set_back_is_looked_for(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    (void)look(&memory, 5 * hour_us);
    world.clock_us += 60 * second_us;
    assert_int_equal(look(&memory, 2 * hour_us), 0);
    assert_in_range(look(&memory, 2 * hour_us), 2 * hour_us - second_us, 2 * hour_us);
}

static void test_a_look_at_everything_that_finds_nothing_forgets_nothing(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    (void)look(&memory, 5 * hour_us);
    world.clock_us += 60 * second_us;
    assert_int_equal(look(&memory, 0), 0);
    assert_in_range(look(&memory, 0), 5 * hour_us - second_us, 5 * hour_us);
}

/* A look for what is due again, with so many attempts allowed; it finds some, due then. */
static struct claim look_again(struct processing_memory *memory, long attempts_max,
                               const int64_t *due_us, size_t count)
{
    const struct processing_options options = {.batch_max = 256, .attempts_max = attempts_max};
    PGresult *claim = NULL;
    assert_int_equal(processing_look(NULL, &options, true, memory, &claim, NULL), STATUS_OK);
    struct processing_item found[4] = {0};
    for (size_t i = 0; i < count; i++) {
        found[i].claimed.due_at_us = due_us[i];
    }
    processing_remember_due(memory, true, found, count);
    return world.asked;
}

static void
test_of_what_is_due_again_few_are_taken_together_and_none_for_the_last_time(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    world.full_look_us = 0;
    struct claim asked = look_again(&memory, 5, NULL, 0);
    assert_true(asked.again);
    assert_in_range(asked.limit, 2, 32);
    assert_int_equal(asked.alone_from, 2);
    asked = look_again(&memory, 4, NULL, 0);
    assert_int_equal(asked.alone_from, 2);
    asked = look_again(&memory, 3, NULL, 0);
    assert_int_equal(asked.alone_from, 1);
    asked = look_again(&memory, 2, NULL, 0);
    assert_int_equal(asked.alone_from, 1);
}

static void test_what_was_left_between_those_that_are_due_again_is_looked_for(void **state)
{
    (void)state;
    struct processing_memory memory = {0};
    const int64_t due_us[] = {hour_us + second_us, hour_us, 2 * hour_us};
    (void)look_again(&memory, 5, due_us, ARRAY_LENGTH(due_us));
    const struct claim asked = look_again(&memory, 5, NULL, 0);
    assert_in_range(asked.due_from_us, hour_us - second_us, hour_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_slow_look_at_everything_is_not_repeated_at_once, set_up),
        cmocka_unit_test_setup(test_a_quick_look_at_everything_is_always_made, set_up),
        cmocka_unit_test_setup(test_what_is_due_earlier_since_the_clock_was_set_back_is_looked_for,
                               set_up),
        cmocka_unit_test_setup(test_a_look_at_everything_that_finds_nothing_forgets_nothing,
                               set_up),
        cmocka_unit_test_setup(
            test_of_what_is_due_again_few_are_taken_together_and_none_for_the_last_time, set_up),
        cmocka_unit_test_setup(test_what_was_left_between_those_that_are_due_again_is_looked_for,
                               set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
