/* run.h - a run: the scheduler that forks a worker for each planned test, watches them, and keeps the record.
 *
 * Blocks (in its own loop) until all tests ended, or a signal stopped the run: SIGINT, SIGTERM and SIGHUP stop all servers by
 * their ladders, a second SIGINT skips the graces.  Nothing it started is left when it returns.
 */
#ifndef RUNNER_RUN_H
#define RUNNER_RUN_H

#include "runner/credentials.h"
#include "runner/debug_options.h"
#include "runner/plan.h"
#include "runner/record.h"
#include "runner/report_terminal.h"

typedef struct RunOptions {
  guint jobs;                    /* 0: adapts to the machine's load, between cores and 8 x cores */
  guint retries;                 /* of a failed test */
  bool fail_fast, until_fail, keep, require_all;
  double timeout_scale;
  const char *user;              /* --user; NULL: the default */
  guint64 seed;
  const char *const *command;    /* argv, for the record */
  const char *const *sets;       /* --set engine.key=value */
  const char *program;           /* how to call us again, for "to run it again" lines */
  const DebugOptions *debug;     /* NULL: nothing is to be debugged */
  gint64 log_cap;                /* bytes of output a server may write, 0: the default */
} RunOptions;

typedef struct RunResult {
  int signal;                    /* that ended it, 0: none */
  bool environment;              /* something of ours or of the machine's failed: exit status 3 */
  char *events;                  /* path of the merged events; the caller removes it with run_result_clear() */
  char *directory;               /* of the run: what was kept is in it; NULL when all is removed */
} RunResult;

/* false with error: it could not begin. record gets every event, terminal (may be NULL) every change. */
bool run_tests(const Plan *plan, const RunOptions *options, RunRecord *record, TerminalReport *terminal,
               RunResult *result, GError **error);
void run_result_clear(RunResult *result);

#endif
