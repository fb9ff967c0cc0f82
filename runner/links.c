#include "runner/links.h"

#include <string.h>
#include "runner/names.h"
#include "runner/relay.h"
#include "runner/report_text.h"

#define HEAL_LIMIT (5 * G_USEC_PER_SEC)

struct Links {
  Relay *relay;
  int *ports;                    /* of each link of the test, in order */
  Fiber *watch;                  /* the relay's death is the test's end */
};

/* ---- Ports and names */

static int target_port(Node *to, const char *extra) {
  return extra ? GPOINTER_TO_INT(g_hash_table_lookup(to->extra_ports, extra)) : to->port;
}

int links_port(const Cluster *cluster, const Node *from, const Node *to, const char *extra) {
  for (guint i = 0; cluster->links && from && i < cluster->test->n_links; i++) {
    const Link *link = &cluster->test->links[i];
    if (strcmp(link->from.s, from->name) == 0 && strcmp(link->to.s, to->name) == 0 &&
        g_strcmp0(link->extra, extra) == 0)
      return cluster->links->ports[i];
  }
  return 0;
}

int links_port_named(const Cluster *cluster, const char *name) {
  for (guint i = 0; cluster->links && i < cluster->test->n_links; i++)
    if (strcmp(cluster->test->links[i].name.s, name) == 0) return cluster->links->ports[i];
  return 0;
}

Node *links_target(Cluster *cluster, int port) {
  for (guint i = 0; cluster->links && i < cluster->test->n_links; i++)
    if (cluster->links->ports[i] == port) return cluster_node(cluster, cluster->test->links[i].to.s);
  return NULL;
}

/* ---- Beginning and end */

static void watch_relay(gpointer data) {
  Cluster *cluster = data;
  Process *process = relay_process(cluster->links->relay);
  if (process_wait(process, DEADLINE_NONE) != WAIT_READY) return;
  g_autofree char *end = exit_text(process->status);
  g_autofree char *text = g_strdup_printf("the relay of the test's links %s", end);
  cluster_interrupt(cluster, OUTCOME_ERROR, text, NULL, NULL);
}

static bool take_port(Cluster *cluster, guint i, RelayLink *made, Outcome *outcome) {
  GError *error = NULL;
  const Link *link = &cluster->test->links[i];
  Node *to = cluster_node(cluster, link->to.s);
  int port = ports_take(cluster->ports, true, &error);
  if (port == 0) return outcome_take_error(outcome, error);
  *made = (RelayLink){port, node_host(to), target_port(to, link->extra)};
  cluster->links->ports[i] = port;
  if (made->target_port != 0) return true;
  return outcome_error(outcome, "link '%s': server '%s' has no port to lead to", link->name.s, to->name);
}

bool links_open(Cluster *cluster, Outcome *outcome) {
  guint n = cluster->test->n_links;
  GError *error = NULL;
  if (n == 0) return true;
  g_autofree RelayLink *made = g_new0(RelayLink, n);
  cluster->links = g_new0(Links, 1);
  cluster->links->ports = g_new0(int, n);
  for (guint i = 0; i < n; i++)
    if (!take_port(cluster, i, &made[i], outcome)) return false;
  cluster->links->relay = relay_start(made, n, cluster->options->user, cluster->options->seed, &error);
  if (!cluster->links->relay) return outcome_take_error(outcome, error);
  cluster->links->watch = fiber_spawn("relay watch", watch_relay, cluster);
  return true;
}

void links_close(Cluster *cluster) {
  if (!cluster->links) return;
  if (cluster->links->watch) fiber_stop(cluster->links->watch);
  relay_end(cluster->links->relay);
  g_free(cluster->links->ports);
  g_clear_pointer(&cluster->links, g_free);
}

/* ---- Faults */

char *link_deed_text(const LinkStep *step, LinkWay way) {
  static const char *const deeds[] = {[LINK_CUT] = "cut", [LINK_BLACKHOLE] = "blackhole", [LINK_RESET] = "reset",
                                      [LINK_DELAY] = "delay", [LINK_HEAL] = "heal"};
  static const char *const ways[] = {[WAY_BOTH] = "", [WAY_FORWARD] = " forward", [WAY_BACKWARD] = " backward"};
  g_autofree char *latency = text_duration(step->latency), *jitter = text_duration(step->jitter);
  GString *text = g_string_new(deeds[step->deed]);
  g_string_append(text, ways[way]);
  if (step->latency > 0) g_string_append_printf(text, ", latency %s", latency);
  if (step->jitter > 0) g_string_append_printf(text, ", jitter %s", jitter);
  if (step->bandwidth > 0) g_string_append_printf(text, ", %" G_GINT64_FORMAT " bytes/s", step->bandwidth);
  return g_string_free(text, FALSE);
}

static bool named(const Names *names, const char *name) {
  for (guint i = 0; i < names->n; i++)
    if (strcmp(names->v[i].s, name) == 0) return true;
  return false;
}

/* Whether the step speaks of this link, and which way is forward for it. */
static bool concerns(const LinkStep *step, const Link *link, LinkWay *way) {
  const Names *sides = step->between.sides;
  *way = step->way;
  if (!step->between.given) return named(&step->names, link->name.s);
  if (named(&sides[0], link->from.s) && named(&sides[1], link->to.s)) return true;
  if (step->way != WAY_BOTH) *way = step->way == WAY_FORWARD ? WAY_BACKWARD : WAY_FORWARD;
  return named(&sides[1], link->from.s) && named(&sides[0], link->to.s);
}

static void tell_fault(Cluster *cluster, const LinkStep *step, const char *step_label, const RelayOrder *order) {
  g_autofree char *what = link_deed_text(step, order->way);
  event_begin(cluster->log, "fault");
  event_text(cluster->log, "step", step_label);
  event_text(cluster->log, "link", cluster->test->links[order->link].name.s);
  event_text(cluster->log, "what", what);
  event_end(cluster->log);
}

bool links_disturb(Cluster *cluster, const LinkStep *step, const char *step_label, Deadline deadline,
                   Outcome *outcome) {
  g_autoptr(GArray) orders = g_array_new(FALSE, TRUE, sizeof(RelayOrder));
  GError *error = NULL;
  for (guint i = 0; i < cluster->test->n_links; i++) {
    RelayOrder order = {i, step->deed, WAY_BOTH, step->latency, step->jitter, step->bandwidth};
    if (concerns(step, &cluster->test->links[i], &order.way)) g_array_append_val(orders, order);
  }
  for (guint i = 0; i < orders->len; i++) tell_fault(cluster, step, step_label, &g_array_index(orders, RelayOrder, i));
  if (relay_order(cluster->links->relay, (const RelayOrder *)(gpointer)orders->data, orders->len, deadline, &error))
    return true;
  if (!fiber_cancelled()) return outcome_take_error(outcome, error);
  g_error_free(error);
  return outcome_cancel(outcome);
}

/* ---- Healing */

static bool is_whole(const RelayStatus *status) {
  return status->listening && !status->dark[0] && !status->dark[1] && !status->shaped[0] && !status->shaped[1] &&
         status->held == 0;
}

bool links_heal(Cluster *cluster, Outcome *outcome) {
  guint n = cluster->test->n_links;
  GError *error = NULL;
  Deadline limit = deadline_in(HEAL_LIMIT);
  if (!cluster->links || !cluster->links->relay) return true;
  if (relay_process(cluster->links->relay)->exited) return true;   /* which interrupts the test, and is told there */
  g_autofree RelayOrder *orders = g_new0(RelayOrder, n);
  g_autofree RelayStatus *status = g_new0(RelayStatus, n);
  for (guint i = 0; i < n; i++) orders[i] = (RelayOrder){.link = i, .deed = LINK_HEAL};
  if (!relay_order(cluster->links->relay, orders, n, limit, &error)) return outcome_take_error(outcome, error);
  if (!relay_ask(cluster->links->relay, status, limit, &error)) return outcome_take_error(outcome, error);
  for (guint i = 0; i < n; i++)
    if (!is_whole(&status[i]))
      return outcome_error(outcome, "link '%s' could not be healed", cluster->test->links[i].name.s);
  return true;
}
