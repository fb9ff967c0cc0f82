/* workload.h - writers that go on beside a test's steps, and what became of each write.
 *
 * A workload is a process of its own under the worker, so that steady timing does not hang on what the test does: so many
 * writers, each with a session, which give every write an id of its own (1, 2, 3 ...).  Each outcome is one line of
 * workload-NAME.log in the test's directory as soon as it is known:
 *
 *   A 17 4711000123 532 primary            acknowledged: when (CLOCK_MONOTONIC), latency (both microseconds), by whom
 *   F 18 4711000140 210 primary ERROR ...  the server said no
 *   U 19 4711000180 180 primary ERROR ...  the answer never came: it may be there or not
 *   E 0 4711000190 0 primary ERROR ...     no session came about (the same reason again is left out)
 *   X 0 4711000200 0 primary ERROR ...     a writer has ended for good, since its session was lost
 *
 * With a rate, latency counts from when a write was due, not from when a writer was free for it: a stalled server's stall
 * is in all the latencies that it made longer (no coordinated omission).
 *
 * The test's side reads these lines; so a crash of anybody loses nothing.  All functions are for fibers.
 */
#ifndef RUNNER_WORKLOAD_H
#define RUNNER_WORKLOAD_H

#include "runner/histogram.h"
#include "runner/names.h"

typedef struct Write {
  guint64 id;
  gint64 at, latency;
  char outcome; /* A, F, U */
  guint server; /* of Workload.nodes */
} Write;

typedef struct Workload {
  Cluster *cluster;
  const WorkloadStep *step;
  GPtrArray *nodes; /* Node, borrowed: where it may write */
  Process *process; /* the cluster's helper */
  char *path;       /* its log */
  int fd, control;
  pid_t worker;
  gint64 began, ended; /* ended 0: it runs */
  gint64 read_to;      /* how far its log has been read */
  GArray *writes;      /* Write, as outcomes came */
  guint64 acknowledged, failed, unknown;
  GHashTable *errors; /* first line of an error -> its count (guint64 *) */
  guint writers_ended;
  char *last_trouble; /* why the newest session did not come about, or the newest writer has ended */
} Workload;

/* The process behind it: its writers until a byte comes on workload->control. Gives its exit status. */
int workload_process(gpointer workload);

/* Begins it; owned by the cluster. */
bool workload_begin(Cluster *cluster, const WorkloadStep *step, GPtrArray *nodes, Outcome *outcome);
void workload_free(gpointer workload);
/* The newest of this name; NULL: none. */
Workload *workload_find(Cluster *cluster, const char *name);
/* Takes in what its log has got since. */
bool workload_catch_up(Workload *workload, Outcome *outcome);
/* Ends it: writes under way have a second to be answered.  Once; later calls only give the log's end. */
bool workload_end(Workload *workload, Outcome *outcome);
/* Ends those that run, when the test does. */
void workloads_end_all(Cluster *cluster);
/* One line on each, for the report of a test that failed meanwhile. */
void workloads_tell(Cluster *cluster, Outcome *outcome);

/* ---- workload_verdict.c */

/* What was read back from one server: id -> how often. */
typedef struct ReadBack {
  const char *server;
  GHashTable *ids;
} ReadBack;

/* Holds what came of its first n_writes against what was expected.  `back` may be empty: it was not to be read. */
bool workload_judge(Workload *workload, const WorkloadExpectation *expect, guint n_writes, GPtrArray *back, bool final,
                    Outcome *outcome);
/* The longest time without an acknowledged write that has a part between two moments. */
gint64 workload_gap(const Workload *workload, gint64 from, gint64 to);
/* "1203 writes acknowledged in 4.2 s ..." and a line for each fault. */
char *workload_story(const Workload *workload);
/* The record of it: an event `workload`. */
void workload_tell(const Workload *workload, const char *step);

#endif
