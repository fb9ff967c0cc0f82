/* TAP: a file of definitions is a subtest, a test is a point.  The plan comes first; no version line stands within a
 * subtest, which readers of 13 call an error. */
#include "runner/report.h"
#include "runner/visible.h"
#include <string.h>

/* In descriptions and reasons \ and # are escaped, and nothing else may be. */
static void append_escaped(GString *out, const char *text) {
  g_autofree char *line = visible_line(text);
  for (const char *p = line; *p; p++) {
    if (*p == '\\' || *p == '#') g_string_append_c(out, '\\');
    g_string_append_c(out, *p);
  }
}

/* A YAML scalar in double quotes: valid whatever the text is. */
static void append_quoted(GString *out, const char *text) {
  g_autofree char *line = visible_line(text);
  g_string_append_c(out, '"');
  for (const char *p = line; *p; p++) {
    if (*p == '\\' || *p == '"') g_string_append_c(out, '\\');
    g_string_append_c(out, *p);
  }
  g_string_append_c(out, '"');
}

static void append_field(GString *out, const char *indent, const char *key, const char *text) {
  if (!text || !*text) return;
  g_string_append_printf(out, "%s  %s: ", indent, key);
  append_quoted(out, text);
  g_string_append_c(out, '\n');
}

/* A list of lines, since prove's YAML does not know how a block says its indentation, which a first line with one
 * needs. */
static void append_lines(GString *out, const char *indent, const char *key, const char *text) {
  if (!text || !*text) return;
  g_string_append_printf(out, "%s  %s:\n", indent, key);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  guint n = g_strv_length(lines);
  if (n && !*lines[n - 1]) n--;
  for (guint i = 0; i < n; i++) {
    g_string_append_printf(out, "%s    - ", indent);
    append_quoted(out, lines[i]);
    g_string_append_c(out, '\n');
  }
}

/* The attempt that says what is wrong: the newest with a verdict; a flaky test's is the one that failed before it
 * passed. */
static const AttemptRecord *telling_attempt(const TestRecord *test) {
  for (guint i = test->attempts->len; i-- > 0;) {
    const AttemptRecord *attempt = test->attempts->pdata[i];
    if (attempt->verdict == VERDICT_NONE) continue;
    if (test->verdict != VERDICT_FLAKY || attempt->verdict != VERDICT_PASSED) return attempt;
  }
  return NULL;
}

static void append_diagnostics(GString *out, const char *indent, const TestRecord *test, const AttemptRecord *attempt) {
  g_string_append_printf(out, "%s---\n", indent);
  append_field(out, indent, "verdict",
               test->verdict == VERDICT_NONE ? "not run to its end" : verdict_word(test->verdict));
  append_field(out, indent, "message", attempt ? attempt->headline : NULL);
  if (attempt && attempt->line) {
    g_string_append_printf(out, "%s  at:\n", indent);
    append_field(out, indent, "  file", attempt->file);
    g_string_append_printf(out, "%s    line: %d\n%s    column: %d\n", indent, attempt->line, indent, attempt->col);
  }
  append_field(out, indent, "step", attempt ? attempt->step : NULL);
  g_string_append_printf(out, "%s  duration_ms: %" G_GINT64_FORMAT "\n", indent, test->us / 1000);
  if (test->attempts->len > 1) g_string_append_printf(out, "%s  attempts: %u\n", indent, test->attempts->len);
  append_lines(out, indent, "detail", attempt ? attempt->detail : NULL);
  append_field(out, indent, "kept", attempt ? attempt->kept : NULL);
  append_field(out, indent, "again", attempt ? attempt->again : NULL);
  g_string_append_printf(out, "%s...\n", indent);
}

static bool is_ok(const TestRecord *test) {
  return test->verdict == VERDICT_PASSED || test->verdict == VERDICT_SKIPPED || test->verdict == VERDICT_FLAKY;
}

static void append_point(GString *out, const TestRecord *test, guint number) {
  const AttemptRecord *attempt = telling_attempt(test);
  g_string_append_printf(out, "    %sok %u - ", is_ok(test) ? "" : "not ", number);
  append_escaped(out, test->name);
  if (test->verdict == VERDICT_SKIPPED) {
    g_string_append(out, " # SKIP ");
    append_escaped(out, attempt ? attempt->headline : NULL);
  }
  g_string_append_c(out, '\n');
  if (test->verdict != VERDICT_SKIPPED) append_diagnostics(out, "      ", test, attempt);
}

static void append_file(GString *out, const char *file, const GPtrArray *tests, guint number) {
  bool ok = true;
  g_string_append(out, "# Subtest: ");
  append_escaped(out, file);
  g_string_append_printf(out, "\n    1..%u\n", tests->len);
  for (guint i = 0; i < tests->len; i++) {
    append_point(out, tests->pdata[i], i + 1);
    ok = ok && is_ok(tests->pdata[i]);
  }
  g_string_append_printf(out, "%sok %u - ", ok ? "" : "not ", number);
  append_escaped(out, file);
  g_string_append_c(out, '\n');
}

void report_tap(const RunRecord *record, const ReportOptions *options, GString *out) {
  g_autoptr(GPtrArray) files = report_by_file(record);
  g_string_append_printf(out, "TAP version %s\n", options->tap_version);
  if (files->len) g_string_append_printf(out, "1..%u\n", files->len);
  else g_string_append(out, "1..0 # SKIP no tests\n");
  for (guint i = 0; i < files->len; i++) {
    const GPtrArray *tests = files->pdata[i];
    append_file(out, ((TestRecord *)tests->pdata[0])->file, tests, i + 1);
  }
}
