#include "runner/histogram.h"

#include <math.h>

#define EXACT_BITS 8 /* values below 2^8 have a step each, then 2^7 steps for each power of two */
#define HALF (1u << (EXACT_BITS - 1))
#define LARGEST (((gint64)1 << 40) - 1)

static guint step_of(gint64 value) {
  if (value < 2 * HALF) return (guint)MAX(value, 0);
  guint shift = 64 - (guint)__builtin_clzll((guint64)value) - EXACT_BITS;
  return (guint)(value >> shift) + shift * HALF;
}

/* The middle of a step. */
static gint64 value_of(guint step) {
  if (step < 2 * HALF) return step;
  guint shift = step / HALF - 1;
  return ((gint64)(step - shift * HALF) << shift) + ((gint64)1 << shift) / 2;
}

void histogram_add(Histogram *histogram, gint64 value) {
  histogram->n++;
  histogram->max = MAX(histogram->max, value);
  histogram->counts[step_of(MIN(value, LARGEST))]++;
}

gint64 histogram_percentile(const Histogram *histogram, double share) {
  guint64 wanted = MAX((guint64)ceil(share * (double)histogram->n), 1), seen = 0;
  for (guint step = 0; step < HISTOGRAM_STEPS; step++) {
    seen += histogram->counts[step];
    if (seen >= wanted) return MIN(value_of(step), histogram->max);
  }
  return 0;
}

char *histogram_text(const Histogram *histogram) {
  static const struct {
    const char *name;
    double share;
  } shown[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(shown); i++) {
    gint64 value = shown[i].share < 1 ? histogram_percentile(histogram, shown[i].share) : histogram->max;
    int decimals = value < 10000 ? 3 : value < 100000 ? 1 : 0;
    g_string_append_printf(text, "%s%s %.*f ms", i > 0 ? ", " : "", shown[i].name, decimals, (double)value / 1000);
  }
  return g_string_free(text, FALSE);
}

char *histogram_judge(const Histogram *histogram, const LatencyExpectation *latency) {
  const struct {
    const char *name;
    double share;
    const LatencyLimit *limit;
  } all[] = {
      {"p50", 0.5, &latency->p50},      {"p90", 0.9, &latency->p90}, {"p99", 0.99, &latency->p99},
      {"p99.9", 0.999, &latency->p999}, {"max", 1, &latency->max},
  };
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    gint64 value = all[i].share < 1 ? histogram_percentile(histogram, all[i].share) : histogram->max;
    if (!all[i].limit->given || value <= all[i].limit->most) continue;
    g_string_append_printf(text, "%s%s is %.3f ms, and was to be %.3f ms at most", text->len > 0 ? ", " : "",
                           all[i].name, (double)value / 1000, (double)all[i].limit->most / 1000);
  }
  return text->len > 0 ? g_strdup(text->str) : NULL;
}
