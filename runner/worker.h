/* worker.h - the process in which one test runs: everything that the test starts descends from it.
 *
 * A worker is forked by the scheduler (run.h).  It is a subreaper in a session of its own, sees its runner die by a pidfd (and is
 * woken for that even when it is stopped), and then kills all it has within 250 ms.  It writes events to a file of its own and
 * rings the runner after each.
 */
#ifndef RUNNER_WORKER_H
#define RUNNER_WORKER_H

#include "runner/cluster.h"

typedef struct WorkerTask {
  const PlannedTest *planned;
  guint attempt;
  const ClusterOptions *options;
  const char *events_path;
  const char *again;             /* how to run this test alone */
  int control;                   /* our end of the socket pair */
  int runner;                    /* a pidfd of the runner */
  bool keep;
  double timeout_scale;
} WorkerTask;

/* What the runner writes to the control socket: a byte each. */
#define WORKER_STOP 's'          /* end the test by the stop ladders */
#define WORKER_HURRY 'k'         /* without graces */

/* Microseconds, before --timeout-scale. */
static inline gint64 test_limit(const Test *test) { return test->timeout >= 0 ? test->timeout : 300 * G_USEC_PER_SEC; }

/* For process_fork(): never returns to the runner's code. */
int worker_main(gpointer task);

#endif
