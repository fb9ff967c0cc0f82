#include "runner/plan_expect.h"
#include "runner/visible.h"
#include <stdarg.h>
#include <string.h>

#define ROWS_SHOWN 10

typedef struct Lines { GString *out; guint indent; } Lines;

static void say(const Lines *lines, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(const Lines *lines, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *line = visible_line(text);
  g_string_append_printf(lines->out, "%*s%s\n", lines->indent, "", line);
}

static void append_cell(GString *to, const Cell *cell) {
  switch (cell->kind) {
  case CELL_TEXT:
  case CELL_BOOL: g_string_append_len(to, cell->text.raw, (gssize)cell->text.len); break;
  case CELL_NULL: g_string_append(to, "NULL"); break;
  case CELL_RE: g_string_append_printf(to, "/%s/", cell->re.text.raw); break;
  case CELL_ANY: g_string_append(to, "any"); break;
  case CELL_APPROX: g_string_append_printf(to, "~%g +- %g", cell->value, cell->tolerance); break;
  case CELL_BYTES:
    g_string_append(to, "0x");
    for (gsize i = 0; i < cell->n_bytes; i++) g_string_append_printf(to, "%02x", cell->bytes[i]);
  }
}

static void say_cell(const Lines *lines, const char *what, const Cell *cell) {
  g_autoptr(GString) text = g_string_new(NULL);
  append_cell(text, cell);
  say(lines, "%s %s", what, text->str);
}

static void say_texts(const Lines *lines, const char *what, const Texts *texts) {
  g_autoptr(GString) line = g_string_new(NULL);
  for (guint i = 0; i < texts->n; i++) g_string_append_printf(line, "%s%s", i ? ", " : "", texts->v[i].raw);
  if (texts->n) say(lines, "%s %s", what, line->str);
}

static void say_patterns(const Lines *lines, const char *what, const PatternTexts *patterns) {
  for (guint i = 0; i < patterns->n; i++) say(lines, "%s /%s/", what, patterns->v[i].text.raw);
}

static void say_latency(const Lines *lines, const LatencyExpectation *latency) {
  const struct { const char *name; const LatencyLimit *limit;
  } all[] = {
      {"p50", &latency->p50},    {"p90", &latency->p90},         {"p99", &latency->p99},
      {"p99.9", &latency->p999}, {"the longest", &latency->max},
  };
  for (guint i = 0; i < G_N_ELEMENTS(all); i++)
    if (all[i].limit->given) say(lines, "latency: %s at most %g ms", all[i].name, (double)all[i].limit->most / 1000);
}

/* ---- SQL */

static void say_rows(const Lines *lines, const char *what, const Rows *rows) {
  say(lines, "%s%u row%s", what, rows->n, rows->n == 1 ? "" : "s");
  for (guint i = 0; i < MIN(rows->n, ROWS_SHOWN); i++) {
    g_autoptr(GString) line = g_string_new("  (");
    for (guint c = 0; c < rows->v[i].n; c++) {
      if (c) g_string_append(line, ", ");
      append_cell(line, &rows->v[i].v[c]);
    }
    say(lines, "%s)", line->str);
  }
  if (rows->n > ROWS_SHOWN) say(lines, "  ... %u more", rows->n - ROWS_SHOWN);
}

static void say_result(const Lines *lines, const ResultExpectation *result) {
  if (result->has_columns) say_texts(lines, "columns", &result->columns);
  for (guint i = 0; i < result->pick.n; i++) say(lines, "of column %s", result->pick.v[i].s);
  for (guint i = 0; result->has_rows && i < result->n_either; i++) say_rows(lines, i ? "or " : "", &result->either[i]);
  if (result->rows_file) say(lines, "rows from %s", result->rows_file);
  if (!result->ordered) say(lines, "in any order");
  if (result->row_count >= 0) say(lines, "row count %" G_GINT64_FORMAT, result->row_count);
  if (result->same_as.s) say(lines, "the same as on %s", result->same_as.s);
}

static void say_notices(const Lines *lines, const char *what, const NoticeExpectations *notices) {
  if (notices->given && !notices->n) say(lines, "no %s", what);
  for (guint i = 0; i < notices->n; i++) {
    const NoticeExpectation *one = &notices->v[i];
    if (one->re.text.raw) say(lines, "%s /%s/", what, one->re.text.raw);
    else say(lines, "%s %s", what, one->text.raw);
  }
}

static void say_entry(const Lines *lines, const SqlEntry *entry) {
  if (entry->times > 1) say(lines, "%u times", entry->times);
  if (entry->retry_attempts) say(lines, "tried %u times", entry->retry_attempts);
  if (entry->value) say_cell(lines, "value", entry->value);
  if (entry->result) say_result(lines, entry->result);
  if (entry->error_match.text.raw) say(lines, "error /%s/", entry->error_match.text.raw);
  say_texts(lines, "error code", &entry->error_code);
  say_notices(lines, "warnings", &entry->warnings);
  say_notices(lines, "notices", &entry->notices);
  if (entry->has_affected) say_cell(lines, "affected", &entry->affected);
  say_latency(lines, &entry->latency);
  for (guint i = 0; i < entry->capture.n; i++) {
    const Capture *capture = &entry->capture.v[i];
    if (capture->column) say(lines, "captures %s from column %s", capture->name.s, capture->column);
    else say(lines, "captures %s", capture->name.s);
  }
}

static void say_sql(const Lines *lines, const SqlStep *sql) {
  static const char *const kinds[] = {[SQL_QUERY] = "query", [SQL_EXEC] = "exec", [SQL_SCRIPT] = "script"};
  const Lines inner = {lines->out, lines->indent + 2};
  if (sql->connect_error.given) {
    say(lines, "the session must not come about");
    if (sql->connect_error.match.text.raw) say(lines, "error /%s/", sql->connect_error.match.text.raw);
    say_texts(lines, "error code", &sql->connect_error.code);
  }
  for (guint i = 0; i < sql->n_entries; i++) {
    const SqlEntry *entry = &sql->entries[i];
    if (sql->n_entries > 1) say(lines, "%s: %s", kinds[entry->kind], entry->sql.raw);
    say_entry(sql->n_entries > 1 ? &inner : lines, entry);
  }
}

/* ---- Other verbs */

static void say_run(const Lines *lines, const RunStep *run) {
  if (run->exit_wish == EXIT_NONZERO) say(lines, "exit status not 0");
  if (run->exit_wish == EXIT_STATUS) say(lines, "exit status %d", run->exit_status);
  say_patterns(lines, "stdout", &run->out);
  say_patterns(lines, "stderr", &run->err);
  if (run->capture.s) say(lines, "captures %s", run->capture.s);
}

static void say_http(const Lines *lines, const HttpStep *http) {
  if (http->status) say(lines, "status %d", http->status);
  say_patterns(lines, "matches", &http->matches);
  for (guint i = 0; i < http->json.n; i++) {
    g_autofree char *what = g_strdup_printf("json %s:", http->json.v[i].path);
    say_cell(lines, what, &http->json.v[i].cell);
  }
}

static void say_file(const Lines *lines, const FileStep *file) {
  if (file->exists) say(lines, "it is there");
  if (file->absent) say(lines, "it is not there");
  say_patterns(lines, "matches", &file->matches);
  if (file->equals.raw) say(lines, "equals %s", file->equals.raw);
}

static void say_log(const Lines *lines, const LogStep *log) {
  say_patterns(lines, "matches", &log->matches);
  say_patterns(lines, "does not match", &log->not_matches);
  for (guint i = 0; i < log->capture.n; i++)
    say(lines, "captures %s from group %s", log->capture.v[i].key, log->capture.v[i].value.raw);
}

static void say_life(const Lines *lines, const LifeStep *life) {
  if (life->has_fails) say(lines, "exits with a status that is not 0");
  say_patterns(lines, "log matches", &life->fails);
  if (life->has_status) say(lines, "exit status %d", life->status);
}

static void say_bounds(const Lines *lines, const char *what, const Bounds *bounds, double scale, const char *unit) {
  if (bounds->has_exactly) say(lines, "%s: %g%s", what, (double)bounds->exactly / scale, unit);
  if (bounds->has_min) say(lines, "%s: at least %g%s", what, (double)bounds->min / scale, unit);
  if (bounds->has_max) say(lines, "%s: at most %g%s", what, (double)bounds->max / scale, unit);
}

static void say_workload(const Lines *lines, const WorkloadStep *workload) {
  say(lines, "write: %s", workload->write.raw);
  if (workload->read.raw) say(lines, "read: %s", workload->read.raw);
}

static void say_look(const Lines *lines, const WorkloadLook *look) {
  const WorkloadExpectation *expect = &look->expect;
  if (look->progress > 0) say(lines, "%u more writes are acknowledged", look->progress);
  say_bounds(lines, "lost", &expect->lost, 1, "");
  say_bounds(lines, "duplicated", &expect->duplicated, 1, "");
  say_bounds(lines, "errors", &expect->errors, 1, "");
  say_bounds(lines, "unknown", &expect->unknown, 1, "");
  say_bounds(lines, "acknowledged", &expect->acknowledged, 1, "");
  say_bounds(lines, "acknowledged a second", &expect->throughput, 1, "");
  say_bounds(lines, "without an acknowledged write", &expect->unavailable, 1000, " ms");
  say_latency(lines, &expect->latency);
}

static void say_invariant(const Lines *lines, const InvariantStep *invariant) {
  if (invariant->role) say(lines, "asks for the role");
  else say(lines, "query: %s", invariant->query.raw);
  if (invariant->monotonic) say(lines, "never becomes smaller");
  if (invariant->value) say_cell(lines, "always", invariant->value);
  if (!invariant->count.given) return;
  g_autofree char *what = g_strdup_printf("on at most %" G_GINT64_FORMAT " servers at once", invariant->count.max);
  say_cell(lines, what, invariant->count.value);
}

void plan_append_expectations(GString *out, const Step *step, guint indent) {
  const Lines lines = {out, indent};
  switch (step->verb) {
  case VERB_SQL: say_sql(&lines, &step->sql); break;
  case VERB_RUN: say_run(&lines, &step->run); break;
  case VERB_HTTP: say_http(&lines, &step->http); break;
  case VERB_FILE: say_file(&lines, &step->file); break;
  case VERB_LOG: say_log(&lines, &step->log); break;
  case VERB_EQUAL:
    if (step->equal.query.raw) say(&lines, "query: %s", step->equal.query.raw);
    say_texts(&lines, "tables", &step->equal.tables);
    break;
  case VERB_START:
  case VERB_RESTART:
  case VERB_EXITED: say_life(&lines, &step->life); break;
  case VERB_WORKLOAD: say_workload(&lines, &step->workload); break;
  case VERB_CHECK_WORKLOAD:
  case VERB_STOP_WORKLOAD: say_look(&lines, &step->look); break;
  case VERB_INVARIANT: say_invariant(&lines, &step->invariant); break;
  default: break;
  }
}
