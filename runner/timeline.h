/* timeline.h - what a test did when: its steps and its faults, for who says of a moment in which step it was, or after what.
 *
 * Times are CLOCK_MONOTONIC, microseconds, as g_get_monotonic_time() gives them, also in a process that was forked.
 */
#ifndef RUNNER_TIMELINE_H
#define RUNNER_TIMELINE_H

#include <glib.h>

typedef struct TimelineEntry {
  gint64 at;
  char *step;  /* its label: "3.2" */
  char *fault; /* "kill of primary"; NULL: the step began */
} TimelineEntry;

typedef struct Timeline {
  GArray *entries;
} Timeline; /* zero is an empty one */

void timeline_clear(Timeline *timeline);
void timeline_step(Timeline *timeline, const char *step);
void timeline_fault(Timeline *timeline, const char *step, const char *what, const char *server);
/* The step that had begun last at that moment; "" when none had. */
const char *timeline_step_at(const Timeline *timeline, gint64 at);

#endif
