/* The table of verbs, and what surrounds a step. */
#include "runner/step.h"
#include "runner/links.h"

#include <string.h>

#define TRY_LIMIT (60 * G_USEC_PER_SEC)
#define FIRST_PAUSE 5000
#define LONGEST_PAUSE 100000
#define DOLT_PAUSE 50000
#define SAMPLE_EVERY 50000
#define LAST_TRY (1 * G_USEC_PER_SEC)

static const StepRun verbs[N_VERBS] = {
    [VERB_SQL] = step_sql,
    [VERB_CLOSE] = step_close,
    [VERB_AWAIT] = step_await,
    [VERB_START] = step_start,
    [VERB_RESTART] = step_restart,
    [VERB_STOP] = step_stop,
    [VERB_RELOAD] = step_reload,
    [VERB_KILL] = step_kill,
    [VERB_PAUSE] = step_pause,
    [VERB_RESUME] = step_resume,
    [VERB_SIGNAL] = step_signal,
    [VERB_EXITED] = step_exited,
    [VERB_CLONE] = step_clone,
    [VERB_PROMOTE] = step_promote,
    [VERB_FOLLOW] = step_follow,
    [VERB_REJOIN] = step_rejoin,
    [VERB_SYNC] = step_sync,
    [VERB_EQUAL] = step_equal,
    [VERB_LOG] = step_log,
    [VERB_RUN] = step_command,
    [VERB_HTTP] = step_http,
    [VERB_FILE] = step_file,
    [VERB_LINK] = step_link,
    [VERB_SLEEP] = step_sleep,
    [VERB_TOGETHER] = step_together,
    [VERB_LOOP] = step_loop,
    [VERB_GROUP] = step_group,
    [VERB_WORKLOAD] = step_workload,
    [VERB_CHECK_WORKLOAD] = step_check_workload,
    [VERB_STOP_WORKLOAD] = step_stop_workload,
    [VERB_INVARIANT] = step_invariant,
    [VERB_END_INVARIANT] = step_end_invariant,
};

/* Frames hold steps that have limits of their own; Dolt's queries do too. */
static bool has_own_limits(const Context *context, const Step *step) {
  switch (step->verb) {
  case VERB_TOGETHER: case VERB_LOOP: case VERB_GROUP: case VERB_SLEEP: return true;
  default: return context->scope.cluster->test->dolt;
  }
}

/* ---- Small things verbs share */

void context_summary(Context *context, const char *format, ...) {
  if (!context->summary) return;
  va_list args;
  va_start(args, format);
  g_free(*context->summary);
  *context->summary = g_strdup_vprintf(format, args);
  va_end(args);
}

bool wait_outcome(Context *context, WaitResult result, Outcome *outcome, const char *format, ...) {
  if (result == WAIT_READY) return true;
  if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  return outcome_fail(outcome, "%s", what);
}

Deadline limit_in_try(const Context *context, gint64 usual) {
  return context->limit_given ? context->limit : deadline_first(context->limit, deadline_in(usual));
}

Deadline limit_of_its_own(const Context *context, gint64 usual) {
  return context->limit_given ? context->limit : deadline_first(context->list_limit, deadline_in(usual));
}

Node *context_node(Context *context, const Name *name, Outcome *outcome) {
  GError *error = NULL;
  Node *node = scope_node(&context->scope, name->s, &error);
  if (!node) outcome_take_error(outcome, error);
  return node;
}

static GPtrArray *nodes_by_role(Context *context, const char *role, Outcome *outcome) {
  Cluster *cluster = context->scope.cluster;
  g_autoptr(GPtrArray) found = g_ptr_array_new();
  g_autoptr(GString) answers = g_string_new(NULL);
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (!node->engine->role.raw || !node_running(node)) continue;
    Scope scope = context->scope;
    scope.roles = (Roles){.self = node};
    g_autofree char *why = NULL;
    g_autofree char *answer = node_ask(&scope, node, &node->engine->role, context->limit, &why);
    if (fiber_cancelled()) break;
    g_string_append_printf(answers, "  %s: %s\n", node->name, answer ? answer : why);
    if (g_strcmp0(answer, role) == 0) g_ptr_array_add(found, node);
  }
  if (fiber_cancelled()) {
    outcome_cancel(outcome);
    return NULL;
  }
  if (found->len == 1 || (found->len > 1 && strcmp(role, "primary") != 0)) return g_steal_pointer(&found);
  outcome_fail(outcome,
               found->len == 0 ? "no running server says that its role is '%s'"
                               : "more than one server says that its role is '%s'",
               role);
  outcome_add(outcome, answers->str);
  return NULL;
}

GPtrArray *target_nodes(Context *context, const Target *target, Outcome *outcome) {
  if (target->role) return nodes_by_role(context, target->role, outcome);
  g_autoptr(GPtrArray) nodes = g_ptr_array_new();
  Cluster *cluster = context->scope.cluster;
  for (guint i = 0; target->all && i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (node->server->runs || node->server->external) g_ptr_array_add(nodes, node);
  }
  for (guint i = 0; !target->all && i < target->servers.n; i++) {
    Node *node = context_node(context, &target->servers.v[i], outcome);
    if (!node) return NULL;
    g_ptr_array_add(nodes, node);
  }
  return g_steal_pointer(&nodes);
}

GPtrArray *log_marks_now(Cluster *cluster) {
  GPtrArray *marks = g_ptr_array_new_full(cluster->nodes->len, g_free);
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    guint64 *at = g_new(guint64, 1);
    *at = node->output ? output_size(node->output) : 0;
    g_ptr_array_add(marks, at);
  }
  return marks;
}

static bool steps_name_exit(const Steps *steps, guint from, const char *name) {
  for (guint i = from; i < steps->n; i++) {
    const Step *step = &steps->v[i];
    bool found = false;
    if (step->verb == VERB_EXITED)
      for (guint j = 0; j < step->life.servers.n; j++) found = found || strcmp(step->life.servers.v[j].s, name) == 0;
    else if (step->verb == VERB_GROUP) found = steps_name_exit(&step->group.steps, 0, name);
    else if (step->verb == VERB_LOOP) found = steps_name_exit(&step->loop.steps, 0, name);
    else if (step->verb == VERB_TOGETHER)
      for (guint j = 0; j < step->together.n; j++) found = found || steps_name_exit(&step->together.lanes[j], 0, name);
    if (found) return true;
  }
  return false;
}

bool steps_expect_exit(Cluster *cluster, const Node *node) {
  return steps_name_exit(&cluster->test->steps, cluster->position, node->name) ||
         steps_name_exit(&cluster->test->finally, 0, node->name);
}

/* ---- One step, again and again */

/* What the tries of a step amounted to. */
typedef struct Tries {
  guint n;
  gint64 began, lag_before;
  char *last[3];                 /* the newest different summaries, newest first */
} Tries;

static void tries_note(Tries *tries, char *summary) {
  if (!summary || g_strcmp0(summary, tries->last[0]) == 0) {
    g_free(summary);
    return;
  }
  g_free(tries->last[2]);
  tries->last[2] = tries->last[1];
  tries->last[1] = tries->last[0];
  tries->last[0] = summary;
}

static void tries_clear(Tries *tries) {
  for (guint i = 0; i < G_N_ELEMENTS(tries->last); i++) g_free(tries->last[i]);
}

static double seconds(gint64 microseconds) { return (double)microseconds / G_USEC_PER_SEC; }

/* A wait that ran out while our own timers came late says nothing about the servers. */
static void judge_starvation(Context *context, const Tries *tries, Outcome *outcome) {
  gint64 waited = clock_now() - tries->began, late = context->scope.cluster->lag_total - tries->lag_before;
  if (outcome->kind != OUTCOME_FAILED || waited < 500000 || late < waited / 4) return;
  outcome->kind = OUTCOME_ERROR;
  outcome_addf(outcome, "  the machine was overloaded: of %.1f s of waiting, runner itself did not run for %.1f s",
               seconds(waited), seconds(late));
}

static void tell_tries(Context *context, const Tries *tries, Outcome *outcome) {
  if (tries->n < 2) return;
  gint64 took = clock_now() - tries->began;
  if (outcome->kind != OUTCOME_OK && outcome->kind != OUTCOME_CANCELLED) {
    outcome_addf(outcome, "  tried %u times in %.1f s", tries->n, seconds(took));
    for (guint i = 1; i < G_N_ELEMENTS(tries->last); i++)
      if (tries->last[i]) outcome_addf(outcome, "  before that: %s", tries->last[i]);
    if (context->step->verb == VERB_SQL && !context->quiet) explain_replication(context, outcome);
  }
  if (context->quiet) return;
  EventLog *log = context->scope.cluster->log;
  event_begin(log, "retries");
  event_text(log, "step", context->label);
  event_int(log, "count", tries->n);
  event_int(log, "us", took);
  event_text(log, "last", tries->last[0]);
  event_end(log);
}

/* cut: when that has come, it ended for want of time, and another try follows that will say more. */
static void one_try(Context *context, const Step *step, Deadline limit, Deadline cut, Tries *tries, Outcome *outcome) {
  char *summary = NULL;
  outcome_clear(outcome);
  context->limit = deadline_first(limit, context->list_limit);
  context->summary = &summary;
  tries->n++;
  verbs[step->verb](context, step, outcome);
  context->summary = NULL;
  if (!summary && outcome->headline) summary = g_strdup(outcome->headline);
  if (deadline_passed(cut)) g_free(summary);
  else tries_note(tries, summary);
}

/* Until it holds; the last try begins when the time is up, so that a slow machine has looked at the end, too. */
static void try_within(Context *context, const Step *step, Tries *tries, Outcome *outcome) {
  Deadline end = deadline_first(deadline_in(step->within), context->list_limit);
  gint64 longest = context->scope.cluster->test->dolt ? DOLT_PAUSE : LONGEST_PAUSE;
  for (gint64 pause = FIRST_PAUSE;; pause = MIN(pause * 2, longest)) {
    bool last = deadline_passed(end);
    Deadline limit = last ? deadline_in(LAST_TRY) : end;
    if (step->timeout >= 0) limit = deadline_in(step->timeout);
    one_try(context, step, limit, last ? DEADLINE_NONE : end, tries, outcome);
    if (outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_CANCELLED || last) return;
    if (wait_until(deadline_first(end, deadline_after(pause))) == WAIT_CANCELLED) {
      outcome_cancel(outcome);
      return;
    }
  }
}

static void stay(Context *context, const Step *step, Tries *tries, Outcome *outcome) {
  gint64 began = clock_now();
  Deadline end = deadline_after(step->stays);   /* no limit: a length of time that is to be looked at */
  while (!deadline_passed(end)) {
    if (wait_until(deadline_first(end, deadline_after(SAMPLE_EVERY))) == WAIT_CANCELLED) {
      outcome_cancel(outcome);
      return;
    }
    gint64 held = clock_now() - began;
    one_try(context, step, deadline_in(step->timeout >= 0 ? step->timeout : TRY_LIMIT), DEADLINE_NONE, tries, outcome);
    if (outcome->kind == OUTCOME_CANCELLED) return;
    if (outcome->kind == OUTCOME_OK) continue;
    outcome_addf(outcome, "  it held for %.2f s of the %.2f s that it was to stay so", seconds(held),
                 seconds(step->stays));
    return;
  }
}

static void run_surrounded(Context *context, const Step *step, Outcome *outcome) {
  Tries tries = {.began = clock_now(), .lag_before = context->scope.cluster->lag_total};
  context->limit_given = step->timeout >= 0 || step->within >= 0;
  if (step->within >= 0) {
    try_within(context, step, &tries, outcome);
  } else {
    Deadline limit = step->timeout >= 0              ? deadline_in(step->timeout)
                     : has_own_limits(context, step) ? DEADLINE_NONE
                                                     : deadline_in(TRY_LIMIT);
    one_try(context, step, limit, DEADLINE_NONE, &tries, outcome);
  }
  if (outcome->kind == OUTCOME_OK && step->stays >= 0) stay(context, step, &tries, outcome);
  judge_starvation(context, &tries, outcome);
  tell_tries(context, &tries, outcome);
  tries_clear(&tries);
}

/* ---- In the background */

void background_free(gpointer data) {
  Background *background = data;
  if (background->fiber) fiber_stop(background->fiber);
  outcome_clear(&background->outcome);
  g_list_free(background->changed.waiters);
  g_free(background->prefix);
  g_free(background->label);
  if (background->context.log_marks) g_ptr_array_unref(background->context.log_marks);
  g_free(background);
}

static void in_background(gpointer data) {
  Background *background = data;
  run_surrounded(&background->context, background->step, &background->outcome);
  background->done = true;
  cond_wake(&background->changed);
}

/* Goes on when the statement was sent: what comes next in the test comes after it for the server, too. */
static void begin_background(Context *context, const Step *step, Outcome *outcome) {
  Background *background = g_new0(Background, 1);
  background->name = step->background.s;
  background->step = step;
  background->label = g_strdup(context->label);
  background->prefix = g_strdup(context->prefix);
  background->sent = step->verb != VERB_SQL;
  background->context = *context;
  background->context.background = background;
  background->context.label = background->label;
  background->context.prefix = background->prefix;
  background->context.list_limit = DEADLINE_NONE;
  if (context->log_marks) background->context.log_marks = g_ptr_array_ref(context->log_marks);
  g_ptr_array_add(context->scope.cluster->backgrounds, background);
  background->fiber = fiber_spawn("background", in_background, background);
  wait_turn();
  Deadline limit = deadline_in(TRY_LIMIT);
  while (!background->sent && !background->done)
    if (!wait_outcome(context, wait_cond(&background->changed, limit), outcome,
                      "its statement could not be sent in time"))
      return;
}

/* Its failure is told by another step, or by none. */
static void name_background(const Background *background, Outcome *outcome) {
  if (!outcome->headline) return;
  g_autofree char *name = background->name ? g_strdup_printf(" as '%s'", background->name) : g_strdup("");
  char *headline = g_strdup_printf("step %s, in the background%s: %s", background->label, name, outcome->headline);
  g_free(outcome->headline);
  outcome->headline = headline;
}

bool background_collect(Context *context, Background *background, Outcome *outcome) {
  while (!background->done) {
    WaitResult result = wait_cond(&background->changed, context->limit);
    if (!wait_outcome(context, result, outcome, "step %s, in the background as '%s', is not done in time",
                      background->label, background->name ? background->name : "?"))
      return false;
  }
  fiber_join(background->fiber, DEADLINE_NONE);
  background->fiber = NULL;
  if (background->outcome.kind != OUTCOME_OK) {
    if (background->outcome.at.line == 0) background->outcome.at = background->step->at;
    outcome_move(outcome, &background->outcome);
    name_background(background, outcome);
  }
  g_ptr_array_remove(context->scope.cluster->backgrounds, background);
  return outcome->kind == OUTCOME_OK;
}

bool backgrounds_collect_all(Cluster *cluster, Deadline deadline, Outcome *outcome) {
  Context context = {.scope = {.cluster = cluster}, .limit = deadline};
  while (cluster->backgrounds->len > 0)
    if (!background_collect(&context, g_ptr_array_index(cluster->backgrounds, 0), outcome)) return false;
  return true;
}

void backgrounds_abandon(Cluster *cluster, Outcome *outcome) {
  bool bad = outcome->kind == OUTCOME_FAILED || outcome->kind == OUTCOME_ERROR;
  for (guint i = 0; bad && i < cluster->backgrounds->len; i++) {
    Background *background = g_ptr_array_index(cluster->backgrounds, i);
    if (!background->done || !background->outcome.headline) continue;
    name_background(background, &background->outcome);
    outcome_addf(outcome, "  %s", background->outcome.headline);
    outcome_add(outcome, background->outcome.detail);
  }
  g_ptr_array_set_size(cluster->backgrounds, 0);
}

/* ---- Lists of steps */

static bool wanted(Context *context, const Step *step, Outcome *outcome) {
  if (!step->when.given) return true;
  Node *node = context_node(context, &step->when.server, outcome);
  return node && (node_running(node) && node->state != NODE_STOPPED) != step->when.negated;
}

/* Where each output stood, for who puts steps and servers' lines on one line of time. */
static void tell_logs(Cluster *cluster) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    guint64 size = node->output ? output_size(node->output) : 0;
    if (size == node->told_output) continue;
    node->told_output = size;
    event_begin(cluster->log, "log");
    event_text(cluster->log, "server", node->name);
    event_int(cluster->log, "offset", (gint64)size);
    event_end(cluster->log);
  }
}

static void tell_begun(Context *context, const Step *step) {
  EventLog *log = context->scope.cluster->log;
  tell_logs(context->scope.cluster);
  timeline_step(&context->scope.cluster->timeline, context->label);
  g_autofree char *text = step_text(step);
  event_begin(log, "step_begun");
  event_text(log, "step", context->label);
  event_text(log, "verb", verb_word(step->verb));
  event_text(log, "name", step->name);
  event_text(log, "text", text);
  event_text(log, "file", step->at.file);
  event_int(log, "line", step->at.line);
  event_int(log, "col", step->at.col);
  event_end(log);
}

static void tell_ended(Context *context, const Outcome *outcome, gint64 began) {
  EventLog *log = context->scope.cluster->log;
  event_begin(log, "step_ended");
  event_text(log, "step", context->label);
  event_bool(log, "ok", outcome->kind == OUTCOME_OK);
  event_int(log, "us", g_get_monotonic_time() - began);
  event_end(log);
}

/* "step 6 'name', on standby: " goes before a failure once, where the step is that failed; frames pass it on. */
static void name_failure(Context *context, const Step *step, Outcome *outcome) {
  if (outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_CANCELLED || !outcome->headline) return;
  bool frame = step->verb == VERB_GROUP || step->verb == VERB_LOOP || step->verb == VERB_TOGETHER;
  if (outcome->at.line == 0) outcome->at = step->at;
  if (frame && outcome->at.line != step->at.line) return;
  if (frame && g_str_has_prefix(outcome->headline, "step ")) return;
  g_autofree char *quoted = step->name ? g_strdup_printf(" '%s'", step->name) : g_strdup("");
  const char *joint = g_str_has_prefix(outcome->headline, "on ") ? ", " : ": ";
  char *headline =
      context->quiet ? g_strdup_printf("step %s%s of the recipe%s%s", context->label, quoted, joint, outcome->headline)
                     : g_strdup_printf("step %s%s%s%s", context->label, quoted, joint, outcome->headline);
  g_free(outcome->headline);
  outcome->headline = headline;
}

static bool run_step(Context *context, const Step *step, Outcome *outcome) {
  context->step = step;
  if (!wanted(context, step, outcome)) return outcome->kind == OUTCOME_OK;
  gint64 began = g_get_monotonic_time();
  if (!context->quiet) {
    context->scope.cluster->current = step;
    g_strlcpy(context->scope.cluster->current_label, context->label, sizeof context->scope.cluster->current_label);
  }
  if (!context->quiet) tell_begun(context, step);
  if (step->name && !context->quiet)
    g_hash_table_replace(context->scope.cluster->marks, g_strdup(step->name), log_marks_now(context->scope.cluster));
  if (step->background.s) begin_background(context, step, outcome);
  else run_surrounded(context, step, outcome);
  name_failure(context, step, outcome);
  if (!context->quiet) tell_ended(context, outcome, began);
  return outcome->kind == OUTCOME_OK;
}

bool steps_run(Context *context, const Steps *steps, Outcome *outcome) {
  Context inner = *context;
  bool top = steps == &context->scope.cluster->test->steps;
  g_autoptr(GPtrArray) marks = context->log_marks ? g_ptr_array_ref(context->log_marks) : NULL;
  for (guint i = 0; i < steps->n; i++) {
    if (top) context->scope.cluster->position = i;
    g_autofree char *label = g_strdup_printf("%s%u", context->prefix, steps->v[i].number ? steps->v[i].number : i + 1);
    g_autoptr(GPtrArray) here = log_marks_now(context->scope.cluster);
    inner.label = label;
    inner.prefix = context->prefix;
    inner.log_marks = marks;
    if (!run_step(&inner, &steps->v[i], outcome)) return false;
    if (marks) g_ptr_array_unref(marks);
    marks = g_steal_pointer(&here);
  }
  return true;
}

static bool run_recipe(Context *inner, const Steps *recipe, Roles roles, const char *what, Outcome *outcome) {
  inner->scope.roles = roles;
  inner->prefix = "";
  inner->quiet = true;
  if (steps_run(inner, recipe, outcome)) return true;
  if (outcome->headline) {
    char *headline = g_strdup_printf("%s: %s", what, outcome->headline);
    g_free(outcome->headline);
    outcome->headline = headline;
    outcome->at = (Place){0};     /* the user's step, not the profile's line */
  }
  return false;
}

bool recipe_run(Context *context, const Steps *recipe, Roles roles, const char *what, Outcome *outcome) {
  Context inner = *context;
  inner.list_limit = context->limit;
  return run_recipe(&inner, recipe, roles, what, outcome);
}

bool recipe_run_for(Cluster *cluster, const Steps *recipe, Roles roles, const char *what, const Texts *extra_args,
                    Deadline limit, Outcome *outcome) {
  Context inner = {.scope = {.cluster = cluster}, .limit = limit, .list_limit = limit, .extra_args = &extra_args};
  if (!run_recipe(&inner, recipe, roles, what, outcome)) return false;
  if (!extra_args || extra_args->n == 0) return true;
  return outcome_error(outcome, "%s: none of the programs of engine '%s' was run that could take 'args'", what,
                       roles.self->engine->name);
}

/* ---- What a step does, in a line */

static void add_names(GString *line, const Names *names) {
  for (guint i = 0; i < names->n; i++) g_string_append_printf(line, "%s%s", i > 0 ? ", " : " ", names->v[i].s);
}

static void add_sql(GString *line, const SqlStep *sql) {
  static const char *const words[] = {[SQL_QUERY] = "query", [SQL_EXEC] = "exec", [SQL_SCRIPT] = "script"};
  if (sql->n_entries > 0) g_string_assign(line, words[sql->entries[0].kind]);
  g_string_append(line, " on");
  if (sql->on.all) g_string_append(line, " all");
  if (sql->on.role) g_string_append_printf(line, " the %s", sql->on.role);
  add_names(line, &sql->on.servers);
  if (sql->n_entries == 0 || !sql->entries[0].sql.raw) return;
  g_autofree char *flat = g_strdup(sql->entries[0].sql.raw);
  g_strdelimit(flat, "\n\t\r", ' ');
  g_string_append_printf(line, ": %.100s", flat);
  if (sql->n_entries > 1) g_string_append_printf(line, " (and %u more)", sql->n_entries - 1);
}

static void add_link(GString *line, const LinkStep *link) {
  g_autofree char *deed = link_deed_text(link, link->way);
  add_names(line, &link->names);
  if (link->between.given) {
    g_string_append(line, " between");
    add_names(line, &link->between.sides[0]);
    g_string_append(line, " and");
    add_names(line, &link->between.sides[1]);
  }
  g_string_append_printf(line, ": %s", deed);
}

static void add_http(GString *line, const HttpStep *http) {
  const char *usual = http->body.raw ? "POST" : "GET";
  g_string_append_printf(line, ": %s %s", http->method.raw ? http->method.raw : usual, http->url.raw);
}

char *step_text(const Step *step) {
  GString *line = g_string_new(verb_word(step->verb));
  switch (step->verb) {
  case VERB_SQL: add_sql(line, &step->sql); break;
  case VERB_CLOSE: add_names(line, &step->close.sessions); break;
  case VERB_AWAIT: g_string_append_printf(line, " %s", step->await.background.s); break;
  case VERB_SYNC:
    g_string_append_printf(line, " from %s to", step->sync.from.s);
    add_names(line, &step->sync.to);
    break;
  case VERB_EQUAL: add_names(line, &step->equal.on.servers); break;
  case VERB_LOG: g_string_append_printf(line, " of %s", step->log.server.s); break;
  case VERB_RUN:
    for (guint i = 0; i < step->run.command.n; i++) g_string_append_printf(line, " %s", step->run.command.v[i].raw);
    break;
  case VERB_LINK: add_link(line, &step->link); break;
  case VERB_FILE:
    g_string_append_printf(line, " of %s: %s %s", step->file.server.s, file_deed_text(&step->file),
                           step->file.path.raw);
    break;
  case VERB_HTTP: add_http(line, &step->http); break;
  case VERB_GROUP: g_string_assign(line, step->group.label); break;
  case VERB_LOOP: g_string_append_printf(line, " %u times", step->loop.times); break;
  case VERB_TOGETHER: case VERB_SLEEP: break;
  case VERB_WORKLOAD: g_string_append_printf(line, " '%s'", step->workload.name.s); break;
  case VERB_CHECK_WORKLOAD: case VERB_STOP_WORKLOAD: g_string_append_printf(line, " '%s'", step->look.name.s); break;
  case VERB_INVARIANT: g_string_append_printf(line, " '%s'", step->invariant.name.s); break;
  case VERB_END_INVARIANT: add_names(line, &step->end_invariant.names); break;
  default: add_names(line, &step->life.servers); break;
  }
  /* UTF-8 that was cut in the middle is mended by the event log. */
  return g_string_free(line, FALSE);
}
