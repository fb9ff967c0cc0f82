/* The process of a workload: its writers, each a fiber with a session of its own. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "dbclient/split.h"
#include "runner/process.h"
#include "runner/session.h"
#include "runner/workload.h"

#define WRITE_LIMIT (30 * G_USEC_PER_SEC)
#define CONNECT_LIMIT (2 * G_USEC_PER_SEC)
#define ROLE_LIMIT (500 * 1000)
#define FIRST_PAUSE 5000
#define LONGEST_PAUSE 100000
#define END_GRACE (1 * G_USEC_PER_SEC)

typedef struct Writers {
  Workload *workload;
  guint64 next_id, next_slot;
  char *told; /* the newest trouble, so that it is not told a hundred times a second */
  bool ending;
} Writers;

typedef struct Writer {
  Writers *all;
  Fiber *fiber;
  guint at; /* of the workload's nodes: the one it is with, or tries next */
  Session *session;
  bool was_open, writing, done;
  Scope scope;
} Writer;

/* ---- The log */

static void tell(Writers *all, char outcome, guint64 id, gint64 latency, const Node *node, const char *text) {
  g_autofree char *flat = text ? g_strdelimit(g_strndup(text, 300), "\r\n\t", ' ') : NULL;
  g_autofree char *line =
      g_strdup_printf("%c %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s%s%s\n", outcome, id,
                      g_get_monotonic_time(), latency, node->name, flat ? " " : "", flat ? flat : "");
  gsize len = strlen(line);
  if (write(all->workload->fd, line, len) != (ssize_t)len) _exit(1); /* an outcome that is not kept is no outcome */
}

static void tell_trouble(Writers *all, char what, const Node *node, const char *text) {
  if (what == 'E' && g_strcmp0(all->told, text) == 0) return;
  g_free(all->told);
  all->told = g_strdup(text);
  tell(all, what, 0, 0, node, text);
}

/* ---- Sessions */

/* Whether the server has the wanted role now; by no role any will do. */
static bool is_wanted(Writer *writer, Node *node) {
  const char *role = writer->all->workload->step->on.role;
  g_autofree char *why = NULL;
  if (!role) return true;
  writer->scope.roles = (Roles){.self = node};
  g_autofree char *answer = node_ask(&writer->scope, node, &node->engine->role, deadline_in(ROLE_LIMIT), &why);
  writer->scope.roles = (Roles){0};
  if (!answer && !fiber_cancelled()) tell_trouble(writer->all, 'E', node, why);
  return g_strcmp0(answer, role) == 0;
}

static void open_session(Writer *writer) {
  const Workload *workload = writer->all->workload;
  Node *node = g_ptr_array_index(workload->nodes, writer->at);
  g_auto(Outcome) outcome = {0};
  DbOutcome said = {0};
  if (is_wanted(writer, node))
    writer->session =
        session_open(&writer->scope, node, &workload->step->words, deadline_in(CONNECT_LIMIT), &said, &outcome);
  if (!writer->session && !fiber_cancelled() && (said.text || outcome.headline || said.status == DB_TIMED_OUT))
    tell_trouble(writer->all, 'E', node,
                 said.text          ? said.text
                 : outcome.headline ? outcome.headline
                                    : "no answer in time");
  if (writer->session) writer->was_open = true;
  else writer->at = (writer->at + 1) % workload->nodes->len;
  db_outcome_clear(&said);
}

/* false: it is over for this writer. */
static bool have_session(Writer *writer) {
  Writers *all = writer->all;
  const Workload *workload = all->workload;
  gint64 pause = FIRST_PAUSE;
  if (writer->session && db_usable(writer->session->db)) return true;
  if (writer->session) writer->at = (writer->at + 1) % workload->nodes->len;
  g_clear_pointer(&writer->session, session_free);
  if (writer->was_open && !workload->step->reconnect) return false;
  for (guint tries = 1;; tries++) {
    open_session(writer);
    if (writer->session) return true;
    if (fiber_cancelled()) return false;
    if (tries % workload->nodes->len != 0) continue;
    if (wait_until(deadline_after(pause)) == WAIT_CANCELLED) return false;
    pause = MIN(pause * 2, LONGEST_PAUSE);
  }
}

/* ---- Writes */

/* Statements one after the other; what an error leaves of an open transaction is rolled back. */
static void execute(Writer *writer, const char *sql, gsize len, DbOutcome *said, GError **error) {
  Session *session = writer->session;
  const WorkloadStep *step = writer->all->workload->step;
  Deadline limit = deadline_in(step->timeout > 0 ? step->timeout : WRITE_LIMIT);
  DbKind kind = session->node->engine->client == CLIENT_POSTGRESQL ? DB_POSTGRESQL : DB_MYSQL;
  g_autoptr(GArray) pieces = sql_split(kind, sql, len, error);
  for (guint i = 0; pieces && i < pieces->len; i++) {
    const SqlPiece *piece = &g_array_index(pieces, SqlPiece, i);
    db_execute(session->db, piece->start, piece->len, false, 0, NULL, NULL, false, limit, said);
    if (said->status == DB_OK) continue;
    DbOutcome back = {0};
    if (pieces->len > 1 && db_usable(session->db))
      db_execute(session->db, "ROLLBACK", 8, false, 0, NULL, NULL, false, deadline_in(CONNECT_LIMIT), &back);
    db_outcome_clear(&back);
    return;
  }
}

static void write_one(Writer *writer, gint64 due) {
  Writers *all = writer->all;
  GError *error = NULL;
  gsize len = 0;
  guint64 id = ++all->next_id;
  DbOutcome said = {0};
  Node *node = writer->session->node;
  g_hash_table_replace(writer->scope.own, g_strdup("id"), g_strdup_printf("%" G_GUINT64_FORMAT, id));
  g_autofree char *sql = scope_render(&writer->scope, &all->workload->step->write, &len, &error);
  writer->writing = true;
  gint64 began = due > 0 ? due : g_get_monotonic_time();
  if (sql) execute(writer, sql, len, &said, &error);
  gint64 latency = g_get_monotonic_time() - began;
  writer->writing = false;
  bool refused = error || (said.status == DB_ERROR && !said.lost);
  const char *text = error ? error->message : said.text ? said.text : said.status == DB_OK ? NULL : "no answer in time";
  tell(all, refused ? 'F' : said.status == DB_OK ? 'A' : 'U', id, latency, node, text);
  /* Who says no may have another role by now. */
  if (refused && all->workload->step->on.role && all->workload->step->reconnect)
    g_clear_pointer(&writer->session, session_free);
  if (error) g_error_free(error);
  db_outcome_clear(&said);
}

/* The next slot of the rate, waited for; 0: none, at once; -1: it is over. */
static gint64 wait_for_slot(Writers *all) {
  guint rate = all->workload->step->rate;
  if (rate == 0) return 0;
  gint64 due = all->workload->began + (gint64)(all->next_slot++ * G_USEC_PER_SEC / rate);
  return due > clock_now() && wait_until(due) == WAIT_CANCELLED ? -1 : due;
}

static void write_on(gpointer data) {
  Writer *writer = data;
  Writers *all = writer->all;
  while (!all->ending) {
    if (!have_session(writer)) break;
    gint64 due = wait_for_slot(all);
    if (due < 0 || all->ending) break;
    write_one(writer, due);
    wait_turn();
  }
  if (!all->ending) tell_trouble(all, 'X', g_ptr_array_index(all->workload->nodes, writer->at), "its session was lost");
  g_clear_pointer(&writer->session, session_free);
  writer->done = true;
}

/* ---- The process */

static void run_writers(gpointer data) {
  Writers *all = data;
  guint n = MAX(all->workload->step->clients, 1);
  g_autofree Writer *writers = g_new0(Writer, n);
  for (guint i = 0; i < n; i++) {
    Writer *writer = &writers[i];
    writer->all = all;
    writer->at = i % all->workload->nodes->len;
    writer->scope = (Scope){.cluster = all->workload->cluster,
                            .own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free)};
    writer->fiber = fiber_spawn("writer", write_on, writer);
  }
  wait_fd(all->workload->control, POLLIN, NULL, DEADLINE_NONE);
  all->ending = true;
  Deadline grace = deadline_after(END_GRACE);
  for (guint i = 0; i < n; i++)
    if (!writers[i].done && !writers[i].writing) fiber_cancel(writers[i].fiber);
  for (guint i = 0; i < n; i++) {
    if (fiber_join(writers[i].fiber, grace) != WAIT_READY) fiber_stop(writers[i].fiber);
    g_hash_table_unref(writers[i].scope.own);
  }
  g_free(all->told);
  loop_quit();
}

/* Of what was inherited, its log and its control socket alone. */
static void close_others(int a, int b) {
  int low = MIN(a, b), high = MAX(a, b);
  if (low > 3) close_range(3, (unsigned)low - 1, 0);
  if (high > low + 1) close_range((unsigned)low + 1, (unsigned)high - 1, 0);
  close_range((unsigned)high + 1, ~0U, 0);
}

int workload_process(gpointer data) {
  Workload *workload = data;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  if (getppid() != workload->worker) return 1;
  workload->cluster->log = NULL;
  close_others(workload->fd, workload->control);
  loop_new();
  Writers all = {.workload = workload};
  fiber_spawn_detached("writers", run_writers, &all);
  loop_run();
  loop_free();
  return 0;
}
