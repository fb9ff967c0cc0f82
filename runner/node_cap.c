/* A server that prints without end is stopped before it has filled the disk. */
#include "runner/node.h"
#include "runner/step.h"
#include "runner/tree.h"

/* Looked at when it grows, but not at each write: at 2 GB/s this is 100 MB beyond the cap. */
#define PAUSE 50000
#define MIB (G_GUINT64_CONSTANT(1) << 20)

bool node_within_cap(Node *node, Outcome *outcome) {
  if (!node->output || !output_over_cap(node->output)) return true;
  guint64 cap = node->cluster->options->log_cap;
  bool big = cap >= MIB;
  outcome_fail(outcome, "server '%s' printed more than %" G_GUINT64_FORMAT " %s", node->name, big ? cap / MIB : cap,
               big ? "MiB" : "bytes");
  outcome->at = node->server->at;
  g_autofree char *lines = node_last_lines(node, 3);
  outcome_add(outcome, lines);
  return false;
}

/* It is killed, not asked to stop: within a grace it would print on. */
static void watch(gpointer data) {
  Node *node = data;
  g_auto(Outcome) over = {0};
  while (node_within_cap(node, &over)) {
    if (wait_cond(output_changed(node->output), DEADLINE_NONE) == WAIT_CANCELLED) return;
    if (wait_until(deadline_after(PAUSE)) == WAIT_CANCELLED) return;
  }
  if (node->process && !node->process->exited) {
    node->exit_explained = node->crashed_by_us = true;
    g_autoptr(GArray) tree = tree_list(node->process->pid);
    tree_signal(tree, SIGKILL);
  }
  cluster_interrupt(node->cluster, OUTCOME_FAILED, over.headline, over.detail, &over.at);
}

void node_watch_output(Node *node) { node->output_watch = fiber_spawn("watch output", watch, node); }
