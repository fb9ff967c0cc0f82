/* load.h - how many tests run at once: tests mostly wait, so the number follows the machine's load, not its cores.
 *
 * Between cores and 8 x cores, by pressure stall information (the share of time in which something waited for a processor or
 * for memory), else by the load average.
 */
#ifndef RUNNER_LOAD_H
#define RUNNER_LOAD_H

#include <glib.h>

typedef struct Load {
  guint cores, limit;
  gint64 looked_at;              /* CLOCK_MONOTONIC microseconds */
  guint64 cpu_stalled, memory_stalled;   /* totals then, microseconds */
} Load;

void load_init(Load *load);
/* How many may run now; call it as often as you like, it looks every 200 ms. busy: so many run, and more are waiting. */
guint load_limit(Load *load, guint running, gboolean more_waiting);

#endif
