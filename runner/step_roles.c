/* Roles in a replication: clone, promote, follow, rejoin.  What each means for an engine is a recipe of its profile; what is
 * the same for all engines is here. */
#include <errno.h>
#include <string.h>
#include "runner/dirs.h"
#include "runner/step.h"

#define ATTACH_PAUSE 2000
#define ATTACH_LONGEST 50000

/* Streaming, not merely answering. */
static bool wait_attached(Context *context, Node *node, Outcome *outcome) {
  if (!node->engine->attached.raw || !node_running(node)) return true;
  if (!node_wait_ready(node, context->limit, outcome)) return false;
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node};
  g_autofree char *last = NULL;    /* why there was no answer; a last question that had no time left says nothing */
  bool asked = false;
  for (gint64 pause = ATTACH_PAUSE;; pause = MIN(pause * 2, ATTACH_LONGEST)) {
    g_autofree char *why = NULL;
    g_autofree char *answer = node_ask(&scope, node, &node->engine->attached, context->limit, &why);
    if (fiber_cancelled()) return outcome_cancel(outcome);
    if (answer_is_true(answer)) return true;
    bool out_of_time = deadline_passed(context->limit);
    if (answer || !out_of_time || !asked) {
      g_free(last);
      last = answer ? NULL : g_steal_pointer(&why);
    }
    asked = true;
    if (out_of_time) {
      outcome_fail(outcome, "server '%s' did not attach to its primary in time%s%s", node->name, last ? ": " : "",
                   last ? last : "");
      explain_replication(context, outcome);
      return false;
    }
    if (wait_until(deadline_first(context->limit, deadline_after(pause))) == WAIT_CANCELLED)
      return outcome_cancel(outcome);
  }
}

static bool need_recipe(const Node *node, bool has, const char *name, Outcome *outcome) {
  return has || outcome_error(outcome, "engine '%s' has no '%s' recipe", node->engine->name, name);
}

/* ---- clone */

static bool clone_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  GError *error = NULL;
  Node *from = life->from.s ? context_node(context, &life->from, outcome)
               : node->server->replica_of.s ? cluster_node(context->scope.cluster, node->server->replica_of.s) : NULL;
  if (outcome->kind != OUTCOME_OK) return false;
  if (!from)
    return outcome_error(outcome, "clone: from which server? '%s' has no 'replica_of', so say 'from'", node->name);
  if (node_running(node))
    return outcome_fail(outcome, "server '%s' is running: stop it before it is cloned anew", node->name);
  if (!node_sweep(node, outcome)) return false;
  if (!dirs_remove(node->dir, context->limit, &error)) return outcome_take_error(outcome, error);
  g_autofree char *made = dirs_make(node->cluster->dir, node->server->dir ? node->server->dir : node->name, 0700,
                                    node->cluster->options->user, &error);
  if (!made) return outcome_take_error(outcome, error);
  if (!node_make(node, from, &life->args, limit_of_its_own(context, NODE_MAKE_LIMIT), outcome)) return false;
  if (!node->server->start || node_running(node)) return true;
  return node_start(node, NULL, limit_of_its_own(context, node_ready_within(node)), outcome);
}

/* ---- promote, follow, rejoin */

static bool promote_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  if (!need_recipe(node, node->engine->has_promote, "promote", outcome)) return false;
  g_autofree char *what = g_strdup_printf("promote '%s'", node->name);
  return recipe_run(context, &node->engine->promote, (Roles){.self = node}, what, outcome);
}

/* Leaves a stopped server stopped; with a running one it is done when it is attached. A recipe may stop a running server: what
 * it wrote into the settings file gives way to the test's own settings before the server runs again. */
static bool turn_towards(Context *context, Node *node, const LifeStep *life, bool has, const Steps *recipe,
                         const char *name, Outcome *outcome) {
  if (!need_recipe(node, has, name, outcome)) return false;
  Node *primary = context_node(context, &life->from, outcome);
  if (!primary) return false;
  bool was_running = node_running(node);
  g_autofree char *what = g_strdup_printf("%s '%s' to '%s'", name, node->name, primary->name);
  if (!recipe_run(context, recipe, (Roles){.self = node, .primary = primary}, what, outcome)) return false;
  if (!node_running(node)) {
    if (!node_write_settings(node, outcome)) return false;
    Deadline limit = limit_of_its_own(context, node_ready_within(node));
    if (was_running && !node_start(node, NULL, limit, outcome)) return false;
  }
  return !was_running || wait_attached(context, node, outcome);
}

static bool follow_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  return turn_towards(context, node, life, node->engine->has_follow, &node->engine->follow, "follow", outcome);
}

static bool rejoin_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  return turn_towards(context, node, life, node->engine->has_rejoin, &node->engine->rejoin, "rejoin", outcome);
}

void step_clone(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, clone_node, outcome);
}
void step_promote(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, promote_node, outcome);
}
void step_follow(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, follow_node, outcome);
}
void step_rejoin(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, rejoin_node, outcome);
}
