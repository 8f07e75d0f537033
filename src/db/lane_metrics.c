/* The metrics of the group-commit lanes. */
#include "intake/db/lane_metrics.h"

#include <stdio.h>

#include "intake/core/cleanup.h"
#include "intake/core/err.h"
#include "intake/core/metrics.h"
#include "intake/db/store_submission.h"

static const int64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

void lane_metrics_add(struct lane_metrics *lane, struct metrics *metrics)
{
    lane->batch_size = metrics_add_histogram(metrics, "intake_lane_batch_size",
                                             "Submissions that one transaction wrote.",
                                             batch_bounds, ARRAY_LENGTH(batch_bounds), 1);
    metric_add_series(lane->batch_size, "");
    static const char *const outcomes[] = {
        [SUBMISSION_LATER] = "outcome=\"later\"",
        [SUBMISSION_CREATED] = "outcome=\"created\"",
        [SUBMISSION_REVISED] = "outcome=\"revised\"",
        [SUBMISSION_UNCHANGED] = "outcome=\"unchanged\"",
        [SUBMISSION_GONE] = "outcome=\"gone\"",
        [SUBMISSION_STALE] = "outcome=\"stale\"",
    };
    lane->outcomes =
        metrics_add(metrics, METRIC_COUNTER, "intake_submissions_total",
                    "Submissions that were written, by outcome; later: put off to the next batch.");
    for (size_t i = 0; i < ARRAY_LENGTH(outcomes); i++) {
        metric_add_series(lane->outcomes, outcomes[i]);
    }
    lane->failures = metrics_add(metrics, METRIC_COUNTER, "intake_lane_failures_total",
                                 "Transactions of the lanes that failed, by kind.");
    for (int status = STATUS_OK; status <= STATUS_INTERNAL; status++) {
        char labels[64];
        snprintf(labels, sizeof labels, "kind=\"%s\"", status_name((enum status)status));
        metric_add_series(lane->failures, labels);
    }
}
