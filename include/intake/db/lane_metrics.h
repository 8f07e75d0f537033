/*
 * The metrics of the group-commit lanes: how large batches are, what came of submissions, and which
 * transactions failed. Any thread may count.
 */
#ifndef INTAKE_DB_LANE_METRICS_H
#define INTAKE_DB_LANE_METRICS_H

struct metric;
struct metrics;

/* Owned by the metrics that they were added to. */
struct lane_metrics {
    struct metric *batch_size;
    struct metric *outcomes; /* a series for each submission_outcome */
    struct metric *failures; /* a series for each status */
};

/* Adds the families. */
void lane_metrics_add(struct lane_metrics *lane, struct metrics *metrics);

#endif
