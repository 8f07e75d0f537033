/*
 * The queue of the group-commit lanes: entries in the order of their coming, and the keys
 * (booking, e-mail, phone) of those on their way. Not locked: the lanes' mutex guards it.
 */
#ifndef INTAKE_DB_LANE_QUEUE_H
#define INTAKE_DB_LANE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct submission_write;

enum { LANE_QUEUE_SLOTS = 1 << 17 /* more slots, fewer entries that wait for a stranger's key */ };

/* Zero-initialise it, then call lane_queue_init. It owns no entry. */
struct lane_queue {
    struct submission_write *first;
    struct submission_write **end;
    size_t depth;
    uint16_t busy[LANE_QUEUE_SLOTS]; /* keys of entries on their way, counted by slot */
};

void lane_queue_init(struct lane_queue *queue);

/* Appends an entry and computes its keys. */
void lane_queue_push(struct lane_queue *queue, struct submission_write *write);

/*
 * How many entries one of `lanes` lanes takes now, `max` at the most: its share of what waits, so
 * that another one works while it waits for the disk. Few entries are not shared, for a transaction
 * costs as much as several of them.
 */
size_t lane_queue_share(const struct lane_queue *queue, size_t lanes, size_t max);

/*
 * Takes up to `max` entries whose keys are free and holds their keys. An entry that meets one on
 * its way stays, and so does every later one that meets it: order per booking.
 */
size_t lane_queue_take(struct lane_queue *queue, struct submission_write **ret_writes, size_t max);

/*
 * Takes the entries off the head, which is always the oldest, whose deadline comes before
 * `before_us`; returns them as a list by `next`, or NULL. They hold no keys.
 */
struct submission_write *lane_queue_take_late(struct lane_queue *queue, int64_t before_us);

/* Lets go of the keys of entries that were taken. */
void lane_queue_release(struct lane_queue *queue, struct submission_write *const *writes,
                        size_t count);

/* Lets go of their keys and puts them back at the head, in their order. */
void lane_queue_give_back(struct lane_queue *queue, struct submission_write *const *writes,
                          size_t count);

/* Moves those of a batch to its front and counts them. */
size_t lane_queue_bring_first(struct submission_write **writes, size_t count,
                              bool (*is_first)(const struct submission_write *write));

#endif
