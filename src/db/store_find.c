/*
 * Finding submissions by what staff ask for.
 *
 * There are several ways (store_find_sql.c), each of which looks through some time before the key
 * for all that fits, newest first:
 * - a stretch: so many rows, one after the other;
 * - groups: the same of each questionnaire, review state and status that the filter leaves;
 * - searched, flagged: so many weeks, by an index of those who have the name or the flag then.
 * Which of them gets furthest in a time depends on what is asked for and on what there is. So each
 * is tried with a little, however long that takes, and the fastest goes on, until the page is full
 * or the time for it is over. Then the page is short, and its key is where the search goes on.
 */
#include "intake/db/store_find.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/db/connection.h"
#include "intake/db/result.h"
#include "intake/db/store_lookup.h"

enum {
    BUDGET_US = 18000, /* no further step is begun after it */
    STRETCH_ROWS = 400,
    GROUP_ROWS = 150,
    GROUP_HITS = 8, /* in a step by groups: many */
    WEEKS_MAX = 150,
    STEP_US = 8000,    /* that a step by weeks may take */
    SEEN_WANTED = 300, /* rows that a step by weeks is to look at */
    GROWTH_MAX = 16,   /* of the weeks, from one step to the next */
};

static const double WEEK_US = 7 * 86400e6;
static const double WEEKS_MIN = 0.3; /* SEEN_WANTED in less: more in a week than can be sorted */

enum { FILTER_VALUES = 12, BOUND_VALUE = FILTER_VALUES, WAYS_MAX = 3 };

enum kind { BY_ROWS, BY_GROUPS, BY_WEEKS, AT_ONCE };

struct way {
    const char *statement;
    enum kind kind;
    int32_t bound; /* of the next step */
    bool is_closed;
    double pace; /* microseconds of submissions in one of ours, in the last step; 0: none yet */
};

/*
 * A filter as the values of its parameters, and how far the search has come; it points into
 * itself and into the filter.
 */
struct find {
    struct connection *connection;
    const char *values[FILTER_VALUES + 1];
    int32_t wanted; /* one more than are shown: it tells that there is a next page */
    struct way ways[WAYS_MAX];
    int ways_count;
    int64_t key_us; /* the same as the value */
    char since[RFC3339_SIZE];
    char before[RFC3339_SIZE];
    char before_id[UUID_TEXT_SIZE];
    char count[16];
    char bound[16];
};

/* The places of values that change on the way. */
enum { BEFORE_VALUE = 5, BOOKING_VALUE = 7, NAME_VALUE = 10 };

static void set_key(struct find *find, int64_t key_us, const char *id)
{
    find->key_us = key_us;
    clock_rfc3339(key_us, find->before);
    snprintf(find->before_id, sizeof find->before_id, "%s", id);
    find->values[BEFORE_VALUE] = find->before;
}

static void find_init(struct find *find, struct connection *connection,
                      const struct submission_filter *filter, int32_t wanted)
{
    const struct submission_search *search = &filter->search;
    *find = (struct find){
        .connection = connection,
        .wanted = wanted,
        .key_us = clock_wall_us(),
        .before_id = "ffffffff-ffff-ffff-ffff-ffffffffffff",
    };
    const char *since = "-infinity";
    if (filter->since_us != 0) {
        clock_rfc3339(filter->since_us, find->since);
        since = find->since;
    }
    const char *const values[FILTER_VALUES] = {
        filter->status,
        filter->review_state,
        filter->questionnaire_id,
        filter->flag,
        since,
        "infinity",
        find->before_id,
        search->booking_uid,
        search->email,
        search->phone,
        search->name,
        find->count,
    };
    memcpy(find->values, values, sizeof values);
    find->values[BOUND_VALUE] = find->bound;
    snprintf(find->count, sizeof find->count, "%d", (int)wanted);
    if (filter->before_us != 0) {
        set_key(find, filter->before_us, filter->before_id);
    }
    if (filter->until_us != 0 &&
        (filter->before_us == 0 || filter->until_us <= filter->before_us)) {
        set_key(find, filter->until_us, "00000000-0000-0000-0000-000000000000");
    }
}

static void add_way(struct find *find, const char *statement, enum kind kind, int32_t bound)
{
    find->ways[find->ways_count++] =
        (struct way){.statement = statement, .kind = kind, .bound = bound};
}

/*
 * In the order in which they are tried. The ways by weeks want a key that is a time: the one before
 * them has it. A booking, an e-mail or a phone is of few; they are all found at once.
 */
static void add_ways(struct find *find, const struct submission_filter *filter)
{
    const struct submission_search *search = &filter->search;
    const bool by_text = search->booking_uid != NULL || search->email != NULL ||
                         search->phone != NULL || search->name != NULL;
    const bool is_plain = !by_text && filter->flag == NULL;
    const bool by_group =
        filter->status != NULL || filter->review_state != NULL || filter->questionnaire_id != NULL;
    if (by_text && search->name == NULL) {
        add_way(find, "find_searched", AT_ONCE, 1);
    }
    if (by_group) {
        add_way(find, "find_in_groups", BY_GROUPS, is_plain ? find->wanted : GROUP_ROWS);
    } else {
        add_way(find, "find_in_stretch", BY_ROWS, is_plain ? find->wanted : STRETCH_ROWS);
    }
    if (search->name != NULL) {
        add_way(find, "find_searched", BY_WEEKS, 1);
    }
    if (filter->flag != NULL) {
        add_way(find, "find_flagged", BY_WEEKS, 1);
    }
}

static bool has_untried(const struct find *find)
{
    for (int i = 0; i < find->ways_count; i++) {
        if (!find->ways[i].is_closed && find->ways[i].pace == 0) {
            return true;
        }
    }
    return false;
}

/* The next that was not tried yet, or the fastest; there is always one that is not closed. */
static struct way *choose_way(struct find *find)
{
    struct way *best = NULL;
    for (int i = 0; i < find->ways_count; i++) {
        struct way *way = &find->ways[i];
        if (!way->is_closed && way->pace == 0) {
            return way;
        }
        if (!way->is_closed && (best == NULL || way->pace > best->pace)) {
            best = way;
        }
    }
    return best;
}

static enum status run(struct find *find, const char *statement, int count, PGresult **ret_result,
                       struct err *err)
{
    const struct parameters parameters = {.values = find->values, .count = count};
    return connection_execute_checked(find->connection, statement, &parameters, ret_result, err);
}

/* As a number of weeks that is allowed. */
static int32_t weeks_within(double weeks)
{
    return weeks < 1 ? 1 : weeks < WEEKS_MAX ? (int32_t)weeks : WEEKS_MAX;
}

/*
 * Lets the ways by weeks begin with what a step before them, which came `came_us` and had so many
 * hits, makes of a week; where a week has too many, that step's way is enough. Groups tell only
 * whether there are many.
 */
static void foresee(struct find *find, enum kind kind, int64_t came_us, int hits)
{
    const double weeks = (double)came_us / WEEK_US * SEEN_WANTED / (hits + 1);
    for (int i = 0; i < find->ways_count; i++) {
        struct way *way = &find->ways[i];
        if (way->kind == BY_WEEKS && way->pace == 0) {
            way->is_closed |= kind == BY_ROWS ? weeks < WEEKS_MIN : hits >= GROUP_HITS;
            way->bound = kind == BY_ROWS ? weeks_within(weeks) : 1;
        }
    }
}

/* After a step by weeks that has looked at so many rows, and took so long. */
static void adapt(struct way *way, int64_t seen, int64_t took_us)
{
    const double by_rows = (double)SEEN_WANTED / (double)(seen + 1);
    const double by_time = (double)STEP_US / (double)(took_us + 1);
    const double growth = by_rows < by_time ? by_rows : by_time;
    way->bound = weeks_within(way->bound * (growth < GROWTH_MAX ? growth : GROWTH_MAX));
}

/* After a step that has met too many rows: the next is shorter, or there is none. */
static void narrow(struct way *way)
{
    way->is_closed = way->bound <= 1;
    way->bound = weeks_within(way->bound / 8.0);
}

/*
 * Takes what a step has found. The step asked for one more than there is room for, which tells
 * that there are more.
 */
static bool take_hits(const PGresult *result, int hits, int32_t room, struct found_keys *keys)
{
    const int shown = hits < room ? hits : room;
    for (int row = 0; row < shown; row++) {
        result_uuid(result, row, 0, keys->ids[keys->count + row]);
    }
    keys->count += shown;
    keys->more = hits > room;
    if (keys->more) {
        keys->next_us = result_timestamp(result, shown - 1, 1);
        result_uuid(result, shown - 1, 0, keys->next_id);
    }
    return keys->more;
}

/* One step of a way. `ret_done` tells whether the page is full, or nothing is left. */
static enum status step(struct find *find, struct way *way, struct found_keys *keys, bool *ret_done,
                        struct err *err)
{
    AUTO_RESULT PGresult *result = NULL;
    const int32_t room = find->wanted - 1 - keys->count;
    const int64_t began_us = clock_monotonic_us();
    snprintf(find->count, sizeof find->count, "%d", (int)room + 1);
    snprintf(find->bound, sizeof find->bound, "%d", (int)way->bound);
    const enum status status = run(find, way->statement, FILTER_VALUES + 1, &result, err);
    if (status != STATUS_OK) {
        return status;
    }
    const int rows = PQntuples(result);
    const bool ended = rows > 0 && !result_bool(result, rows - 1, 2); /* at its bound */
    if (ended && result_is_null(result, rows - 1, 0)) {
        narrow(way);
        return STATUS_OK;
    }
    if (take_hits(result, rows - ended, room, keys) || !ended) {
        *ret_done = true;
        return STATUS_OK;
    }
    result_uuid(result, rows - 1, 0, keys->next_id);
    keys->next_us = result_timestamp(result, rows - 1, 1);
    keys->more = true;
    const int64_t came_us = find->key_us - keys->next_us;
    const int64_t took_us = clock_monotonic_us() - began_us;
    way->pace = (double)(came_us > 0 ? came_us : 1) / (double)(took_us > 0 ? took_us : 1);
    if (way->kind == BY_WEEKS) {
        adapt(way, result_int8(result, rows - 1, 3), took_us);
    } else {
        foresee(find, way->kind, came_us, rows - 1);
    }
    set_key(find, keys->next_us, keys->next_id);
    *ret_done = keys->count == find->wanted - 1;
    return STATUS_OK;
}

/*
 * A text that may be a booking or a name: who asks for a booking that there is means that. Leaves
 * the one of the two that it is; a booking's key is in `keys`, and there is no other.
 */
static enum status decide(struct find *find, struct found_keys *keys, bool *ret_found,
                          struct err *err)
{
    const char *name = find->values[NAME_VALUE];
    if (name == NULL || find->values[BOOKING_VALUE] == NULL) {
        return STATUS_OK;
    }
    struct way way = {.statement = "find_searched", .kind = AT_ONCE, .bound = 1};
    bool done = false;
    find->values[NAME_VALUE] = NULL;
    const enum status status = step(find, &way, keys, &done, err);
    *ret_found = keys->count > 0;
    if (!*ret_found) {
        find->values[NAME_VALUE] = name;
        find->values[BOOKING_VALUE] = NULL;
    }
    return status;
}

enum status find_submissions(struct connection *connection, const struct submission_filter *filter,
                             struct found_keys *ret_keys, struct err *err)
{
    struct find find;
    struct found_keys *keys = ret_keys;
    find_init(&find, connection, filter, filter->limit + 1);
    add_ways(&find, filter);
    keys->count = 0;
    keys->more = false;
    const int64_t began_us = clock_monotonic_us();
    bool done = false;
    enum status status = decide(&find, keys, &done, err);
    while (status == STATUS_OK && !done &&
           (has_untried(&find) || clock_monotonic_us() - began_us < BUDGET_US)) {
        status = step(&find, choose_way(&find), keys, &done, err);
    }
    return status;
}

enum status find_count(struct connection *connection, const struct submission_filter *filter,
                       int64_t *ret_count, struct err *err)
{
    struct find find;
    struct found_keys booking = {.count = 0};
    bool found = false;
    find_init(&find, connection, filter, 2);
    enum status status = decide(&find, &booking, &found, err);
    if (status != STATUS_OK) {
        return status;
    }
    AUTO_RESULT PGresult *result = NULL;
    snprintf(find.count, sizeof find.count, "%d", (int)filter->limit);
    status = run(&find, "find_count", FILTER_VALUES, &result, err);
    if (status == STATUS_OK) {
        *ret_count = result_int8(result, 0, 0);
    }
    return status;
}
