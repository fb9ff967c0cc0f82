/* cluster.h - one test under way: its servers, its names, what interrupts it.
 *
 * A Cluster lives in a worker, from the making of the test's directory to its verdict.  It owns its nodes, ports, sessions,
 * variables and directories.  All functions are for fibers of the worker's loop.
 *
 * Interrupts: something other than the step itself ends the test (a server died, the test's time is up, the run is being
 * stopped).  cluster_interrupt() keeps the first reason and cancels the fiber that runs the steps, so whatever it waits for
 * ends at once; the reason becomes the verdict.
 */
#ifndef RUNNER_CLUSTER_H
#define RUNNER_CLUSTER_H

#include "runner/credentials.h"
#include "runner/debug_options.h"
#include "runner/event.h"
#include "runner/loop.h"
#include "runner/outcome.h"
#include "runner/plan.h"
#include "runner/ports.h"
#include "runner/timeline.h"

typedef struct Node Node;

/* What a worker was told; outlives the cluster. */
typedef struct ClusterOptions {
  const char *run_id;
  const char *run_dir;           /* the test's directory is made below it */
  const char *keep_dir; /* run_dir is in memory: what is kept is copied to a directory below this one; else NULL */
  const char *cwd;               /* where the run was started */
  const Credentials *user;
  const char *const *sets;       /* --set engine.key=value */
  bool require_all;
  guint64 log_cap;
  guint64 seed;                  /* of what is random in the run */
  const DebugOptions *debug;     /* NULL: nothing is asked for */
} ClusterOptions;

typedef struct Cluster {
  const PlannedTest *planned;
  const Test *test;
  const ClusterOptions *options;
  EventLog *log;
  char *dir;                     /* the test's */
  char *socket_dir;              /* short */
  Ports *ports;
  GPtrArray *nodes;              /* Node, in written order */
  GHashTable *vars;              /* name -> Variable */
  GHashTable *port_names;        /* get_port name -> port */
  GHashTable *sessions;          /* name -> NamedSession */
  GPtrArray *backgrounds;        /* Background, begun and not yet awaited */
  GHashTable *marks;             /* step name -> LogMarks: where the logs stood when it began */
  struct Links *links;           /* relays between servers (links.h); NULL: the test has none */
  GPtrArray *workloads;          /* Workload, all that were begun */
  GPtrArray *invariants;         /* Invariant, those that go on */
  Timeline timeline;
  GPtrArray *helpers;            /* commands left running by `keep_running`, ended with the test */
  Fiber *main;                   /* runs servers' start and the steps */
  const Step *current;           /* the newest step that has begun, for messages */
  char current_label[48];
  Outcome interrupted;           /* kind OK: not interrupted */
  bool hurry;                    /* a second Ctrl-C: no graces */
  guint position;                /* index of the test's own step that runs */
  bool ending;                   /* the servers are being stopped: exits are no news */
  gint64 lag_total;              /* how late our own timer ran since the test began, microseconds: a starved machine */
  Fiber *lag_meter;
} Cluster;

Cluster *cluster_new(const PlannedTest *planned, const ClusterOptions *options, EventLog *log, Outcome *outcome);
void cluster_free(Cluster *cluster);

/* Its servers, with their directories and ports; waits for fixed ports that another run has. */
bool cluster_make_nodes(Cluster *cluster, Outcome *outcome);

/* A reason, unless there is one already; cancels the steps. kind FAILED or ERROR. */
void cluster_interrupt(Cluster *cluster, OutcomeKind kind, const char *headline, const char *detail, const Place *at);

/* Makes and starts all servers, each as soon as what it follows is there. */
bool cluster_start(Cluster *cluster, Outcome *outcome);
/* Stops all, replicas first; always goes through to the end. false: one had to be killed, or ended badly. */
bool cluster_stop(Cluster *cluster, Outcome *outcome);
/* After cluster_stop(): what is left of anybody's processes is killed; false with a description: there was something. */
bool cluster_leaks(Cluster *cluster, Outcome *outcome);
/* After cluster_stop(): log_matches, log_not_matches, fatal_log. */
bool cluster_check_logs(Cluster *cluster, Outcome *outcome);

Node *cluster_node(Cluster *cluster, const char *name);     /* NULL: no such server */

#endif
