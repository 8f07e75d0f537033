/* The lanes' queue: who may be on the way together, and in which order. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/db/lane_queue.h"
#include "intake/db/store_submission.h"

enum { ENTRIES = 6 };

struct fixture {
    struct lane_queue queue;
    struct submission_write entries[ENTRIES];
    struct submission_write *taken[ENTRIES];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    lane_queue_init(&fixture->queue);
    *state = fixture;
    return fixture == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void push(struct fixture *fixture, size_t i, const char *booking_uid, const char *email,
                 const char *phone)
{
    fixture->entries[i].booking_uid = booking_uid;
    fixture->entries[i].email = email;
    fixture->entries[i].phone = phone;
    lane_queue_push(&fixture->queue, &fixture->entries[i]);
}

static void assert_taken(struct fixture *fixture, size_t max, const char *expected)
{
    const size_t count = lane_queue_take(&fixture->queue, fixture->taken, max);
    char text[ENTRIES + 1] = "";
    for (size_t i = 0; i < count; i++) {
        text[i] = (char)('0' + (fixture->taken[i] - fixture->entries));
    }
    assert_string_equal(text, expected);
}

static void test_strangers_go_together(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, 0, "b0", "e0@x.example", NULL);
    push(fixture, 1, "b1", "e1@x.example", "+4911111111");
    push(fixture, 2, "b2", "e2@x.example", "+4922222222");
    assert_taken(fixture, 2, "01");
    assert_int_equal(fixture->queue.depth, 1);
    assert_taken(fixture, 2, "2");
    assert_taken(fixture, 2, "");
}

static void test_the_same_booking_waits_and_keeps_its_order(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, 0, "b0", "e0@x.example", NULL);
    push(fixture, 1, "b0", "e1@x.example", NULL);
    push(fixture, 2, "b2", "E1@X.example", NULL); /* meets 1, which waits: must not pass it */
    push(fixture, 3, "b3", "e3@x.example", NULL);
    assert_taken(fixture, ENTRIES, "03");
    assert_taken(fixture, ENTRIES, "");
    struct submission_write *first = &fixture->entries[0];
    lane_queue_release(&fixture->queue, &first, 1);
    assert_taken(fixture, ENTRIES, "1");
    struct submission_write *second = &fixture->entries[1];
    lane_queue_release(&fixture->queue, &second, 1);
    assert_taken(fixture, ENTRIES, "2");
}

static void test_the_same_phone_waits(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, 0, "b0", "e0@x.example", "+4911111111");
    push(fixture, 1, "b1", "e1@x.example", "+4911111111");
    assert_taken(fixture, ENTRIES, "0");
}

static void test_what_is_given_back_comes_first_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, 0, "b0", "e0@x.example", NULL);
    push(fixture, 1, "b1", "e1@x.example", NULL);
    push(fixture, 2, "b2", "e2@x.example", NULL);
    assert_taken(fixture, 2, "01");
    struct submission_write *taken[2] = {fixture->taken[0], fixture->taken[1]};
    lane_queue_give_back(&fixture->queue, taken, 2);
    assert_int_equal(fixture->queue.depth, 3);
    assert_taken(fixture, ENTRIES, "012");
    push(fixture, 3, "b3", "e3@x.example", NULL);
    assert_taken(fixture, ENTRIES, "3");
}

static void test_given_back_to_an_empty_queue_others_can_follow(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, 0, "b0", "e0@x.example", NULL);
    assert_taken(fixture, ENTRIES, "0");
    struct submission_write *taken = fixture->taken[0];
    lane_queue_give_back(&fixture->queue, &taken, 1);
    push(fixture, 1, "b1", "e1@x.example", NULL);
    assert_taken(fixture, ENTRIES, "01");
}

static void test_late_ones_leave_at_the_head(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < 3; i++) {
        fixture->entries[i].deadline_us = (int64_t)(i + 1) * 100;
    }
    push(fixture, 0, "b0", "e0@x.example", NULL);
    push(fixture, 1, "b1", "e1@x.example", NULL);
    push(fixture, 2, "b2", "e2@x.example", NULL);
    const struct submission_write *late = lane_queue_take_late(&fixture->queue, 250);
    assert_ptr_equal(late, &fixture->entries[0]);
    assert_ptr_equal(late->next, &fixture->entries[1]);
    assert_null(late->next->next);
    assert_int_equal(fixture->queue.depth, 1);
    assert_non_null(lane_queue_take_late(&fixture->queue, 1000));
    push(fixture, 3, "b3", "e3@x.example", NULL);
    assert_taken(fixture, ENTRIES, "3");
}

static void test_a_share_leaves_as_much_to_every_other_lane(void **state)
{
    (void)state;
    static const struct {
        size_t depth, lanes, max, share;
    } cases[] = {
        {100, 1, 64, 64}, /* alone it takes what is allowed */
        {100, 2, 64, 50}, {101, 2, 64, 51}, {300, 2, 64, 64},
        {300, 8, 64, 38}, {17, 2, 64, 16},                  /* not too few for a transaction */
        {3, 2, 64, 16},   {0, 2, 64, 16},   {300, 8, 7, 7}, /* but never more than allowed */
        {3, 2, 7, 7},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct lane_queue queue = {.depth = cases[i].depth};
        assert_int_equal(lane_queue_share(&queue, cases[i].lanes, cases[i].max), cases[i].share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strangers_go_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_booking_waits_and_keeps_its_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_phone_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_given_back_comes_first_and_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_given_back_to_an_empty_queue_others_can_follow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_late_ones_leave_at_the_head, set_up, tear_down),
        cmocka_unit_test(test_a_share_leaves_as_much_to_every_other_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
