/* histogram.h - latencies, counted so that percentiles of any number of them cost the same few kilobytes.
 *
 * As in HdrHistogram: 128 steps for each power of two, so a value is known to within 0.8 % (below 256 exactly), and a
 * percentile is the middle of the step in which it lies.  Values are microseconds; what is beyond two weeks counts as that.
 * Zero is an empty one.
 */
#ifndef RUNNER_HISTOGRAM_H
#define RUNNER_HISTOGRAM_H

#include <glib.h>
#include "yamldef/definition.h"

#define HISTOGRAM_STEPS 4352

typedef struct Histogram {
  guint64 n;
  gint64 max; /* exactly */
  guint64 counts[HISTOGRAM_STEPS];
} Histogram;

void histogram_add(Histogram *histogram, gint64 value);
/* The smallest value that `share` (0.99) of all do not exceed; 0 when there are none. */
gint64 histogram_percentile(const Histogram *histogram, double share);
/* "p50 1.2 ms, p99 4 ms, p99.9 9.1 ms, max 12 ms" */
char *histogram_text(const Histogram *histogram);
/* NULL when all limits are kept, else "p99 is 12 ms, and was to be 5 ms at most" for each that is not, commas between. */
char *histogram_judge(const Histogram *histogram, const LatencyExpectation *latency);

#endif
