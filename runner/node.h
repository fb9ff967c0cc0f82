/* node.h - one server of a test under way: its directory, its process, its output, its life.
 *
 *   DECLARED -> made -> STOPPED -> start -> STARTING -> ready -> READY -> stop, kill or its own end -> STOPPED
 *
 * Every exit is looked at when it comes: one that our own stop, kill or signal explains is noted; another waits for an
 * `exited` step that is still to come, or else interrupts the test (node_explain.c).  Output of all its runs is one file.
 */
#ifndef RUNNER_NODE_H
#define RUNNER_NODE_H

#include "dbclient/dbclient.h"
#include "runner/cluster.h"
#include "runner/output.h"
#include "runner/process.h"

typedef enum NodeState { NODE_DECLARED, NODE_STOPPED, NODE_STARTING, NODE_READY, NODE_STOPPING } NodeState;

/* What this run of it was given, over what the definition says. */
typedef struct NodeRun {
  const Texts *args, *envs;      /* NULL: the definition's alone */
  const Text *bindir;
} NodeRun;

struct Node {
  Cluster *cluster;
  const Server *server;
  const Engine *engine;
  const char *name;
  NodeState state;
  char *dir, *home, *marker;
  char *program;                 /* of its newest run, a path */
  struct Debug *debug;           /* NULL: it is not debugged */
  char *host;                    /* an external server's address; NULL: here */
  int port;                      /* 0: none (a directory only) */
  GHashTable *extra_ports;       /* name -> port */
  GHashTable *settings;          /* what `settings` and steps ask for now: key -> value (NULL: removed) */
  GPtrArray *settings_order;
  Output *output;
  Fiber *output_watch;           /* NULL: nothing was printed yet */
  Process *process;              /* of the newest run, also after its exit */
  GPtrArray *earlier;            /* Process, of runs before: fibers that waited for one may not have looked at it yet */
  bool watched;                  /* the newest run's exit is still to be noted */
  guint64 told_output;           /* its size in the newest `log` event */
  char *version;                 /* as it said itself in a session, NULL: not asked yet */
  guint64 run_began_at;          /* offset of its output when it was started last */
  gint64 spawned_at;             /* CLOCK_MONOTONIC */
  Cond changed;                  /* its state */
  bool home_made, made, up_done; /* its home, its directory; its part of cluster_start() is over */
  bool brought_up_badly;
  bool inited;
  guint awaited;                 /* fibers in node_wait_ready(): they tell of an exit, nobody else needs to */
  bool spawning;                 /* not running yet, and not to be started again */
  bool frozen;                   /* by a pause step */
  bool exit_explained;           /* the newest exit is accounted for (also set before we cause one) */
  int signalled;                 /* the newest signal a step sent to it, 0: none */
  bool crashed_by_us;            /* kill: what it left behind is our doing, no leak */
  bool forced;                   /* a stop needed SIGKILL */
  bool exited_badly;             /* a stop ended with a non-zero status */
  const Texts *lasting_args, *lasting_envs;   /* Dolt's restart_server */
  Text lasting_bindir;
};

Node *node_new(Cluster *cluster, const Server *server, Outcome *outcome);
void node_free(Node *node);

bool node_running(const Node *node);
/* Directory, cached creation, setup, settings, files, prepare; a replica: by its engine's clone recipe. */
bool node_make(Node *node, Node *from, const Texts *clone_args, Deadline limit, Outcome *outcome);
/* Generous, since a loaded machine copies slowly; a definition's own limits lie above it in the test's. */
#define NODE_MAKE_LIMIT (120 * G_USEC_PER_SEC)
/* Spawns it; readiness is node_wait_ready()'s. */
bool node_spawn(Node *node, const NodeRun *run, Outcome *outcome);
/* Until it answers and what answers is ours, or it has exited, or the deadline. */
bool node_wait_ready(Node *node, Deadline deadline, Outcome *outcome);
/* It must end by itself, non-zero, and its output since this start match all. */
bool node_wait_failure(Node *node, const PatternTexts *patterns, Deadline deadline, Outcome *outcome);
/* How long it may take to be ready, as the server or its engine says. */
gint64 node_ready_within(const Node *node);
/* spawn, ready until limit, and the first time its `init`. */
bool node_start(Node *node, const NodeRun *run, Deadline limit, Outcome *outcome);
/* An exit that nothing explains ends the test, with the debugger's share in it. */
void node_judge_exit(Node *node);
/* The ladder; mode NULL: the default. Frozen ones are thawed first. Always ends with the process gone; false: by SIGKILL, or
 * with a bad status. */
bool node_stop(Node *node, const char *mode, Outcome *outcome);
bool node_kill(Node *node, bool tree, Outcome *outcome);
/* What it left behind and no step of ours holds (TreeProcess). */
GArray *node_orphans(const Node *node);
/* Ends all that an earlier run left (backends of a crashed postmaster). */
bool node_sweep(Node *node, Outcome *outcome);
/* Writes the settings file anew. */
bool node_write_settings(Node *node, Outcome *outcome);
void node_set(Node *node, const char *key, const char *value);
/* Ends it and the test when it prints more than it may (node_cap.c); from the first output until node_free(). */
void node_watch_output(Node *node);
/* Whether it has printed no more than it may; false with the outcome saying so. */
bool node_within_cap(Node *node, Outcome *outcome);
/* "standby was killed by signal 9 (SIGKILL)" and its last lines of output. */
char *node_exit_story(Node *node);
/* These lines alone, for messages that have told how it ended. */
char *node_last_lines(Node *node, guint n);
char *node_tail(Node *node, guint lines);
/* Whether a later `exited` step may still explain an exit: step.c's book-keeping. */
bool steps_expect_exit(Cluster *cluster, const Node *node);

#endif
