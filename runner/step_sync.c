/* sync: what was committed on one server has arrived on others, which are attached, not merely answering. */
#include <stdlib.h>
#include <string.h>
#include "runner/links.h"
#include "runner/step.h"

#define SYNC_LIMIT (10 * G_USEC_PER_SEC)
#define FIRST_PAUSE 1000
#define LONGEST_PAUSE 20000
#define LONGEST_CHAIN 16

/* One replica's way to the position. A session of its own stays open while it is asked again and again. */
typedef struct Follower {
  Node *node;
  Session *session;
  char *last;                    /* what it said last, in words */
  bool arrived;
} Follower;

static const Text *stage_query(const Engine *engine, SyncStage stage) {
  switch (stage) {
  case STAGE_WRITTEN: return &engine->written;
  case STAGE_FLUSHED: return &engine->flushed;
  case STAGE_APPLIED: break;
  }
  return &engine->applied;
}

static void said_last(Follower *follower, char *text) {
  g_free(follower->last);
  follower->last = text;
}

/* Asks over the follower's session; NULL when there is no answer (its words are in last then). */
static char *ask(Context *context, Follower *follower, const Text *query, Outcome *outcome) {
  Scope scope = context->scope;
  scope.roles.self = follower->node;
  GError *error = NULL;
  g_autofree char *sql = scope_render(&scope, query, NULL, &error);
  if (!sql) {
    outcome_take_error(outcome, error);
    return NULL;
  }
  DbOutcome said = {0};
  if (follower->session && !db_usable(follower->session->db)) g_clear_pointer(&follower->session, session_free);
  if (!follower->session)
    follower->session = session_open(&scope, follower->node, NULL, context->limit, &said, outcome);
  Collected *answer = collected_new(64 * 1024);
  char *text = NULL;
  if (follower->session && session_ask(follower->session, sql, context->limit, answer, &said)) {
    const DbCell *row = answer->rows->len > 0 && answer->columns->len > 0 ? g_ptr_array_index(answer->rows, 0) : NULL;
    text = g_strdup(row && row[0].bytes ? row[0].bytes : "");
  } else if (outcome->kind == OUTCOME_OK && !(follower->last && deadline_passed(context->limit))) {
    said_last(follower, g_strdup(said.text ? said.text : "no answer in time"));   /* a last question had no time left */
  }
  collected_free(answer);
  db_outcome_clear(&said);
  return text;
}

/* ---- Who follows whom is asked of the servers */

static Node *node_at_port(Cluster *cluster, const char *port) {
  int number = atoi(port);
  for (guint i = 0; number > 0 && i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (node->port == number) return node;
  }
  return number > 0 ? links_target(cluster, number) : NULL;
}

/* A server may follow several (multi-source): ports apart by commas. */
static bool leads_to(Context *context, Node *node, Node *from, guint depth, GString *path, Outcome *outcome) {
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node};
  if (node == from) return true;
  if (depth == 0 || !node->engine->follows.raw || !node_running(node)) return false;
  g_autofree char *why = NULL;
  g_autofree char *answer = node_ask(&scope, node, &node->engine->follows, context->limit, &why);
  if (fiber_cancelled()) return outcome_cancel(outcome);
  if (!answer)
    return outcome_fail(outcome, "server '%s' does not say whom it follows: %s", node->name,
                        node->frozen ? "it is paused" : why);
  if (!*answer) g_string_append_printf(path, "  %s follows nobody\n", node->name);
  g_auto(GStrv) ports = g_strsplit(answer, ",", -1);
  for (char **port = ports; *port; port++) {
    Node *upstream =
        node_at_port(context->scope.cluster, g_strstrip(*port)); /* its own, or a link's that leads there */
    if (!upstream)
      g_string_append_printf(path, "  %s follows port %s, where no server of this test is\n", node->name, *port);
    else g_string_append_printf(path, "  %s follows %s\n", node->name, upstream->name);
    if (upstream && leads_to(context, upstream, from, depth - 1, path, outcome)) return true;
    if (outcome->kind != OUTCOME_OK) return false;
  }
  return false;
}

/* A logical subscriber knows its slots at that publisher; the publisher knows how far each was confirmed. */
static bool subscribes(Context *context, Node *node, Node *from) {
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node, .primary = from};
  if (!node->engine->subscriptions.raw) return false;
  g_autofree char *slots = node_ask(&scope, node, &node->engine->subscriptions, context->limit, NULL);
  if ((!slots || !*slots) &&
      links_port(scope.cluster, node, from, NULL) != 0) { /* a subscription may pass its link by */
    scope.direct = true;
    g_free(slots);
    slots = node_ask(&scope, node, &node->engine->subscriptions, context->limit, NULL);
  }
  if (!slots || !*slots) return false;
  g_hash_table_replace(context->scope.own, g_strdup("subscriptions"), g_strdup(slots));
  return true;
}

/* ---- Waiting */

static bool confirmed(Context *context, Follower *follower, Node *from, Outcome *outcome) {
  const Engine *engine = follower->node->engine;
  g_autofree char *copied = engine->copied.raw ? ask(context, follower, &engine->copied, outcome) : g_strdup("true");
  if (copied && !answer_is_true(copied)) said_last(follower, g_strdup("its table copies are not done"));
  if (!answer_is_true(copied)) return false;
  Scope scope = context->scope;
  scope.roles = (Roles){.self = from, .peer = follower->node};
  char *why = NULL;
  g_autofree char *answer = node_ask(&scope, from, &from->engine->subscriber, context->limit, &why);
  said_last(follower, answer ? g_strdup("its subscriptions have not confirmed it, says the publisher") : why);
  return answer_is_true(answer);
}

static bool arrived(Context *context, Follower *follower, Node *from, bool logical, SyncStage stage, Outcome *outcome) {
  const Engine *engine = follower->node->engine;
  if (logical) return confirmed(context, follower, from, outcome);
  const struct { const Text *query; const char *no; } questions[] = {
    {&engine->attached, "it is not attached to its upstream"},
    {stage_query(engine, stage), "it has not got there yet"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(questions); i++) {
    if (!questions[i].query->raw) continue;
    g_autofree char *answer = ask(context, follower, questions[i].query, outcome);
    if (!answer) return false;
    if (answer_is_true(answer)) continue;
    said_last(follower, g_strdup(questions[i].no));
    if (!engine->diverged.raw)
      return false; /* also asked of one that is not attached: its upstream may have refused it */
    g_autofree char *diverged = ask(context, follower, &engine->diverged, outcome);
    if (answer_is_true(diverged))
      outcome_error(outcome, "server '%s' has diverged from '%s': it can never get there", follower->node->name,
                    from->name);
    return false;
  }
  return true;
}

static bool wait_for(Context *context, Follower *follower, Node *from, bool logical, SyncStage stage,
                     Outcome *outcome) {
  for (gint64 pause = FIRST_PAUSE;; pause = MIN(pause * 2, LONGEST_PAUSE)) {
    if (arrived(context, follower, from, logical, stage, outcome)) return true;
    if (fiber_cancelled()) return outcome_cancel(outcome);
    if (outcome->kind != OUTCOME_OK) return false;
    if (deadline_passed(context->limit)) {
      const char *position = g_hash_table_lookup(context->scope.own, "position");
      return outcome_fail(outcome, "server '%s' did not reach position %s of '%s' in time: %s", follower->node->name,
                          position, from->name, follower->last ? follower->last : "no answer");
    }
    if (wait_until(deadline_first(context->limit, deadline_after(pause))) == WAIT_CANCELLED)
      return outcome_cancel(outcome);
  }
}

static bool sync_one(Context *context, Node *from, Node *to, SyncStage stage, Outcome *outcome) {
  g_autoptr(GString) path = g_string_new(NULL);
  Follower follower = {.node = to};
  if (!node_running(to))
    return outcome_fail(outcome, "server '%s' is not running: it cannot follow '%s'", to->name, from->name);
  if (!node_wait_ready(to, context->limit, outcome)) return false;
  bool physical = leads_to(context, to, from, LONGEST_CHAIN, path, outcome);
  if (outcome->kind != OUTCOME_OK) return false;
  bool logical = !physical && subscribes(context, to, from);
  if (!physical && !logical) {
    if (fiber_cancelled()) return outcome_cancel(outcome);
    outcome_error(outcome, "server '%s' does not follow '%s'", to->name, from->name);
    outcome_add(outcome, path->str);
    return false;
  }
  bool good = wait_for(context, &follower, from, logical, stage, outcome);
  session_free(follower.session);
  g_free(follower.last);
  return good;
}

static bool take_position(Context *context, Node *from, Outcome *outcome) {
  if (from->engine->position.n == 0) return outcome_error(outcome, "engine '%s' has no 'position'", from->engine->name);
  if (!node_running(from)) return outcome_fail(outcome, "server '%s' is not running", from->name);
  g_autofree char *what = g_strdup_printf("take the position of '%s'", from->name);
  if (!recipe_run(context, &from->engine->position, (Roles){.self = from}, what, outcome)) return false;
  if (g_hash_table_contains(context->scope.own, "position")) return true;
  return outcome_error(outcome, "the 'position' steps of engine '%s' captured no 'position'", from->engine->name);
}

void step_sync(Context *context, const Step *step, Outcome *outcome) {
  g_autoptr(GHashTable) own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  Context inner = *context;
  inner.scope.own = own;
  inner.limit = limit_in_try(context, SYNC_LIMIT);
  Node *from = context_node(&inner, &step->sync.from, outcome);
  bool good = from && take_position(&inner, from, outcome);
  for (guint i = 0; good && i < step->sync.to.n; i++) {
    Node *to = context_node(&inner, &step->sync.to.v[i], outcome);
    good = to && sync_one(&inner, from, to, step->sync.stage, outcome);
  }
  if (!good && outcome->kind != OUTCOME_CANCELLED) explain_replication(&inner, outcome);
}
