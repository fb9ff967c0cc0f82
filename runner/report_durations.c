#include "runner/report_durations.h"

#include <string.h>
#include "runner/report_text.h"

/* All rounds of one test. */
typedef struct Rounds {
  char *name;                    /* without the round */
  const char *file;
  GArray *us;                    /* gint64 */
  guint bad;
} Rounds;

static void rounds_free(gpointer data) {
  Rounds *rounds = data;
  g_array_unref(rounds->us);
  g_free(rounds->name);
  g_free(rounds);
}

/* "a name [round 3]": plan.h gives repeated tests such names. NULL: not repeated. */
static char *name_without_round(const TestRecord *test) {
  const char *round = test->name ? g_strrstr(test->name, " [round ") : NULL;
  return round && g_str_has_suffix(round, "]") ? g_strndup(test->name, (gsize)(round - test->name)) : NULL;
}

static Rounds *rounds_of(GPtrArray *all, char *name, const char *file) {
  for (guint i = 0; i < all->len; i++) {
    Rounds *rounds = all->pdata[i];
    if (strcmp(rounds->name, name) == 0 && g_strcmp0(rounds->file, file) == 0) return g_free(name), rounds;
  }
  Rounds *rounds = g_new0(Rounds, 1);
  rounds->name = name;
  rounds->file = file;
  rounds->us = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_ptr_array_add(all, rounds);
  return rounds;
}

static int by_length(gconstpointer a, gconstpointer b) {
  gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
  return (x > y) - (x < y);
}

static void append_rounds(GString *out, const Rounds *rounds) {
  const gint64 *us = (const gint64 *)(gpointer)rounds->us->data;
  guint n = rounds->us->len;
  g_array_sort(rounds->us, by_length);
  g_autofree char *shortest = text_duration(us[0]), *median = text_duration(us[n / 2]),
                  *longest = text_duration(us[n - 1]);
  g_string_append_printf(out, "%s: %u rounds of %s to %s, half of them within %s", rounds->name, n, shortest, longest,
                         median);
  if (rounds->bad > 0) g_string_append_printf(out, "; %u did not pass", rounds->bad);
  g_string_append_c(out, '\n');
}

void durations_append(GString *out, const RunRecord *record) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(rounds_free);
  for (guint i = 0; i < run_record_n_tests(record); i++) {
    const TestRecord *test = run_record_test(record, i);
    if (test->verdict == VERDICT_NONE || test->verdict == VERDICT_SKIPPED) continue;
    char *name = name_without_round(test);
    if (!name) continue;
    Rounds *rounds = rounds_of(all, name, test->file);
    g_array_append_val(rounds->us, test->us);
    rounds->bad += test->verdict != VERDICT_PASSED && test->verdict != VERDICT_FLAKY;
  }
  guint before = out->len;
  for (guint i = 0; i < all->len; i++)
    if (((Rounds *)all->pdata[i])->us->len > 1) append_rounds(out, all->pdata[i]);
  if (out->len > before) g_string_append_c(out, '\n');
}
