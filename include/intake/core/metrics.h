/*
 * Metrics in the Prometheus text format 0.0.4. Families and their series are registered at start,
 * before any thread runs; from then on updates are lock-free and rendering may happen at any time.
 */
#ifndef INTAKE_CORE_METRICS_H
#define INTAKE_CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct metrics; /* all families */
struct metric;  /* one family */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* NULL when memory is out. */
struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

/*
 * Registers a family. `name`, `help` and `bounds` (ascending upper bounds of a histogram's
 * buckets, without +Inf) must outlive the metrics. Histograms observe integers in a small unit
 * that `scale` turns into the exported one (1e-6 for microseconds exported as seconds).
 * Ends the program, and says why, when memory is out: this is start-up. Owned by `metrics`.
 */
struct metric *metrics_add(struct metrics *metrics, enum metric_type type, const char *name,
                           const char *help);
struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                                     const int64_t *bounds, size_t bounds_count, double scale);

/*
 * Registers one series with its labels as they are printed, `route="/health",status="200"`, or ""
 * for none; returns its index in the family. `labels` is copied; NULL says that there was no memory
 * for them, and ends the program as metrics_add() does.
 */
size_t metric_add_series(struct metric *metric, const char *labels);

/*
 * Leaves out series that never counted anything: for families whose series are all combinations
 * of their labels, of which most never happen.
 */
void metric_hide_untouched(struct metric *metric);

/* Any thread. */
void metric_add(struct metric *metric, size_t series, int64_t amount);
void metric_set(struct metric *metric, size_t series, int64_t value);
void metric_observe(struct metric *metric, size_t series, int64_t value);
int64_t metric_value(const struct metric *metric, size_t series);

/* Appends every family that has a series; counters that are zero are printed too, unless
 * their family hides them. Any thread. */
void metrics_render(const struct metrics *metrics, struct strbuf *out);

#endif
