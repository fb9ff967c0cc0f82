/* What became of a workload's writes, held against what was expected. */
#include "runner/workload.h"

#include <string.h>

#define LISTED 20

static double seconds(gint64 us) { return (double)us / G_USEC_PER_SEC; }

static gint64 end_of(const Workload *workload) { return workload->ended ? workload->ended : g_get_monotonic_time(); }

gint64 workload_gap(const Workload *workload, gint64 from, gint64 to) {
  gint64 before = workload->began, longest = 0;
  for (guint i = 0; i <= workload->writes->len; i++) {
    const Write *write = i < workload->writes->len ? &g_array_index(workload->writes, Write, i) : NULL;
    if (write && write->outcome != 'A') continue;
    gint64 at = write ? write->at : end_of(workload);
    if (at > from && before < to) longest = MAX(longest, at - before);
    before = at;
  }
  return longest;
}

static gint64 longest_gap(const Workload *workload) {
  return workload_gap(workload, workload->began, end_of(workload));
}

static Histogram *latencies(const Workload *workload) {
  Histogram *histogram = g_new0(Histogram, 1);
  for (guint i = 0; i < workload->writes->len; i++) {
    const Write *write = &g_array_index(workload->writes, Write, i);
    if (write->outcome == 'A') histogram_add(histogram, write->latency);
  }
  return histogram;
}

static gint64 throughput(const Workload *workload) {
  gint64 us = end_of(workload) - workload->began;
  return us > 0 ? (gint64)((double)workload->acknowledged / seconds(us)) : 0;
}

/* ---- In words */

static void add_faults(const Workload *workload, GString *text) {
  const GArray *entries = workload->cluster->timeline.entries;
  for (guint i = 0; entries && i < entries->len; i++) {
    const TimelineEntry *entry = &g_array_index(entries, TimelineEntry, i);
    if (!entry->fault || entry->at < workload->began || entry->at > end_of(workload)) continue;
    gint64 to = end_of(workload);
    for (guint j = i + 1; j < entries->len; j++)
      if (g_array_index(entries, TimelineEntry, j).fault) {
        to = MIN(to, g_array_index(entries, TimelineEntry, j).at);
        break;
      }
    g_string_append_printf(text, "  after the %s in step %s: %.3f s without an acknowledged write\n", entry->fault,
                           entry->step, seconds(workload_gap(workload, entry->at, to)));
  }
}

static void add_errors(const Workload *workload, GString *text) {
  GHashTableIter iter;
  gpointer key, value;
  guint told = 0;
  g_hash_table_iter_init(&iter, workload->errors);
  while (told++ < 5 && g_hash_table_iter_next(&iter, &key, &value))
    g_string_append_printf(text, "  %" G_GUINT64_FORMAT " times: %s\n", *(guint64 *)value, (const char *)key);
  if (workload->writers_ended > 0)
    g_string_append_printf(text, "  %u of its writers ended early\n", workload->writers_ended);
  if (workload->last_trouble)
    g_string_append_printf(text, "  the last trouble with a session: %s\n", workload->last_trouble);
}

static char *numbers(const Workload *workload) {
  g_autofree Histogram *histogram = latencies(workload);
  g_autofree char *latency = workload->acknowledged > 0 ? histogram_text(histogram) : NULL;
  return g_strdup_printf(
      "%" G_GUINT64_FORMAT " writes acknowledged in %.3f s, %" G_GINT64_FORMAT " a second; %" G_GUINT64_FORMAT
      " refused, %" G_GUINT64_FORMAT " unknown%s%s; at most %.3f s without an acknowledged write",
      workload->acknowledged, seconds(end_of(workload) - workload->began), throughput(workload), workload->failed,
      workload->unknown, latency ? "; latency " : "", latency ? latency : "", seconds(longest_gap(workload)));
}

char *workload_story(const Workload *workload) {
  GString *text = g_string_new("  ");
  g_autofree char *first = numbers(workload);
  g_string_append_printf(text, "%s\n", first);
  add_faults(workload, text);
  add_errors(workload, text);
  return g_string_free(text, FALSE);
}

void workload_tell(const Workload *workload, const char *step) {
  EventLog *log = workload->cluster->log;
  g_autofree Histogram *histogram = latencies(workload);
  g_autofree char *story = workload_story(workload),
                  *text = g_strdup_printf("workload '%s':\n%s", workload->step->name.s, story);
  event_begin(log, "workload");
  event_text(log, "step", step);
  event_text(log, "name", workload->step->name.s);
  event_int(log, "us", end_of(workload) - workload->began);
  event_int(log, "acknowledged", (gint64)workload->acknowledged);
  event_int(log, "failed", (gint64)workload->failed);
  event_int(log, "unknown", (gint64)workload->unknown);
  event_int(log, "unavailable_us", longest_gap(workload));
  event_int(log, "p50_us", histogram_percentile(histogram, 0.5));
  event_int(log, "p99_us", histogram_percentile(histogram, 0.99));
  event_int(log, "p999_us", histogram_percentile(histogram, 0.999));
  event_int(log, "max_us", histogram->max);
  event_text(log, "text", text);
  event_end(log);
}

/* ---- Judging */

/* "at least 5", or NULL when it holds. */
static char *broken_bounds(const Bounds *bounds, gint64 value, bool duration) {
  const double scale = duration ? 1000 : 1;
  const char *unit = duration ? " ms" : "";
  if (bounds->has_exactly && value != bounds->exactly) return g_strdup_printf("%" G_GINT64_FORMAT, bounds->exactly);
  if (bounds->has_min && value < bounds->min)
    return g_strdup_printf("at least %.12g%s", (double)bounds->min / scale, unit);
  if (bounds->has_max && value > bounds->max)
    return g_strdup_printf("at most %.12g%s", (double)bounds->max / scale, unit);
  return NULL;
}

static void complain(const Workload *workload, Outcome *outcome, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void complain(const Workload *workload, Outcome *outcome, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  if (outcome->kind == OUTCOME_OK) outcome_fail(outcome, "workload '%s': %s", workload->step->name.s, what);
  else outcome_addf(outcome, "  also: %s", what);
}

static bool judge_count(const Workload *workload, const Bounds *bounds, gint64 value, const char *what,
                        Outcome *outcome) {
  g_autofree char *wish = broken_bounds(bounds, value, false);
  if (wish) complain(workload, outcome, "%s: %" G_GINT64_FORMAT ", expected %s", what, value, wish);
  return !wish;
}

static guint times_there(const ReadBack *back, guint64 id) {
  return GPOINTER_TO_UINT(g_hash_table_lookup(back->ids, GSIZE_TO_POINTER((gsize)id)));
}

static void list_write(const Workload *workload, const Write *write, guint times, Outcome *outcome) {
  const Node *node = g_ptr_array_index(workload->nodes, write->server);
  const char *step = timeline_step_at(&workload->cluster->timeline, write->at);
  const char *how = write->outcome == 'A' ? "acknowledged" : write->outcome == 'F' ? "refused" : "unanswered";
  g_autofree char *there = times > 1 ? g_strdup_printf(" is there %u times,", times) : g_strdup("");
  outcome_addf(outcome, "  id %" G_GUINT64_FORMAT "%s %s by %s %.3f s after the workload began, in step %s", write->id,
               there, how, node->name, seconds(write->at - workload->began), step);
}

static bool is_bad(const Write *write, guint times, bool lost) {
  return lost ? write->outcome == 'A' && times == 0 : times > 1;
}

/* Lost ones, or repeated ones: counted, judged, listed. */
static void judge_back(const Workload *workload, const Bounds *bounds, const ReadBack *back, guint n_writes, bool lost,
                       Outcome *outcome) {
  static const Bounds none = {.given = true, .has_exactly = true};
  guint n = 0, listed = 0;
  g_autofree char *what =
      g_strdup_printf("%s, as read on %s", lost ? "lost acknowledged writes" : "duplicated writes", back->server);
  for (guint i = 0; i < n_writes; i++) {
    const Write *write = &g_array_index(workload->writes, Write, i);
    n += is_bad(write, times_there(back, write->id), lost);
  }
  if (judge_count(workload, bounds->given ? bounds : &none, n, what, outcome)) return;
  for (guint i = 0; i < n_writes && listed < LISTED; i++) {
    const Write *write = &g_array_index(workload->writes, Write, i);
    guint times = times_there(back, write->id);
    if (!is_bad(write, times, lost)) continue;
    list_write(workload, write, times, outcome);
    listed++;
  }
  if (n > listed) outcome_addf(outcome, "  and %u more", n - listed);
}

static void judge_numbers(const Workload *workload, const WorkloadExpectation *expect, bool final, Outcome *outcome) {
  static const Bounds some = {.given = true, .has_min = true, .min = 1};
  const Bounds *acknowledged = expect->acknowledged.given || !final ? &expect->acknowledged : &some;
  judge_count(workload, acknowledged, (gint64)workload->acknowledged, "acknowledged writes", outcome);
  judge_count(workload, &expect->errors, (gint64)workload->failed, "refused writes (errors)", outcome);
  judge_count(workload, &expect->unknown, (gint64)workload->unknown, "writes of unknown outcome", outcome);
  judge_count(workload, &expect->throughput, throughput(workload), "acknowledged writes a second", outcome);
  gint64 gap = longest_gap(workload);
  g_autofree char *wish = broken_bounds(&expect->unavailable, gap, true);
  if (wish)
    complain(workload, outcome, "the longest time without an acknowledged write: %.3f s, expected %s", seconds(gap),
             wish);
  g_autofree Histogram *histogram = latencies(workload);
  g_autofree char *slow = histogram_judge(histogram, &expect->latency);
  if (slow) complain(workload, outcome, "latency: %s", slow);
}

bool workload_judge(Workload *workload, const WorkloadExpectation *expect, guint n_writes, GPtrArray *back, bool final,
                    Outcome *outcome) {
  for (guint i = 0; i < back->len; i++) {
    judge_back(workload, &expect->lost, g_ptr_array_index(back, i), n_writes, true, outcome);
    judge_back(workload, &expect->duplicated, g_ptr_array_index(back, i), n_writes, false, outcome);
  }
  judge_numbers(workload, expect, final, outcome);
  if (outcome->kind == OUTCOME_OK) return true;
  g_autofree char *story = workload_story(workload);
  outcome_add(outcome, story);
  return false;
}
