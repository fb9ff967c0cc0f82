/* JUnit XML in the dialect of Jenkins' xunit schema (junit-10.xsd): no properties, times with three decimals at most.
 * GitLab shows classname as the suite and drops repeated pairs of classname and name, so classname is the file's stem
 * and names are made unique. */
#include "runner/report.h"
#include "runner/visible.h"
#include <string.h>

#define DETAIL_MAX (256 * 1024)        /* GitLab reads 30 MB a file */

/* Of what visible_append() leaves, XML refuses only these. */
static bool is_xml(gunichar c) { return c != 0xfffe && c != 0xffff; }

static char *xml_text(const char *text, gsize len, VisibleKeep keep) {
  g_autoptr(GString) visible = g_string_new(NULL);
  visible_append(visible, text, len, keep);
  GString *out = g_string_new(NULL);
  for (const char *p = visible->str; *p; p += g_utf8_skip[(guchar)*p]) {
    gunichar c = g_utf8_get_char(p);
    g_string_append_unichar(out, is_xml(c) ? c : 0xfffd);
  }
  return g_string_free(out, FALSE);
}

static void append_attribute(GString *out, const char *name, const char *text) {
  g_autofree char *legal = xml_text(text, strlen(text), VISIBLE_LINE), *escaped = g_markup_escape_text(legal, -1);
  g_string_append_printf(out, " %s=\"%s\"", name, escaped);
}

/* A CDATA section ends at its first ]]>, so that is divided between two. */
static void append_cdata(GString *out, const char *text, gsize len) {
  g_autofree char *legal = xml_text(text, len, VISIBLE_LINES);
  g_auto(GStrv) parts = g_strsplit(legal, "]]>", -1);
  g_autofree char *joined = g_strjoinv("]]]]><![CDATA[>", parts);
  g_string_append_printf(out, "<![CDATA[%s]]>", joined);
}

static void append_time(GString *out, gint64 us) {
  g_string_append_printf(out, " time=\"%" G_GINT64_FORMAT ".%03d\"", us / 1000000, (int)(us / 1000 % 1000));
}

/* What a person needs beside the headline: where, the detail, what was kept. */
static char *body_of(const AttemptRecord *attempt) {
  GString *body = g_string_new(NULL);
  if (attempt->line)
    g_string_append_printf(body, "%s:%d:%d\n", attempt->file ? attempt->file : "", attempt->line, attempt->col);
  if (attempt->detail) g_string_append(body, attempt->detail);
  if (body->len && body->str[body->len - 1] != '\n') g_string_append_c(body, '\n');
  if (body->len > DETAIL_MAX) {
    gsize cut = body->len - DETAIL_MAX;
    g_string_truncate(body, DETAIL_MAX);
    g_string_append_printf(body, "\n[%" G_GSIZE_FORMAT " bytes more]\n", cut);
  }
  if (attempt->kept)
    g_string_append_printf(body, "servers' output, files and configuration kept in: %s\n", attempt->kept);
  if (attempt->again) g_string_append_printf(body, "to run it again: %s\n", attempt->again);
  return g_string_free(body, FALSE);
}

static void append_failure(GString *out, const char *element, const AttemptRecord *attempt) {
  g_autofree char *body = body_of(attempt);
  g_string_append_printf(out, "      <%s", element);
  append_attribute(out, "type", verdict_word(attempt->verdict));
  append_attribute(out, "message", attempt->headline ? attempt->headline : verdict_word(attempt->verdict));
  g_string_append_c(out, '>');
  append_cdata(out, body, strlen(body));
  g_string_append_printf(out, "</%s>\n", element);
}

static bool is_bad(const AttemptRecord *attempt) {
  return attempt->verdict == VERDICT_FAILED || attempt->verdict == VERDICT_ERROR || attempt->verdict == VERDICT_LEAKED;
}

/* Of the attempts, the last tells failure or error; earlier ones are reruns, or flaky failures when it passed. */
static void append_attempts(GString *out, const TestRecord *test) {
  bool last = true;
  for (guint i = test->attempts->len; i-- > 0;) {
    const AttemptRecord *attempt = test->attempts->pdata[i];
    if (!is_bad(attempt)) continue;
    bool error = attempt->verdict == VERDICT_ERROR;
    if (test->verdict == VERDICT_FLAKY) append_failure(out, "flakyFailure", attempt);
    else if (last) append_failure(out, error ? "error" : "failure", attempt);
    else append_failure(out, error ? "rerunError" : "rerunFailure", attempt);
    last = false;
  }
}

static void append_unfinished(GString *out, const TestRecord *test) {
  if (test->begun) g_string_append(out, "      <error type=\"none\" message=\"it did not run to its end\"/>\n");
  else g_string_append(out, "      <skipped message=\"it was not begun\"/>\n");
}

static void append_skip(GString *out, const TestRecord *test) {
  const AttemptRecord *attempt = test->attempts->len ? test->attempts->pdata[test->attempts->len - 1] : NULL;
  g_string_append(out, "      <skipped");
  append_attribute(out, "message", attempt && attempt->headline ? attempt->headline : "");
  g_string_append(out, "/>\n");
}

static char *stem_of(const char *file) {
  char *stem = g_path_get_basename(file);
  char *dot = strrchr(stem, '.');
  if (dot && dot != stem) *dot = '\0';
  return stem;
}

static char *unique_name(GHashTable *seen, const char *classname, const char *name) {
  g_autofree char *first = g_strconcat(classname, "\n", name, NULL);
  guint n = GPOINTER_TO_UINT(g_hash_table_lookup(seen, first)) + 1;
  g_hash_table_insert(seen, g_steal_pointer(&first), GUINT_TO_POINTER(n));
  return n == 1 ? g_strdup(name) : g_strdup_printf("%s (%u)", name, n);
}

static void append_case(GString *out, const TestRecord *test, const char *classname, GHashTable *seen) {
  g_autofree char *name = unique_name(seen, classname, test->name);
  gsize before = out->len;
  g_string_append(out, "    <testcase");
  append_attribute(out, "name", name);
  append_attribute(out, "classname", classname);
  append_time(out, test->us);
  g_string_append(out, ">\n");
  before = out->len;
  if (test->verdict == VERDICT_SKIPPED) append_skip(out, test);
  else if (test->verdict == VERDICT_NONE) append_unfinished(out, test);
  else append_attempts(out, test);
  if (out->len > before) {
    g_string_append(out, "    </testcase>\n");
    return;
  }
  g_string_truncate(out, before - 2);
  g_string_append(out, "/>\n");
}

typedef struct Counts { guint tests, failures, errors, skipped; gint64 us; } Counts;

static Counts count(const GPtrArray *tests) {
  Counts counts = {.tests = tests->len};
  for (guint i = 0; i < tests->len; i++) {
    const TestRecord *test = tests->pdata[i];
    counts.us += test->us;
    counts.failures += test->verdict == VERDICT_FAILED || test->verdict == VERDICT_LEAKED;
    counts.errors += test->verdict == VERDICT_ERROR || (test->verdict == VERDICT_NONE && test->begun);
    counts.skipped += test->verdict == VERDICT_SKIPPED || (test->verdict == VERDICT_NONE && !test->begun);
  }
  return counts;
}

static void append_suite(GString *out, const RunRecord *record, const GPtrArray *tests, GHashTable *seen) {
  const char *file = ((TestRecord *)tests->pdata[0])->file, *host = run_record_host(record);
  g_autofree char *classname = stem_of(file);
  Counts counts = count(tests);
  g_string_append(out, "  <testsuite");
  append_attribute(out, "name", file);
  g_string_append_printf(out, " tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\"", counts.tests,
                         counts.failures, counts.errors, counts.skipped);
  append_time(out, counts.us);
  g_autoptr(GDateTime) started = g_date_time_new_from_unix_utc(run_record_started(record) / G_USEC_PER_SEC);
  g_autofree char *timestamp = started ? g_date_time_format(started, "%Y-%m-%dT%H:%M:%S") : NULL;
  if (timestamp && run_record_started(record)) append_attribute(out, "timestamp", timestamp);
  if (host) append_attribute(out, "hostname", host);
  g_string_append(out, ">\n");
  for (guint i = 0; i < tests->len; i++) append_case(out, tests->pdata[i], classname, seen);
  g_string_append(out, "  </testsuite>\n");
}

void report_junit(const RunRecord *record, const ReportOptions *options, GString *out) {
  g_autoptr(GPtrArray) files = report_by_file(record);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_string_append(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
  for (guint i = 0; i < files->len; i++) append_suite(out, record, files->pdata[i], seen);
  g_string_append(out, "</testsuites>\n");
}
