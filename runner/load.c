#include "runner/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY 200000
#define MOST_PER_CORE 8
#define CALM 0.5
#define CROWDED 0.85
#define MEMORY_SHORT 0.05

/* /proc/pressure/NAME: "some avg10=... total=MICROSECONDS" (kernel: Documentation/accounting/psi.rst). */
static gboolean stalled(const char *path, const char *kind, guint64 *total) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL)) return FALSE;
  char *line = strstr(text, kind);
  char *at = line ? strstr(line, "total=") : NULL;
  if (at) *total = g_ascii_strtoull(at + strlen("total="), NULL, 10);
  return at != NULL;
}

void load_init(Load *load) {
  load->cores = (guint)g_get_num_processors();
  load->limit = load->cores * 2;
  load->looked_at = g_get_monotonic_time();
  stalled("/proc/pressure/cpu", "some", &load->cpu_stalled);
  stalled("/proc/pressure/memory", "full", &load->memory_stalled);
}

/* Shares of the time since the last look. */
static gboolean pressure(Load *load, gint64 passed, double *cpu, double *memory) {
  guint64 cpu_now = 0, memory_now = load->memory_stalled;
  if (!stalled("/proc/pressure/cpu", "some", &cpu_now)) return FALSE;
  stalled("/proc/pressure/memory", "full", &memory_now);
  *cpu = (double)(cpu_now - load->cpu_stalled) / (double)passed;
  *memory = (double)(memory_now - load->memory_stalled) / (double)passed;
  load->cpu_stalled = cpu_now;
  load->memory_stalled = memory_now;
  return TRUE;
}

guint load_limit(Load *load, guint running, gboolean more_waiting) {
  gint64 now = g_get_monotonic_time(), passed = now - load->looked_at;
  if (passed < LOOK_EVERY) return load->limit;
  load->looked_at = now;
  double cpu = 0, memory = 0, average = 0;
  if (!pressure(load, passed, &cpu, &memory) && getloadavg(&average, 1) == 1)
    cpu = average > 2 * load->cores ? 1.0 : average > load->cores ? 0.7 : 0;
  if (cpu > CROWDED || memory > MEMORY_SHORT) load->limit = MAX(load->cores, load->limit - 1);
  else if (cpu < CALM && more_waiting && running >= load->limit)
    load->limit = MIN(load->cores * MOST_PER_CORE, load->limit + 1);
  return load->limit;
}
