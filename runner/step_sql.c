/* SQL: sessions, statements, what they must give. */
#include <string.h>
#include "dbclient/split.h"
#include "runner/compare.h"
#include "runner/debug.h"
#include "runner/expect.h"
#include "runner/histogram.h"
#include "runner/step.h"

#define STATEMENT_LIMIT (30 * G_USEC_PER_SEC)
#define DOLT_STATEMENT_LIMIT (20 * G_USEC_PER_SEC)
#define DOLT_PAUSE 50000
#define DOLT_PINGS 50
#define LOST_GRACE (1 * G_USEC_PER_SEC)
#define SAME_AS_CAP (64u * 1024 * 1024)

static char *render_for_compare(const Text *text, gsize *len, gpointer data, GError **error) {
  return scope_render(data, text, len, error);
}

static CompareOptions compare_options(Context *context) {
  return (CompareOptions){.render = render_for_compare, .data = &context->scope,
                          .flavour = context->scope.cluster->test->dolt ? PATTERN_RE2 : PATTERN_LINES};
}

/* ---- One statement */

/* The first row, kept for `capture`. */
typedef struct FirstRow {
  GPtrArray *columns;
  GPtrArray *cells;              /* char *, NULL for SQL NULL */
  GArray *lens;
  bool has_row;
} FirstRow;

static void first_row_columns(guint n, const char *const *names, gpointer data) {
  FirstRow *first = data;
  g_ptr_array_set_size(first->columns, 0);
  g_ptr_array_set_size(first->cells, 0);
  g_array_set_size(first->lens, 0);
  first->has_row = false;
  for (guint i = 0; i < n; i++) g_ptr_array_add(first->columns, g_strdup(names[i]));
}

static bool first_row_row(guint n, const DbCell *cells, gpointer data) {
  FirstRow *first = data;
  if (first->has_row) return true;
  first->has_row = true;
  for (guint i = 0; i < n; i++) {
    g_ptr_array_add(first->cells, cells[i].bytes ? g_memdup2(cells[i].bytes, cells[i].len + 1) : NULL);
    g_array_append_val(first->lens, cells[i].len);
  }
  return true;
}

static void first_row_clear(FirstRow *first) {
  g_ptr_array_unref(first->columns);
  g_ptr_array_unref(first->cells);
  g_array_unref(first->lens);
}

static void first_row_init(FirstRow *first) {
  first->columns = g_ptr_array_new_with_free_func(g_free);
  first->cells = g_ptr_array_new_with_free_func(g_free);
  first->lens = g_array_new(FALSE, FALSE, sizeof(gsize));
}

/* One result, two readers. */
typedef struct Tee { const DbSink *a, *b; } Tee;

static void tee_columns(guint n, const char *const *names, gpointer data) {
  Tee *tee = data;
  if (tee->a) tee->a->columns(n, names, tee->a->data);
  if (tee->b) tee->b->columns(n, names, tee->b->data);
}

static bool tee_row(guint n, const DbCell *cells, gpointer data) {
  Tee *tee = data;
  bool more = tee->a && tee->a->row(n, cells, tee->a->data);
  if (tee->b) more = tee->b->row(n, cells, tee->b->data) || more;
  return more;
}

static Deadline statement_limit(const Context *context) {
  return limit_in_try(context, context->scope.cluster->test->dolt ? DOLT_STATEMENT_LIMIT : STATEMENT_LIMIT);
}

static void tell_statement(Context *context, const Session *session, const char *sql, gsize len, gint64 began,
                           const DbOutcome *said) {
  if (context->quiet) return;
  EventLog *log = context->scope.cluster->log;
  event_begin(log, "statement");
  event_text(log, "step", context->label);
  event_text(log, "server", session->node->name);
  event_text(log, "session", session->name);
  event_bytes(log, "sql", sql, MIN(len, 1024));
  event_int(log, "us", g_get_monotonic_time() - began);
  event_int(log, "rows", (gint64)said->rows);
  if (said->affected >= 0) event_int(log, "affected", said->affected);
  event_text(log, "error", said->status == DB_OK ? NULL : said->text ? said->text : "no answer in time");
  event_end(log);
}

/* What goes to the server: text and parameters, rendered. */
typedef struct Statement {
  char *sql;
  gsize len;
  GArray *args;                  /* DbCell */
  GPtrArray *owned;
} Statement;

static void statement_clear(Statement *statement) {
  g_free(statement->sql);
  if (statement->args) g_array_unref(statement->args);
  if (statement->owned) g_ptr_array_unref(statement->owned);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Statement, statement_clear)

static bool statement_render(Statement *statement, Context *context, const SqlEntry *entry, GError **error) {
  statement->args = g_array_new(FALSE, TRUE, sizeof(DbCell));
  statement->owned = g_ptr_array_new_with_free_func(g_free);
  statement->sql = scope_render(&context->scope, &entry->sql, &statement->len, error);
  if (!statement->sql) return false;
  for (guint i = 0; i < entry->n_args; i++) {
    DbCell cell = {0};
    if (!entry->args[i].is_null) {
      char *bytes = scope_render(&context->scope, &entry->args[i].text, &cell.len, error);
      if (!bytes) return false;
      g_ptr_array_add(statement->owned, bytes);
      cell.bytes = bytes;
    }
    g_array_append_val(statement->args, cell);
  }
  return true;
}

static void execute_one(Context *context, Session *session, const char *sql, gsize len, const Statement *statement,
                        const DbSink *sink, bool warnings, DbOutcome *said) {
  gint64 began = g_get_monotonic_time();
  bool prepared = statement->args->len > 0;
  session->executing = true;
  db_execute(session->db, sql, len, prepared, statement->args->len, (const DbCell *)(gpointer)statement->args->data,
             sink, warnings, statement_limit(context), said);
  session->executing = false;
  session->began = began;
  session->ended = g_get_monotonic_time();
  tell_statement(context, session, sql, len, began, said);
}

/* A script stops at its first error, whose outcome is the script's. */
static bool execute(Context *context, Session *session, const SqlEntry *entry, const Statement *statement,
                    const DbSink *sink, DbOutcome *said, Outcome *outcome) {
  bool warnings = entry->warnings.given || entry->notices.given;
  if (entry->kind != SQL_SCRIPT) {
    execute_one(context, session, statement->sql, statement->len, statement, sink, warnings, said);
    return true;
  }
  GError *error = NULL;
  DbKind kind = session->node->engine->client == CLIENT_POSTGRESQL ? DB_POSTGRESQL : DB_MYSQL;
  g_autoptr(GArray) pieces = sql_split(kind, statement->sql, statement->len, &error);
  if (!pieces) return outcome_take_error(outcome, error);
  for (guint i = 0; i < pieces->len; i++) {
    const SqlPiece *piece = &g_array_index(pieces, SqlPiece, i);
    execute_one(context, session, piece->start, piece->len, statement, NULL, warnings, said);
    if (said->status != DB_OK) {
      outcome_addf(outcome, "  in statement %u of the script (its line %u): %.*s", i + 1, piece->line,
                   (int)MIN(piece->len, 200), piece->start);
      break;
    }
  }
  return true;
}

/* ---- What it must give */

static bool store_captures(Context *context, const SqlEntry *entry, const FirstRow *first, Outcome *outcome) {
  for (guint i = 0; i < entry->capture.n; i++) {
    const Capture *capture = &entry->capture.v[i];
    guint column = 0;
    if (!first->has_row || first->columns->len == 0)
      return outcome_fail(outcome, "nothing to capture as '%s': the answer has no row", capture->name.s);
    while (capture->column && column < first->columns->len &&
           strcmp(g_ptr_array_index(first->columns, column), capture->column) != 0)
      column++;
    if (column == first->columns->len)
      return outcome_fail(outcome, "nothing to capture as '%s': the answer has no column '%s'", capture->name.s,
                          capture->column);
    const char *bytes = g_ptr_array_index(first->cells, column);
    if (!bytes) return outcome_fail(outcome, "nothing to capture as '%s': the value is NULL", capture->name.s);
    scope_capture(&context->scope, capture->name.s, bytes, g_array_index(first->lens, gsize, column));
  }
  return true;
}

/* A lost session waits for its server's exit to be known, so that the verdict can say who died of what. */
static void wait_for_exit(Session *session) {
  Process *process = session->node->process;
  if (process && !process->exited) process_wait(process, deadline_after(LOST_GRACE));
}

static bool out_of_time(Session *session, const DbOutcome *said, gint64 waited, Outcome *outcome) {
  outcome_fail(outcome, "no answer in %.1f s", (double)waited / G_USEC_PER_SEC);
  outcome_add(outcome, said->session_usable ? "  the statement was cancelled"
                                            : "  the statement could not be cancelled in time; its session was closed");
  g_autofree char *state = node_running(session->node) ? NULL : node_exit_story(session->node);
  outcome_add(outcome, session->node->frozen ? "  the server is paused" : state);
  return false;
}

static bool judge_said(Context *context, Session *session, const SqlEntry *entry, gint64 began, const DbOutcome *said,
                       Outcome *outcome) {
  bool wants_error = entry->error_match.text.raw || entry->error_code.n > 0;
  if (said->status == DB_CANCELLED) return outcome_cancel(outcome);
  if (said->lost && !wants_error) wait_for_exit(session);
  if (fiber_cancelled()) return outcome_cancel(outcome);
  if (said->status == DB_TIMED_OUT) return out_of_time(session, said, clock_now() - began, outcome);
  CompareOptions options = compare_options(context);
  bool undecided = false;
  g_autofree char *problem = expect_outcome(entry, said, &options, context->scope.cluster->test->dolt, &undecided);
  g_autofree char *where = g_steal_pointer(&outcome->detail);   /* a script's statement */
  if (!problem) return true;
  char *rest = strchr(problem, '\n');
  if (rest) *rest++ = '\0';
  if (undecided) outcome_error(outcome, "%s", problem);
  else outcome_fail(outcome, "%s", problem);
  outcome_add(outcome, rest);
  outcome_add(outcome, where);
  if (said->lost && session->node->process && session->node->process->exited) {
    g_autofree char *story = node_exit_story(session->node);
    outcome_add(outcome, story);
  }
  return false;
}

static bool judge_comparison(Context *context, const SqlEntry *entry, Comparison *comparison, Outcome *outcome) {
  const char *undecided = comparison_undecided(comparison);
  if (undecided) return outcome_error(outcome, "the result could not be compared: %s", undecided);
  if (comparison_holds(comparison)) return true;
  g_autofree char *headline = comparison_headline(comparison), *difference = comparison_difference(comparison);
  g_autofree char *summary = comparison_summary(comparison);
  context_summary(context, "%s", summary);
  outcome_fail(outcome, "%s", headline);
  outcome_add(outcome, difference);
  if (entry->result && entry->result->same_as.s)
    outcome_addf(outcome, "  expected is what %s answers (same_as)", entry->result->same_as.s);
  return false;
}

/* The other server's answer to the same question, for same_as. */
static Collected *answer_of_other(Context *context, const SqlStep *sql, const SqlEntry *entry,
                                  const Statement *statement, Outcome *outcome) {
  Node *other = context_node(context, &entry->result->same_as, outcome);
  if (!other) return NULL;
  DbOutcome said = {0};
  Collected *answer = NULL;
  Session *session = session_open(&context->scope, other, &sql->words, context->limit, &said, outcome);
  if (session) {
    answer = collected_new(SAME_AS_CAP);
    execute_one(context, session, statement->sql, statement->len, statement, collected_sink(answer), false, &said);
  }
  if (said.status == DB_CANCELLED) outcome_cancel(outcome);
  else if (said.status != DB_OK)
    outcome_fail(outcome, "on %s (same_as): %s", other->name, said.text ? said.text : "no answer in time");
  if (outcome->kind != OUTCOME_OK) g_clear_pointer(&answer, collected_free);
  session_free(session);
  db_outcome_clear(&said);
  return answer;
}

static Comparison *comparison_for(Context *context, const SqlStep *sql, const SqlEntry *entry,
                                  const Statement *statement, Collected **other, Outcome *outcome) {
  CompareOptions options = compare_options(context);
  GError *error = NULL;
  Comparison *comparison = NULL;
  if (entry->value) comparison = comparison_new_value(entry->value, &options, &error);
  else if (entry->result && entry->result->same_as.s) {
    *other = answer_of_other(context, sql, entry, statement, outcome);
    return *other ? comparison_new_same(*other, entry->result->ordered) : NULL;
  } else if (entry->result) comparison = comparison_new(entry->result, &options, &error);
  if (error) outcome_take_error(outcome, error);
  return comparison;
}

/* One try of one entry. */
static bool run_once(Context *context, Session *session, const SqlStep *sql, const SqlEntry *entry, Outcome *outcome) {
  GError *error = NULL;
  g_auto(Statement) statement = {0};
  if (!statement_render(&statement, context, entry, &error)) return outcome_take_error(outcome, error);
  Collected *other = NULL;
  Comparison *comparison = comparison_for(context, sql, entry, &statement, &other, outcome);
  if (outcome->kind != OUTCOME_OK) return false;
  FirstRow first;
  first_row_init(&first);
  const DbSink keep = {first_row_columns, first_row_row, &first};
  Tee tee = {comparison ? comparison_sink(comparison) : NULL, entry->capture.n > 0 ? &keep : NULL};
  const DbSink both = {tee_columns, tee_row, &tee};
  DbOutcome said = {0};
  gint64 began = clock_now();
  bool good = execute(context, session, entry, &statement, tee.a || tee.b ? &both : NULL, &said, outcome) &&
              judge_said(context, session, entry, began, &said, outcome);
  if (good && comparison && said.status == DB_OK) good = judge_comparison(context, entry, comparison, outcome);
  if (good && said.status == DB_OK) good = store_captures(context, entry, &first, outcome);
  db_outcome_clear(&said);
  first_row_clear(&first);
  comparison_free(comparison);
  collected_free(other);
  return good;
}

static bool pause_for_retry(Outcome *outcome) {
  return wait_until(deadline_after(DOLT_PAUSE)) != WAIT_CANCELLED || outcome_cancel(outcome);
}

/* When a round is due, on the test's clock; false: called off. */
static bool wait_for_round(const SqlEntry *entry, gint64 began, guint round, gint64 *due, Outcome *outcome) {
  *due = 0;
  if (entry->rate == 0) return true;
  *due = began + (gint64)((guint64)round * G_USEC_PER_SEC / entry->rate);
  return *due <= clock_now() || wait_until(*due) != WAIT_CANCELLED || outcome_cancel(outcome);
}

/* A round that began late, since those before it took their time, took as long as it was waited for (no coordinated
 * omission). */
static bool run_rounds(Context *context, Session *session, const SqlStep *sql, const SqlEntry *entry,
                       Outcome *outcome) {
  gint64 began = clock_now(), due;
  g_autofree Histogram *histogram = g_new0(Histogram, 1);
  for (guint round = 0; round < MAX(entry->times, 1); round++) {
    if (!wait_for_round(entry, began, round, &due, outcome)) return false;
    gint64 late = due > 0 ? MAX(clock_now() - due, 0) : 0;
    if (!run_once(context, session, sql, entry, outcome)) {
      if (entry->times > 1 && outcome->kind != OUTCOME_CANCELLED)
        outcome_addf(outcome, "  in round %u of %u", round + 1, entry->times);
      return false;
    }
    histogram_add(histogram, session->ended - session->began + late);
  }
  g_autofree char *slow = histogram_judge(histogram, &entry->latency);
  if (!slow) return true;
  outcome_fail(outcome, "latency: %s", slow);
  g_autofree char *all = histogram_text(histogram);
  outcome_addf(outcome, "  of %u: %s", entry->times, all);
  return false;
}

/* `times`, and Dolt's retry_attempts: so many tries, whatever time they take. */
static bool run_entry(Context *context, Session *session, const SqlStep *sql, const SqlEntry *entry, Outcome *outcome) {
  guint tries = MAX(entry->retry_attempts, 1);
  for (guint i = 1; i <= tries; i++) {
    if (run_rounds(context, session, sql, entry, outcome)) return true;
    if (outcome->kind == OUTCOME_CANCELLED || i == tries || !db_usable(session->db)) break;
    outcome_clear(outcome);
    if (!pause_for_retry(outcome)) return false;
  }
  if (tries > 1 && outcome->kind != OUTCOME_CANCELLED)
    outcome_addf(outcome, "  tried %u times (retry_attempts)", tries);
  if (outcome->at.line == 0) outcome->at = entry->at;
  return false;
}

/* ---- Sessions */

static bool check_connect_error(Context *context, const SqlStep *sql, const DbOutcome *said, Outcome *outcome) {
  CompareOptions options = compare_options(context);
  bool undecided = false;
  if (said->status == DB_CANCELLED) return outcome_cancel(outcome);
  if (said->status == DB_TIMED_OUT)
    return outcome_fail(outcome, "the session neither came about nor was refused in time");
  g_autofree char *problem = expect_error(&sql->connect_error.code, &sql->connect_error.match, said, "connection",
                                          &options, context->scope.cluster->test->dolt, &undecided);
  if (!problem) return true;
  return undecided ? outcome_error(outcome, "%s", problem) : outcome_fail(outcome, "%s", problem);
}

static bool could_not_connect(Node *node, const DbOutcome *said, Outcome *outcome) {
  if (said->status == DB_CANCELLED) return outcome_cancel(outcome);
  if (node->process && !node->process->exited && said->lost) process_wait(node->process, deadline_after(50000));
  if (fiber_cancelled()) return outcome_cancel(outcome);
  g_auto(GStrv) lines = g_strsplit(said->text ? said->text : "", "\n", -1);
  outcome_fail(outcome, "no session came about: %s",
               said->status == DB_TIMED_OUT ? "no answer in time"
               : lines[0]                   ? lines[0]
                                            : "no reason was given");
  for (char **line = lines; *line && line[1]; line++) outcome_addf(outcome, "  %s", g_strstrip(line[1]));
  if (node->frozen) outcome_add(outcome, "  the server is paused");
  else if (!node_running(node) && node->process) {
    g_autofree char *story = node_exit_story(node);
    outcome_add(outcome, story);
  } else if (!node_running(node)) {
    outcome_addf(outcome, "  server '%s' was not started yet", node->name);
  }
  return false;
}

/* Dolt's driver pings up to fifty times, fifty milliseconds apart, whatever the error is. */
static Session *open_patiently(Context *context, const SqlStep *sql, Node *node, DbOutcome *said, Outcome *outcome) {
  guint tries = context->scope.cluster->test->dolt ? DOLT_PINGS : 1;
  for (guint i = 1;; i++) {
    Session *session = session_open(&context->scope, node, &sql->words, statement_limit(context), said, outcome);
    if (session || i == tries || outcome->kind != OUTCOME_OK || said->status == DB_CANCELLED) return session;
    if (!pause_for_retry(outcome)) return NULL;
  }
}

static Session *named_session(Context *context, const SqlStep *sql, Node *node, Outcome *outcome) {
  if (!sql->session.s) return NULL;
  Session *session = g_hash_table_lookup(context->scope.cluster->sessions, sql->session.s);
  if (!session) return NULL;
  if (session->node != node)
    outcome_fail(outcome, "session '%s' is with server '%s', not '%s'", sql->session.s, session->node->name,
                 node->name);
  else if (session->busy) outcome_fail(outcome, "session '%s' is busy with another step", sql->session.s);
  else if (!db_usable(session->db))
    outcome_fail(outcome, "session '%s' was lost in an earlier step (close it to use the name again)", sql->session.s);
  return session;
}

static void statement_sent(gpointer data) {
  Background *background = data;
  background->sent = true;
  cond_wake(&background->changed);
}

static bool run_entries(Context *context, const SqlStep *sql, Session *session, bool opened, Outcome *outcome) {
  session->busy = true;
  bool own = opened && !context->scope.roles.self;   /* the test's, no recipe's */
  bool good = !own || debug_session(session->node, db_session_number(session->db), outcome);
  if (context->background) {
    context->background->session = session;
    session->on_sent = statement_sent;
    session->on_sent_data = context->background;
  }
  for (guint i = 0; good && i < sql->n_entries; i++) good = run_entry(context, session, sql, &sql->entries[i], outcome);
  if (context->background) {
    context->background->session = NULL;
    session->on_sent = NULL;
  }
  session->busy = false;
  return good;
}

static bool wait_until_ready(Context *context, Node *node, Outcome *outcome) {
  if (node->state != NODE_STARTING) return true;
  return node_wait_ready(node, limit_in_try(context, node_ready_within(node)), outcome);
}

/* Two lanes may have opened one of the same name: the second to come gives way, as the first is in use. */
static bool keep_session(Context *context, const SqlStep *sql, Session *session, Outcome *outcome) {
  GHashTable *sessions = context->scope.cluster->sessions;
  if (g_hash_table_contains(sessions, sql->session.s))
    return outcome_fail(outcome, "session '%s' was opened by another step at the same time", sql->session.s);
  session->name = sql->session.s;
  g_hash_table_insert(sessions, g_strdup(sql->session.s), session);
  return true;
}

static bool run_on(Context *context, const SqlStep *sql, Node *node, Outcome *outcome) {
  if (!wait_until_ready(context, node, outcome)) return false;
  Session *session = named_session(context, sql, node, outcome);
  if (outcome->kind != OUTCOME_OK) return false;
  bool opened = !session;
  DbOutcome said = {0};
  bool good = true, kept = false;
  if (opened) session = open_patiently(context, sql, node, &said, outcome);
  if (outcome->kind != OUTCOME_OK) good = false;
  else if (sql->connect_error.given && session)
    good = outcome_fail(outcome, "a session came about, though it was to be refused");
  else if (sql->connect_error.given) good = check_connect_error(context, sql, &said, outcome);
  else if (!session) good = could_not_connect(node, &said, outcome);
  else if (opened && sql->session.s) good = kept = keep_session(context, sql, session, outcome);
  db_outcome_clear(&said);
  if (session && good) good = run_entries(context, sql, session, opened, outcome);
  if (opened && !kept) session_free(session);
  return good;
}

static bool run_attempts(Context *context, const SqlStep *sql, Node *node, Outcome *outcome) {
  guint tries = MAX(sql->connection_attempts, 1);
  for (guint i = 1; !run_on(context, sql, node, outcome); i++) {
    if (i == tries || outcome->kind == OUTCOME_CANCELLED) {
      if (tries > 1 && outcome->headline)
        outcome_addf(outcome, "  the whole connection was tried %u times (retry_attempts)", tries);
      return false;
    }
    outcome_clear(outcome);
    if (!pause_for_retry(outcome)) return false;
  }
  return true;
}

void step_sql(Context *context, const Step *step, Outcome *outcome) {
  g_autoptr(GPtrArray) nodes = target_nodes(context, &step->sql.on, outcome);
  for (guint i = 0; nodes && i < nodes->len; i++) {
    Node *node = g_ptr_array_index(nodes, i);
    if (run_attempts(context, &step->sql, node, outcome)) continue;
    if (outcome->headline) {
      char *headline = g_strdup_printf("on %s: %s", node->name, outcome->headline);
      g_free(outcome->headline);
      outcome->headline = headline;
    }
    return;
  }
}

void step_close(Context *context, const Step *step, Outcome *outcome) {
  for (guint i = 0; i < step->close.sessions.n; i++) {
    const char *name = step->close.sessions.v[i].s;
    Session *session = g_hash_table_lookup(context->scope.cluster->sessions, name);
    if (session && session->busy) {
      outcome_fail(outcome, "session '%s' is busy with another step: await that first", name);
      return;
    }
    if (!g_hash_table_remove(context->scope.cluster->sessions, name)) {
      outcome_fail(outcome, "session '%s' is not open", name);
      return;
    }
  }
}
