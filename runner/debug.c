#include "runner/debug.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/command.h"
#include "runner/debug_files.h"
#include "runner/debug_listener.h"
#include "runner/debug_options.h"
#include "runner/dirs.h"
#include "runner/programs.h"
#include "runner/tree.h"

#define FOLLOW_GRACE 300000 /* what a listener may take to end after its server, also when its own end was the reason */
#define PORT_LIMIT (300 * G_USEC_PER_SEC)

typedef enum Way { WAY_AT_START, WAY_SESSION, WAY_ATTACH } Way;

struct Debug {
  Node *node;
  const Debugger *debugger;
  Way way;
  int port;
  char *program, *server_program, *dir, *file;
  pid_t pid;                     /* of who is debugged, as far as known */
  guint64 backend;               /* of the newest session, 0: none */
  Process *listener;             /* the newest */
  Fiber *minder;                 /* at start: of the listener; attach: serves clients */
  bool ending, told_held;
};

/* ---- Whether, and how */

static const char *debugger_name(const Node *node) {
  return node->server->debugger.raw ? node->server->debugger.raw : node->engine->debugger.raw;
}

/* The definition says so by either of its words, the command line by its options. */
static bool wanted(const Cluster *cluster, const Server *server, bool *attach, int *port) {
  *attach = false;
  *port = 0;
  if (!server->runs || server->external) return false;
  if (debug_options_wants(cluster->options->debug, server->name.s, attach, port)) return true;
  return server->debug_port.raw || server->debugger.raw;
}

static bool take_port(Debug *debug, int port, Outcome *outcome) {
  Node *node = debug->node;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  GError *error = NULL;
  if (port == 0 && node->server->debug_port.raw) {
    g_autofree char *digits = scope_render(&scope, &node->server->debug_port, NULL, &error);
    guint64 number = 0;
    if (!digits) return outcome_take_error(outcome, error);
    if (!g_ascii_string_to_unsigned(digits, 10, 1, 65535, &number, NULL))
      return outcome_error(outcome, "debug_port of server '%s': '%s' is no port", node->name, digits);
    port = (int)number;
  }
  if (port == 0) debug->port = ports_take(node->cluster->ports, true, &error);
  else if (ports_fixed(node->cluster->ports, port, deadline_after(PORT_LIMIT), &error)) debug->port = port;
  return error ? outcome_take_error(outcome, error) : true;
}

static bool find_debugger(Debug *debug, bool attach, Outcome *outcome) {
  Node *node = debug->node;
  const char *name = debugger_name(node);
  GError *error = NULL;
  if (!name)
    return outcome_error(outcome, "server '%s' cannot be debugged: neither it nor its engine names a 'debugger'",
                         node->name);
  debug->debugger = debugger_find(name);
  if (!debug->debugger) {
    g_autofree char *names = debugger_names();
    return outcome_error(outcome, "debugger '%s' of server '%s' is not known: %s are", name, node->name, names);
  }
  if (attach && !debug->debugger->can_attach)
    return outcome_error(outcome, "%s cannot be attached to server '%s' that runs", name, node->name);
  debug->program = program_path(node, debug->debugger->name, &error);
  return debug->program || outcome_take_error(outcome, error);
}

Debug *debug_new(Node *node, Outcome *outcome) {
  bool attach;
  int port;
  if (!wanted(node->cluster, node->server, &attach, &port)) return NULL;
  Debug *debug = g_new0(Debug, 1);
  debug->node = node;
  debug->file = dirs_safe_name(node->name);
  debug->dir = g_build_filename(node->cluster->dir, "debug", NULL);
  if (!find_debugger(debug, attach, outcome) || !take_port(debug, port, outcome)) {
    debug_free(debug);
    return NULL;
  }
  bool by_session = node->engine->client == CLIENT_POSTGRESQL && debug->debugger->takes_socket;
  debug->way = attach ? WAY_ATTACH : by_session ? WAY_SESSION : WAY_AT_START;
  return debug;
}

void debug_free(Debug *debug) {
  if (!debug) return;
  process_free(debug->listener);
  g_free(debug->program);
  g_free(debug->server_program);
  g_free(debug->dir);
  g_free(debug->file);
  g_free(debug);
}

bool debug_stops_clocks(const Cluster *cluster) {
  bool attach;
  int port;
  for (guint i = 0; i < cluster->test->n_servers; i++)
    if (wanted(cluster, &cluster->test->servers[i], &attach, &port)) return true;
  return debug_environment(cluster->test);
}

/* ---- What a person is told */

static DebugEntry entry_of(const Debug *debug) {
  const Credentials *user = debug->node->cluster->options->user;
  return (DebugEntry){debug->debugger,
                      {.test = debug->node->cluster->planned->name,
                       .server = debug->node->name,
                       .program = debug->server_program,
                       .file = debug->file,
                       .port = debug->port,
                       .pid = debug->pid,
                       .dir = debug->dir,
                       .user = user && user->drop ? user->name : NULL}};
}

static bool write_files(Debug *debug, Outcome *outcome) {
  Cluster *cluster = debug->node->cluster;
  g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(DebugEntry));
  for (guint i = 0; i < cluster->nodes->len; i++) {
    const Debug *one = ((Node *)g_ptr_array_index(cluster->nodes, i))->debug;
    if (!one || !one->server_program) continue;
    DebugEntry entry = entry_of(one);
    g_array_append_val(entries, entry);
  }
  GError *error = NULL;
  if (debug_files_write(cluster->dir, (const DebugEntry *)(gpointer)entries->data, entries->len, cluster->options->user,
                        &error))
    return true;
  return outcome_take_error(outcome, error);
}

static void tell(const Debug *debug, const char *text) {
  EventLog *log = debug->node->cluster->log;
  event_begin(log, "debug");
  event_text(log, "server", debug->node->name);
  event_text(log, "debugger", debug->debugger->name);
  event_int(log, "port", debug->port);
  if (debug->pid) event_int(log, "pid", debug->pid);
  event_text(log, "text", text);
  event_end(log);
}

/* what: "waits for its debugger" */
static bool announce(Debug *debug, const char *what, Outcome *outcome) {
  if (!write_files(debug, outcome)) return false;
  DebugEntry entry = entry_of(debug);
  g_autofree char *command = debugger_command(debug->debugger, &entry.target);
  g_autofree char *where = debug->debugger->kind == DEBUGGER_VALGRIND ? g_strdup("by vgdb")
                                                                      : g_strdup_printf("on 127.0.0.1:%d", debug->port);
  g_autofree char *text = g_strdup_printf(
      "debug  server '%s' of test '%s' %s: %s %s\n  attach: %s\n  for editors: %s/launch.json, %s/README\n",
      debug->node->name, debug->node->cluster->planned->name, what, debug->debugger->name, where, command, debug->dir,
      debug->dir);
  tell(debug, text);
  return true;
}

static void tell_held(Debug *debug) {
  if (debug->told_held) return;
  debug->told_held = true;
  g_autofree char *text = g_strdup_printf(
      "debug  server '%s' was asked to end, but its debugger holds it: continue there, or press Ctrl-C here\n",
      debug->node->name);
  tell(debug, text);
}

/* ---- Listeners */

static Spawn listener_spawn(const Debug *debug, GPtrArray *argv, const Spawn *server) {
  Spawn spawn = *server;
  spawn.argv = (const char *const *)argv->pdata;
  spawn.as = debug->node->cluster->options->user;
  return spawn;
}

/* The environment of what is no server's start: the node's own. */
static Process *spawn_attached(Debug *debug, pid_t pid, int client, int port, Outcome *outcome) {
  Node *node = debug->node;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  GError *error = NULL;
  g_auto(GStrv) env = node_environment(&scope, node, NULL, &error);
  DebuggerPlace place = {.port = port, .log = output_path(node->output), .dir = debug->dir};
  g_autoptr(GPtrArray) argv = debugger_attach(debug->debugger, debug->program, &place, pid);
  Spawn base = {.envp = (const char *const *)env,
                .cwd = node->dir,
                .in = client,
                .out = client >= 0 ? client : output_fd(node->output),
                .err = output_fd(node->output)};
  Spawn spawn = listener_spawn(debug, argv, &base);
  Process *listener = env ? process_spawn(&spawn, &error) : NULL;
  if (!listener) outcome_take_error(outcome, error);
  debug->pid = pid;
  return listener;
}

/* Of a server that it started: whichever dies first takes the other along, but a listener that ends by itself has let the
 * server go. */
static void mind_listener(gpointer data) {
  Debug *debug = data;
  Process *listener = debug->listener, *server = debug->node->process;
  Cond *either[] = {&listener->changed, &server->changed};
  while (!listener->exited && !server->exited)
    if (wait_any(-1, 0, NULL, 2, either, DEADLINE_NONE) == WAIT_CANCELLED) return;
  if (!server->exited) {
    bool let_go = WIFEXITED(listener->status) && WEXITSTATUS(listener->status) == 0;
    if (let_go) return;
    process_signal(server, SIGKILL);
    if (process_wait(server, DEADLINE_NONE) == WAIT_CANCELLED) return;
  }
  if (process_wait(listener, deadline_after(FOLLOW_GRACE)) == WAIT_CANCELLED) return;
  node_judge_exit(debug->node);
  debug_end_listener(listener);
}

static bool failed_listener(Debug *debug, Process *listener, Outcome *outcome) {
  if (!listener->exited) return outcome_cancel(outcome);
  g_autofree char *end = exit_text(listener->status), *lines = node_last_lines(debug->node, 20);
  outcome_error(outcome, "the debugger of server '%s' (%s) %s before the server ran", debug->node->name,
                debug->debugger->name, end);
  outcome_add(outcome, lines);
  return false;
}

/* A client first, where the debugger is to be handed its socket. */
static Process *start_listener(Debug *debug, const Spawn *server, Outcome *outcome) {
  GError *error = NULL;
  DebuggerPlace place = {.port = debug->port, .log = output_path(debug->node->output), .dir = debug->dir};
  g_autoptr(GPtrArray) argv = debugger_start(debug->debugger, debug->program, &place, server->argv);
  Spawn spawn = listener_spawn(debug, argv, server);
  int client = -1;
  if (debug->debugger->takes_socket) {
    int fd = debug_listen(debug->port, &error);
    if (fd < 0) return outcome_take_error(outcome, error), NULL;
    if (announce(debug, "waits for its debugger", outcome))
      client = debug_accept(fd, debug->node->cluster->options->user, NULL);
    close(fd);
    if (client < 0) return outcome->kind == OUTCOME_OK ? outcome_cancel(outcome), NULL : NULL;
    spawn.in = spawn.out = client;
  }
  Process *listener = process_spawn(&spawn, &error);
  if (client >= 0) close(client);
  if (!listener) outcome_take_error(outcome, error);
  return listener;
}

static Process *spawn_held(Debug *debug, const Spawn *server, Outcome *outcome) {
  GError *error = NULL;
  process_free(g_steal_pointer(&debug->listener));
  debug->listener = start_listener(debug, server, outcome);
  if (!debug->listener) return NULL;
  debug->pid = debug_wait_inferior(debug->listener);
  Process *process = debug->pid ? process_follow(debug->pid, &error) : NULL;
  bool up = process && (debug->debugger->takes_socket || debug_wait_listening(debug->listener, debug->port));
  if (up && (debug->debugger->takes_socket || announce(debug, "waits for its debugger", outcome))) return process;
  if (error) outcome_take_error(outcome, error);
  else if (outcome->kind == OUTCOME_OK) failed_listener(debug, debug->listener, outcome);
  process_free(process);
  debug_end_listener(debug->listener);
  return NULL;
}

/* ---- Attaching later */

/* Debuggers that only listen themselves do so on a port of their own, begun when somebody has come. */
static void serve_by_relay(Debug *debug, int client, pid_t pid, Outcome *outcome) {
  GError *error = NULL;
  int port = ports_take(debug->node->cluster->ports, true, &error), there = -1;
  debug->listener = port ? spawn_attached(debug, pid, -1, port, outcome) : NULL;
  if (debug->listener && debug_wait_listening(debug->listener, port))
    there = debug_connect(port, debug->node->cluster->options->user, &error);
  if (there >= 0) debug_relay(client, there);
  else close(client);
  if (debug->listener) debug_end_listener(debug->listener);   /* it lets the server go on */
  g_clear_error(&error);
}

static void serve_clients(gpointer data) {
  Debug *debug = data;
  Node *node = debug->node;
  g_auto(Outcome) outcome = {0};
  GError *error = NULL;
  int fd = debug_listen(debug->port, &error), client;
  if (fd < 0 || !announce(debug, "can be debugged", &outcome)) {
    cluster_interrupt(node->cluster, OUTCOME_ERROR, error ? error->message : outcome.headline, NULL, NULL);
    g_clear_error(&error);
  }
  while (fd >= 0 && (client = debug_accept(fd, node->cluster->options->user, node->process)) >= 0) {
    pid_t pid = debug->backend && tree_contains(node->process->pid, (pid_t)debug->backend) ? (pid_t)debug->backend
                                                                                           : node->process->pid;
    process_free(g_steal_pointer(&debug->listener));
    if (debug->debugger->takes_socket) {
      debug->listener = spawn_attached(debug, pid, client, debug->port, &outcome);
      close(client);
    } else {
      serve_by_relay(debug, client, pid, &outcome);
    }
    if (debug->listener && process_wait(debug->listener, DEADLINE_NONE) == WAIT_CANCELLED) break;
  }
  if (fd >= 0) close(fd);
}

/* ---- Sessions */

static bool wait_for_client(Debug *debug, pid_t pid, Outcome *outcome) {
  GError *error = NULL;
  g_autofree char *what = g_strdup_printf("has a session (pid %d) that waits for a debugger", (int)pid);
  int fd = debug_listen(debug->port, &error);
  if (fd < 0) return outcome_take_error(outcome, error);
  int client =
      announce(debug, what, outcome) ? debug_accept(fd, debug->node->cluster->options->user, debug->node->process) : -1;
  close(fd);
  if (client < 0) return outcome->kind == OUTCOME_OK ? outcome_cancel(outcome) : false;
  if (debug->listener) debug_end_listener(debug->listener);
  process_free(g_steal_pointer(&debug->listener));
  debug->listener = spawn_attached(debug, pid, client, debug->port, outcome);
  close(client);
  if (!debug->listener) return false;
  return debug_wait_traced(debug->listener, pid) || failed_listener(debug, debug->listener, outcome);
}

bool debug_session(Node *node, guint64 backend, Outcome *outcome) {
  Debug *debug = node->debug;
  if (!debug || node->engine->client != CLIENT_POSTGRESQL) return true;
  debug->backend = backend;
  return debug->way != WAY_SESSION || wait_for_client(debug, (pid_t)backend, outcome);
}

/* ---- The server's life */

Process *debug_spawn(Node *node, const Spawn *spawn, Outcome *outcome) {
  Debug *debug = node->debug;
  GError *error = NULL;
  debug_end(node);
  debug->ending = debug->told_held = false;
  debug->backend = 0;
  g_free(debug->server_program);
  debug->server_program = g_strdup(spawn->argv[0]);
  bool held = debug->way == WAY_AT_START && debug->debugger->own_process;
  if (held) node->process = spawn_held(debug, spawn, outcome);
  else if (debug->way == WAY_AT_START) node->process = start_listener(debug, spawn, outcome);
  else if (!(node->process = process_spawn(spawn, &error))) outcome_take_error(outcome, error);
  if (!node->process) return NULL;
  debug->pid = node->process->pid;
  if (held) debug->minder = fiber_spawn("debugger's listener", mind_listener, debug);
  else if (debug->way == WAY_ATTACH) debug->minder = fiber_spawn("debugger's clients", serve_clients, debug);
  else if (debug->way == WAY_AT_START) announce(debug, "waits for its debugger", outcome);
  return node->process;
}

bool debug_wrap(Node *node, GPtrArray *argv, GError **error) {
  const char *const *wrap = debug_options_wrap(node->cluster->options->debug, node->name);
  if (!wrap) return true;
  char *program = program_resolve(node, wrap[0], error);
  if (!program) return false;
  g_ptr_array_insert(argv, 0, program);
  for (gint i = 1; wrap[i]; i++) g_ptr_array_insert(argv, i, g_strdup(wrap[i]));
  return true;
}

/* Below a wrapper that stays (strace, rr) the server is the first that runs the server's program. */
static bool inner_server(const Node *node, TreeProcess *inner) {
  const char *const *wrap = debug_options_wrap(node->cluster->options->debug, node->name);
  if (!wrap) return false;
  g_autoptr(GArray) tree = tree_list(node->process->pid);
  g_autofree char *wanted_exe = node->program ? realpath(node->program, NULL) : NULL;
  for (guint i = 1; wanted_exe && i < tree->len; i++) {
    *inner = g_array_index(tree, TreeProcess, i);
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int)inner->pid), *exe = g_file_read_link(path, NULL);
    if (g_strcmp0(exe, wanted_exe) == 0) return true;
  }
  return false;
}

bool debug_signal(Node *node, int signo) {
  TreeProcess inner;
  if (inner_server(node, &inner) && tree_signal_one(inner.pid, inner.start_time, signo)) return true;
  return process_signal(node->process, signo);
}

bool debug_hopeless(Node *node) {
  Debug *debug = node->debug;
  TreeProcess process;
  bool held = debug && debug->way == WAY_AT_START && tree_look(node->process->pid, &process) && process.state == 't';
  if (!held) return false;
  if (deadline_in(0) != DEADLINE_NONE || !debug_attended(debug->port)) return true;
  tell_held(debug);
  return false;
}

bool debug_judges_exit(const Node *node) {
  return node->debug && node->debug->minder && node->debug->way == WAY_AT_START;
}

char *debug_blame(const Node *node) {
  const Debug *debug = node->debug;
  if (!debug || debug->ending || debug->way != WAY_AT_START || !debug->listener || !debug->listener->exited)
    return NULL;
  int status = debug->listener->status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
  g_autofree char *end = exit_text(status);
  return g_strdup_printf("the debugger of server '%s' (%s) %s, and the server with it", node->name,
                         debug->debugger->name, end);
}

void debug_detach(Node *node) {
  if (node->debug && node->debug->way != WAY_AT_START) debug_end(node);
}

void debug_end(Node *node) {
  Debug *debug = node->debug;
  if (!debug) return;
  debug->ending = true;
  if (debug->minder && !fiber_finished(debug->minder)) fiber_stop(debug->minder);
  else if (debug->minder) fiber_join(debug->minder, DEADLINE_NONE);
  debug->minder = NULL;
  if (debug->listener) debug_end_listener(debug->listener);
}
