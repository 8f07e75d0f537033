/* Metrics in the Prometheus text format. */
#include "intake/core/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct series {
    char *labels;
    _Atomic int64_t value;    /* a histogram: the sum of what was observed */
    _Atomic int64_t *buckets; /* bounds_count + 1 counts, each for its own bucket only */
};

struct metric {
    enum metric_type type;
    const char *name;
    const char *help;
    const int64_t *bounds;
    size_t bounds_count;
    double scale;
    bool hides_untouched;
    struct series *series;
    size_t series_count;
    size_t series_capacity;
};

struct metrics {
    struct metric **families;
    size_t families_count;
};

/* All are added at start-up: nobody is served yet, and what a worker may have claimed is due again.
 */
static void *must(void *memory)
{
    enum { CANNOT_START = 2 }; /* the exit code, as of every start that fails */
    if (memory == NULL) {
        (void)fputs("intake: cannot serve: out of memory\n", stderr);
        _exit(CANNOT_START);
    }
    return memory;
}

struct metrics *metrics_create(void)
{
    return calloc(1, sizeof(struct metrics));
}

void metrics_destroy(struct metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    for (size_t i = 0; i < metrics->families_count; i++) {
        struct metric *family = metrics->families[i];
        for (size_t k = 0; k < family->series_count; k++) {
            free(family->series[k].labels);
            free(family->series[k].buckets);
        }
        free(family->series);
        free(family);
    }
    free(metrics->families);
    free(metrics);
}

struct metric *metrics_add(struct metrics *metrics, enum metric_type type, const char *name,
                           const char *help)
{
    struct metric *metric = must(calloc(1, sizeof *metric));
    *metric = (struct metric){.type = type, .name = name, .help = help, .scale = 1};
    metrics->families =
        must(reallocarray(metrics->families, metrics->families_count + 1, sizeof(struct metric *)));
    metrics->families[metrics->families_count++] = metric;
    return metric;
}

struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                                     const int64_t *bounds, size_t bounds_count, double scale)
{
    struct metric *metric = metrics_add(metrics, METRIC_HISTOGRAM, name, help);
    metric->bounds = bounds;
    metric->bounds_count = bounds_count;
    metric->scale = scale;
    return metric;
}

size_t metric_add_series(struct metric *metric, const char *labels)
{
    if (metric->series_count == metric->series_capacity) { /* doubled: some have thousands */
        metric->series_capacity = metric->series_capacity > 0 ? 2 * metric->series_capacity : 1;
        metric->series =
            must(reallocarray(metric->series, metric->series_capacity, sizeof(struct series)));
    }
    struct series *series = &metric->series[metric->series_count];
    memset(series, 0, sizeof *series);
    series->labels = must(labels != NULL ? strdup(labels) : NULL);
    if (metric->type == METRIC_HISTOGRAM) {
        series->buckets = must(calloc(metric->bounds_count + 1, sizeof *series->buckets));
    }
    return metric->series_count++;
}

void metric_add(struct metric *metric, size_t series, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->series[series].value, amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, size_t series, int64_t value)
{
    atomic_store_explicit(&metric->series[series].value, value, memory_order_relaxed);
}

void metric_observe(struct metric *metric, size_t series, int64_t value)
{
    struct series *row = &metric->series[series];
    size_t bucket = 0;
    while (bucket < metric->bounds_count && value > metric->bounds[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&row->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->value, value, memory_order_relaxed);
}

int64_t metric_value(const struct metric *metric, size_t series)
{
    return atomic_load_explicit(&metric->series[series].value, memory_order_relaxed);
}

void metric_hide_untouched(struct metric *metric)
{
    metric->hides_untouched = true;
}

static bool is_untouched(const struct metric *metric, const struct series *series)
{
    if (metric->type != METRIC_HISTOGRAM) {
        return atomic_load_explicit(&series->value, memory_order_relaxed) == 0;
    }
    for (size_t i = 0; i <= metric->bounds_count; i++) {
        if (atomic_load_explicit(&series->buckets[i], memory_order_relaxed) != 0) {
            return false;
        }
    }
    return true;
}

static void render_sample(const struct metric *metric, const struct series *series,
                          struct strbuf *out)
{
    const int64_t value = atomic_load_explicit(&series->value, memory_order_relaxed);
    strbuf_printf(out, *series->labels ? "%s{%s} %" PRId64 "\n" : "%s%s %" PRId64 "\n",
                  metric->name, series->labels, value);
}

static void render_histogram(const struct metric *metric, const struct series *series,
                             struct strbuf *out)
{
    const char *comma = *series->labels ? "," : "";
    int64_t count = 0;
    for (size_t i = 0; i <= metric->bounds_count; i++) {
        count += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
        strbuf_printf(out, "%s_bucket{%s%sle=\"", metric->name, series->labels, comma);
        if (i < metric->bounds_count) {
            strbuf_printf(out, "%g", (double)metric->bounds[i] * metric->scale);
        } else {
            strbuf_puts(out, "+Inf");
        }
        strbuf_printf(out, "\"} %" PRId64 "\n", count);
    }
    const double sum =
        (double)atomic_load_explicit(&series->value, memory_order_relaxed) * metric->scale;
    const char *open = *series->labels ? "{" : "";
    const char *close = *series->labels ? "}" : "";
    strbuf_printf(out, "%s_sum%s%s%s %.9g\n", metric->name, open, series->labels, close, sum);
    strbuf_printf(out, "%s_count%s%s%s %" PRId64 "\n", metric->name, open, series->labels, close,
                  count);
}

void metrics_render(const struct metrics *metrics, struct strbuf *out)
{
    static const char *const type_names[] = {
        [METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
    };
    for (size_t i = 0; i < metrics->families_count; i++) {
        const struct metric *metric = metrics->families[i];
        if (metric->series_count == 0) {
            continue;
        }
        strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                      type_names[metric->type]);
        for (size_t k = 0; k < metric->series_count; k++) {
            if (metric->hides_untouched && is_untouched(metric, &metric->series[k])) {
                continue;
            }
            if (metric->type == METRIC_HISTOGRAM) {
                render_histogram(metric, &metric->series[k], out);
            } else {
                render_sample(metric, &metric->series[k], out);
            }
        }
    }
}
