/* Events: what is written is what was said, each line valid JSON by itself, whatever bytes come. */
#include "runner/event.h"
#include "runner/record.h"
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

typedef struct Log { EventLog *log; char path[32]; int fd; } Log;

static Log log_open(guint test, guint attempt) {
  Log log = {.path = "/tmp/events-XXXXXX"};
  log.fd = mkostemp(log.path, O_APPEND | O_CLOEXEC);
  g_assert_cmpint(log.fd, >=, 0);
  log.log = event_log_new(log.fd, "r1", test, attempt);
  return log;
}

/* All that was written, each `"t":123...` made `"t":T`. */
static char *log_close(Log *log) {
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents(log->path, &text, NULL, NULL));
  g_autoptr(GRegex) time = g_regex_new("\"t\":1[0-9]{15}", 0, 0, NULL);
  char *timeless = g_regex_replace_literal(time, text, -1, 0, "\"t\":T", 0, NULL);
  event_log_free(log->log);
  close(log->fd);
  unlink(log->path);
  return timeless;
}

static void test_fields(void) {
  const char *const tags[] = {"slow", "a\"b", NULL};
  Log log = log_open(3, 2);
  event_begin(log.log, "note");
  event_text(log.log, "text", "plain");
  event_text(log.log, "absent", NULL);
  event_int(log.log, "us", -42);
  event_int(log.log, "least", G_MININT64);
  event_bool(log.log, "ok", true);
  event_list(log.log, "tags", tags);
  event_list(log.log, "no_tags", NULL);
  g_assert_true(event_end(log.log));
  g_autofree char *text = log_close(&log);
  g_assert_cmpstr(
      text, ==,
      "{\"v\":1,\"run\":\"r1\",\"t\":T,\"e\":\"note\",\"test\":3,\"attempt\":2,\"text\":\"plain\",\"us\":-42,"
      "\"least\":-9223372036854775808,\"ok\":true,\"tags\":[\"slow\",\"a\\\"b\"]}\n");
}

/* The run's own log names no test. */
static void test_of_run(void) {
  Log log = log_open(0, 0);
  event_begin(log.log, "run");
  g_assert_true(event_end(log.log));
  g_autofree char *text = log_close(&log);
  g_assert_cmpstr(text, ==, "{\"v\":1,\"run\":\"r1\",\"t\":T,\"e\":\"run\"}\n");
}

static void test_escapes(void) {
  Log log = log_open(1, 1);
  event_begin(log.log, "note");
  event_text(log.log, "text", "\"\\/\b\f\n\r\t\x01\x0b\x1f\x1b[31m\x7f\xc2\x85 \xe2\x82\xac \xf0\x9f\x98\x80");
  event_bytes(log.log, "bad", "a\xff\xfe", 3);
  event_bytes(log.log, "nul", "a\0b", 3);
  event_bytes(log.log, "overlong", "\xc0\x80", 2);
  event_bytes(log.log, "surrogate", "\xed\xa0\x80", 3);
  event_bytes(log.log, "empty", "", 0);
  g_assert_true(event_end(log.log));
  g_autofree char *text = log_close(&log);
  g_assert_cmpstr(text, ==,
                  "{\"v\":1,\"run\":\"r1\",\"t\":T,\"e\":\"note\",\"test\":1,\"attempt\":1,"
                  "\"text\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\\u001b[31m\\u007f\xc2\x85 \xe2\x82\xac "
                  "\xf0\x9f\x98\x80\","
                  "\"bad\":{\"base64\":\"Yf/+\"},\"nul\":{\"base64\":\"YQBi\"},\"overlong\":{\"base64\":\"wIA=\"},"
                  "\"surrogate\":{\"base64\":\"7aCA\"},\"empty\":\"\"}\n");
}

static char *verdict_through(const char *bytes, gsize len) {
  Log log = log_open(1, 1);
  event_begin(log.log, "verdict");
  event_text(log.log, "verdict", "failed");
  event_bytes(log.log, "detail", bytes, len);
  g_assert_true(event_end(log.log));
  g_autoptr(RunRecord) record = run_record_new();
  g_assert_true(run_record_file(record, log.path, NULL));
  g_autofree char *text = log_close(&log);
  g_assert_cmpuint(run_record_bad_lines(record), ==, 0);
  AttemptRecord *attempt = run_record_test(record, 0)->attempts->pdata[0];
  return g_strdup(attempt->detail);
}

/* Each byte and each pair of bytes that is not NUL comes back as it was. */
static void test_round_trip(void) {
  g_autoptr(GString) all = g_string_new(NULL);
  for (int first = 1; first < 256; first++) {
    char pair[] = {(char)first, 'x', '\0'};
    g_autofree char *back = verdict_through(pair, 2);
    g_assert_cmpstr(back, ==, pair);
    g_string_append_c(all, (char)first);
  }
  g_autofree char *back = verdict_through(all->str, all->len);
  g_assert_cmpstr(back, ==, all->str);
  g_autofree char *nul = verdict_through("a\0b", 3);
  g_assert_cmpstr(nul, ==, "a\xef\xbf\xbd" "b");
}

static void test_huge(void) {
  gsize len = 8 * 1024 * 1024;
  g_autofree char *huge = g_malloc(len + 1);
  for (gsize i = 0; i < len; i++) huge[i] = i % 1000 ? 'x' : '\n';
  huge[len] = '\0';
  g_autofree char *back = verdict_through(huge, len);
  g_assert_true(g_str_equal(back, huge));
}

static void count_line(gpointer data) { ++*(guint *)data; }

static void test_on_line(void) {
  guint lines = 0;
  Log log = log_open(1, 1);
  event_log_on_line(log.log, count_line, &lines);
  for (int i = 0; i < 3; i++) {
    event_begin(log.log, "note");
    g_assert_cmpuint(lines, ==, (guint)i);
    g_assert_true(event_end(log.log));
  }
  g_assert_cmpuint(lines, ==, 3);
  g_free(log_close(&log));
}

static void test_no_log(void) {
  event_begin(NULL, "note");
  event_text(NULL, "text", "x");
  event_int(NULL, "us", 1);
  event_bool(NULL, "ok", true);
  event_list(NULL, "tags", NULL);
  g_assert_true(event_end(NULL));
}

/* A line that did not fit is told of; the next one, when there is room again, stands on a line of its own. */
static void test_disk_full(void) {
  struct rlimit before, small;
  signal(SIGXFSZ, SIG_IGN);
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  Log log = log_open(1, 1);
  small = before;
  small.rlim_cur = 20;
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  g_assert_null(event_log_error(log.log));
  event_begin(log.log, "note");
  bool written = event_end(log.log);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false(written);
  g_assert_cmpstr(event_log_error(log.log), ==, "write the events: File too large");
  event_begin(log.log, "note");
  g_assert_true(event_end(log.log));
  g_autofree char *text = log_close(&log);
  g_assert_cmpstr(
      text, ==,
      "{\"v\":1,\"run\":\"r1\",\"t\n{\"v\":1,\"run\":\"r1\",\"t\":T,\"e\":\"note\",\"test\":1,\"attempt\":1}\n");
}

/* Told, not asserted: machines differ. */
static void test_cost(void) {
  enum { EVENTS = 200000, FIELDS = 5 };
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  EventLog *log = event_log_new(null, "r1", 1, 1);
  gint64 began = g_get_monotonic_time();
  for (int i = 0; i < EVENTS; i++) {
    event_begin(log, "statement");
    event_text(log, "step", "3.2");
    event_text(log, "server", "standby");
    event_text(log, "sql", "SELECT i FROM t ORDER BY i");
    event_int(log, "us", i);
    event_int(log, "rows", 3);
    event_end(log);
  }
  gint64 us = g_get_monotonic_time() - began;
  g_test_message("an event of %d fields: %.0f ns, a write(2) included", FIELDS, 1000.0 * (double)us / EVENTS);
  event_log_free(log);
  close(null);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/event/fields", test_fields);
  g_test_add_func("/event/of-run", test_of_run);
  g_test_add_func("/event/escapes", test_escapes);
  g_test_add_func("/event/round-trip", test_round_trip);
  g_test_add_func("/event/huge", test_huge);
  g_test_add_func("/event/on-line", test_on_line);
  g_test_add_func("/event/no-log", test_no_log);
  g_test_add_func("/event/disk-full", test_disk_full);
  g_test_add_func("/event/cost", test_cost);
  return g_test_run();
}
