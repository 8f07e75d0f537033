/* When the worker works, and when it is said to live; what it does to a database is counted here.
 */
#include "cmocka_all.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "intake/core/clock.h"
#include "intake/core/metrics.h"
#include "intake/db/connection.h"
#include "intake/db/lane.h"
#include "intake/db/store_draft.h"
#include "intake/domain/processing.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/worker/worker.h"

enum { SECOND_US = 1000 * 1000, BATCH = 4, PATIENCE_S = 20 };

/* What the worker's surroundings say, and what it did. */
static struct {
    _Atomic int64_t clock_us;
    _Atomic int load;         /* enum lane_load */
    _Atomic long fresh;       /* so many are due, and new */
    _Atomic long again;       /* and again */
    _Atomic long run_takes_s; /* of the clock */
    _Atomic bool holds_first; /* its runs do not end */
    _Atomic long looks_at_load;
    _Atomic long runs_of_first;
    _Atomic long runs_of_helpers;
} world;

/* Woken whenever something of the world moved. */
static pthread_mutex_t moving = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

int64_t __wrap_clock_monotonic_us(void);
struct connection *__wrap_connection_create(const struct connection_options *options);
void __wrap_connection_destroy(struct connection *connection);
enum status __wrap_connection_ensure(struct connection *connection, struct err *err);
enum status __wrap_draft_delete_expired(struct connection *connection, long limit,
                                        size_t *ret_count, struct err *err);
enum lane_load __wrap_lanes_load(struct lanes *lanes);
const struct questionnaire_set *
__wrap_questionnaire_offer_now(const struct questionnaire_offer *offer);
struct questionnaire_use *__wrap_questionnaire_offer_enter(struct questionnaire_offer *offer);
void __wrap_questionnaire_offer_leave(struct questionnaire_offer *offer,
                                      struct questionnaire_use *use);
enum status __wrap_processing_run(struct connection *connection,
                                  const struct questionnaire_set *questionnaires,
                                  const struct processing_options *options, bool again,
                                  struct processing_memory *memory,
                                  struct processing_counts *ret_counts, struct err *err);

int64_t __wrap_clock_monotonic_us(void)
{
    return atomic_load(&world.clock_us);
}

struct connection *__wrap_connection_create(const struct connection_options *options)
{
    (void)options;
    return malloc(1);
}

void __wrap_connection_destroy(struct connection *connection)
{
    free(connection);
}

enum status __wrap_connection_ensure(struct connection *connection, struct err *err)
{
    (void)connection;
    (void)err;
    return STATUS_OK;
}

enum status __wrap_draft_delete_expired(struct connection *connection, long limit,
                                        size_t *ret_count, struct err *err)
{
    (void)connection;
    (void)limit;
    (void)err;
    *ret_count = 0;
    return STATUS_OK;
}

static void say_moved(void)
{
    pthread_mutex_lock(&moving);
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&moving);
}

enum lane_load __wrap_lanes_load(struct lanes *lanes)
{
    (void)lanes;
    atomic_fetch_add(&world.looks_at_load, 1);
    say_moved();
    return (enum lane_load)atomic_load(&world.load);
}

const struct questionnaire_set *
__wrap_questionnaire_offer_now(const struct questionnaire_offer *offer)
{
    (void)offer;
    return NULL;
}

struct questionnaire_use *__wrap_questionnaire_offer_enter(struct questionnaire_offer *offer)
{
    (void)offer;
    return NULL;
}

void __wrap_questionnaire_offer_leave(struct questionnaire_offer *offer,
                                      struct questionnaire_use *use)
{
    (void)offer;
    (void)use;
}

enum status __wrap_processing_run(struct connection *connection,
                                  const struct questionnaire_set *questionnaires,
                                  const struct processing_options *options, bool again,
                                  struct processing_memory *memory,
                                  struct processing_counts *ret_counts, struct err *err)
{
    (void)connection;
    (void)questionnaires;
    (void)err;
    const bool helps = memory->again_at_us == INT64_MAX;
    _Atomic long *due = again ? &world.again : &world.fresh;
    const long most = again ? 1 : options->batch_max;
    const long left = helps ? 0 : atomic_load(due);
    const long claimed = left < most ? left : most;
    if (!helps) {
        atomic_fetch_sub(due, claimed);
    }
    *ret_counts = (struct processing_counts){.claimed = (size_t)claimed};
    if (!again || claimed > 0) {
        atomic_fetch_add(&world.clock_us, atomic_load(&world.run_takes_s) * SECOND_US);
    }
    if (!again) {
        atomic_fetch_add(helps ? &world.runs_of_helpers : &world.runs_of_first, 1);
    }
    say_moved();
    pthread_mutex_lock(&moving);
    while (!helps && atomic_load(&world.holds_first)) {
        pthread_cond_wait(&moved, &moving);
    }
    pthread_mutex_unlock(&moving);
    return STATUS_OK;
}

struct fixture {
    struct metrics *metrics;
    struct worker *worker;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    atomic_store(&world.clock_us, 1000 * (int64_t)SECOND_US);
    atomic_store(&world.load, LANES_IDLE);
    atomic_store(&world.fresh, 0);
    atomic_store(&world.again, 0);
    atomic_store(&world.run_takes_s, 0);
    atomic_store(&world.holds_first, false);
    atomic_store(&world.looks_at_load, 0);
    atomic_store(&world.runs_of_first, 0);
    atomic_store(&world.runs_of_helpers, 0);
    fixture->metrics = metrics_create();
    fixture->worker = worker_create(fixture->metrics);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&world.holds_first, false);
    say_moved();
    worker_destroy(fixture->worker);
    metrics_destroy(fixture->metrics);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, long count, long poll_ms, long yield_age_ms)
{
    const struct worker_options options = {
        .processing = {.batch_max = BATCH},
        .count = count,
        .poll_ms = poll_ms,
        .yield_age_ms = yield_age_ms,
    };
    assert_int_equal(worker_start(fixture->worker, &options, NULL), STATUS_OK);
}

static void pass_seconds(long seconds)
{
    atomic_fetch_add(&world.clock_us, seconds * SECOND_US);
}

static bool is_within(_Atomic long *count, long least, long most)
{
    const long now = atomic_load(count);
    return now >= least && now <= most;
}

/* Waits until the count is in these bounds. */
static void wait_for(_Atomic long *count, long least, long most)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    int waited = 0;
    pthread_mutex_lock(&moving);
    while (!is_within(count, least, most) && waited == 0) {
        waited = pthread_cond_timedwait(&moved, &moving, &end);
    }
    pthread_mutex_unlock(&moving);
    if (!is_within(count, least, most)) {
        fail_msg("%ld is not within %ld and %ld", atomic_load(count), least, most);
    }
}

static void helpers_do_not_show_that_the_first_lives(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&world.holds_first, true);
    start(fixture, 3, 1, 30000);
    wait_for(&world.runs_of_first, 1, 1);
    pass_seconds(100);
    const long before = atomic_load(&world.runs_of_helpers);
    wait_for(&world.runs_of_helpers, before + 10, LONG_MAX);
    assert_true(worker_silent_us(fixture->worker) > 60 * (int64_t)SECOND_US);
}

static void who_polls_seldom_lives(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(worker_silent_us(fixture->worker), 0);
    start(fixture, 1, 600 * 1000, 30000);
    wait_for(&world.runs_of_first, 1, 1);
    pass_seconds(500);
    assert_int_equal(worker_silent_us(fixture->worker), 0);
    pass_seconds(200);
    assert_true(worker_silent_us(fixture->worker) > 60 * (int64_t)SECOND_US);
}

static void what_is_due_again_is_worked_off_under_load_as_what_is_new(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&world.load, LANES_PRESSED);
    atomic_store(&world.again, 20);
    atomic_store(&world.run_takes_s, 1); /* time for one, before what is new has its turn */
    start(fixture, 1, 1, 30000);
    wait_for(&world.looks_at_load, 1, LONG_MAX);
    pass_seconds(31);
    wait_for(&world.again, 0, 0);
    const long runs = atomic_load(&world.runs_of_first);
    assert_true(runs >= 20 && runs <= 21); /* and then it rests */
}

static void no_rest_is_longer_than_what_is_due_may_wait(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&world.load, LANES_BUSY);
    atomic_store(&world.fresh, 3L * BATCH);
    atomic_store(&world.run_takes_s, 100);
    start(fixture, 1, 1, 500);
    wait_for(&world.fresh, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(helpers_do_not_show_that_the_first_lives, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_polls_seldom_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_due_again_is_worked_off_under_load_as_what_is_new,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_rest_is_longer_than_what_is_due_may_wait, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
