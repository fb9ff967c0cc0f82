/* workload, check_workload, stop_workload. */
#include <string.h>
#include "runner/step.h"
#include "runner/workload.h"

#define READ_LIMIT (60 * G_USEC_PER_SEC)
#define LOOK_EVERY 5000

/* All that could have the role some day; otherwise those that are named. */
static GPtrArray *nodes_of(Context *context, const Target *on, Outcome *outcome) {
  if (!on->role) return target_nodes(context, on, outcome);
  GPtrArray *nodes = g_ptr_array_new();
  Cluster *cluster = context->scope.cluster;
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (node->engine->role.raw) g_ptr_array_add(nodes, node);
  }
  return nodes;
}

void step_workload(Context *context, const Step *step, Outcome *outcome) {
  g_autoptr(GPtrArray) nodes = nodes_of(context, &step->workload.on, outcome);
  if (!nodes) return;
  Workload *earlier = workload_find(context->scope.cluster, step->workload.name.s);
  if (earlier && !earlier->ended) outcome_fail(outcome, "workload '%s' is under way already", step->workload.name.s);
  else workload_begin(context->scope.cluster, &step->workload, nodes, outcome);
}

/* ---- Reading back */

typedef struct Reader {
  GHashTable *ids;
  char *problem;
} Reader;

static void on_columns(guint n, const char *const *names, gpointer data) {
  Reader *reader = data;
  g_hash_table_remove_all(reader->ids);
  if (n != 1 && !reader->problem)
    reader->problem = g_strdup_printf("the workload's 'read' gives %u columns, and ids are one", n);
}

static bool on_row(guint n, const DbCell *cells, gpointer data) {
  Reader *reader = data;
  guint64 id = 0;
  if (reader->problem) return false;
  if (!cells[0].bytes || !g_ascii_string_to_unsigned(cells[0].bytes, 10, 0, G_MAXSIZE, &id, NULL)) {
    reader->problem =
        g_strdup_printf("the workload's 'read' gives %s%.40s%s, which is no id", cells[0].bytes ? "'" : "",
                        cells[0].bytes ? cells[0].bytes : "NULL", cells[0].bytes ? "'" : "");
    return false;
  }
  gpointer key = GSIZE_TO_POINTER((gsize)id);
  g_hash_table_insert(reader->ids, key, GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(reader->ids, key)) + 1));
  return true;
}

static void read_back_free(gpointer data) {
  ReadBack *back = data;
  g_hash_table_unref(back->ids);
  g_free(back);
}

static bool read_from(Context *context, const WorkloadStep *workload, Node *node, GPtrArray *all, Outcome *outcome) {
  DbOutcome said = {0};
  GError *error = NULL;
  Reader reader = {.ids = g_hash_table_new(NULL, NULL)};
  const DbSink sink = {on_columns, on_row, &reader};
  Deadline limit = deadline_first(context->limit, deadline_in(READ_LIMIT));
  gsize len = 0;
  g_autofree char *sql = scope_render(&context->scope, &workload->read, &len, &error);
  Session *session = sql ? session_open(&context->scope, node, &workload->words, limit, &said, outcome) : NULL;
  if (session) db_execute(session->db, sql, len, false, 0, NULL, &sink, false, limit, &said);
  if (error) outcome_take_error(outcome, error);
  else if (said.status == DB_CANCELLED || fiber_cancelled()) outcome_cancel(outcome);
  else if (outcome->kind == OUTCOME_OK && (!session || said.status != DB_OK))
    outcome_fail(outcome, "workload '%s' could not be read back on %s: %s", workload->name.s, node->name,
                 said.text ? said.text : "no answer in time");
  else if (reader.problem) outcome_error(outcome, "on %s: %s", node->name, reader.problem);
  ReadBack *back = g_new0(ReadBack, 1);
  *back = (ReadBack){node->name, reader.ids};
  g_ptr_array_add(all, back);
  g_free(reader.problem);
  session_free(session);
  db_outcome_clear(&said);
  return outcome->kind == OUTCOME_OK;
}

static GPtrArray *read_back(Context *context, const WorkloadLook *look, const WorkloadStep *workload,
                            Outcome *outcome) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(read_back_free);
  if (!workload->read.raw) return g_steal_pointer(&all);
  g_autoptr(GPtrArray) nodes = target_nodes(context, look->has_on ? &look->on : &workload->on, outcome);
  for (guint i = 0; nodes && i < nodes->len; i++)
    if (!read_from(context, workload, g_ptr_array_index(nodes, i), all, outcome)) return NULL;
  return nodes ? g_steal_pointer(&all) : NULL;
}

/* ---- Looking */

static Workload *find(Context *context, const WorkloadLook *look, Outcome *outcome) {
  Workload *workload = workload_find(context->scope.cluster, look->name.s);
  if (!workload) outcome_fail(outcome, "workload '%s' was not begun", look->name.s);
  return workload;
}

static bool wait_for_progress(Context *context, Workload *workload, guint wanted, Outcome *outcome) {
  guint64 before = workload->acknowledged;
  while (workload->acknowledged - before < wanted) {
    WaitResult result = workload->process->exited
                            ? WAIT_TIMEOUT
                            : wait_until(deadline_first(context->limit, deadline_after(LOOK_EVERY)));
    if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
    if (!workload_catch_up(workload, outcome)) return false;
    if (workload->acknowledged - before >= wanted) break;
    if (!deadline_passed(context->limit) && !workload->process->exited) continue;
    outcome_fail(outcome,
                 "workload '%s': acknowledged writes since this step began: %" G_GUINT64_FORMAT
                 ", expected at least %u",
                 workload->step->name.s, workload->acknowledged - before, wanted);
    g_autofree char *story = workload_story(workload);
    outcome_add(outcome, story);
    return false;
  }
  return true;
}

/* What is acknowledged before it is read back must be there then. */
void step_check_workload(Context *context, const Step *step, Outcome *outcome) {
  const WorkloadLook *look = &step->look;
  Workload *workload = find(context, look, outcome);
  if (!workload || !workload_catch_up(workload, outcome)) return;
  if (look->progress > 0 && !wait_for_progress(context, workload, look->progress, outcome)) return;
  if (!look->expect.given) return;
  guint n_writes = workload->writes->len;
  bool reads = look->has_on || look->expect.lost.given || look->expect.duplicated.given;
  g_autoptr(GPtrArray) back = reads ? read_back(context, look, workload->step, outcome) : g_ptr_array_new();
  if (!back || !workload_catch_up(workload, outcome)) return;
  workload_judge(workload, &look->expect, n_writes, back, false, outcome);
}

void step_stop_workload(Context *context, const Step *step, Outcome *outcome) {
  const WorkloadLook *look = &step->look;
  Workload *workload = find(context, look, outcome);
  if (!workload) return;
  bool first = !workload->ended;
  if (!workload_end(workload, outcome)) return;
  if (first) workload_tell(workload, context->label);
  g_autoptr(GPtrArray) back = read_back(context, look, workload->step, outcome);
  if (back) workload_judge(workload, &look->expect, workload->writes->len, back, true, outcome);
}
