/* TAP: the exact text, and that a real harness reads it. */
#include "tests/record_from.h"
#include "runner/report.h"
#include <unistd.h>

#define ALL_VERDICTS                                                                                                   \
  EV_RUN("run", "")                                                                                                    \
  PLANNED(1, "holds", "a.yaml", 3) PLANNED(2, "does not", "a.yaml", 9) PLANNED(3, "elsewhere", "b.yaml", 1) PLANNED(   \
      4, "sometimes", "b.yaml", 5) PLANNED(5, "never begun", "b.yaml", 8) VERDICT(1, 1, "passed", 1500999, "")         \
      VERDICT(2, 1, "failed", 4200000,                                                                                 \
              ",\"headline\":\"step 6, on standby: expected 3 rows, got 2\",\"detail\":\"    | i |\\n  - | 2 |\\n\","  \
              "\"step\":\"6\",\"file\":\"a.yaml\",\"line\":58,\"col\":5,\"kept\":\"/tmp/k\",\"again\":\"runner -t "    \
              "'does not' a.yaml\"") VERDICT(3, 1, "skipped", 0, ",\"headline\":\"program patroni is missing\"")       \
          VERDICT(4, 1, "failed", 10000, ",\"headline\":\"once\"") VERDICT(4, 2, "passed", 20000, "")

static char *tap_of(const char *lines, const char *version) {
  g_autoptr(RunRecord) record = record_from(lines);
  GString *out = g_string_new(NULL);
  report_tap(record, &(ReportOptions){.tap_version = version}, out);
  return g_string_free(out, FALSE);
}

static void test_all_verdicts(void) {
  g_autofree char *text = tap_of(ALL_VERDICTS, "13");
  g_assert_cmpstr(text, ==,
    "TAP version 13\n"
    "1..2\n"
    "# Subtest: a.yaml\n"
    "    1..2\n"
    "    ok 1 - holds\n"
    "      ---\n"
    "        verdict: \"passed\"\n"
    "        duration_ms: 1500\n"
    "      ...\n"
    "    not ok 2 - does not\n"
    "      ---\n"
    "        verdict: \"failed\"\n"
    "        message: \"step 6, on standby: expected 3 rows, got 2\"\n"
    "        at:\n"
    "          file: \"a.yaml\"\n"
    "          line: 58\n"
    "          column: 5\n"
    "        step: \"6\"\n"
    "        duration_ms: 4200\n"
    "        detail:\n"
    "          - \"    | i |\"\n"
    "          - \"  - | 2 |\"\n"
    "        kept: \"/tmp/k\"\n"
    "        again: \"runner -t 'does not' a.yaml\"\n"
    "      ...\n"
    "not ok 1 - a.yaml\n"
    "# Subtest: b.yaml\n"
    "    1..3\n"
    "    ok 1 - elsewhere # SKIP program patroni is missing\n"
    "    ok 2 - sometimes\n"
    "      ---\n"
    "        verdict: \"flaky\"\n"
    "        message: \"once\"\n"
    "        duration_ms: 30\n"
    "        attempts: 2\n"
    "      ...\n"
    "    not ok 3 - never begun\n"
    "      ---\n"
    "        verdict: \"not run to its end\"\n"
    "        duration_ms: 0\n"
    "      ...\n"
    "not ok 2 - b.yaml\n");
}

static void test_version_14(void) {
  g_autofree char *text = tap_of(PLANNED(1, "a", "a.yaml", 1) VERDICT(1, 1, "passed", 0, ""), "14");
  g_assert_true(g_str_has_prefix(text, "TAP version 14\n1..1\n"));
}

static void test_nothing(void) {
  g_autofree char *text = tap_of(EV_RUN("run", ""), "13");
  g_assert_cmpstr(text, ==, "TAP version 13\n1..0 # SKIP no tests\n");
}

#define HOSTILE "# \\\\ #SKIP\\nok 2 - x\\u001b[31m \\u0085 \\u202e \\\"q\\\" ---"

/* Nothing that a server printed can make a line of its own, a directive or a control character. */
static void test_hostile(void) {
  g_autofree char *text =
      tap_of(PLANNED(1, HOSTILE, "h.yaml", 1) VERDICT(1, 1, "failed", 0,
                                                      ",\"headline\":\"" HOSTILE "\",\"detail\":\"" HOSTILE
                                                      "\\n...\\n{\\u0000\",\"kept\":{\"base64\":\"L/8vYQ==\"}"),
             "13");
  g_assert_cmpstr(text, ==,
    "TAP version 13\n"
    "1..1\n"
    "# Subtest: h.yaml\n"
    "    1..1\n"
    "    not ok 1 - \\# \\\\ \\#SKIP\\\\nok 2 - x\\\\x1b[31m \\\\u{85} \\\\u{202e} \"q\" ---\n"
    "      ---\n"
    "        verdict: \"failed\"\n"
    "        message: \"# \\\\ #SKIP\\\\nok 2 - x\\\\x1b[31m \\\\u{85} \\\\u{202e} \\\"q\\\" ---\"\n"
    "        duration_ms: 0\n"
    "        detail:\n"
    "          - \"# \\\\ #SKIP\"\n"
    "          - \"ok 2 - x\\\\x1b[31m \\\\u{85} \\\\u{202e} \\\"q\\\" ---\"\n"
    "          - \"...\"\n"
    "          - \"{\"\n"
    "        kept: \"/\\\\xff/a\"\n"
    "      ...\n"
    "not ok 1 - h.yaml\n");
}

/* prove reads a TAP file through `cat`. Gives its output, and its exit status. */
static char *prove(const char *text, int *status) {
  char path[] = "/tmp/tap-XXXXXX";
  close(mkstemp(path));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  char *argv[] = {"prove", "-v", "-e", "cat", path, NULL};
  char *out = NULL;
  g_autoptr(GError) error = NULL;
  int wait_status = 0;
  g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, &wait_status,
               &error);
  g_assert_no_error(error);
  *status = g_spawn_check_wait_status(wait_status, NULL) ? 0 : 1;
  unlink(path);
  return out;
}

static void test_prove(void) {
  g_autofree char *found = g_find_program_in_path("prove");
  if (!found) {
    g_test_skip("prove is not installed");
    return;
  }
  int status;
  g_autofree char *good =
      tap_of(PLANNED(1, "a", "a.yaml", 1) PLANNED(2, HOSTILE, "b.yaml", 1) VERDICT(1, 1, "passed", 0, "")
                 VERDICT(2, 1, "skipped", 0, ",\"headline\":\"" HOSTILE "\""),
             "13");
  g_autofree char *said = prove(good, &status);
  g_assert_cmpint(status, ==, 0);
  g_assert_nonnull(strstr(said, "All tests successful.\n"));
  g_assert_nonnull(strstr(said, "Files=1, Tests=2,"));
  g_autofree char *bad = tap_of(ALL_VERDICTS, "13");
  g_autofree char *told = prove(bad, &status);
  g_assert_cmpint(status, ==, 1);
  g_assert_nonnull(strstr(told, "Failed 2/2 subtests"));
  g_assert_null(strstr(told, "Parse errors"));
  g_autofree char *empty = tap_of(EV_RUN("run", ""), "13");
  g_autofree char *skipped = prove(empty, &status);
  g_assert_cmpint(status, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report-tap/all-verdicts", test_all_verdicts);
  g_test_add_func("/report-tap/version-14", test_version_14);
  g_test_add_func("/report-tap/nothing", test_nothing);
  g_test_add_func("/report-tap/hostile", test_hostile);
  g_test_add_func("/report-tap/prove", test_prove);
  return g_test_run();
}
