#include "runner/cluster.h"

#include <string.h>
#include "runner/debug.h"
#include "runner/dirs.h"
#include "runner/invariant.h"
#include "runner/ipc.h"
#include "runner/links.h"
#include "runner/node.h"
#include "runner/step.h"
#include "runner/tree.h"
#include "runner/workload.h"

/* How long what a stopped server started may take to follow it. */
#define LEAK_GRACE (500 * 1000)
#define LAG_TICK 50000
#define LAST_LINES 20

static void measure_lag(gpointer data) {
  Cluster *cluster = data;
  for (;;) {
    gint64 wanted = g_get_monotonic_time() + LAG_TICK;
    if (wait_until(deadline_after(LAG_TICK)) == WAIT_CANCELLED) return;
    gint64 late = g_get_monotonic_time() - wanted;
    if (late > 10000) cluster->lag_total += late;
  }
}

Cluster *cluster_new(const PlannedTest *planned, const ClusterOptions *options, EventLog *log, Outcome *outcome) {
  Cluster *cluster = g_new0(Cluster, 1);
  GError *error = NULL;
  cluster->planned = planned;
  cluster->test = planned->test;
  cluster->options = options;
  cluster->log = log;
  cluster->ports = ports_new();
  ports_seed(cluster->ports, (guint32)(options->seed * 2654435761u + planned->number));
  cluster->nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_free);
  cluster->port_names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  cluster->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)session_free);
  cluster->backgrounds = g_ptr_array_new_with_free_func(background_free);
  cluster->marks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  cluster->workloads = g_ptr_array_new_with_free_func(workload_free);
  cluster->invariants = g_ptr_array_new_with_free_func(invariant_free);
  cluster->helpers = g_ptr_array_new_with_free_func((GDestroyNotify)process_free);
  g_autofree char *safe = dirs_safe_name(planned->name);
  g_autofree char *relative = g_strdup_printf("%03u-%s", planned->number, safe);
  g_autofree char *sockets = g_strdup_printf("s%u", planned->number);
  cluster->dir = dirs_make(options->run_dir, relative, 0755, options->user, &error);
  if (cluster->dir) cluster->socket_dir = dirs_make(options->run_dir, sockets, 0700, options->user, &error);
  if (error) outcome_take_error(outcome, error);
  clock_limits(!debug_stops_clocks(cluster));
  cluster->lag_meter = fiber_spawn("lag meter", measure_lag, cluster);
  return cluster;
}

bool cluster_make_nodes(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->test->n_servers; i++) {
    Node *node = node_new(cluster, &cluster->test->servers[i], outcome);
    if (!node) return false;
    g_ptr_array_add(cluster->nodes, node);
  }
  return links_open(cluster, outcome);
}

void cluster_free(Cluster *cluster) {
  if (!cluster) return;
  fiber_stop(cluster->lag_meter);
  links_close(cluster);
  g_ptr_array_unref(cluster->backgrounds);
  g_hash_table_unref(cluster->sessions);
  g_ptr_array_unref(cluster->invariants);
  g_ptr_array_unref(cluster->workloads);
  timeline_clear(&cluster->timeline);
  g_ptr_array_unref(cluster->helpers);
  g_ptr_array_unref(cluster->nodes);
  g_hash_table_unref(cluster->port_names);
  g_hash_table_unref(cluster->marks);
  if (cluster->vars) g_hash_table_unref(cluster->vars);
  ports_free(cluster->ports);
  outcome_clear(&cluster->interrupted);
  g_free(cluster->dir);
  g_free(cluster->socket_dir);
  g_free(cluster);
}

Node *cluster_node(Cluster *cluster, const char *name) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (strcmp(node->name, name) == 0) return node;
  }
  return NULL;
}

void cluster_interrupt(Cluster *cluster, OutcomeKind kind, const char *headline, const char *detail, const Place *at) {
  if (cluster->interrupted.kind == OUTCOME_OK) {
    cluster->interrupted.kind = kind;
    cluster->interrupted.headline = g_strdup(headline);
    outcome_add(&cluster->interrupted, detail);
    if (at) cluster->interrupted.at = *at;
  }
  if (cluster->main) fiber_cancel(cluster->main);
}

/* ---- Starting: a fiber per server, each waiting for what it follows. */

typedef struct BringUp {
  Node *node;
  Outcome outcome;
} BringUp;

static Node *upstream_of(Node *node) {
  if (node->server->replica_of.s) return cluster_node(node->cluster, node->server->replica_of.s);
  if (!node->server->cluster) return NULL;
  for (guint i = 0; i < node->cluster->nodes->len; i++) {
    Node *founder = g_ptr_array_index(node->cluster->nodes, i);
    if (g_strcmp0(founder->server->cluster, node->server->cluster) == 0) return founder == node ? NULL : founder;
  }
  return NULL;
}

static bool wait_for_upstream(Node *node, Node *upstream, Outcome *outcome) {
  while (!upstream->up_done)
    if (wait_cond(&upstream->changed, DEADLINE_NONE) == WAIT_CANCELLED) return outcome_cancel(outcome);
  return !upstream->brought_up_badly || outcome_cancel(outcome);
}

/* Copying a directory that no server uses yet costs a fraction of a backup, and gives the same replica as long as the
 * upstream's first start writes nothing of the test's. */
static bool clones_unstarted(Node *node, Node *upstream) {
  const Server *from = upstream->server;
  return node->server->replica_of.s && node->engine->clone_unstarted && upstream->engine == node->engine &&
         from->runs && from->start && !from->external && !from->clone_by_step && !from->has_error_matches &&
         from->init.n == 0 && from->engine->init.n == 0;
}

static bool wait_until_made(Node *upstream, Outcome *outcome) {
  while (!upstream->made && !upstream->up_done)
    if (wait_cond(&upstream->changed, DEADLINE_NONE) == WAIT_CANCELLED) return outcome_cancel(outcome);
  return upstream->made || outcome_cancel(outcome);
}

/* Its directory stays as it is until those have it. */
static bool wait_for_clones(Node *node, Outcome *outcome) {
  for (guint i = 0; i < node->cluster->nodes->len; i++) {
    Node *clone = g_ptr_array_index(node->cluster->nodes, i);
    if (clone->server->external || clone->server->clone_by_step || upstream_of(clone) != node ||
        !clones_unstarted(clone, node))
      continue;
    while (!clone->made && !clone->up_done)
      if (wait_cond(&clone->changed, DEADLINE_NONE) == WAIT_CANCELLED) return outcome_cancel(outcome);
  }
  return true;
}

static bool bring_up_node(Node *node, Outcome *outcome) {
  const Server *server = node->server;
  Node *upstream = upstream_of(node);
  if (server->external || server->clone_by_step) return true;
  bool early = upstream && clones_unstarted(node, upstream);
  if (early && !wait_until_made(upstream, outcome)) return false;
  if (upstream && !early && !wait_for_upstream(node, upstream, outcome)) return false;
  if (!node_make(node, server->replica_of.s ? upstream : NULL, NULL, deadline_in(NODE_MAKE_LIMIT), outcome))
    return false;
  if (!wait_for_clones(node, outcome)) return false;
  if (early && !wait_for_upstream(node, upstream, outcome)) return false;
  if (!server->runs || !server->start || node_running(node)) return true;   /* a clone recipe may have started it */
  if (server->has_error_matches)
    return node_spawn(node, NULL, outcome) &&
           node_wait_failure(node, &server->error_matches, deadline_in(30 * G_USEC_PER_SEC), outcome);
  if (server->lazy_ready) return node_spawn(node, NULL, outcome);
  return node_start(node, NULL, deadline_in(node_ready_within(node)), outcome);
}

static void bring_up(gpointer data) {
  BringUp *up = data;
  up->node->brought_up_badly = !bring_up_node(up->node, &up->outcome);
  up->node->up_done = true;
  cond_wake(&up->node->changed);
}

bool cluster_start(Cluster *cluster, Outcome *outcome) {
  guint n = cluster->nodes->len;
  g_autofree BringUp *ups = g_new0(BringUp, n);
  g_autofree Fiber **fibers = g_new0(Fiber *, n);
  for (guint i = 0; i < n; i++) {
    ups[i].node = g_ptr_array_index(cluster->nodes, i);
    fibers[i] = fiber_spawn("bring up", bring_up, &ups[i]);
  }
  bool good = true;
  for (guint i = 0; i < n; i++) {
    if (fiber_join(fibers[i], DEADLINE_NONE) != WAIT_READY) {
      for (guint j = i; j < n; j++) fiber_stop(fibers[j]);
      for (guint j = 0; j < n; j++) outcome_clear(&ups[j].outcome);
      return outcome_cancel(outcome);
    }
    if (ups[i].outcome.kind == OUTCOME_OK) continue;
    good = false;
    if (outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_CANCELLED) outcome_move(outcome, &ups[i].outcome);
    else outcome_clear(&ups[i].outcome);
    if (outcome->at.line == 0 && outcome->kind != OUTCOME_CANCELLED) outcome->at = ups[i].node->server->at;
  }
  return good;
}

/* ---- Ending */

static guint depth_of(Node *node) {
  guint depth = 0;
  for (Node *up = node; up && up->server->replica_of.s && depth < 64; depth++)
    up = cluster_node(node->cluster, up->server->replica_of.s);
  return depth;
}

static void stop_one(gpointer data) {
  BringUp *stop = data;
  if (!node_stop(stop->node, NULL, &stop->outcome)) stop->outcome.at = stop->node->server->at;
}

static bool take_worst(Outcome *outcome, Outcome *one) {
  if (one->kind == OUTCOME_OK) return true;
  if (outcome->kind == OUTCOME_OK) outcome_move(outcome, one);
  else outcome_clear(one);
  return false;
}

static bool stop_depth(Cluster *cluster, guint depth, Outcome *outcome) {
  guint n = cluster->nodes->len;
  g_autofree BringUp *stops = g_new0(BringUp, n);
  g_autofree Fiber **fibers = g_new0(Fiber *, n);
  bool good = true;
  for (guint i = 0; i < n; i++) {
    stops[i].node = g_ptr_array_index(cluster->nodes, i);
    if (depth_of(stops[i].node) == depth) fibers[i] = fiber_spawn("stop", stop_one, &stops[i]);
  }
  for (guint i = 0; i < n; i++) {
    if (!fibers[i]) continue;
    fiber_join(fibers[i], DEADLINE_NONE);
    good = take_worst(outcome, &stops[i].outcome) && good;
  }
  return good;
}

static bool exits_explained(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (!node->process || !node->process->exited || node->exit_explained) continue;
    if (outcome->kind != OUTCOME_OK) return false;
    g_autofree char *end = exit_text(node->process->status);
    g_autofree char *story = node_last_lines(node, LAST_LINES);
    outcome_fail(outcome, "server '%s' %s, and no step asked for it", node->name, end);
    outcome->at = node->server->at;
    outcome_add(outcome, story);
    return false;
  }
  return true;
}

static void end_helpers(Cluster *cluster) {
  for (guint i = 0; i < cluster->helpers->len; i++) {
    Process *helper = g_ptr_array_index(cluster->helpers, i);
    if (helper->exited) continue;
    g_autoptr(GArray) tree = tree_list(helper->pid);
    tree_signal(tree, SIGKILL);
    process_wait(helper, deadline_after(5 * G_USEC_PER_SEC));
  }
}

bool cluster_stop(Cluster *cluster, Outcome *outcome) {
  bool good = exits_explained(cluster, outcome);
  cluster->ending = true;
  workloads_end_all(cluster);
  g_ptr_array_set_size(cluster->invariants, 0);
  g_hash_table_remove_all(cluster->sessions);
  guint deepest = 0;
  for (guint i = 0; i < cluster->nodes->len; i++)
    deepest = MAX(deepest, depth_of(g_ptr_array_index(cluster->nodes, i)));
  for (guint depth = deepest + 1; depth-- > 0;) good = stop_depth(cluster, depth, outcome) && good;
  end_helpers(cluster);
  links_close(cluster);          /* servers end as if nothing stood between them */
  return good;
}

/* ---- Leaks */

static GArray *list_leftovers(gpointer data) {
  g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(pid_t));
  return tree_orphans(none, NULL, NULL);
}

/* What a server left that we crashed is our doing, not its leak. */
static bool excused(Cluster *cluster, const TreeProcess *process) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    if (!node->crashed_by_us && !node->forced) continue;
    g_autoptr(GArray) its = node_orphans(node);
    for (guint j = 0; j < its->len; j++)
      if (g_array_index(its, TreeProcess, j).pid == process->pid) return true;
  }
  return false;
}

static char *owner_name(const char *marker) {
  const char *slash = marker ? strrchr(marker, '/') : NULL;
  if (!slash) return g_strdup("nobody knows who started it");
  return slash[1] ? g_strdup_printf("started by server '%s'", slash + 1) : g_strdup("started by a command of a step");
}

/* Says who is left, and returns how many; told at once, since who forks as fast as it can is gone a moment later.  A look
 * that misses such ones leaves what the look before has told. */
static guint tell_leftovers(Cluster *cluster, GString *lines, guint before) {
  g_autoptr(GArray) left = list_leftovers(cluster);
  guint n = 0;
  if (left->len == 0 && tree_has_children()) return before;
  g_string_truncate(lines, 0);
  for (guint i = 0; i < left->len; i++) {
    const TreeProcess *process = &g_array_index(left, TreeProcess, i);
    if (excused(cluster, process)) continue;
    g_autofree char *marker = tree_marker(process->pid), *owner = owner_name(marker);
    g_string_append_printf(lines, "  pid %d (%s), %s\n", (int)process->pid, process->command, owner);
    n++;
  }
  return n;
}

bool cluster_leaks(Cluster *cluster, Outcome *outcome) {
  Deadline grace = deadline_after(LEAK_GRACE);
  g_autoptr(GString) lines = g_string_new(NULL);
  guint n = tell_leftovers(cluster, lines, 0);
  for (gint64 pause = 1000; tree_has_children() && !deadline_passed(grace) && !cluster->hurry;
       pause = MIN(pause * 2, 20000)) {
    wait_until(deadline_after(pause));
    n = tell_leftovers(cluster, lines, n);
  }
  bool gone = !tree_has_children() || tree_kill(list_leftovers, cluster, deadline_after(5 * G_USEC_PER_SEC));
  ipc_remove_ours();
  if (!gone) outcome_error(outcome, "some of what the servers left behind could not be killed");
  else if (n > 0)
    outcome_fail(outcome, "%u process%s outlived the servers and had to be killed", n, n == 1 ? "" : "es");
  outcome_add(outcome, n > 0 ? lines->str : NULL);
  return gone && n == 0;
}

/* ---- Logs */

static bool check_pattern(Node *node, const PatternText *wanted, bool must, Outcome *outcome) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  GError *error = NULL;
  g_autoptr(Pattern) made = NULL;
  const Pattern *pattern =
      scope_pattern(&scope, wanted, node->cluster->test->dolt ? PATTERN_RE2 : PATTERN_LINES, &made, &error);
  if (!pattern) return outcome_take_error(outcome, error);
  OutputMatch match = {0};
  const char *why = NULL;
  PatternResult found = node->output
                            ? output_find(node->output, pattern, 0, node->cluster->test->dolt, true, NULL, &match, &why)
                            : PATTERN_NO;
  if (found == PATTERN_UNDECIDED)
    outcome_error(outcome, "pattern /%s/ over the output of server '%s' could not be decided: %s",
                  pattern_text(pattern), node->name, why);
  else if (must && found == PATTERN_NO)
    outcome_fail(outcome, "the output of server '%s' has no match of /%s/", node->name, pattern_text(pattern));
  else if (!must && found == PATTERN_YES)
    outcome_fail(outcome, "the output of server '%s' matches /%s/, which it must not", node->name,
                 pattern_text(pattern));
  if (outcome->kind == OUTCOME_FAILED) {
    outcome->at = wanted->text.at;
    if (match.text) outcome_addf(outcome, "  %s | %s", node->name, match.text);
    g_autofree char *tail = must ? node_last_lines(node, 10) : NULL;
    outcome_add(outcome, tail);
  }
  output_match_clear(&match);
  return outcome->kind == OUTCOME_OK;
}

/* A line of the fatal scan that allow_log names is no news. */
static bool allowed(Node *node, const OutputMatch *match, GError **error) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  for (guint i = 0; i < node->server->allow_log.n; i++) {
    g_autoptr(Pattern) made = NULL;
    const Pattern *pattern = scope_pattern(&scope, &node->server->allow_log.v[i], PATTERN_LINES, &made, error);
    if (!pattern) return false;
    if (pattern_search(pattern, match->text, match->len, 0, NULL, NULL, NULL) == PATTERN_YES) return true;
  }
  return false;
}

static bool check_fatal(Node *node, const PatternText *fatal, Outcome *outcome) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  g_autoptr(Pattern) made = NULL;
  GError *error = NULL;
  const Pattern *pattern = scope_pattern(&scope, fatal, PATTERN_LINES, &made, &error);
  if (!pattern) return outcome_take_error(outcome, error);
  guint64 from = 0;
  for (;;) {
    OutputMatch match = {0};
    const char *why = NULL;
    PatternResult found = output_find(node->output, pattern, from, false, true, NULL, &match, &why);
    bool fine = found == PATTERN_NO || (found == PATTERN_YES && allowed(node, &match, &error));
    if (error) outcome_take_error(outcome, error);
    else if (found == PATTERN_UNDECIDED)
      outcome_error(outcome, "the scan of the output of server '%s' for /%s/ could not be decided: %s", node->name,
                    fatal->text.raw, why);
    else if (!fine) {
      outcome_fail(outcome, "server '%s' printed what its engine never should", node->name);
      outcome_addf(outcome, "  %s | %s", node->name, match.text);
      outcome_add(outcome, "  (expected lines of this kind can be named in 'allow_log')");
    }
    from = MAX(match.line_end, from + 1);   /* a pattern may match an empty line */
    bool more = found == PATTERN_YES && fine;
    output_match_clear(&match);
    if (!more) return outcome->kind == OUTCOME_OK;
  }
}

bool cluster_check_logs(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    const Server *server = node->server;
    if (!node_within_cap(node, outcome)) return false;
    for (guint j = 0; j < server->log_matches.n; j++)
      if (!check_pattern(node, &server->log_matches.v[j], true, outcome)) return false;
    for (guint j = 0; j < server->log_not_matches.n; j++)
      if (!check_pattern(node, &server->log_not_matches.v[j], false, outcome)) return false;
    for (guint j = 0; node->output && j < node->engine->fatal_log.n; j++)
      if (!check_fatal(node, &node->engine->fatal_log.v[j], outcome)) return false;
  }
  return true;
}
