/* step.h - the steps of a test and of recipes: a table of verbs, and what surrounds each step.
 *
 * A verb is a file, step_*.c, with an entry in the table of step.c: a function that runs one try of the step in the fiber of
 * its lane and says how it went.  What modifies a step stands around it, once for all verbs: `when`, the limit of a try,
 * `within` (again until it holds), `stays` (must go on holding), `background`.  A function waits by the calls of loop.h with
 * context->limit; when a wait gives WAIT_CANCELLED it gives back what it took and returns outcome_cancel().
 */
#ifndef RUNNER_STEP_H
#define RUNNER_STEP_H

#include "runner/names.h"
#include "runner/session.h"

typedef struct Background Background;

/* What surrounds the step that runs; one per lane, copied for backgrounds, lanes and recipes. */
typedef struct Context {
  Scope scope;
  const char *prefix;            /* "3." within step 3, "finally ", "clone of standby: "; "" at the top */
  const Step *step;
  Deadline limit;                /* of this try */
  Deadline list_limit;           /* no step of the list may go on longer (a recipe within a step) */
  bool limit_given;              /* by timeout or within: no verb's own default changes it */
  bool quiet;                    /* recipes: no step events */
  const Texts *
      *extra_args; /* recipes: clone's args, added to the first of the engine's own programs that runs; NULL then */
  Background *background;        /* the step runs in the background */
  const char *label;             /* "3", "3.2", "finally 1" */
  GPtrArray *log_marks; /* guint64 per node: where logs stood before the preceding step of this list; see step_log.c */
  char **summary;       /* where a try leaves one line of what it saw, for the report of retries; may be NULL */
} Context;

typedef void (*StepRun)(Context *context, const Step *step, Outcome *outcome);

/* Runs a list from top to bottom; false at the first step that does not hold, with the outcome naming step and place. */
bool steps_run(Context *context, const Steps *steps, Outcome *outcome);
/* Runs an engine's recipe for self, no step events. what: "promote 'standby'". */
bool recipe_run(Context *context, const Steps *recipe, Roles roles, const char *what, Outcome *outcome);
/* The same at the beginning of a test, where no step is. */
bool recipe_run_for(Cluster *cluster, const Steps *recipe, Roles roles, const char *what, const Texts *extra_args,
                    Deadline limit, Outcome *outcome);

/* A step that goes on while others run. */
struct Background {
  const char *name;              /* NULL: nobody can await it */
  const Step *step;
  Context context;
  char *prefix, *label;
  Fiber *fiber;
  Session *session;              /* the one its statement was sent on, while it runs */
  bool sent, done;
  bool awaited;                  /* a step awaits it now, and may free it */
  Cond changed;
  Outcome outcome;
};
/* Waits for its end and takes its outcome; frees it. */
bool background_collect(Context *context, Background *background, Outcome *outcome);
/* Awaits those that are left, cancelling none before the deadline. */
bool backgrounds_collect_all(Cluster *cluster, Deadline deadline, Outcome *outcome);
/* Ends those that are left; what one had failed of until then is added to a bad outcome. */
void backgrounds_abandon(Cluster *cluster, Outcome *outcome);
void background_free(gpointer background);

/* One line: what the step does ("query on standby: SELECT ..."), newly allocated. */
char *step_text(const Step *step);

/* Nodes a target names now; NULL with the outcome set (no server has the role, or several). */
GPtrArray *target_nodes(Context *context, const Target *target, Outcome *outcome);
/* A server by name, in this context; NULL with the outcome set. */
Node *context_node(Context *context, const Name *name, Outcome *outcome);
/* Until when what a verb usually gives `usual` microseconds may take: as long as the definition says; where it says nothing,
 * no longer than the try (limit_in_try), or than the list (limit_of_its_own: for what may take longer than other steps). */
Deadline limit_in_try(const Context *context, gint64 usual);
Deadline limit_of_its_own(const Context *context, gint64 usual);
/* WAIT_* to an outcome: "what" was waited for. */
bool wait_outcome(Context *context, WaitResult result, Outcome *outcome, const char *format, ...) G_GNUC_PRINTF(4, 5);
void context_summary(Context *context, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Adds how each server sees the replication, when there are several that can say. */
void explain_replication(Context *context, Outcome *outcome);

/* A verb of lives or roles, on each of its servers in turn until one fails. */
typedef bool (*OnNode)(Context *context, Node *node, const LifeStep *life, Outcome *outcome);
void for_each_server(Context *context, const Step *step, OnNode act, Outcome *outcome);

/* Where the logs of all nodes stand now. */
GPtrArray *log_marks_now(Cluster *cluster);

/* The verbs. */
void step_sql(Context *context, const Step *step, Outcome *outcome);
void step_close(Context *context, const Step *step, Outcome *outcome);
void step_await(Context *context, const Step *step, Outcome *outcome);
void step_start(Context *context, const Step *step, Outcome *outcome);
void step_restart(Context *context, const Step *step, Outcome *outcome);
void step_stop(Context *context, const Step *step, Outcome *outcome);
void step_reload(Context *context, const Step *step, Outcome *outcome);
void step_kill(Context *context, const Step *step, Outcome *outcome);
void step_pause(Context *context, const Step *step, Outcome *outcome);
void step_resume(Context *context, const Step *step, Outcome *outcome);
void step_signal(Context *context, const Step *step, Outcome *outcome);
void step_exited(Context *context, const Step *step, Outcome *outcome);
void step_clone(Context *context, const Step *step, Outcome *outcome);
void step_promote(Context *context, const Step *step, Outcome *outcome);
void step_follow(Context *context, const Step *step, Outcome *outcome);
void step_rejoin(Context *context, const Step *step, Outcome *outcome);
void step_sync(Context *context, const Step *step, Outcome *outcome);
void step_equal(Context *context, const Step *step, Outcome *outcome);
void step_log(Context *context, const Step *step, Outcome *outcome);
void step_command(Context *context, const Step *step, Outcome *outcome);
void step_link(Context *context, const Step *step, Outcome *outcome);
void step_file(Context *context, const Step *step, Outcome *outcome);
/* "write": what it does, in a word. */
const char *file_deed_text(const FileStep *file);
void step_http(Context *context, const Step *step, Outcome *outcome);
void step_sleep(Context *context, const Step *step, Outcome *outcome);
void step_together(Context *context, const Step *step, Outcome *outcome);
void step_loop(Context *context, const Step *step, Outcome *outcome);
void step_group(Context *context, const Step *step, Outcome *outcome);
void step_workload(Context *context, const Step *step, Outcome *outcome);
void step_check_workload(Context *context, const Step *step, Outcome *outcome);
void step_stop_workload(Context *context, const Step *step, Outcome *outcome);
void step_invariant(Context *context, const Step *step, Outcome *outcome);
void step_end_invariant(Context *context, const Step *step, Outcome *outcome);

#endif
