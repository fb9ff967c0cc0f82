/* Percentiles of a histogram are within one per cent of the exact ones, whatever the latencies are. */
#include <math.h>
#include <stdlib.h>
#include "runner/histogram.h"

static int compare(const void *a, const void *b) {
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
  return x < y ? -1 : x > y;
}

static void assert_close(gint64 got, gint64 exact) {
  if (fabs((double)(got - exact)) > 0.01 * (double)exact)
    g_error("%" G_GINT64_FORMAT " is not within 1 %% of %" G_GINT64_FORMAT, got, exact);
}

/* From a microsecond to some hours, as many short as long ones. */
static void test_precision(void) {
  enum { N = 100000 };
  g_autofree Histogram *histogram = g_new0(Histogram, 1);
  g_autofree gint64 *values = g_new(gint64, N);
  g_autoptr(GRand) rand = g_rand_new_with_seed(1);
  for (guint i = 0; i < N; i++) {
    values[i] = (gint64)exp2(g_rand_double_range(rand, 0, 35));
    histogram_add(histogram, values[i]);
  }
  qsort(values, N, sizeof *values, compare);
  for (guint thousandth = 1; thousandth < 1000; thousandth++) {
    guint rank = (guint)ceil(thousandth / 1000.0 * N);
    assert_close(histogram_percentile(histogram, thousandth / 1000.0), values[rank - 1]);
  }
  g_assert_cmpint(histogram->max, ==, values[N - 1]);
  g_assert_cmpuint(histogram->n, ==, N);
}

/* Each value alone: its own percentile. */
static void test_each(void) {
  for (gint64 value = 0; value < (gint64)1 << 40; value += 1 + value / 300) {
    g_autofree Histogram *histogram = g_new0(Histogram, 1);
    histogram_add(histogram, value);
    histogram_add(histogram, value);
    assert_close(histogram_percentile(histogram, 0.5), value);
    if (value < 256) g_assert_cmpint(histogram_percentile(histogram, 0.5), ==, value);
  }
}

/* One of a hundred is the 99th percentile's business no more, two are. */
static void test_rank(void) {
  g_autofree Histogram *histogram = g_new0(Histogram, 1);
  for (guint i = 0; i < 99; i++) histogram_add(histogram, 10);
  histogram_add(histogram, 1000000);
  g_assert_cmpint(histogram_percentile(histogram, 0.99), ==, 10);
  g_assert_cmpint(histogram_percentile(histogram, 1), ==, 1000000);
  histogram_add(histogram, 1000000);
  assert_close(histogram_percentile(histogram, 0.99), 1000000);
}

static void test_beyond(void) {
  g_autofree Histogram *histogram = g_new0(Histogram, 1);
  g_assert_cmpint(histogram_percentile(histogram, 0.5), ==, 0);
  histogram_add(histogram, G_MAXINT64);
  g_assert_cmpint(histogram->max, ==, G_MAXINT64);
  assert_close(histogram_percentile(histogram, 0.5), (gint64)1 << 40);
}

static void test_words(void) {
  g_autofree Histogram *histogram = g_new0(Histogram, 1);
  for (guint i = 1; i <= 100; i++) histogram_add(histogram, i);
  g_autofree char *text = histogram_text(histogram);
  g_assert_cmpstr(text, ==, "p50 0.050 ms, p99 0.099 ms, p99.9 0.100 ms, max 0.100 ms");
  histogram_add(histogram, 12345);
  histogram_add(histogram, 1234567);
  g_autofree char *longer = histogram_text(histogram);
  g_assert_cmpstr(longer, ==, "p50 0.051 ms, p99 12.3 ms, p99.9 1233 ms, max 1235 ms");
  *histogram = (Histogram){0};
  for (guint i = 1; i <= 100; i++) histogram_add(histogram, i);
  const LatencyExpectation holds = {
      .given = true, .p50 = {true, 50}, .p90 = {true, 90}, .p99 = {true, 99}, .p999 = {true, 100}, .max = {true, 100}};
  g_assert_null(histogram_judge(histogram, &holds));
  const LatencyExpectation fails = {
      .given = true, .p50 = {true, 49}, .p90 = {true, 89}, .p99 = {true, 98}, .p999 = {true, 99}, .max = {true, 99}};
  g_autofree char *judged = histogram_judge(histogram, &fails);
  g_assert_cmpstr(judged, ==,
                  "p50 is 0.050 ms, and was to be 0.049 ms at most, p90 is 0.090 ms, and was to be 0.089 ms at most, "
                  "p99 is 0.099 ms, and was to be 0.098 ms at most, p99.9 is 0.100 ms, and was to be 0.099 ms at most, "
                  "max is 0.100 ms, and was to be 0.099 ms at most");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/histogram/precision", test_precision);
  g_test_add_func("/histogram/each", test_each);
  g_test_add_func("/histogram/rank", test_rank);
  g_test_add_func("/histogram/beyond", test_beyond);
  g_test_add_func("/histogram/words", test_words);
  return g_test_run();
}
