#include "runner/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/dirs.h"
#include "runner/invariant.h"
#include "runner/links.h"
#include "runner/leak_check.h"
#include "runner/needs.h"
#include "runner/node.h"
#include "runner/process.h"
#include "runner/report_text.h"
#include "runner/step.h"
#include "runner/tree.h"
#include "runner/workload.h"

#define FINALLY_LIMIT (60 * G_USEC_PER_SEC)
#define BACKGROUND_LIMIT (60 * G_USEC_PER_SEC)
#define REMOVE_LIMIT (60 * G_USEC_PER_SEC)
#define LAST_MOMENTS 200000
#define EVIDENCE_LINES 5

typedef struct Worker {
  const WorkerTask *task;
  EventLog *log;
  Cluster *cluster;
  Verdict verdict;
  bool stopped, hurry;           /* asked by the runner */
  bool environment;              /* the machine lacked what the test needed */
} Worker;

/* ---- Who watches us */

static void ring(gpointer data) {
  const WorkerTask *task = data;
  if (send(task->control, "e", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;   /* full: it will look anyway */
}

/* Nothing is written any more: what is left is to leave nothing behind. */
static void runner_died(int fd, short revents, gpointer data) {
  tree_kill_descendants(LAST_MOMENTS, NULL, 0);
  _exit(3);
}

static void ask_to_stop(Worker *worker) {
  if (!worker->cluster) return;
  clock_limits(true);            /* whoever sits at a debugger has ended it himself */
  cluster_interrupt(worker->cluster, OUTCOME_ERROR, "the run was stopped", NULL, NULL);
  if (worker->hurry) worker->cluster->hurry = true;
}

static void on_control(int fd, short revents, gpointer data) {
  Worker *worker = data;
  char order = 0;
  ssize_t n = recv(fd, &order, 1, MSG_DONTWAIT);
  if (n == 0) runner_died(fd, revents, data);
  if (n != 1) return;
  worker->stopped = true;
  worker->hurry = worker->hurry || order == WORKER_HURRY;
  ask_to_stop(worker);
}

/* ---- The verdict's words */

static void add_story(Outcome *outcome, const char *what, Outcome *more) {
  if (more->kind == OUTCOME_OK || more->kind == OUTCOME_CANCELLED) {
    outcome_clear(more);
    return;
  }
  if (outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_CANCELLED) {
    outcome_move(outcome, more);
    return;
  }
  outcome_addf(outcome, "  then, %s: %s", what, more->headline);
  outcome_add(outcome, more->detail);
  outcome_clear(more);
}

/* The reason of an interrupt, with where it found the test; false: there was none. */
static bool take_interrupt(Cluster *cluster, Outcome *outcome) {
  g_auto(Outcome) reason = {0};
  outcome_move(&reason, &cluster->interrupted);
  if (reason.kind == OUTCOME_OK) return false;
  outcome->kind = reason.kind;
  g_free(outcome->headline);
  if (cluster->current) {
    g_autofree char *text = step_text(cluster->current);
    outcome->headline = g_strdup_printf("in step %s (%s): %s", cluster->current_label, text, reason.headline);
  } else {
    outcome->headline = g_strdup_printf("while the servers were being started: %s", reason.headline);
  }
  g_autofree char *before = g_steal_pointer(&outcome->detail);
  outcome_add(outcome, reason.detail);
  outcome_add(outcome, before);
  outcome->at = reason.at.line > 0 ? reason.at : cluster->current ? cluster->current->at : cluster->test->at;
  return true;
}

static void add_last_lines(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(cluster->nodes, i);
    g_autofree char *tail = node_tail(node, EVIDENCE_LINES);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
    for (char **line = lines; *line; line++)
      if (**line && !(outcome->detail && strstr(outcome->detail, *line)))
        outcome_addf(outcome, "  %s | %s", node->name, *line);
  }
}

static void tell_verdict(Worker *worker, const Outcome *outcome, const char *skip, gint64 us, const char *kept) {
  EventLog *log = worker->log;
  bool bad = worker->verdict != VERDICT_PASSED && worker->verdict != VERDICT_SKIPPED;
  event_begin(log, "verdict");
  event_text(log, "verdict", verdict_word(worker->verdict));
  event_int(log, "us", us);
  event_int(log, "longest_turn_us", loop_longest_turn());
  event_text(log, "headline", skip ? skip : outcome->headline);
  event_text(log, "detail", outcome->detail);
  if (bad && worker->cluster && worker->cluster->current) event_text(log, "step", worker->cluster->current_label);
  if (outcome->at.line > 0) {
    event_text(log, "file", outcome->at.file);
    event_int(log, "line", outcome->at.line);
    event_int(log, "col", outcome->at.col);
  }
  event_text(log, "kept", kept);
  event_text(log, "again", bad ? worker->task->again : NULL);
  event_end(log);
}

/* ---- The test */

/* A part of the test: what it is to do, and how it went. */
typedef struct Part {
  Cluster *cluster;
  Outcome *outcome;
} Part;

static void make_nodes(gpointer data) {
  Part *part = data;
  cluster_make_nodes(part->cluster, part->outcome);
}

static void run_steps(gpointer data) {
  Part *part = data;
  Cluster *cluster = part->cluster;
  if (!cluster_start(cluster, part->outcome)) return;
  Context context = {.scope = {.cluster = cluster}, .prefix = "", .list_limit = DEADLINE_NONE};
  if (!steps_run(&context, &cluster->test->steps, part->outcome)) return;
  if (backgrounds_collect_all(cluster, deadline_in(BACKGROUND_LIMIT), part->outcome))
    invariants_end_all(cluster, part->outcome);
}

static void run_finally(gpointer data) {
  Part *part = data;
  Deadline limit = deadline_in(FINALLY_LIMIT);
  Context context = {.scope = {.cluster = part->cluster}, .prefix = "finally ", .list_limit = limit};
  if (!steps_run(&context, &part->cluster->test->finally, part->outcome)) return;
  backgrounds_collect_all(part->cluster, limit, part->outcome);
}

/* Runs a part of the test so that an interrupt can end it. */
static void run_part(Cluster *cluster, const char *name, void (*run)(gpointer data), Outcome *outcome) {
  Part part = {cluster, outcome};
  cluster->main = fiber_spawn(name, run, &part);
  if (cluster->interrupted.kind != OUTCOME_OK) fiber_cancel(cluster->main);
  fiber_join(cluster->main, DEADLINE_NONE);
  cluster->main = NULL;
}

static void watch_time(gpointer data) {
  Worker *worker = data;
  gint64 limit = test_limit(worker->task->planned->test);
  if (wait_until(deadline_in(limit)) == WAIT_CANCELLED) return;
  g_autofree char *length = text_duration(limit);
  g_autofree char *text = g_strdup_printf("the test's time is up (%s; 'timeout' sets it)", length);
  cluster_interrupt(worker->cluster, OUTCOME_FAILED, text, NULL, NULL);
}

static Verdict judge(const Outcome *outcome, bool leaked_only) {
  if (leaked_only) return VERDICT_LEAKED;
  return outcome->kind == OUTCOME_OK       ? VERDICT_PASSED
         : outcome->kind == OUTCOME_FAILED ? VERDICT_FAILED
                                           : VERDICT_ERROR;
}

/* True: it was interrupted. The test's time begins when its ports are there: another run may have had them. */
static bool run_main(Worker *worker, Outcome *outcome) {
  Cluster *cluster = worker->cluster;
  if (worker->stopped) ask_to_stop(worker);
  run_part(cluster, "ports", make_nodes, outcome);
  if (outcome->kind == OUTCOME_OK) {
    Fiber *time = fiber_spawn("time limit", watch_time, worker);
    run_part(cluster, "steps", run_steps, outcome);
    fiber_stop(time);
  }
  bool interrupted = take_interrupt(cluster, outcome);
  backgrounds_abandon(cluster, outcome);
  return interrupted;
}

/* Whatever became of the steps; the failure stays where the test stood, not where `finally` went on to. */
static bool run_finally_part(Worker *worker, Outcome *outcome) {
  Cluster *cluster = worker->cluster;
  g_auto(Outcome) finally = {0};
  const Step *current = cluster->current;
  g_autofree char *label = g_strdup(cluster->current_label);
  bool has_servers = cluster->nodes->len == cluster->test->n_servers;
  if (cluster->test->finally.n == 0 || !has_servers || cluster->hurry) return false;
  run_part(cluster, "finally", run_finally, &finally);
  bool interrupted = take_interrupt(cluster, &finally);
  backgrounds_abandon(cluster, &finally);
  if (outcome->kind != OUTCOME_OK) {
    cluster->current = current;
    g_strlcpy(cluster->current_label, label, sizeof cluster->current_label);
  }
  add_story(outcome, "in 'finally'", &finally);
  return interrupted;
}

typedef struct Healing { Cluster *cluster; Outcome outcome; } Healing;

static void heal(gpointer data) {
  Healing *healing = data;
  links_heal(healing->cluster, &healing->outcome);
}

/* In a fiber of its own, which an interrupt of the test does not cancel. */
static void heal_links(Worker *worker, const char *when, Outcome *outcome) {
  Healing healing = {.cluster = worker->cluster};
  Fiber *fiber = fiber_spawn("heal", heal, &healing);
  fiber_join(fiber, DEADLINE_NONE);
  add_story(outcome, when, &healing.outcome);
}

static bool run_at_last(Worker *worker, Outcome *outcome) {
  heal_links(worker, "when the links were healed", outcome);
  bool interrupted = run_finally_part(worker, outcome);
  if (worker->cluster->test->finally.n > 0) heal_links(worker, "when the links were healed after 'finally'", outcome);
  return interrupted;
}

/* What went on beside the steps when one of them failed. */
static void tell_load(Cluster *cluster, Outcome *outcome) {
  if (outcome->kind != OUTCOME_FAILED && outcome->kind != OUTCOME_ERROR) return;
  workloads_tell(cluster, outcome);
  invariants_tell(cluster, outcome);
}

/* Steps, `finally`, the servers' end, what they left, their logs: each goes on whatever became of those before. */
static void run_cluster(Worker *worker, Outcome *outcome) {
  Cluster *cluster = worker->cluster;
  g_auto(Outcome) stop = {0}, leaks = {0}, logs = {0};
  bool interrupted = run_main(worker, outcome);
  tell_load(cluster, outcome);
  interrupted = run_at_last(worker, outcome) || interrupted;
  if (outcome->kind != OUTCOME_OK) add_last_lines(cluster, outcome);
  cluster_stop(cluster, &stop);
  if (!interrupted) add_story(outcome, "when the servers were stopped", &stop);
  /* Whether they would have stopped by themselves is not known. */
  if (worker->hurry && outcome->kind == OUTCOME_OK)
    outcome_error(outcome, "the run was stopped while the servers were being stopped");
  bool clean = outcome->kind == OUTCOME_OK;
  cluster_leaks(cluster, &leaks);
  bool leaked = leaks.kind == OUTCOME_FAILED;
  if (!worker->stopped) add_story(outcome, "when the servers had stopped", &leaks);
  if (clean) cluster_check_logs(cluster, &logs);
  bool logs_bad = logs.kind != OUTCOME_OK;
  add_story(outcome, "in the servers' output", &logs);
  worker->verdict = judge(outcome, clean && leaked && !logs_bad);
}

static char *skip_reason(Worker *worker, bool *is_need) {
  const Test *test = worker->task->planned->test;
  *is_need = false;
  if (test->skip) return g_strdup(test->skip);
  *is_need = true;
  return needs_missing(test, worker->task->options->user);
}

static void replace_text(char **text, const char *from, const char *to) {
  if (!*text) return;
  GString *changed = g_string_new(*text);
  g_string_replace(changed, from, to, 0);
  g_free(*text);
  *text = g_string_free(changed, FALSE);
}

/* Where the test's files are to be looked at: where they are, or on the disk, when they are in memory. */
static char *keep_directory(Cluster *cluster, Outcome *outcome) {
  g_autofree char *name = g_path_get_basename(cluster->dir), *prefix = g_strconcat("runner-", name, NULL);
  g_autoptr(GError) error = NULL;
  if (!cluster->options->keep_dir) return g_strdup(cluster->dir);
  char *kept = dirs_make_unique(cluster->options->keep_dir, prefix, cluster->options->user, &error);
  if (kept && dirs_copy(cluster->dir, kept, cluster->options->user, deadline_after(REMOVE_LIMIT), &error)) {
    replace_text(&outcome->headline, cluster->dir, kept);
    replace_text(&outcome->detail, cluster->dir, kept);
    return kept;
  }
  outcome_addf(outcome, "  its files stay in memory, as they could not be copied to the disk: %s", error->message);
  g_free(kept);
  return g_strdup(cluster->dir);
}

static void finish(Worker *worker, Outcome *outcome, gint64 began) {
  bool good = worker->verdict == VERDICT_PASSED || worker->verdict == VERDICT_SKIPPED;
  bool keep = (!good || worker->task->keep) && !worker->stopped;
  Cluster *cluster = worker->cluster;
  g_autofree char *kept = keep && cluster->dir ? keep_directory(cluster, outcome) : NULL;
  tell_verdict(worker, outcome, NULL, g_get_monotonic_time() - began, kept);
  if (cluster->dir && g_strcmp0(kept, cluster->dir) != 0) dirs_remove(cluster->dir, deadline_after(REMOVE_LIMIT), NULL);
  if (cluster->socket_dir) dirs_remove(cluster->socket_dir, deadline_after(REMOVE_LIMIT), NULL);
  cluster_free(cluster);
}

static void tell_test_begun(Worker *worker, const char *dir) {
  event_begin(worker->log, "begun");
  event_text(worker->log, "dir", dir);
  event_end(worker->log);
}

static void run_test(gpointer data) {
  Worker *worker = data;
  gint64 began = g_get_monotonic_time();
  g_auto(Outcome) outcome = {0};
  bool is_need = false;
  g_autofree char *skip = skip_reason(worker, &is_need);
  if (skip) {
    tell_test_begun(worker, NULL);
    worker->verdict = is_need && worker->task->options->require_all ? VERDICT_FAILED : VERDICT_SKIPPED;
    tell_verdict(worker, &outcome, skip, 0, NULL);
    loop_quit();
    return;
  }
  worker->cluster = cluster_new(worker->task->planned, worker->task->options, worker->log, &outcome);
  tell_test_begun(worker, worker->cluster->dir);
  if (outcome.kind == OUTCOME_OK) run_cluster(worker, &outcome);
  else worker->verdict = judge(&outcome, false);
  worker->environment = outcome.environment;
  finish(worker, &outcome, began);
  worker->cluster = NULL;
  loop_quit();
}

/* ---- The process */

/* Everything that was inherited but what we need: another worker's control socket held open here would hide its end. */
static void close_inherited(const WorkerTask *task) {
  int keep[] = {MIN(task->control, task->runner), MAX(task->control, task->runner)};
  close_range(3, (unsigned)keep[0] - 1, 0);
  if (keep[1] > keep[0] + 1) close_range((unsigned)keep[0] + 1, (unsigned)keep[1] - 1, 0);
  close_range((unsigned)keep[1] + 1, ~0U, 0);
}

/* A stopped worker would not see its runner die: SIGCONT comes with that death. */
static void tie_to_runner(const WorkerTask *task) {
  setsid();
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCONT, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGCONT);
  if (poll(&(struct pollfd){.fd = task->runner, .events = POLLIN}, 1, 0) > 0) _exit(3);
}

int worker_main(gpointer data) {
  const WorkerTask *task = data;
  tie_to_runner(task);
  close_inherited(task);
  loop_new();
  reaper_begin();
  clock_set_scale(task->timeout_scale);
  int fd = open(task->events_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return 3;
  Worker worker = {.task = task};
  worker.log = event_log_new(fd, task->options->run_id, task->planned->number, task->attempt);
  event_log_on_line(worker.log, ring, data);
  Watch *runner = loop_watch(task->runner, POLLIN, runner_died, &worker);
  Watch *control = loop_watch(task->control, POLLIN, on_control, &worker);
  fiber_spawn_detached("test", run_test, &worker);
  loop_run();
  bool good = !event_log_error(worker.log);
  event_log_free(worker.log);
  watch_free(runner);
  watch_free(control);
  return leak_check() || !good || worker.environment ? 3 : 0;
}
