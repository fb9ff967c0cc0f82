#include "runner/report_terminal.h"
#include "runner/report_text.h"
#include "runner/visible.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_US 90000                /* "about ten times a second" */

struct TerminalReport {
  TerminalOptions options;
  TextStyle style, live_style;
  const RunRecord *record;
  GHashTable *told;                    /* TestRecord whose last word was said */
  GPtrArray *running;                  /* TestRecord, in the order they began */
  guint live_lines;                    /* drawn below the last line */
  gint64 drawn_at;
  bool broken;
};

/* ---- What kind of terminal */

static bool is_set(const char *name) {
  const char *value = getenv(name);
  return value && *value;
}

static bool is_forced(const char *name) { return is_set(name) && !g_str_equal(getenv(name), "0"); }

static bool is_dumb(void) { return g_strcmp0(getenv("TERM"), "dumb") == 0; }

bool terminal_wants_colour(const char *when, int fd) {
  if (g_str_equal(when, "always")) return true;
  if (g_str_equal(when, "never") || is_set("NO_COLOR")) return false;
  if (is_forced("FORCE_COLOR") || is_forced("CLICOLOR_FORCE")) return true;
  return isatty(fd) && !is_dumb();
}

bool terminal_is_live(int fd) { return isatty(fd) && !is_dumb(); }

int terminal_width(int fd) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  guint64 columns;
  const char *text = getenv("COLUMNS");
  if (text && g_ascii_string_to_unsigned(text, 10, 20, 1000, &columns, NULL)) return (int)columns;
  return 80;
}

/* ---- Life */

TerminalReport *terminal_report_new(const TerminalOptions *options, const RunRecord *record) {
  TerminalReport *report = g_new0(TerminalReport, 1);
  guint width = options->width > 0 ? (guint)options->width : 80;
  report->options = *options;
  report->style = (TextStyle){options->colour, width};
  report->live_style = (TextStyle){options->colour, width - 1};     /* the last column wraps on some terminals */
  report->record = record;
  report->told = g_hash_table_new(NULL, NULL);
  report->running = g_ptr_array_new();
  return report;
}

void terminal_report_free(TerminalReport *report) {
  if (!report) return;
  g_hash_table_unref(report->told);
  g_ptr_array_unref(report->running);
  g_free(report);
}

bool terminal_report_intact(const TerminalReport *report) { return !report->broken; }

/* ---- Writing */

static void write_out(TerminalReport *report, const GString *text) {
  const char *p = text->str, *end = p + text->len;
  while (p < end && !report->broken) {
    ssize_t n = write(report->options.fd, p, (gsize)(end - p));
    if (n > 0) p += n;
    else if (n < 0 && errno == EAGAIN) poll(&(struct pollfd){report->options.fd, POLLOUT, 0}, 1, 1000);
    else if (n < 0 && errno != EINTR) report->broken = true;
  }
}

static void append_erase(TerminalReport *report, GString *out) {
  if (report->live_lines) g_string_append_printf(out, "\x1b[%uA\x1b[J", report->live_lines);
  report->live_lines = 0;
}

static void append_live(TerminalReport *report, GString *out) {
  if (!report->options.live || !report->running->len) return;
  report->live_lines = text_live(out, &report->live_style, report->record, report->running, g_get_real_time());
  report->drawn_at = g_get_monotonic_time();
}

/* Puts lines where the live part was, and that below them, in one write: nothing flickers. */
static void say_lines(TerminalReport *report, const char *lines) {
  g_autoptr(GString) out = g_string_new(NULL);
  append_erase(report, out);
  g_string_append(out, lines);
  append_live(report, out);
  write_out(report, out);
}

void terminal_report_say(TerminalReport *report, const char *text) {
  g_autoptr(GString) line = g_string_new(NULL);
  visible_append(line, text, strlen(text), VISIBLE_LINES);
  if (!g_str_has_suffix(line->str, "\n")) g_string_append_c(line, '\n');
  say_lines(report, line->str);
}

/* ---- What happens */

static bool is_bad(Verdict verdict) {
  return verdict == VERDICT_FAILED || verdict == VERDICT_ERROR || verdict == VERDICT_LEAKED;
}

static void on_verdict(TerminalReport *report, const RecordChange *change) {
  g_autoptr(GString) lines = g_string_new(NULL);
  g_ptr_array_remove(report->running, change->test);
  if (is_bad(change->test->verdict) && change->attempt->number <= report->options.retries) {
    text_retry(lines, &report->style, change->test, change->attempt);
  } else {
    text_verdict(lines, &report->style, change->test);
    g_hash_table_add(report->told, change->test);
  }
  say_lines(report, lines->str);
}

static void on_step(TerminalReport *report, const RecordChange *change) {
  g_autoptr(GString) line = g_string_new(NULL);
  if (!report->options.verbose) return;
  text_step(line, &report->style, change->test);
  say_lines(report, line->str);
}

/* What a workload or an invariant has come to, when it is over. */
static bool is_load(const RecordChange *change) {
  return g_str_equal(change->kind, "workload") || g_str_equal(change->kind, "invariant");
}

void terminal_report_change(TerminalReport *report, const RecordChange *change) {
  if (!change->test) return;
  if (g_str_equal(change->kind, "begun")) g_ptr_array_add(report->running, change->test);
  else if (g_str_equal(change->kind, "step_begun")) on_step(report, change);
  else if (is_load(change) && report->options.verbose && change->text) terminal_report_say(report, change->text);
  else if (g_str_equal(change->kind, "debug") && change->text) terminal_report_say(report, change->text);
  else if (g_str_equal(change->kind, "verdict") && change->attempt) on_verdict(report, change);
}

void terminal_report_tick(TerminalReport *report) {
  if (!report->options.live || g_get_monotonic_time() - report->drawn_at < REDRAW_US) return;
  if (report->live_lines || report->running->len) say_lines(report, "");
}

void terminal_report_end(TerminalReport *report) {
  g_autoptr(GString) lines = g_string_new(NULL);
  g_ptr_array_set_size(report->running, 0);
  for (guint i = 0; i < run_record_n_tests(report->record); i++) {
    TestRecord *test = run_record_test(report->record, i);
    if ((test->begun || test->verdict != VERDICT_NONE) && g_hash_table_add(report->told, test))
      text_verdict(lines, &report->style, test);
  }
  text_summary(lines, &report->style, report->record);
  say_lines(report, lines->str);
}
