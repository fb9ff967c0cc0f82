/* explain.c - how each server sees the replication at this moment, for a failure that may come from it.
 *
 * A replica that does not catch up is explained by another server as often as not, so all are asked.
 */
#include <string.h>
#include "runner/step.h"
#include "runner/visible.h"

#define EXPLAIN_LIMIT (2 * G_USEC_PER_SEC)
#define WIDE 12
#define LONGEST_VALUE 120

/* Of a wide row (SHOW ALL SLAVES STATUS has sixty columns) only what tells of states, errors and positions. */
static bool telling(const char *column) {
  static const char *const words[] = {"running",        "error",       "state", "gtid_io_pos",
                                      "gtid_slave_pos", "master_port", NULL};
  g_autofree char *lower = g_ascii_strdown(column, -1);
  for (const char *const *word = words; *word; word++)
    if (strstr(lower, *word)) return true;
  return false;
}

/* "role standby, received 0/3000148, replayed 0/3000148, walreceiver stopped"; what is NULL or empty is left out. */
static char *row_line(const Collected *answer, const DbCell *row) {
  GString *line = g_string_new(NULL);
  bool wide = answer->columns->len > WIDE;
  for (guint i = 0; i < answer->columns->len; i++) {
    const char *column = g_ptr_array_index(answer->columns, i), *value = row[i].bytes;
    if (!value || !*value || (wide && (!telling(column) || strcmp(value, "0") == 0))) continue;
    g_autofree char *shown = visible_line(value);
    g_string_append_printf(line, "%s%s %.*s", line->len > 0 ? ", " : "", column, LONGEST_VALUE, shown);
  }
  return g_string_free(line, FALSE);
}

static void ask_and_tell(Scope *scope, Session *session, const Text *query, Deadline limit, Outcome *outcome) {
  DbOutcome said = {0};
  g_autofree char *sql = scope_render(scope, query, NULL, NULL);
  if (!sql) return;
  Collected *answer = collected_new(64 * 1024);
  const char *name = session->node->name;
  if (!session_ask(session, sql, limit, answer, &said))
    outcome_addf(outcome, "  %s: %s", name, said.text ? said.text : "no answer in time");
  for (guint i = 0; i < answer->rows->len && answer->columns->len > 0; i++) {
    g_autofree char *line = row_line(answer, g_ptr_array_index(answer->rows, i));
    outcome_addf(outcome, "  %s: %s", name, line);
  }
  collected_free(answer);
  db_outcome_clear(&said);
}

static void explain_node(Context *context, Node *node, Deadline limit, Outcome *outcome) {
  if (!node_running(node) || node->frozen) {
    outcome_addf(outcome, "  %s: %s", node->name, node->frozen ? "paused" : "not running");
    return;
  }
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node};
  DbOutcome said = {0};
  g_auto(Outcome) trouble = {0};
  Session *session = session_open(&scope, node, NULL, limit, &said, &trouble);
  if (!session)
    outcome_addf(outcome, "  %s: %s", node->name,
                 trouble.headline ? trouble.headline
                 : said.text      ? said.text
                                  : "no answer in time");
  for (guint i = 0; session && i < node->engine->explain.n; i++)
    ask_and_tell(&scope, session, &node->engine->explain.v[i], limit, outcome);
  session_free(session);
  db_outcome_clear(&said);
}

void explain_replication(Context *context, Outcome *outcome) {
  Cluster *cluster = context->scope.cluster;
  Deadline limit = deadline_in(EXPLAIN_LIMIT);
  guint n = 0;
  for (guint i = 0; i < cluster->nodes->len; i++) {
    const Node *node = g_ptr_array_index(cluster->nodes, i);
    if (node->engine->explain.n > 0) n++;
  }
  for (guint i = 0; n > 1 && i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (node->engine->explain.n > 0) explain_node(context, node, limit, outcome);
  }
}
