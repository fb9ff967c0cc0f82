#include "runner/timeline.h"

static void entry_clear(gpointer data) {
  TimelineEntry *entry = data;
  g_free(entry->step);
  g_free(entry->fault);
}

static void add(Timeline *timeline, TimelineEntry entry) {
  if (!timeline->entries) {
    timeline->entries = g_array_new(FALSE, FALSE, sizeof(TimelineEntry));
    g_array_set_clear_func(timeline->entries, entry_clear);
  }
  entry.at = g_get_monotonic_time();
  g_array_append_val(timeline->entries, entry);
}

void timeline_clear(Timeline *timeline) { g_clear_pointer(&timeline->entries, g_array_unref); }

void timeline_step(Timeline *timeline, const char *step) { add(timeline, (TimelineEntry){.step = g_strdup(step)}); }

void timeline_fault(Timeline *timeline, const char *step, const char *what, const char *server) {
  add(timeline, (TimelineEntry){.step = g_strdup(step), .fault = g_strdup_printf("%s of %s", what, server)});
}

const char *timeline_step_at(const Timeline *timeline, gint64 at) {
  const char *step = "";
  for (guint i = 0; timeline->entries && i < timeline->entries->len; i++) {
    const TimelineEntry *entry = &g_array_index(timeline->entries, TimelineEntry, i);
    if (entry->at <= at && !entry->fault) step = entry->step;
  }
  return step;
}
