/* Lives: start, restart, stop, reload, kill, pause, resume, signal, exited. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "runner/debug.h"
#include "runner/command.h"
#include "runner/step.h"
#include "runner/tree.h"

#define RELOAD_LIMIT (10 * G_USEC_PER_SEC)
#define FAIL_LIMIT (30 * G_USEC_PER_SEC)

/* The loader has refused external servers here: they are not ours to touch. */
void for_each_server(Context *context, const Step *step, OnNode act, Outcome *outcome) {
  for (guint i = 0; i < step->life.servers.n; i++) {
    Node *node = context_node(context, &step->life.servers.v[i], outcome);
    if (!node || !act(context, node, &step->life, outcome)) return;
  }
}

static void tell_fault(Context *context, const Node *node, const char *what) {
  EventLog *log = context->scope.cluster->log;
  event_begin(log, "fault");
  event_text(log, "step", context->label);
  event_text(log, "server", node->name);
  event_text(log, "what", what);
  event_end(log);
  timeline_fault(&context->scope.cluster->timeline, context->label, what, node->name);
}

/* ---- Settings */

static bool change_settings(Context *context, Node *node, const Pairs *settings, Outcome *outcome) {
  if (settings->n == 0) return true;
  if (!node->engine->has_settings_file)
    return outcome_error(outcome, "engine '%s' has no settings file", node->engine->name);
  Scope scope = context->scope;
  scope.roles.self = node;
  for (guint i = 0; i < settings->n; i++) {
    GError *error = NULL;
    g_autofree char *value = settings->v[i].is_null ? NULL : scope_render(&scope, &settings->v[i].value, NULL, &error);
    if (error) return outcome_take_error(outcome, error);
    node_set(node, settings->v[i].key, value);
  }
  return node_write_settings(node, outcome);
}

/* ---- start, restart, stop */

static bool start_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  NodeRun run = {.args = life->has_args ? &life->args : NULL,
                 .envs = life->has_envs ? &life->envs : NULL,
                 .bindir = &life->bindir};
  if (life->lasting) {
    if (life->has_args) node->lasting_args = &life->args;
    if (life->has_envs) node->lasting_envs = &life->envs;
    run.args = run.envs = NULL;
  }
  if (!node->made && node->server->replica_of.s)
    return outcome_fail(outcome, "server '%s' is not there yet: a clone step makes it", node->name);
  if (!node->made && !node_make(node, NULL, NULL, limit_of_its_own(context, NODE_MAKE_LIMIT), outcome)) return false;
  if (!change_settings(context, node, &life->settings, outcome)) return false;
  /* What a recipe ran may have brought another server's file (pg_rewind does): the test's settings win. */
  if (context->quiet && !node_write_settings(node, outcome)) return false;
  if (life->has_fails)
    return node_spawn(node, &run, outcome) &&
           node_wait_failure(node, &life->fails, limit_in_try(context, FAIL_LIMIT), outcome);
  if (life->lasting)
    return node_spawn(node, &run, outcome); /* Dolt's way: readiness is asked when a session is wanted */
  return node_start(node, &run, limit_of_its_own(context, node_ready_within(node)), outcome);
}

static bool restart_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  return node_stop(node, NULL, outcome) && start_node(context, node, life, outcome);
}

static bool stop_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  if (!node_running(node))
    return outcome_fail(outcome, "server '%s' is not running: there is nothing to stop", node->name);
  GError *error = NULL;
  Scope scope = context->scope;
  g_autofree char *mode = scope_render(&scope, &life->mode, NULL, &error);
  if (error) return outcome_take_error(outcome, error);
  return node_stop(node, mode, outcome);
}

void step_start(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, start_node, outcome);
}
void step_restart(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, restart_node, outcome);
}
void step_stop(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, stop_node, outcome);
}

/* ---- reload */

/* The signal is only on its way when it was sent: the next step is to find the new settings. A server that takes no session now
 * cannot be asked, before or after. */
static bool wait_until_loaded(Context *context, Node *node, const char *before, Outcome *outcome) {
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node};
  for (gint64 pause = 500;; pause = MIN(pause * 2, 20000)) {
    g_autofree char *now = node_ask(&scope, node, &node->engine->loaded, context->limit, NULL);
    if (fiber_cancelled()) return outcome_cancel(outcome);
    if (now && strcmp(now, before) != 0) return true;
    if (deadline_passed(context->limit)) {
      outcome_fail(outcome, "server '%s' did not take over its configuration in time", node->name);
      g_autofree char *tail = node_tail(node, 10);
      outcome_add(outcome, tail);
      outcome_add(outcome, "  (if it is meant not to, send the signal by a 'signal' step)");
      return false;
    }
    if (wait_until(deadline_first(context->limit, deadline_after(pause))) == WAIT_CANCELLED)
      return outcome_cancel(outcome);
  }
}

static bool reload_by_signal(Context *context, Node *node, Outcome *outcome) {
  Scope scope = context->scope;
  scope.roles = (Roles){.self = node};
  Context inner = *context;
  inner.limit = limit_in_try(context, RELOAD_LIMIT);
  const Text *loaded = &node->engine->loaded;
  g_autofree char *before = loaded->raw && !node->frozen ? node_ask(&scope, node, loaded, inner.limit, NULL) : NULL;
  debug_signal(node, signal_number(node->engine->reload_signal.raw));
  return !before || wait_until_loaded(&inner, node, before, outcome);
}

static bool reload_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  const Engine *engine = node->engine;
  if (!change_settings(context, node, &life->settings, outcome)) return false;
  if (!node_running(node))
    return outcome_fail(outcome, "server '%s' is not running: there is nothing to reload", node->name);
  if (engine->reload_command.n > 0) {
    Scope scope = context->scope;
    scope.roles.self = node;
    g_autofree char *what = g_strdup_printf("reload server '%s'", node->name);
    for (guint i = 0; i < engine->reload_command.n; i++)
      if (!command_must_texts(&scope, node, &engine->reload_command.v[i], node->dir, NULL, what, context->limit,
                              outcome))
        return false;
    return true;
  }
  if (!engine->reload_signal.raw)
    return outcome_error(outcome, "engine '%s' cannot reload: its profile has no 'reload'", engine->name);
  return reload_by_signal(context, node, outcome);
}

void step_reload(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, reload_node, outcome);
}

/* ---- kill, pause, resume, signal */

static bool kill_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  tell_fault(context, node, life->tree ? "kill, the whole tree" : "kill");
  return node_kill(node, life->tree, outcome);
}

static void signal_tree(Node *node, int signo) {
  g_autoptr(GArray) tree = tree_list(node->process->pid);
  tree_signal(tree, signo);
}

/* A stopped process has stopped when its state says so; the signal alone is only on its way. */
static bool all_in_state(Node *node, bool stopped) {
  g_autoptr(GArray) tree = tree_list(node->process->pid);
  for (guint i = 0; i < tree->len; i++) {
    char state = g_array_index(tree, TreeProcess, i).state;
    if ((state == 'T' || state == 't') != stopped) return false;
  }
  return true;
}

static bool freeze(Context *context, Node *node, bool stopped, Outcome *outcome) {
  if (!node_running(node))
    return outcome_fail(outcome, "server '%s' is not running: there is nothing to %s", node->name,
                        stopped ? "pause" : "resume");
  tell_fault(context, node, stopped ? "pause" : "resume");
  node->frozen = stopped;
  for (gint64 pause = 500;; pause = MIN(pause * 2, 20000)) {
    signal_tree(node, stopped ? SIGSTOP : SIGCONT);   /* again: it may have forked meanwhile */
    if (all_in_state(node, stopped) || !node_running(node)) return true;
    if (deadline_passed(context->limit))
      return outcome_error(outcome, "server '%s' could not be %s", node->name, stopped ? "paused" : "resumed");
    if (wait_until(deadline_after(pause)) == WAIT_CANCELLED) return outcome_cancel(outcome);
  }
}

static bool pause_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  return freeze(context, node, true, outcome);
}
static bool resume_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  return freeze(context, node, false, outcome);
}

/* Only what the server or a descendant of it started may be signalled by number. */
static bool signal_pid(Context *context, Node *node, pid_t pid, int signo, Outcome *outcome) {
  g_autoptr(GArray) its = tree_list(node->process->pid);
  g_autoptr(GArray) orphans = node_orphans(node);
  g_array_append_vals(its, orphans->data, orphans->len);
  for (guint i = 0; i < its->len; i++) {
    TreeProcess *process = &g_array_index(its, TreeProcess, i);
    if (process->pid != pid) continue;
    g_autoptr(GArray) one = g_array_new(FALSE, FALSE, sizeof(TreeProcess));
    g_array_append_val(one, *process);
    tree_signal(one, signo);
    return true;
  }
  return outcome_fail(outcome, "pid %d is not a process that server '%s' started", (int)pid, node->name);
}

/* Signals that servers take as a message: an exit after one of these needs an explanation of its own, unless it was of that
 * very signal. */
static bool goes_on_after(int signo) {
  static const int messages[] = {SIGHUP,   SIGUSR1, SIGUSR2, SIGCONT, SIGSTOP, SIGTSTP,
                                 SIGWINCH, SIGCHLD, SIGURG,  SIGALRM, SIGIO};
  for (guint i = 0; i < G_N_ELEMENTS(messages); i++)
    if (signo == messages[i]) return true;
  return false;
}

static bool signal_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  GError *error = NULL;
  g_autofree char *name = scope_render(&context->scope, &life->signal, NULL, &error);
  g_autofree char *digits = error ? NULL : scope_render(&context->scope, &life->pid, NULL, &error);
  if (error) return outcome_take_error(outcome, error);
  int signo = signal_number(name);
  if (signo == 0) return outcome_error(outcome, "'%s' is not a signal", name);
  if (!node->process) return outcome_fail(outcome, "server '%s' was not started yet", node->name);
  g_autofree char *what =
      g_strdup_printf("signal %s%s%s", signal_name(signo), digits ? " to pid " : "", digits ? digits : "");
  tell_fault(context, node, what);
  pid_t pid = digits ? (pid_t)atoi(digits) : node->process->pid;
  if (pid != node->process->pid) return signal_pid(context, node, pid, signo, outcome);
  if (!node_running(node))
    return outcome_fail(outcome, "server '%s' is not running: there is nothing to signal", node->name);
  node->exit_explained = node->exit_explained || !goes_on_after(signo);
  node->signalled = signo;
  debug_signal(node, signo);
  return true;
}

void step_kill(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, kill_node, outcome);
}
void step_pause(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, pause_node, outcome);
}
void step_resume(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, resume_node, outcome);
}
void step_signal(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, signal_node, outcome);
}

/* ---- exited */

static bool exited_node(Context *context, Node *node, const LifeStep *life, Outcome *outcome) {
  if (!node->process) return outcome_fail(outcome, "server '%s' was not started yet", node->name);
  node->awaited++;               /* whatever its end is, it is told here */
  WaitResult result = process_wait(node->process, context->limit);
  node->awaited--;
  if (!wait_outcome(context, result, outcome, "server '%s' was to end by itself, but it still runs", node->name))
    return false;
  node->exit_explained = true;
  int status = node->process->status;
  g_autofree char *end = exit_text(status);
  GError *error = NULL;
  g_autofree char *wanted = scope_render(&context->scope, &life->signal, NULL, &error);
  if (error) return outcome_take_error(outcome, error);
  if (life->has_status && !(WIFEXITED(status) && WEXITSTATUS(status) == life->status))
    outcome_fail(outcome, "server '%s' was to exit with status %d, but it %s", node->name, life->status, end);
  else if (wanted && !(WIFSIGNALED(status) && WTERMSIG(status) == signal_number(wanted)))
    outcome_fail(outcome, "server '%s' was to end by signal %s, but it %s", node->name, wanted, end);
  else
    return true;
  g_autofree char *story = node_last_lines(node, 20);
  outcome_add(outcome, story);
  return false;
}

void step_exited(Context *context, const Step *step, Outcome *outcome) {
  for_each_server(context, step, exited_node, outcome);
}
