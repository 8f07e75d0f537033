/* The queue of the group-commit lanes. */
#include "intake/db/lane_queue.h"

#include <ctype.h>
#include <stdbool.h>

#include "intake/core/cleanup.h"
#include "intake/db/store_submission.h"

enum {
    SCAN_MAX_PER_ENTRY = 4, /* how far behind blocked entries a lane looks for others */
    BLOCKED_MAX = 64,       /* and how many of them it steps over */
    SHARE_MIN = 16,         /* entries that are not worth a second transaction */
};

/* FNV-1a over the ASCII-lower-cased text; two texts that meet only wait for each other. */
static uint32_t key_slot(char kind, const char *text)
{
    uint32_t hash = (2166136261U ^ (unsigned char)kind) * 16777619U;
    for (const char *c = text; *c != '\0'; c++) {
        hash = (hash ^ (uint32_t)tolower((unsigned char)*c)) * 16777619U;
    }
    return (hash ^ (hash >> 15)) % LANE_QUEUE_SLOTS;
}

static bool is_blocked(const struct lane_queue *queue, const struct submission_write *write)
{
    return queue->busy[write->keys[0]] != 0 || queue->busy[write->keys[1]] != 0 ||
           queue->busy[write->keys[2]] != 0;
}

static void hold_keys(struct lane_queue *queue, const struct submission_write *write, int by)
{
    for (size_t i = 0; i < ARRAY_LENGTH(write->keys); i++) {
        queue->busy[write->keys[i]] = (uint16_t)(queue->busy[write->keys[i]] + by);
    }
}

void lane_queue_init(struct lane_queue *queue)
{
    queue->end = &queue->first;
}

void lane_queue_push(struct lane_queue *queue, struct submission_write *write)
{
    write->keys[0] = key_slot('b', write->booking_uid);
    write->keys[1] = key_slot('e', write->email);
    write->keys[2] = write->phone != NULL ? key_slot('p', write->phone) : write->keys[0];
    write->next = NULL;
    *queue->end = write;
    queue->end = &write->next;
    queue->depth++;
}

size_t lane_queue_share(const struct lane_queue *queue, size_t lanes, size_t max)
{
    const size_t even = (queue->depth + lanes - 1) / lanes;
    const size_t share = even > SHARE_MIN ? even : SHARE_MIN;
    return share < max ? share : max;
}

size_t lane_queue_take(struct lane_queue *queue, struct submission_write **ret_writes, size_t max)
{
    struct submission_write *blocked[BLOCKED_MAX];
    size_t blocked_count = 0;
    size_t count = 0;
    size_t scanned = 0;
    struct submission_write **link = &queue->first;
    while (*link != NULL && count < max && scanned < max * SCAN_MAX_PER_ENTRY &&
           blocked_count < BLOCKED_MAX) {
        struct submission_write *write = *link;
        const bool meets = is_blocked(queue, write);
        hold_keys(queue, write, 1); /* also of one that stays: later ones shall not pass it */
        scanned++;
        if (meets) {
            blocked[blocked_count++] = write;
            link = &write->next;
        } else {
            *link = write->next;
            queue->depth--;
            ret_writes[count++] = write;
        }
    }
    if (*link == NULL) {
        queue->end = link;
    }
    for (size_t i = 0; i < blocked_count; i++) {
        hold_keys(queue, blocked[i], -1);
    }
    return count;
}

struct submission_write *lane_queue_take_late(struct lane_queue *queue, int64_t before_us)
{
    struct submission_write *late = NULL;
    struct submission_write **end = &late;
    while (queue->first != NULL && queue->first->deadline_us < before_us) {
        struct submission_write *write = queue->first;
        queue->first = write->next;
        queue->depth--;
        write->next = NULL;
        *end = write;
        end = &write->next;
    }
    if (queue->first == NULL) {
        queue->end = &queue->first;
    }
    return late;
}

void lane_queue_release(struct lane_queue *queue, struct submission_write *const *writes,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hold_keys(queue, writes[i], -1);
    }
}

void lane_queue_give_back(struct lane_queue *queue, struct submission_write *const *writes,
                          size_t count)
{
    lane_queue_release(queue, writes, count);
    for (size_t i = count; i-- > 0;) {
        writes[i]->next = queue->first;
        if (queue->first == NULL) {
            queue->end = &writes[i]->next;
        }
        queue->first = writes[i];
        queue->depth++;
    }
}

size_t lane_queue_bring_first(struct submission_write **writes, size_t count,
                              bool (*is_first)(const struct submission_write *write))
{
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_first(writes[i])) {
            struct submission_write *swap = writes[first];
            writes[first++] = writes[i];
            writes[i] = swap;
        }
    }
    return first;
}
