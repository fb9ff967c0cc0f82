/* Flow: await, sleep, together, loop, and what a call or a round of for_each became. */
#include <string.h>
#include "runner/step.h"

#define BLOCKED_LIMIT (10 * G_USEC_PER_SEC)

/* ---- await */

static Background *find_background(Cluster *cluster, const char *name) {
  for (guint i = 0; i < cluster->backgrounds->len; i++) {
    Background *background = g_ptr_array_index(cluster->backgrounds, i);
    if (g_strcmp0(background->name, name) == 0) return background;
  }
  return NULL;
}

/* By the profile's query, asked of the server with the number of the session that is to be waiting. */
static bool is_blocked(Context *context, const Session *session, char **why) {
  Node *node = session->node;
  g_autoptr(GHashTable) own = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert(own, g_strdup("session_id"),
                      g_strdup_printf("%" G_GUINT64_FORMAT, db_session_number(session->db)));
  Scope scope = context->scope;
  scope.own = own;
  scope.roles = (Roles){.self = node};
  g_autofree char *trouble = NULL;
  g_autofree char *answer = node_ask(&scope, node, &node->engine->blocked, context->limit, &trouble);
  if (answer || !deadline_passed(context->limit)) {   /* a last question that had no time left says nothing */
    g_free(*why);
    *why = g_steal_pointer(&trouble);
  }
  return answer_is_true(answer);
}

static void wait_blocked(Context *context, Background *background, Outcome *outcome) {
  g_autofree char *why = NULL;
  for (gint64 pause = 2000;; pause = MIN(pause * 2, 50000)) {
    const Session *session = background->done ? NULL : background->session;
    if (!session) {
      outcome_fail(outcome, "step %s, in the background as '%s', was to be waiting, but it is done", background->label,
                   background->name);
      return;
    }
    if (!session->node->engine->blocked.raw) {
      outcome_error(outcome, "engine '%s' has no 'blocked' query", session->node->engine->name);
      return;
    }
    if (is_blocked(context, session, &why)) return;
    if (deadline_passed(context->limit)) {
      outcome_fail(outcome,
                   "step %s, in the background as '%s', was to be waiting, but its server says that it is not%s%s",
                   background->label, background->name, why ? ": " : "", why ? why : "");
      return;
    }
    if (wait_until(deadline_first(context->limit, deadline_after(pause))) == WAIT_CANCELLED) {
      outcome_cancel(outcome);
      return;
    }
  }
}

void step_await(Context *context, const Step *step, Outcome *outcome) {
  const char *name = step->await.background.s;
  Background *background = find_background(context->scope.cluster, name);
  if (!background) {
    outcome_fail(outcome, "nothing runs in the background as '%s': it was not begun, or was awaited already", name);
    return;
  }
  if (background->awaited) {
    outcome_fail(outcome, "what runs in the background as '%s' is awaited by another step already", name);
    return;
  }
  background->awaited = true;
  Context inner = *context;
  if (step->await.blocked) {
    inner.limit = limit_in_try(context, BLOCKED_LIMIT);
    wait_blocked(&inner, background, outcome);
  } else if (background_collect(&inner, background, outcome)) {
    return;
  }
  background = find_background(context->scope.cluster, name);   /* collected, perhaps: it may have failed */
  if (background) background->awaited = false;
}

void step_sleep(Context *context, const Step *step, Outcome *outcome) {
  if (wait_until(deadline_after(step->sleep.length)) == WAIT_CANCELLED) outcome_cancel(outcome);
}

/* ---- Frames */

typedef struct Lane {
  Context context;
  const Steps *steps;
  char *prefix;
  Outcome outcome;
  Cond *ended;
  bool done;
} Lane;

static void run_lane(gpointer data) {
  Lane *lane = data;
  steps_run(&lane->context, lane->steps, &lane->outcome);
  lane->done = true;
  cond_wake(lane->ended);
}

/* All lanes end before the step does; the first that fails calls the others off. */
static void join_lanes(guint n, Lane *lanes, Fiber **fibers, Cond *ended, Outcome *outcome) {
  bool off = false;
  for (guint left = n; left > 0;) {
    left = 0;
    for (guint i = 0; i < n; i++) {
      if (!lanes[i].done) left++;
      else if (lanes[i].outcome.kind != OUTCOME_OK && lanes[i].outcome.kind != OUTCOME_CANCELLED &&
               outcome->kind == OUTCOME_OK)
        outcome_move(outcome, &lanes[i].outcome);
    }
    if (left == 0) break;
    if (!off && (outcome->kind != OUTCOME_OK || fiber_cancelled())) {
      off = true;
      for (guint i = 0; i < n; i++) fiber_cancel(fibers[i]);
      fiber_shield();
    }
    wait_cond(ended, DEADLINE_NONE);
  }
  if (off) fiber_unshield();
  if (outcome->kind == OUTCOME_OK && fiber_cancelled()) outcome_cancel(outcome);
}

void step_together(Context *context, const Step *step, Outcome *outcome) {
  guint n = step->together.n;
  g_autofree Lane *lanes = g_new0(Lane, n);
  g_autofree Fiber **fibers = g_new0(Fiber *, n);
  Cond ended = {0};
  for (guint i = 0; i < n; i++) {
    lanes[i].context = *context;
    lanes[i].prefix = g_strdup_printf("%s.%u.", context->label, i + 1);
    lanes[i].context.prefix = lanes[i].prefix;
    lanes[i].context.summary = NULL;
    lanes[i].context.list_limit = context->limit;
    lanes[i].steps = &step->together.lanes[i];
    lanes[i].ended = &ended;
    fibers[i] = fiber_spawn("lane", run_lane, &lanes[i]);
  }
  join_lanes(n, lanes, fibers, &ended, outcome);
  for (guint i = 0; i < n; i++) {
    fiber_detach(fibers[i]);
    outcome_clear(&lanes[i].outcome);
    g_free(lanes[i].prefix);
  }
}

static bool run_inner(Context *context, const Steps *steps, Outcome *outcome) {
  g_autofree char *prefix = g_strdup_printf("%s.", context->label);
  Context inner = *context;
  inner.prefix = prefix;
  inner.summary = NULL;
  inner.list_limit = context->limit;
  return steps_run(&inner, steps, outcome);
}

void step_loop(Context *context, const Step *step, Outcome *outcome) {
  for (guint i = 1; i <= step->loop.times; i++) {
    if (run_inner(context, &step->loop.steps, outcome)) continue;
    if (outcome->headline) outcome_addf(outcome, "  in round %u of %u", i, step->loop.times);
    return;
  }
}

/* Where a procedure fails is in the procedure: who called it is said, too. */
void step_group(Context *context, const Step *step, Outcome *outcome) {
  bool frame = g_str_has_prefix(step->group.label, "for_each ");   /* its rounds say it */
  if (run_inner(context, &step->group.steps, outcome) || !outcome->headline || context->quiet || frame) return;
  outcome_addf(outcome, "  in %s, %s:%d", step->group.label, step->at.file, step->at.line);
}
