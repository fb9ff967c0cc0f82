/* A server's life: spawned, watched, stopped by its ladder, killed. */
#include "runner/node.h"

#include <string.h>
#include <sys/wait.h>
#include "runner/command.h"
#include "runner/debug.h"
#include "runner/dirs.h"
#include "runner/ipc.h"
#include "runner/programs.h"
#include "runner/step.h"
#include "runner/tree.h"

#define TAIL_LINES 20
#define KILL_LIMIT (5 * G_USEC_PER_SEC)
#define PORT_LIMIT (300 * G_USEC_PER_SEC)   /* another runner's test may have it until then */
#define DOLT_PORT 3306           /* of a server in Dolt's format that names none */
#define READY_LIMIT (30 * G_USEC_PER_SEC)
#define DEFAULT_GRACE (10 * G_USEC_PER_SEC)

/* ---- Made and freed */

static bool take_ports(Node *node, Outcome *outcome) {
  const Server *server = node->server;
  Ports *ports = node->cluster->ports;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  GError *error = NULL;
  if (!server->runs && !server->external) return true;
  node->host = scope_render(&scope, &server->external_host, NULL, &error);
  if (error) return outcome_take_error(outcome, error);
  const Text *fixed = server->external ? &server->external_port : &server->port;
  if (fixed->raw) {
    g_autofree char *digits = scope_render(&scope, fixed, NULL, &error);
    guint64 port = 0;
    if (!digits) return outcome_take_error(outcome, error);
    if (!g_ascii_string_to_unsigned(digits, 10, 1, 65535, &port, NULL))
      return outcome_error(outcome, "server '%s': '%s' is no port", node->name, digits);
    node->port = (int)port;
    if (!server->external && !ports_fixed(ports, node->port, deadline_in(PORT_LIMIT), &error))
      return outcome_take_error(outcome, error);
  } else if (server->dynamic_port.raw) {
    node->port = cluster_port_name(node->cluster, server->dynamic_port.raw, &error);
  } else if (node->cluster->test->dolt && !server->has_error_matches) {
    node->port = DOLT_PORT;
    if (!ports_fixed(ports, node->port, deadline_in(PORT_LIMIT), &error)) return outcome_take_error(outcome, error);
  } else {
    node->port = ports_take(ports, node->engine->hold_port, &error);
  }
  const Names *extras[] = {&node->engine->ports, &server->ports};
  for (guint i = 0; i < 2 && !error; i++) {
    for (guint j = 0; j < extras[i]->n && !error; j++) {
      int port = ports_take(ports, node->engine->hold_port, &error);
      g_hash_table_insert(node->extra_ports, g_strdup(extras[i]->v[j].s), GINT_TO_POINTER(port));
    }
  }
  return error ? outcome_take_error(outcome, error) : true;
}

static char *below(const char *dir, const char *relative) {
  return relative && *relative ? g_build_filename(dir, relative, NULL) : g_strdup(dir);
}

Node *node_new(Cluster *cluster, const Server *server, Outcome *outcome) {
  Node *node = g_new0(Node, 1);
  node->cluster = cluster;
  node->server = server;
  node->engine = server->engine;
  node->name = server->name.s;
  node->extra_ports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  node->settings = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  node->settings_order = g_ptr_array_new_with_free_func(g_free);
  node->earlier = g_ptr_array_new_with_free_func((GDestroyNotify)process_free);
  node->marker = g_strdup_printf("%s/%u/%s", cluster->options->run_id, cluster->planned->number, node->name);
  if (node->engine->unprivileged && !server->external && cluster->options->user->uid == 0) {
    outcome_error(outcome, "server '%s': engine '%s' refuses to run as root; --user names who it is to run as",
                  node->name, node->engine->name);
    node_free(node);
    return NULL;
  }
  const char *dir = server->dir ? server->dir : node->name, *home = server->home ? server->home : dir;
  GError *error = NULL;
  if (!server->external) {
    if (*dir && !strchr(dir, '/')) dirs_make_apart(cluster->dir, dir);
    node->dir = dirs_make(cluster->dir, dir, 0700, cluster->options->user, &error);
    if (node->dir)
      node->home = *home ? dirs_make(cluster->dir, home, 0700, cluster->options->user, &error) : g_strdup(cluster->dir);
  } else {
    node->dir = below(cluster->dir, dir);
    node->home = g_strdup(node->dir);
  }
  if (error) outcome_take_error(outcome, error);
  else if (take_ports(node, outcome)) node->debug = debug_new(node, outcome);
  if (outcome->kind == OUTCOME_OK) return node;
  node_free(node);
  return NULL;
}

void node_free(Node *node) {
  if (!node) return;
  if (node->output_watch) fiber_stop(node->output_watch);
  process_free(node->process);
  g_ptr_array_unref(node->earlier);
  output_free(node->output);
  g_hash_table_unref(node->extra_ports);
  g_hash_table_unref(node->settings);
  g_ptr_array_unref(node->settings_order);
  debug_free(node->debug);
  g_free(node->program);
  g_free(node->dir);
  g_free(node->home);
  g_free(node->host);
  g_free(node->marker);
  g_free(node->version);
  g_free(node);
}

bool node_running(const Node *node) {
  return node->server->external || (node->process && !node->process->exited && node->state != NODE_DECLARED);
}

/* ---- Evidence */

char *node_tail(Node *node, guint lines) { return node->output ? output_tail(node->output, lines) : g_strdup(""); }

char *node_last_lines(Node *node, guint n) {
  g_autofree char *tail = node_tail(node, n);
  if (!*tail) return g_strdup_printf("  server '%s' printed nothing\n", node->name);
  GString *text = g_string_new(NULL);
  g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
  for (char **line = lines; *line; line++)
    if (**line || line[1]) g_string_append_printf(text, "  %s | %s\n", node->name, *line);
  return g_string_free(text, FALSE);
}

char *node_exit_story(Node *node) {
  g_autofree char *end =
      node->process && node->process->exited ? exit_text(node->process->status) : g_strdup("is still running");
  g_autofree char *lines = node_last_lines(node, TAIL_LINES);
  return g_strdup_printf("server '%s' %s\n%s", node->name, end, lines);
}

/* ---- Exits */

static void tell_exit(Node *node) {
  int status = node->process->status;
  g_autofree char *text = exit_text(status);
  event_begin(node->cluster->log, "exit");
  event_text(node->cluster->log, "server", node->name);
  event_int(node->cluster->log, "pid", node->process->pid);
  if (WIFSIGNALED(status)) event_int(node->cluster->log, "signal", WTERMSIG(status));
  else event_int(node->cluster->log, "status", WEXITSTATUS(status));
  event_bool(node->cluster->log, "expected", node->exit_explained);
  event_text(node->cluster->log, "text", text);
  event_end(node->cluster->log);
}

void node_judge_exit(Node *node) {
  if (node->exit_explained || node->awaited > 0 || node->cluster->ending || steps_expect_exit(node->cluster, node))
    return;
  g_autofree char *end = exit_text(node->process->status), *headline = debug_blame(node);
  if (!headline) headline = g_strdup_printf("server '%s' %s, and no step asked for it", node->name, end);
  g_autofree char *story = node_last_lines(node, TAIL_LINES);
  cluster_interrupt(node->cluster, OUTCOME_FAILED, headline, story, NULL);
}

/* One fiber per run of a server. An exit that nothing explains ends the test at once, unless a step that is still to come
 * (`exited`) may explain it, or somebody waits for readiness and will tell of it better. */
static void watch_exit(gpointer data) {
  Node *node = data;
  Process *process = node->process;
  fiber_shield();
  process_wait(process, DEADLINE_NONE);
  node->watched = false;
  node->state = NODE_STOPPED;
  node->frozen = false;
  if (node->signalled != 0 && WIFSIGNALED(process->status) && WTERMSIG(process->status) == node->signalled)
    node->exit_explained = true;
  tell_exit(node);
  cond_wake(&node->changed);
  if (!debug_judges_exit(node)) node_judge_exit(node);
}

/* ---- Starting */

static bool add_texts(GPtrArray *argv, Scope *scope, const Texts *texts, GError **error) {
  for (guint i = 0; texts && i < texts->n; i++) {
    char *arg = scope_render(scope, &texts->v[i], NULL, error);
    if (!arg) return false;
    g_ptr_array_add(argv, arg);
  }
  return true;
}

/* Program, the engine's words, the server's, this run's. */
static GPtrArray *command_line(Node *node, const NodeRun *run, GError **error) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
  const Texts *command = node->server->command.n > 0 ? &node->server->command : &node->engine->command;
  const Texts *args = node->lasting_args ? node->lasting_args : &node->server->args;
  if (!add_texts(argv, &scope, command, error) || !add_texts(argv, &scope, args, error)) return NULL;
  if (run && !add_texts(argv, &scope, run->args, error)) return NULL;
  char *program = program_resolve(node, argv->pdata[0], error);
  if (!program) return NULL;
  g_free(argv->pdata[0]);
  argv->pdata[0] = program;
  g_free(node->program);
  node->program = g_strdup(program);
  if (!debug_wrap(node, argv, error)) return NULL;
  g_ptr_array_add(argv, NULL);
  return g_steal_pointer(&argv);
}

static bool open_output(Node *node, Outcome *outcome) {
  if (node->output) return true;
  g_autofree char *safe = dirs_safe_name(node->name);
  g_autofree char *path = g_strdup_printf("%s/%s.log", node->cluster->dir, safe);
  GError *error = NULL;
  node->output = output_new(path, node->cluster->options->log_cap, &error);
  if (!node->output) return outcome_take_error(outcome, error);
  node_watch_output(node);
  return true;
}

static void tell_spawned(Node *node, const GPtrArray *argv) {
  event_begin(node->cluster->log, "spawned");
  event_text(node->cluster->log, "server", node->name);
  event_text(node->cluster->log, "engine", node->engine->name);
  event_int(node->cluster->log, "pid", node->process->pid);
  event_int(node->cluster->log, "port", node->port);
  event_list(node->cluster->log, "argv", (const char *const *)argv->pdata);
  event_end(node->cluster->log);
}

bool node_spawn(Node *node, const NodeRun *run, Outcome *outcome) {
  if (node_running(node) || node->spawning) return outcome_fail(outcome, "server '%s' is running already", node->name);
  if (!node_sweep(node, outcome) || !open_output(node, outcome)) return false;
  GError *error = NULL;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  const Text before = node->lasting_bindir;
  if (run && run->bindir && run->bindir->raw) node->lasting_bindir = *run->bindir;
  g_autoptr(GPtrArray) argv = command_line(node, run, &error);
  const Texts *envs = run && run->envs ? run->envs : node->lasting_envs;
  g_auto(GStrv) env = argv ? node_environment(&scope, node, envs, &error) : NULL;
  if (!env) {
    node->lasting_bindir = before;
    return outcome_take_error(outcome, error);
  }
  while (node->watched) wait_turn();   /* the exit of the run before is noted first */
  node->run_began_at = output_size(node->output);
  Spawn spawn = {.argv = (const char *const *)argv->pdata, .envp = (const char *const *)env, .cwd = node->dir, .in = -1,
                 .out = output_fd(node->output), .err = output_fd(node->output), .as = node->cluster->options->user};
  node->spawning = true;
  Process *run_before = node->process;   /* stays in sight meanwhile: other lanes may look at it */
  Process *process = node->debug ? debug_spawn(node, &spawn, outcome) : process_spawn(&spawn, &error);
  node->spawning = false;
  if (error) outcome_take_error(outcome, error);
  node->process = process ? process : run_before;
  if (!process) return false;
  if (run_before) g_ptr_array_add(node->earlier, run_before);
  node->signalled = 0;
  node->exit_explained = node->crashed_by_us = node->forced = node->exited_badly = node->frozen = false;
  ipc_note(node->process->pid);
  node->spawned_at = g_get_monotonic_time();
  node->state = NODE_STARTING;
  node->watched = true;
  tell_spawned(node, argv);
  fiber_spawn_detached("watch exit", watch_exit, node);
  return true;
}

static bool run_init(Node *node, Outcome *outcome) {
  Roles roles = {.self = node,
                 .primary =
                     node->server->replica_of.s ? cluster_node(node->cluster, node->server->replica_of.s) : NULL};
  if (node->inited) return true;
  node->inited = true;
  g_autofree char *what = g_strdup_printf("init of server '%s'", node->name);
  Deadline limit = deadline_in(60 * G_USEC_PER_SEC);
  if (!recipe_run_for(node->cluster, &node->engine->init, roles, what, NULL, limit, outcome)) return false;
  return recipe_run_for(node->cluster, &node->server->init, roles, what, NULL, limit, outcome);
}

gint64 node_ready_within(const Node *node) {
  if (node->server->ready.within >= 0) return node->server->ready.within;
  return node->engine->ready.within >= 0 ? node->engine->ready.within : READY_LIMIT;
}

bool node_start(Node *node, const NodeRun *run, Deadline limit, Outcome *outcome) {
  return node_spawn(node, run, outcome) && node_wait_ready(node, limit, outcome) && run_init(node, outcome);
}

/* What it printed since this start has a match. */
static bool printed_at_start(Node *node, const PatternText *wanted, Outcome *outcome) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  bool dolt = node->cluster->test->dolt;
  g_autoptr(Pattern) made = NULL;
  GError *error = NULL;
  const Pattern *pattern = scope_pattern(&scope, wanted, dolt ? PATTERN_RE2 : PATTERN_LINES, &made, &error);
  if (!pattern) return outcome_take_error(outcome, error);
  const char *why = NULL;
  PatternResult found = output_find(node->output, pattern, node->run_began_at, dolt, true, NULL, NULL, &why);
  if (found == PATTERN_YES) return true;
  if (found == PATTERN_UNDECIDED)
    return outcome_error(outcome, "pattern /%s/ could not be decided: %s", pattern_text(pattern), why);
  outcome_fail(outcome, "server '%s' failed at its start as it was to, but no line of its output matches /%s/",
               node->name, pattern_text(pattern));
  g_autofree char *story = node_exit_story(node);
  outcome_add(outcome, story);
  outcome->at = wanted->text.at;
  return false;
}

bool node_wait_failure(Node *node, const PatternTexts *patterns, Deadline deadline, Outcome *outcome) {
  node->exit_explained = true;
  WaitResult result = process_wait(node->process, deadline);
  if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  if (result == WAIT_TIMEOUT) {
    outcome_fail(outcome, "server '%s' was to fail at its start, but it still runs", node->name);
    g_autofree char *story = node_last_lines(node, TAIL_LINES);
    outcome_add(outcome, story);
    return false;
  }
  int status = node->process->status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    outcome_fail(outcome, "server '%s' was to fail at its start, but it exited with status 0", node->name);
    g_autofree char *story = node_last_lines(node, TAIL_LINES);
    outcome_add(outcome, story);
    return false;
  }
  for (guint i = 0; i < patterns->n; i++)
    if (!printed_at_start(node, &patterns->v[i], outcome)) return false;
  return true;
}

/* ---- Ending */

/* A command that runs in the background has the server's marker, too, but its step holds it.  A directory that all servers
 * share tells nothing. */
GArray *node_orphans(const Node *node) {
  g_autoptr(GArray) known = process_pids();
  return tree_orphans(known, node->marker, strcmp(node->dir, node->cluster->dir) == 0 ? NULL : node->dir);
}

static GArray *list_orphans(gpointer data) { return node_orphans(data); }

static GArray *list_all(gpointer data) {
  Node *node = data;
  GArray *all = node->process && !node->process->exited ? tree_list(node->process->pid)
                                                        : g_array_new(FALSE, FALSE, sizeof(TreeProcess));
  g_autoptr(GArray) orphans = list_orphans(node);
  g_array_append_vals(all, orphans->data, orphans->len);
  return all;
}

bool node_sweep(Node *node, Outcome *outcome) {
  if (!node->process) return true;
  if (tree_kill(list_orphans, node, deadline_after(KILL_LIMIT))) return true;
  return outcome_error(outcome, "what server '%s' left behind could not be killed", node->name);
}

bool node_kill(Node *node, bool tree, Outcome *outcome) {
  if (!node_running(node))
    return outcome_fail(outcome, "server '%s' is not running: there is nothing to kill", node->name);
  node->exit_explained = node->crashed_by_us = true;
  debug_signal(node, SIGKILL);
  fiber_shield();
  bool gone = process_wait(node->process, deadline_after(KILL_LIMIT)) == WAIT_READY;
  if (gone && tree) gone = tree_kill(list_all, node, deadline_after(KILL_LIMIT));
  fiber_unshield();
  wait_turn();   /* the watcher of its exit goes first */
  return gone || outcome_error(outcome, "server '%s' did not die of SIGKILL", node->name);
}

static void thaw(Node *node) {
  g_autoptr(GArray) tree = tree_list(node->process->pid);
  tree_signal(tree, SIGCONT);
  node->frozen = false;
}

static const char *mode_signal(const Node *node, const char *mode) {
  for (guint i = 0; i < node->engine->n_stop_modes; i++)
    if (strcmp(node->engine->stop_modes[i].name, mode) == 0) return node->engine->stop_modes[i].signal.raw;
  return NULL;
}

/* One rung: the signal, then CONT (a stopped process acts on nothing else), then its grace. */
static bool rung(Node *node, int signo, gint64 within) {
  if (!debug_signal(node, signo)) return true;
  if (node->frozen || !node->debug) thaw(node);   /* a debugger would stop at it */
  Cluster *cluster = node->cluster;
  for (Deadline limit = deadline_in(within); !cluster->hurry;) {
    Deadline look = deadline_first(limit, deadline_after(100000));   /* a second Ctrl-C shortens it */
    if (process_wait(node->process, look) == WAIT_READY) return true;
    if (deadline_passed(limit) || debug_hopeless(node)) return false;
    if (limit == DEADLINE_NONE) limit = deadline_in(within);   /* limits count again: the run is being stopped */
  }
  return process_wait(node->process, deadline_after(0)) == WAIT_READY;
}

static bool ladder(Node *node, const char *mode, int *last_signal) {
  static const StopRung fallback = {.within = DEFAULT_GRACE};
  const StopLadder *stop = node->server->stop.n > 0 ? &node->server->stop : &node->engine->stop;
  guint n = stop->n > 0 ? stop->n : 1;
  for (guint i = 0; i < n; i++) {
    const StopRung *step = stop->n > 0 ? &stop->v[i] : &fallback;
    const char *name = i == 0 && mode ? mode_signal(node, mode) : step->signal.raw;
    *last_signal = name ? signal_number(name) : SIGTERM;
    if (rung(node, *last_signal, step->within >= 0 ? step->within : DEFAULT_GRACE)) return true;
  }
  return false;
}

/* A server that dies of the signal it was asked to end by has no handler of its own, and that is its right. */
static bool ended_well(int status, int asked) {
  return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == asked);
}

bool node_stop(Node *node, const char *mode, Outcome *outcome) {
  if (node->server->external || !node->process) return true;
  if (node->process->exited) return debug_end(node), true;
  if (mode && !mode_signal(node, mode))
    return outcome_fail(outcome, "engine '%s' has no stop mode '%s'", node->engine->name, mode);
  node->exit_explained = true;
  node->state = NODE_STOPPING;
  int asked = SIGTERM;
  fiber_shield();
  debug_detach(node);
  bool gone = ladder(node, mode, &asked);
  if (!gone) {
    node->forced = true;
    tree_kill(list_all, node, deadline_after(KILL_LIMIT));
    process_wait(node->process, deadline_after(KILL_LIMIT));
  }
  debug_end(node);
  fiber_unshield();
  wait_turn();
  if (!node_within_cap(node, outcome)) return false;
  if (node->forced) {
    if (node->cluster->hurry) return true;
    outcome_fail(outcome, "server '%s' did not stop when asked (the last time with %s) and had to be killed",
                 node->name, signal_name(asked));
  } else if (!ended_well(node->process->status, asked)) {
    node->exited_badly = true;
    g_autofree char *end = exit_text(node->process->status);
    outcome_fail(outcome, "server '%s' was stopped with %s and %s", node->name, signal_name(asked), end);
  } else {
    return true;
  }
  g_autofree char *story = node_last_lines(node, TAIL_LINES);
  outcome_add(outcome, story);
  return false;
}
