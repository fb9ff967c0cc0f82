/* The terminal's report: exact texts, exact bytes of the live part. */
#include "tests/record_from.h"
#include "runner/report_terminal.h"
#include "runner/report_text.h"
#include "runner/table.h"
#include <fcntl.h>
#include <pty.h>
#include <unistd.h>

typedef struct Told { TerminalReport *report; RunRecord *record; int fd; char path[32]; } Told;

static Told told_begin(TerminalOptions options) {
  Told told = {.path = "/tmp/told-XXXXXX", .record = run_record_new()};
  told.fd = mkostemp(told.path, O_CLOEXEC);
  options.fd = told.fd;
  told.report = terminal_report_new(&options, told.record);
  return told;
}

static void on_change(const RecordChange *change, gpointer report) { terminal_report_change(report, change); }
static void tell(Told *told, const char *lines) { record_add(told->record, lines, on_change, told->report); }

/* What was written since the last call. */
static char *told_since(Told *told) {
  char *text = NULL;
  g_assert_true(g_file_get_contents(told->path, &text, NULL, NULL));
  g_assert_cmpint(ftruncate(told->fd, 0), ==, 0);
  g_assert_cmpint(lseek(told->fd, 0, SEEK_SET), ==, 0);
  return text;
}

static void told_end(Told *told) {
  terminal_report_free(told->report);
  run_record_free(told->record);
  close(told->fd);
  unlink(told->path);
}

#define FAILED_FIELDS                                                                                                  \
  ",\"headline\":\"step 6, on standby: expected 3 rows, got 2\",\"detail\":\"    | i | name  |\\n    | 1 | one   "     \
  "|\\n  - | 2 | two   |        missing\\n"                                                                            \
  "  + | 4 | four  |\\ntried 41 times in 5.0 "                                                                         \
  "s\\n\",\"step\":\"6\",\"file\":\"testdefs/f.yaml\",\"line\":58,\"col\":5,\"kept\":\"/tmp/k\","                      \
  "\"again\":\"runner -t 'loses nothing' testdefs/f.yaml\""

#define MIXED_PLAN                                                                                                     \
  EV_RUN("run", "")                                                                                                    \
  PLANNED(1, "holds", "testdefs/a.yaml", 3) PLANNED(2, "loses nothing", "testdefs/f.yaml", 31)                         \
      PLANNED(3, "skips", "testdefs/b.yaml", 1) PLANNED(4, "starves", "testdefs/b.yaml", 5)                            \
          PLANNED(5, "leaks", "testdefs/b.yaml", 6)
#define MIXED_ENDS                                                                                                     \
  VERDICT(1, 1, "passed", 312400, "")                                                                                  \
  VERDICT(2, 1, "failed", 4200000, FAILED_FIELDS)                                                                      \
      VERDICT(3, 1, "skipped", 0, ",\"headline\":\"program patroni is missing\"")                                      \
          VERDICT(4, 1, "error", 125000000, ",\"headline\":\"the machine was starved\"")                               \
              VERDICT(5, 1, "leaked", 1000000, ",\"headline\":\"1 process left\"")

#define MIXED_TEXT \
  "PASS  holds (312 ms)\n" \
  "FAIL  loses nothing (4.2 s)                                   testdefs/f.yaml:31\n" \
  "  step 6, on standby: expected 3 rows, got 2                testdefs/f.yaml:58:5\n" \
  "      | i | name  |\n" \
  "      | 1 | one   |\n" \
  "    - | 2 | two   |        missing\n" \
  "    + | 4 | four  |\n" \
  "  tried 41 times in 5.0 s\n" \
  "  servers' output, files and configuration kept in: /tmp/k\n" \
  "  to run it again: runner -t 'loses nothing' testdefs/f.yaml\n" \
  "SKIP  skips: program patroni is missing\n" \
  "ERROR starves (2 min 5 s)                                      testdefs/b.yaml:5\n" \
  "  the machine was starved\n" \
  "LEAK  leaks (1.0 s)                                            testdefs/b.yaml:6\n" \
  "  1 process left\n"
#define MIXED_SUMMARY \
  "\n" \
  "FAIL  loses nothing                                           testdefs/f.yaml:31\n" \
  "ERROR starves                                                  testdefs/b.yaml:5\n" \
  "LEAK  leaks                                                    testdefs/b.yaml:6\n" \
  "\n" \
  "1 undecided (among the failed), 1 leaked (among the failed)\n" \
  "1 passed, 3 failed, 1 skipped\n"

/* Not a terminal: a line as each test ends, then the summary; nothing is redrawn. */
static void test_plain(void) {
  Told told = told_begin((TerminalOptions){.width = 80});
  tell(&told, MIXED_PLAN EV("begun", 1, 1, "") EV("step_begun", 1, 1, ",\"step\":\"1\",\"text\":\"query\""));
  terminal_report_tick(told.report);
  g_autofree char *nothing = told_since(&told);
  g_assert_cmpstr(nothing, ==, "");
  tell(&told, MIXED_ENDS);
  g_autofree char *ends = told_since(&told);
  g_assert_cmpstr(ends, ==, MIXED_TEXT);
  terminal_report_end(told.report);
  g_autofree char *summary = told_since(&told);
  g_assert_cmpstr(summary, ==, MIXED_SUMMARY);
  g_assert_true(terminal_report_intact(told.report));
  told_end(&told);
}

/* Of a finished record: the same, in planned order. */
static void test_of_record(void) {
  Told told = told_begin((TerminalOptions){.width = 80});
  record_add(told.record, MIXED_PLAN MIXED_ENDS, NULL, NULL);
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, MIXED_TEXT MIXED_SUMMARY);
  told_end(&told);
}

static void test_all_passed(void) {
  Told told = told_begin((TerminalOptions){.width = 80});
  tell(&told, EV_RUN("run", "") PLANNED(1, "a", "a.yaml", 3) VERDICT(1, 1, "passed", 1400, ""));
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "PASS  a (1 ms)\n\n1 passed, 0 failed\n");
  told_end(&told);
}

/* --retries 2: earlier failures are told in a line, the whole when the test has ended. */
static void test_retries(void) {
  Told told = told_begin((TerminalOptions){.width = 60, .retries = 2});
  tell(&told, PLANNED(1, "a", "a.yaml", 3) PLANNED(2, "b", "b.yaml", 4)
              EV("begun", 1, 1, "") VERDICT(1, 1, "failed", 1000000, ",\"headline\":\"once\",\"kept\":\"/k\"")
              EV("begun", 1, 2, "") VERDICT(1, 2, "passed", 2000000, ""));
  tell(&told, EV("begun", 2, 1, "") VERDICT(2, 1, "failed", 1000000, ",\"headline\":\"one\"")
              EV("begun", 2, 2, "") VERDICT(2, 2, "error", 1000000, "")
              EV("begun", 2, 3, "") VERDICT(2, 3, "failed", 1000000, ",\"headline\":\"three\""));
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "RETRY a (attempt 1 failed): once\n"
                            "FLAKY a (3.0 s, 2 attempts)                         a.yaml:3\n"
                            "  once\n"
                            "  servers' output, files and configuration kept in: /k\n"
                            "RETRY b (attempt 1 failed): one\n"
                            "RETRY b (attempt 2 error)\n"
                            "FAIL  b (3.0 s, 3 attempts)                         b.yaml:4\n"
                            "  three\n"
                            "\n"
                            "FAIL  b                                             b.yaml:4\n"
                            "\n"
                            "1 flaky (among the passed)\n"
                            "1 passed, 1 failed\n");
  told_end(&told);
}

/* A retry that never came (the run was stopped) must not swallow the failure. */
static void test_retry_that_never_came(void) {
  Told told = told_begin((TerminalOptions){.width = 60, .retries = 1});
  tell(&told,
       PLANNED(1, "a", "a.yaml", 3) EV("begun", 1, 1, "") VERDICT(1, 1, "failed", 1000, ",\"headline\":\"once\""));
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "RETRY a (attempt 1 failed): once\n"
                            "FAIL  a (1 ms)                                      a.yaml:3\n"
                            "  once\n"
                            "\n"
                            "FAIL  a                                             a.yaml:3\n"
                            "\n"
                            "0 passed, 1 failed\n");
  told_end(&told);
}

/* Stopped by Ctrl-C: what ran is told with its step, what was not begun is counted. */
static void test_stopped(void) {
  Told told = told_begin((TerminalOptions){.width = 60});
  tell(&told,
       PLANNED(1, "a", "a.yaml", 3) PLANNED(2, "b", "a.yaml", 4) PLANNED(3, "c", "a.yaml", 5) EV("begun", 2, 1, "")
           EV("step_begun", 2, 1,
              ",\"step\":\"3\",\"text\":\"sync from primary\",\"file\":\"a.yaml\",\"line\":7,\"col\":3")
               EV_RUN("run_ended", ",\"us\":5,\"signal\":2"));
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "CUT   b                                             a.yaml:4\n"
                            "  was in step 3: sync from primary                a.yaml:7:3\n"
                            "\n"
                            "1 cut off, 2 not run, stopped by SIGINT\n"
                            "0 passed, 0 failed\n");
  told_end(&told);
}

static void test_colour(void) {
  Told told = told_begin((TerminalOptions){.width = 60, .colour = true});
  tell(&told, PLANNED(1, "a", "a.yaml", 3) PLANNED(2, "b", "b.yaml", 4) VERDICT(1, 1, "passed", 1000, "")
                  VERDICT(2, 1, "failed", 1000,
                          ",\"headline\":\"h\",\"detail\":\"    | 1 |\\n  - | 2 |\\n  + | 3 |\\n-5 is less\\n\""));
  terminal_report_end(told.report);
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "\x1b[32mPASS\x1b[0m  a (1 ms)\n"
                            "\x1b[1;31mFAIL\x1b[0m  b (1 ms)                                      b.yaml:4\n"
                            "  h\n"
                            "      | 1 |\n"
                            "  \x1b[31m  - | 2 |\x1b[0m\n"
                            "  \x1b[32m  + | 3 |\x1b[0m\n"
                            "  -5 is less\n"
                            "\n"
                            "\x1b[1;31mFAIL\x1b[0m  b                                             b.yaml:4\n"
                            "\n"
                            "\x1b[1;31m1 passed, 1 failed\x1b[0m\n");
  told_end(&told);
}

static void test_verbose(void) {
  Told told = told_begin((TerminalOptions){.width = 80, .verbose = 1});
  tell(&told, PLANNED(1, "a", "a.yaml", 3) EV("begun", 1, 1, "")
                  EV("step_begun", 1, 1, ",\"step\":\"3.2\",\"text\":\"query on s: SELECT 1\""));
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "      a: step 3.2: query on s: SELECT 1\n");
  told_end(&told);
}

/* What servers print must not move a cursor, change a colour, ring, or begin a line that looks like ours. */
static void test_hostile(void) {
  Told told = told_begin((TerminalOptions){.width = 60});
  tell(&told, PLANNED(1, "a\\u001b[2J\\nPASS  b", "a\\n.yaml", 3)
              VERDICT(1, 1, "failed", 1000, ",\"headline\":\"\\u001b]0;x\\u0007\\r\\n\\u009b31m\","
                                            "\"kept\":{\"base64\":\"L/8K\"}"));
  terminal_report_say(told.report, "say \x1b[1m\xff");
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "FAIL  a\\x1b[2J\\nPASS  b (1 ms)                    a\\n.yaml:3\n"
                            "  \\x1b]0;x\\x07\\r\\n\\u{9b}31m\n"
                            "  servers' output, files and configuration kept in: /\\xff\\n\n"
                            "say \\x1b[1m\\xff\n");
  told_end(&told);
}

static void test_hostile_detail(void) {
  Told told = told_begin((TerminalOptions){.width = 60});
  tell(&told, PLANNED(1, "a", "a.yaml", 3)
                  VERDICT(1, 1, "failed", 1000, ",\"detail\":\"\\u001b[H\\tx\\n\\n\\u0008\\u202e\\n\""));
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "FAIL  a (1 ms)                                      a.yaml:3\n"
                            "  \\x1b[H\tx\n"
                            "\n"
                            "  \\x08\\u{202e}\n");
  told_end(&told);
}

/* Places stand at the edge by columns, not bytes; where there is no room they follow after a gap. */
static void test_widths(void) {
  Told told = told_begin((TerminalOptions){.width = 40});
  tell(&told, PLANNED(1, "複製 e\xcc\x81", "a.yaml", 3) VERDICT(1, 1, "failed", 1000, "")
              PLANNED(2, "a name that leaves no room at all", "a.yaml", 4) VERDICT(2, 1, "failed", 1000, ""));
  g_autofree char *text = told_since(&told);
  g_assert_cmpstr(text, ==, "FAIL  複製 e\xcc\x81 (1 ms)             a.yaml:3\n"
                            "FAIL  a name that leaves no room at all (1 ms)    a.yaml:4\n");
  g_assert_cmpint(display_width("複製 e\xcc\x81"), ==, 6);
  told_end(&told);
}

/* ---- The live part */

static char *live_of(const RunRecord *record, guint n_running, guint width, gint64 now, guint *lines) {
  g_autoptr(GPtrArray) running = g_ptr_array_new();
  for (guint i = 0; i < n_running; i++) g_ptr_array_add(running, run_record_test(record, i));
  GString *out = g_string_new(NULL);
  *lines = text_live(out, &(TextStyle){.width = width}, record, running, now);
  return g_string_free(out, FALSE);
}

static void test_live_text(void) {
  guint lines;
  g_autoptr(RunRecord) record =
      record_from(EV_RUN("run", "") PLANNED(1, "first", "a.yaml", 3) PLANNED(2, "複製複製複製", "a.yaml", 4)
                      PLANNED(3, "c", "a.yaml", 5) EV("begun", 1, 1, "") EV("begun", 2, 1, "")
                          EV("step_begun", 1, 1, ",\"step\":\"3\",\"text\":\"sync from primary to standby\"")
                              VERDICT(3, 1, "failed", 1, ""));
  g_autofree char *text = live_of(record, 2, 60, 4312000, &lines);
  g_assert_cmpstr(text, ==, "   2.3 s  first: step 3: sync from primary to standby\n"
                            "   2.3 s  複製複製複製\n"
                            "   3.3 s  1 of 3 done, 1 failed\n");
  g_assert_cmpuint(lines, ==, 3);
  g_autofree char *narrow = live_of(record, 2, 20, 4312000, &lines);
  g_assert_cmpstr(narrow, ==, "   2.3 s  first: st…\n"
                              "   2.3 s  複製複製…\n"
                              "   3.3 s  1 of 3 do…\n");
}

static void test_live_many(void) {
  guint lines;
  g_autoptr(GString) events = g_string_new(NULL);
  for (int i = 1; i <= 12; i++)
    g_string_append_printf(events,
                           "{\"v\":1,\"run\":\"r1\",\"t\":2000000,\"e\":\"planned\",\"test\":%d,\"name\":\"t%d\","
                           "\"file\":\"a\",\"line\":1}\n"
                           "{\"v\":1,\"run\":\"r1\",\"t\":2000000,\"e\":\"begun\",\"test\":%d,\"attempt\":1}\n",
                           i, i, i);
  g_autoptr(RunRecord) record = record_from(events->str);
  g_autofree char *text = live_of(record, 12, 60, 2000000, &lines);
  g_assert_cmpuint(lines, ==, 9);
  g_assert_nonnull(strstr(text, "    0 ms  t8\n"));
  g_assert_null(strstr(text, "t9"));
  g_assert_nonnull(strstr(text, "  0 of 12 done, 4 more are running\n"));
}

/* Durations in what was written, made the same: the clock is the machine's. */
static char *timeless(const char *text) {
  g_autoptr(GRegex) time = g_regex_new(" *[0-9]+( min [0-9]+ s|\\.[0-9] s| ms)  ", 0, 0, NULL);
  return g_regex_replace_literal(time, text, -1, 0, "TIME ", 0, NULL);
}

/* Begun: nothing until the first tick. Then redrawn by going up and clearing down, and taken away at the end. */
static void test_live_bytes(void) {
  Told told = told_begin((TerminalOptions){.width = 60, .live = true});
  tell(&told, EV_RUN("run", "") PLANNED(1, "a", "a.yaml", 3) PLANNED(2, "b", "a.yaml", 4) EV("begun", 1, 1, "")
                  EV("begun", 2, 1, ""));
  terminal_report_tick(told.report);
  g_autofree char *first = told_since(&told), *first_timeless = timeless(first);
  g_assert_cmpstr(first_timeless, ==, "TIME a\nTIME b\nTIME 0 of 2 done\n");
  terminal_report_tick(told.report);                 /* too early */
  g_autofree char *nothing = told_since(&told);
  g_assert_cmpstr(nothing, ==, "");
  tell(&told, VERDICT(1, 1, "passed", 1000, ""));
  g_autofree char *second = told_since(&told), *second_timeless = timeless(second);
  g_assert_cmpstr(second_timeless, ==, "\x1b[3A\x1b[JPASS  a (1 ms)\nTIME b\nTIME 1 of 2 done\n");
  terminal_report_say(told.report, "stopping");
  g_autofree char *third = told_since(&told), *third_timeless = timeless(third);
  g_assert_cmpstr(third_timeless, ==, "\x1b[2A\x1b[Jstopping\nTIME b\nTIME 1 of 2 done\n");
  tell(&told, VERDICT(2, 1, "passed", 1000, ""));
  terminal_report_end(told.report);
  g_autofree char *last = told_since(&told);
  g_assert_cmpstr(last, ==, "\x1b[2A\x1b[JPASS  b (1 ms)\n\n2 passed, 0 failed\n");
  told_end(&told);
}

/* ---- What kind of terminal */

static bool wants(const char *when, int fd, const char *no_color, const char *force, const char *term) {
  g_unsetenv("CLICOLOR_FORCE");
  g_setenv("NO_COLOR", no_color, TRUE);
  g_setenv("FORCE_COLOR", force, TRUE);
  g_setenv("TERM", term, TRUE);
  return terminal_wants_colour(when, fd);
}

static void test_kind(void) {
  int tty, other, file = open("/dev/null", O_WRONLY | O_CLOEXEC);
  struct winsize size = {.ws_col = 123, .ws_row = 10};
  g_assert_cmpint(openpty(&other, &tty, NULL, NULL, &size), ==, 0);
  g_assert_true(wants("auto", tty, "", "", "xterm"));
  g_assert_false(wants("auto", tty, "", "", "dumb"));
  g_assert_false(wants("auto", tty, "1", "", "xterm"));
  g_assert_false(wants("auto", file, "", "", "xterm"));
  g_assert_true(wants("auto", file, "", "1", "xterm"));
  g_assert_false(wants("auto", file, "", "0", "xterm"));
  g_assert_false(wants("auto", file, "1", "1", "xterm"));
  g_assert_true(wants("always", file, "1", "", "dumb"));
  g_assert_false(wants("never", tty, "", "1", "xterm"));
  g_unsetenv("NO_COLOR");
  g_setenv("TERM", "xterm", TRUE);
  g_assert_true(terminal_is_live(tty));
  g_assert_false(terminal_is_live(file));
  g_assert_cmpint(terminal_width(tty), ==, 123);
  g_setenv("COLUMNS", "99", TRUE);
  g_assert_cmpint(terminal_width(file), ==, 99);
  g_setenv("COLUMNS", "wide", TRUE);
  g_assert_cmpint(terminal_width(file), ==, 80);
  close(tty);
  close(other);
  close(file);
}

/* The reader went away: told once by intact, the run goes on. */
static void test_closed(void) {
  int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  g_autoptr(RunRecord) record = run_record_new();
  TerminalReport *report = terminal_report_new(&(TerminalOptions){.fd = full, .width = 80}, record);
  g_assert_true(terminal_report_intact(report));
  terminal_report_say(report, "x");
  g_assert_false(terminal_report_intact(report));
  terminal_report_end(report);
  terminal_report_free(report);
  close(full);
}

static void test_durations(void) {
  static const struct { gint64 us; const char *text;
  } all[] = {
      {0, "0 ms"},
      {499, "0 ms"},
      {500, "1 ms"},
      {999499, "999 ms"},
      {999500, "1.0 s"},
      {4249999, "4.2 s"},
      {59940000, "59.9 s"},
      {59950000, "1 min 0 s"},
      {125000000, "2 min 5 s"},
      {7200000000, "120 min 0 s"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    g_autofree char *text = text_duration(all[i].us);
    g_assert_cmpstr(text, ==, all[i].text);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/terminal/plain", test_plain);
  g_test_add_func("/terminal/of-record", test_of_record);
  g_test_add_func("/terminal/all-passed", test_all_passed);
  g_test_add_func("/terminal/retries", test_retries);
  g_test_add_func("/terminal/retry-that-never-came", test_retry_that_never_came);
  g_test_add_func("/terminal/stopped", test_stopped);
  g_test_add_func("/terminal/colour", test_colour);
  g_test_add_func("/terminal/verbose", test_verbose);
  g_test_add_func("/terminal/hostile", test_hostile);
  g_test_add_func("/terminal/hostile-detail", test_hostile_detail);
  g_test_add_func("/terminal/widths", test_widths);
  g_test_add_func("/terminal/live-text", test_live_text);
  g_test_add_func("/terminal/live-many", test_live_many);
  g_test_add_func("/terminal/live-bytes", test_live_bytes);
  g_test_add_func("/terminal/kind", test_kind);
  g_test_add_func("/terminal/closed", test_closed);
  g_test_add_func("/terminal/durations", test_durations);
  return g_test_run();
}
