/* equal: all nodes give the same answer. */
#include "runner/step.h"

#define EQUAL_LIMIT (10 * G_USEC_PER_SEC)
#define ANSWER_CAP (64u * 1024 * 1024)
#define FIRST_PAUSE 5000
#define LONGEST_PAUSE 100000
#define LEAST_LOOK (1 * G_USEC_PER_SEC)

static Collected *answer_of(Context *context, Node *node, const EqualStep *equal, const char *sql, Outcome *outcome) {
  DbOutcome said = {0};
  Collected *answer = collected_new(ANSWER_CAP);
  Session *session = session_open(&context->scope, node, &equal->words, context->limit, &said, outcome);
  if (session) session_ask(session, sql, context->limit, answer, &said);
  if (said.status == DB_CANCELLED) outcome_cancel(outcome);
  else if (said.status != DB_OK)
    outcome_fail(outcome, "on %s: %s", node->name, said.text ? said.text : "no answer in time");
  else if (answer->over_cap)
    outcome_error(outcome, "on %s: the answer is larger than %u MiB; compare less at once", node->name,
                  ANSWER_CAP >> 20);
  if (outcome->kind != OUTCOME_OK) g_clear_pointer(&answer, collected_free);
  session_free(session);
  db_outcome_clear(&said);
  return answer;
}

/* One look. *again: they differ now, which may pass; a node that cannot say will not. */
static bool look(Context *context, GPtrArray *nodes, const EqualStep *equal, const char *sql, bool ordered, bool *again,
                 Outcome *outcome) {
  g_autoptr(GPtrArray) answers = g_ptr_array_new_with_free_func((GDestroyNotify)collected_free);
  g_autofree const char **names = g_new0(const char *, nodes->len);
  bool empty = true;
  *again = false;
  for (guint i = 0; i < nodes->len; i++) {
    Node *node = g_ptr_array_index(nodes, i);
    Collected *answer = answer_of(context, node, equal, sql, outcome);
    if (!answer) return false;
    empty = empty && answer->n_rows == 0;
    g_ptr_array_add(answers, answer);
    names[i] = node->name;
  }
  *again = true;
  g_autofree char *difference = collected_difference(nodes->len, names, (Collected *const *)answers->pdata, ordered);
  if (*difference) {
    outcome_fail(outcome, "the servers do not give the same answer to: %s", sql);
    outcome_add(outcome, difference);
    return false;
  }
  if (!empty || equal->allow_empty) return true;
  return outcome_fail(outcome, "no server has any row for: %s (if that is meant, say 'allow_empty: true')", sql);
}

static bool until_equal(Context *context, GPtrArray *nodes, const EqualStep *equal, const char *sql, bool ordered,
                        Outcome *outcome) {
  for (gint64 pause = FIRST_PAUSE;; pause = MIN(pause * 2, LONGEST_PAUSE)) {
    bool last = deadline_passed(context->limit);
    Context inner = *context;
    Deadline least = deadline_in(LEAST_LOOK);   /* one that begins late has its time, too */
    if (deadline_first(inner.limit, least) == inner.limit) inner.limit = least;
    outcome_clear(outcome);
    bool again = false;
    if (look(&inner, nodes, equal, sql, ordered, &again, outcome)) return true;
    if (!again || last) return false;
    if (wait_until(deadline_first(context->limit, deadline_after(pause))) == WAIT_CANCELLED)
      return outcome_cancel(outcome);
  }
}

void step_equal(Context *context, const Step *step, Outcome *outcome) {
  const EqualStep *equal = &step->equal;
  Context inner = *context;
  inner.limit = limit_in_try(context, EQUAL_LIMIT);
  g_autoptr(GPtrArray) nodes = target_nodes(&inner, &equal->on, outcome);
  if (!nodes) return;
  GError *error = NULL;
  if (equal->query.raw) {
    g_autofree char *sql = scope_render(&inner.scope, &equal->query, NULL, &error);
    if (sql) until_equal(&inner, nodes, equal, sql, true, outcome);
  }
  for (guint i = 0; i < equal->tables.n && outcome->kind == OUTCOME_OK && !error; i++) {
    g_autofree char *table = scope_render(&inner.scope, &equal->tables.v[i], NULL, &error);
    g_autofree char *sql = table ? g_strdup_printf("SELECT * FROM %s", table) : NULL;
    if (sql) until_equal(&inner, nodes, equal, sql, false, outcome);
  }
  if (error) outcome_take_error(outcome, error);
}
