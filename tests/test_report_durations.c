/* test_report_durations.c - how long the rounds of repeated tests took. */
#include "runner/report_durations.h"

#include <string.h>

static void add(RunRecord *record, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(RunRecord *record, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *fields = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *line = g_strdup_printf("{\"v\":1,\"run\":\"r\",\"t\":1,%s}", fields);
  g_assert_true(run_record_line(record, line, strlen(line), NULL));
}

static void add_test(RunRecord *record, guint number, const char *name, const char *verdict, gint64 us) {
  add(record, "\"e\":\"planned\",\"test\":%u,\"attempt\":1,\"name\":\"%s\",\"file\":\"f.yaml\"", number, name);
  if (verdict)
    add(record, "\"e\":\"verdict\",\"test\":%u,\"attempt\":1,\"verdict\":\"%s\",\"us\":%" G_GINT64_FORMAT, number,
        verdict, us);
}

static void says(RunRecord *record, const char *expected) {
  g_autoptr(GString) out = g_string_new(NULL);
  durations_append(out, record);
  g_assert_cmpstr(out->str, ==, expected);
}

static void test_rounds(void) {
  g_autoptr(RunRecord) record = run_record_new();
  add_test(record, 1, "a [round 1]", "passed", 3000000);
  add_test(record, 2, "b [round 1]", "passed", 1000000);
  add_test(record, 3, "a [round 2]", "passed", 1000000);
  add_test(record, 4, "b [round 2]", "skipped", 0);
  add_test(record, 5, "a [round 3]", "failed", 2000000);
  add_test(record, 6, "a [round 4]", NULL, 0);
  says(record, "a: 3 rounds of 1.0 s to 3.0 s, half of them within 2.0 s; 1 did not pass\n\n");
}

static void test_once(void) {
  g_autoptr(RunRecord) record = run_record_new();
  add_test(record, 1, "a", "passed", 3000000);
  add_test(record, 2, "a [mode=x]", "passed", 3000000);
  says(record, "");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report-durations/rounds", test_rounds);
  g_test_add_func("/report-durations/once", test_once);
  return g_test_run();
}
