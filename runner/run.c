/* The scheduler: a fiber per worker, one that begins them. */
#include "runner/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/dirs.h"
#include "runner/load.h"
#include "runner/memory_dir.h"
#include "runner/output.h"
#include "runner/process.h"
#include "runner/registry.h"
#include "runner/tree.h"
#include "runner/worker.h"

#define TICK 100000
#define ROOM_OF_A_TEST (G_GUINT64_CONSTANT(256) << 20)
/* Beyond the test's own limit: a fixed port, `finally`, stop ladders, removal. */
#define WORKER_GRACE (900 * G_USEC_PER_SEC)
#define SWEEP_LIMIT (5 * G_USEC_PER_SEC)

typedef struct Run Run;

/* One attempt of one test. */
typedef struct Attempt {
  Run *run;
  const PlannedTest *planned;
  guint number;
  Process *worker;
  int control, events;           /* the runner's ends; -1: closed */
  Watch *watch;
  char *events_path, *again;
  GString *line;                 /* a piece of a line, until the rest of it comes */
  guint64 offset;
  Verdict verdict;
} Attempt;

struct Run {
  const Plan *plan;
  const RunOptions *options;
  RunRecord *record;
  TerminalReport *terminal;
  RunResult *result;
  Credentials user;
  ClusterOptions cluster;
  char *id, *dir;
  char *disk;                    /* where what is kept goes when dir is in memory */
  bool in_memory;
  int merged;                    /* the events of all, O_APPEND */
  EventLog *log;
  GQueue waiting;                /* Attempt */
  GPtrArray *running;            /* Attempt */
  Cond changed;
  Load load;
  bool stopping;
  int pidfd;                     /* of ourselves, for the workers */
  gint64 began;
};

/* ---- Events */

static void note_line(Run *run, const char *line, gsize len, Attempt *attempt) {
  RecordChange change = {0};
  if (!run_record_line(run->record, line, len, &change)) return;
  if (attempt && change.attempt && change.attempt->verdict != VERDICT_NONE && g_strcmp0(change.kind, "verdict") == 0)
    attempt->verdict = change.attempt->verdict;
  if (run->terminal) terminal_report_change(run->terminal, &change);
}

static void write_merged(Run *run, const char *bytes, gsize len) {
  while (len > 0) {
    ssize_t n = write(run->merged, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (!run->result->environment && run->terminal) {
        g_autofree char *text = g_strdup_printf("the events of the run could not be written: %s", g_strerror(errno));
        terminal_report_say(run->terminal, text);
      }
      run->result->environment = true;
      return;
    }
    bytes += n;
    len -= (gsize)n;
  }
}

/* Takes over what a worker has written since the last look, whole lines only. */
static void take_events(Attempt *attempt) {
  char bytes[64 * 1024];
  if (attempt->events < 0) attempt->events = open(attempt->events_path, O_RDONLY | O_CLOEXEC);
  if (attempt->events < 0) return;
  for (ssize_t n; (n = pread(attempt->events, bytes, sizeof bytes, (off_t)attempt->offset)) > 0;) {
    attempt->offset += (guint64)n;
    g_string_append_len(attempt->line, bytes, n);
    char *start = attempt->line->str, *end;
    while ((end = memchr(start, '\n', attempt->line->len - (gsize)(start - attempt->line->str)))) {
      write_merged(attempt->run, start, (gsize)(end + 1 - start));
      note_line(attempt->run, start, (gsize)(end - start), attempt);
      start = end + 1;
    }
    g_string_erase(attempt->line, 0, start - attempt->line->str);
  }
}

/* The run's own events go the same way as the workers'. */
static void begin_own_events(Run *run) {
  run->log = event_log_new(run->merged, run->id, 0, 0);
}

/* Reads back what was written to the merged file by ourselves, so that the record hears all from one source. */
static void note_own(Run *run, guint64 from) {
  g_autoptr(GString) text = g_string_new(NULL);
  char bytes[16 * 1024];
  for (ssize_t n; (n = pread(run->merged, bytes, sizeof bytes, (off_t)(from + text->len))) > 0;)
    g_string_append_len(text, bytes, n);
  g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
  for (char **line = lines; *line; line++)
    if (**line) note_line(run, *line, strlen(*line), NULL);
}

static guint64 merged_size(const Run *run) { return (guint64)MAX(lseek(run->merged, 0, SEEK_END), 0); }

static void tell_run(Run *run) {
  struct utsname name = {0};
  uname(&name);
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *started = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ"), *cwd = g_get_current_dir();
  g_autofree char *kernel = g_strdup_printf("%s %s", name.sysname, name.release);
  event_begin(run->log, "run");
  event_text(run->log, "version", VERSION);
  event_text(run->log, "started", started);
  event_text(run->log, "host", name.nodename);
  event_text(run->log, "kernel", kernel);
  event_int(run->log, "cores", g_get_num_processors());
  event_int(run->log, "seed", (gint64)run->options->seed);
  event_text(run->log, "cwd", cwd);
  event_list(run->log, "command", run->options->command);
  event_int(run->log, "tests", plan_n_tests(run->plan));
  event_end(run->log);
}

static void tell_planned(Run *run) {
  for (guint i = 0; i < plan_n_tests(run->plan); i++) {
    const PlannedTest *planned = plan_test(run->plan, i);
    EventLog *log = event_log_new(run->merged, run->id, planned->number, 1);
    g_autofree const char **tags = g_new0(const char *, planned->test->tags.n + 1);
    for (guint j = 0; j < planned->test->tags.n; j++) tags[j] = planned->test->tags.v[j].s;
    event_begin(log, "planned");
    event_text(log, "name", planned->name);
    event_text(log, "base_name", planned->test->base_name);
    event_text(log, "file", planned->file);
    event_int(log, "line", planned->test->at.line);
    event_list(log, "tags", tags);
    event_end(log);
    event_log_free(log);
  }
}

static void tell_run_ended(Run *run) {
  static const Verdict verdicts[] = {VERDICT_PASSED,  VERDICT_FAILED, VERDICT_ERROR,
                                     VERDICT_SKIPPED, VERDICT_FLAKY,  VERDICT_LEAKED};
  guint64 from = merged_size(run);
  event_begin(run->log, "run_ended");
  event_int(run->log, "us", g_get_monotonic_time() - run->began);
  for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++)
    event_int(run->log, verdict_word(verdicts[i]), run_record_count(run->record, verdicts[i]));
  if (run->result->signal) event_int(run->log, "signal", run->result->signal);
  event_end(run->log);
  note_own(run, from);
}

/* ---- Attempts */

static char *again_line(const Run *run, const PlannedTest *planned) {
  g_autoptr(GString) line = g_string_new(NULL);
  g_autofree char *name = g_shell_quote(planned->test->name), *file = g_shell_quote(planned->file);
  g_string_printf(line, "%s -t %s", run->options->program ? run->options->program : "runner", name);
  if (run->options->user) g_string_append_printf(line, " --user %s", run->options->user);
  if (run->options->timeout_scale != 1.0)
    g_string_append_printf(line, " --timeout-scale %g", run->options->timeout_scale);
  for (const char *const *set = run->options->sets; set && *set; set++) {
    g_autofree char *quoted = g_shell_quote(*set);
    g_string_append_printf(line, " --set %s", quoted);
  }
  g_autofree char *debug = debug_options_again(run->options->debug);
  g_string_append(line, debug);
  if (run->options->seed) g_string_append_printf(line, " --seed %" G_GUINT64_FORMAT, run->options->seed);
  g_string_append_printf(line, " %s", file);
  return g_strdup(line->str);
}

static Attempt *attempt_new(Run *run, const PlannedTest *planned, guint number) {
  Attempt *attempt = g_new0(Attempt, 1);
  attempt->run = run;
  attempt->planned = planned;
  attempt->number = number;
  attempt->control = attempt->events = -1;
  attempt->line = g_string_new(NULL);
  attempt->events_path = g_strdup_printf("%s/events/%u-%u.jsonl", run->dir, planned->number, number);
  attempt->again = again_line(run, planned);
  return attempt;
}

static void attempt_free(Attempt *attempt) {
  watch_free(attempt->watch);
  process_free(attempt->worker);
  if (attempt->control >= 0) close(attempt->control);
  if (attempt->events >= 0) close(attempt->events);
  unlink(attempt->events_path);
  g_string_free(attempt->line, TRUE);
  g_free(attempt->events_path);
  g_free(attempt->again);
  g_free(attempt);
}

static void on_ring(int fd, short revents, gpointer data) {
  Attempt *attempt = data;
  char bytes[1];
  ssize_t n;
  while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) continue;
  take_events(attempt);
  if (n == 0) g_clear_pointer(&attempt->watch, watch_free);   /* the worker is gone; its exit is told by the reaper */
}

static void order(Attempt *attempt, char what) {
  if (attempt->control >= 0 && send(attempt->control, &what, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
}

/* A verdict of the runner's own, for a worker that could not give one. */
static void tell_lost_worker(Attempt *attempt, const char *headline) {
  Run *run = attempt->run;
  guint64 from = merged_size(run);
  EventLog *log = event_log_new(run->merged, run->id, attempt->planned->number, attempt->number);
  event_begin(log, "verdict");
  event_text(log, "verdict", verdict_word(VERDICT_ERROR));
  event_int(log, "us", 0);
  event_text(log, "headline", headline);
  event_text(log, "again", attempt->again);
  event_end(log);
  event_log_free(log);
  attempt->verdict = VERDICT_ERROR;
  note_own(run, from);
}

static bool begin_worker(Attempt *attempt, GError **error) {
  Run *run = attempt->run;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "make a socket pair: %s", g_strerror(errno));
    return false;
  }
  WorkerTask task = {.planned = attempt->planned,
                     .attempt = attempt->number,
                     .options = &run->cluster,
                     .events_path = attempt->events_path,
                     .again = attempt->again,
                     .control = pair[1],
                     .runner = run->pidfd,
                     .keep = run->options->keep,
                     .timeout_scale = run->options->timeout_scale};
  attempt->worker = process_fork(worker_main, &task, error);
  close(pair[1]);
  attempt->control = pair[0];
  if (!attempt->worker) return false;
  registry_add(attempt->worker->pid, attempt->worker->start_time, "worker");
  attempt->watch = loop_watch(pair[0], POLLIN, on_ring, attempt);
  if (run->result->signal) order(attempt, WORKER_STOP);   /* it came when this one was about to begin */
  return true;
}

/* What a crashed worker left was adopted by us. */
static GArray *list_strays(gpointer data) {
  Run *run = data;
  g_autoptr(GArray) workers = g_array_new(FALSE, FALSE, sizeof(pid_t));
  for (guint i = 0; i < run->running->len; i++) {
    Attempt *attempt = g_ptr_array_index(run->running, i);
    if (attempt->worker && !attempt->worker->exited) g_array_append_val(workers, attempt->worker->pid);
  }
  return tree_orphans(workers, NULL, NULL);
}

static void after_worker(Attempt *attempt) {
  Run *run = attempt->run;
  take_events(attempt);
  int status = attempt->worker->status;
  bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!clean) tree_kill(list_strays, run, deadline_after(SWEEP_LIMIT));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3) run->result->environment = true;
  if (attempt->verdict != VERDICT_NONE) return;
  g_autofree char *end = exit_text(status);
  g_autofree char *headline = g_strdup_printf("the worker process of this test %s before it had a verdict", end);
  tell_lost_worker(attempt, headline);
}

static bool wants_retry(const Run *run, const Attempt *attempt) {
  bool bad = attempt->verdict != VERDICT_PASSED && attempt->verdict != VERDICT_SKIPPED;
  return bad && attempt->number <= run->options->retries && !run->stopping;
}

static bool is_debugged(const Attempt *attempt) {
  const Test *test = attempt->planned->test;
  for (guint i = 0; i < test->n_servers; i++)
    if (test->servers[i].debug_port.raw || test->servers[i].debugger.raw) return true;
  return attempt->run->options->debug != NULL || debug_environment(test);
}

/* A worker bounds all that it waits for. One that is stuck itself, for want of that care, must not hang the run. */
static void wait_for_worker(Attempt *attempt) {
  gint64 test = (gint64)((double)test_limit(attempt->planned->test) * attempt->run->options->timeout_scale);
  Deadline limit = is_debugged(attempt) ? DEADLINE_NONE : deadline_after(test + WORKER_GRACE);
  if (process_wait(attempt->worker, limit) == WAIT_READY) return;
  process_signal(attempt->worker, SIGKILL);
  process_wait(attempt->worker, DEADLINE_NONE);
}

static void watch_attempt(gpointer data) {
  Attempt *attempt = data;
  Run *run = attempt->run;
  GError *error = NULL;
  if (begin_worker(attempt, &error)) {
    wait_for_worker(attempt);
    after_worker(attempt);
  } else {
    run->result->environment = true;
    tell_lost_worker(attempt, error->message);
    g_error_free(error);
  }
  bool bad = attempt->verdict != VERDICT_PASSED && attempt->verdict != VERDICT_SKIPPED;
  if (wants_retry(run, attempt))
    g_queue_push_head(&run->waiting, attempt_new(run, attempt->planned, attempt->number + 1));
  else if (bad && (run->options->fail_fast || run->options->until_fail)) run->stopping = true;
  g_ptr_array_remove(run->running, attempt);
  attempt_free(attempt);
  cond_wake(&run->changed);
}

/* ---- Which is next */

/* Tests that want the same fixed port take turns; between runners a lock of ports.h does the same. */
static bool share_fixed_port(const Test *a, const Test *b) {
  for (guint i = 0; i < a->n_servers; i++) {
    const Text *port = &a->servers[i].port;
    for (guint j = 0; port->raw && !a->servers[i].external && j < b->n_servers; j++)
      if (!b->servers[j].external && g_strcmp0(port->raw, b->servers[j].port.raw) == 0) return true;
  }
  return false;
}

static bool may_run(const Run *run, const Attempt *next) {
  for (guint i = 0; i < run->running->len; i++) {
    const Attempt *other = g_ptr_array_index(run->running, i);
    if (other->planned->test->exclusive || next->planned->test->exclusive) return false;
    if (share_fixed_port(other->planned->test, next->planned->test)) return false;
    if (!next->planned->test->parallel && !other->planned->test->parallel &&
        strcmp(other->planned->file, next->planned->file) == 0)
      return false;
  }
  return true;
}

/* An exclusive test at the head of the queue lets the others end; nothing overtakes it. */
static Attempt *take_next(Run *run) {
  for (GList *l = run->waiting.head; l; l = l->next) {
    Attempt *attempt = l->data;
    if (may_run(run, attempt)) {
      g_queue_delete_link(&run->waiting, l);
      return attempt;
    }
    if (attempt->planned->test->exclusive) return NULL;
  }
  return NULL;
}

/* One at a time for a person at a debugger. */
static guint limit_now(Run *run) {
  if (debug_options_interactive(run->options->debug)) return 1;
  /* Memory that is nearly full of files is left to those tests that fill it. */
  if (run->in_memory && run->running->len > 0 && memory_dir_room() < ROOM_OF_A_TEST * (run->running->len + 1))
    return run->running->len;
  if (run->options->jobs > 0) return run->options->jobs;
  return load_limit(&run->load, run->running->len, run->waiting.length > 0);
}

static void schedule(gpointer data) {
  Run *run = data;
  while (run->running->len > 0 || (run->waiting.length > 0 && !run->stopping)) {
    while (!run->stopping && run->running->len < limit_now(run)) {
      Attempt *next = take_next(run);
      if (!next) break;
      g_ptr_array_add(run->running, next);
      fiber_spawn_detached("worker", watch_attempt, next);
    }
    wait_cond(&run->changed, deadline_after(TICK));
    if (run->terminal) terminal_report_tick(run->terminal);
  }
  tree_kill(list_strays, run, deadline_after(SWEEP_LIMIT));
  loop_quit();
}

/* ---- Signals */

static void on_signal(const struct signalfd_siginfo *info, gpointer data) {
  Run *run = data;
  bool again = run->result->signal != 0;
  if (!again) run->result->signal = (int)info->ssi_signo;
  run->stopping = true;
  if (run->terminal) {
    g_autofree char *text = again ? g_strdup("killing what still runs")
                                  : g_strdup_printf("stopped by %s: ending the servers (again: without grace)",
                                                    signal_name((int)info->ssi_signo));
    terminal_report_say(run->terminal, text);
  }
  for (guint i = 0; i < run->running->len; i++)
    order(g_ptr_array_index(run->running, i), again ? WORKER_HURRY : WORKER_STOP);
  cond_wake(&run->changed);
}

/* ---- Begin and end */

static void sweep_old_runs(Run *run) {
  RegistrySweep *sweep = registry_sweep(NULL);
  if (!sweep) return;
  for (guint i = 0; run->terminal && i < sweep->directories->len; i++) {
    g_autofree char *text = g_strdup_printf(
        "an earlier run was killed; %u process%s of it ended now, its files are in %s", sweep->processes,
        sweep->processes == 1 ? "" : "es", (const char *)g_ptr_array_index(sweep->directories, i));
    terminal_report_say(run->terminal, text);
  }
  registry_sweep_free(sweep);
}

static bool make_directory(Run *run, GError **error) {
  if (!credentials_find(&run->user, run->options->user, error)) return false;
  run->disk = dirs_tmp(&run->user, error);
  if (!run->disk) return false;
  run->in_memory = memory_dir() != NULL;
  run->dir = dirs_make_unique(run->in_memory ? memory_dir() : run->disk, "runner", &run->user, error);
  g_autofree char *events = run->dir ? dirs_make(run->dir, "events", 0700, NULL, error) : NULL;
  if (!events) return false;
  run->result->events = g_build_filename(run->dir, "events", "run.jsonl", NULL);
  run->result->directory = g_strdup(run->dir);
  run->merged = open(run->result->events, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (run->merged >= 0) return true;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "make '%s': %s", run->result->events,
              g_strerror(errno));
  return false;
}

static void begin_registry(Run *run) {
  GError *error = NULL;
  run->id = registry_run_id();
  if (registry_begin(run->id, run->dir, &error)) return;
  if (run->terminal) {
    g_autofree char *text =
        g_strdup_printf("warning: %s; what a killed run leaves will not be found later", error->message);
    terminal_report_say(run->terminal, text);
  }
  g_error_free(error);
}

static void begin_record(Run *run) {
  begin_own_events(run);
  tell_run(run);
  tell_planned(run);
  note_own(run, 0);
  for (guint i = 0; i < plan_n_tests(run->plan); i++)
    g_queue_push_tail(&run->waiting, attempt_new(run, plan_test(run->plan, i), 1));
}

bool run_tests(const Plan *plan, const RunOptions *options, RunRecord *record, TerminalReport *terminal,
               RunResult *result, GError **error) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  Run run = {.plan = plan, .options = options, .record = record, .terminal = terminal, .result = result, .merged = -1,
             .began = g_get_monotonic_time()};
  memset(result, 0, sizeof *result);
  signal(SIGPIPE, SIG_IGN);
  loop_new();
  reaper_begin();
  for (guint i = 0; i < G_N_ELEMENTS(signals); i++) loop_on_signal(signals[i], on_signal, &run);
  sweep_old_runs(&run);
  bool good = make_directory(&run, error);
  if (good) {
    g_autofree char *cwd = g_get_current_dir();
    begin_registry(&run);
    run.cluster = (ClusterOptions){.run_id = run.id,
                                   .run_dir = run.dir,
                                   .keep_dir = run.in_memory ? run.disk : NULL,
                                   .cwd = cwd,
                                   .user = &run.user,
                                   .sets = options->sets,
                                   .debug = options->debug,
                                   .require_all = options->require_all,
                                   .seed = options->seed,
                                   .log_cap = options->log_cap ? (guint64)options->log_cap : OUTPUT_CAP_DEFAULT};
    run.pidfd = pidfd_open(getpid(), 0);
    run.running = g_ptr_array_new();
    load_init(&run.load);
    begin_record(&run);
    fiber_spawn_detached("schedule", schedule, &run);
    loop_run();
    tell_run_ended(&run);
    registry_end();
    while (run.waiting.length > 0) attempt_free(g_queue_pop_head(&run.waiting));
    g_ptr_array_unref(run.running);
    event_log_free(run.log);
    close(run.pidfd);
  }
  if (run.merged >= 0) close(run.merged);
  loop_free();
  g_free(run.id);
  g_free(run.dir);
  g_free(run.disk);
  return good;
}

void run_result_clear(RunResult *result) {
  if (result->events) {
    g_autofree char *dir = g_path_get_dirname(result->events);
    unlink(result->events);
    rmdir(dir);
  }
  if (result->directory) rmdir(result->directory);   /* what was kept is in it, then it stays */
  g_free(result->events);
  g_free(result->directory);
  memset(result, 0, sizeof *result);
}
