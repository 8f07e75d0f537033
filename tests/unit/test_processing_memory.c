/* From where a worker's thread looks for what is due, whatever the database's clock does. */
#include "cmocka_all.h"

#include "intake/core/clock.h"
#include "intake/db/store_processing.h"
#include "processing_memory.h"

static const int64_t second_us = 1000 * 1000;
static const int64_t hour_us = INT64_C(3600) * 1000 * 1000;

/* What the surroundings say: this process's clock, and how long a look at everything takes. */
static struct {
    int64_t clock_us;
    int64_t full_look_us;
    int64_t asked_from_us; /* by the last look */
} world;

int64_t __wrap_clock_monotonic_us(void);
enum status __wrap_processing_claim(struct connection *connection, bool again, long limit,
                                    long lease_ms, int64_t due_from_us, PGresult **ret_result,
                                    struct err *err);

int64_t __wrap_clock_monotonic_us(void)
{
    return world.clock_us;
}

enum status __wrap_processing_claim(struct connection *connection, bool again, long limit,
                                    long lease_ms, int64_t due_from_us, PGresult **ret_result,
                                    struct err *err)
{
    (void)connection;
    (void)again;
    (void)limit;
    (void)lease_ms;
    (void)ret_result;
    (void)err;
    world.asked_from_us = due_from_us;
    world.clock_us += due_from_us == 0 ? world.full_look_us : 0;
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
    return world.asked_from_us;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_slow_look_at_everything_is_not_repeated_at_once, set_up),
        cmocka_unit_test_setup(test_a_quick_look_at_everything_is_always_made, set_up),
        cmocka_unit_test_setup(test_what_is_due_earlier_since_the_clock_was_set_back_is_looked_for,
                               set_up),
        cmocka_unit_test_setup(test_a_look_at_everything_that_finds_nothing_forgets_nothing,
                               set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
