#include "cmd/commands.h"
#include "cmd/bazel.h"
#include "cmd/reports.h"
#include "cmd/selection.h"
#include "runner/run.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Bazel takes a test that does not touch this file for one that knows nothing of shards, and fails it. */
static bool touch_shard_file(const Options *options) {
  const char *path = bazel_says(options, "TEST_SHARD_STATUS_FILE");
  if (!path) return true;
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return tell(STATUS_ENVIRONMENT, "touch '%s' (TEST_SHARD_STATUS_FILE): %m", path), false;
  close(fd);
  return true;
}

static bool takes_settings(const Plan *plan, const char *engine) {
  for (guint i = 0; i < plan_n_tests(plan); i++) {
    const Test *test = plan_test(plan, i)->test;
    for (guint s = 0; s < test->n_servers; s++) {
      const Engine *used = test->servers[s].engine;
      if (used->has_settings_file && g_strcmp0(used->name, engine) == 0) return true;
    }
  }
  return false;
}

/* A setting that reaches no server is a mistake, not something to pass over. */
static int check_sets(const Options *options, const Plan *plan) {
  for (const char *const *set = options_list(options->sets); set && *set; set++) {
    const char *dot = strchr(*set, '.'), *equals = dot ? strchr(dot, '=') : NULL;
    if (!equals || dot == *set || equals == dot + 1)
      return tell(STATUS_USAGE, "--set '%s': ENGINE.KEY=VALUE is wanted", *set);
    g_autofree char *engine = g_strndup(*set, (gsize)(dot - *set));
    if (!takes_settings(plan, engine))
      return tell(STATUS_USAGE, "--set '%s': no selected test has a server of an engine '%s' that takes settings", *set,
                  engine);
  }
  return STATUS_PASSED;
}

static int check_user(const Options *options) {
  Credentials credentials;
  g_autoptr(GError) error = NULL;
  if (!options->user || credentials_find(&credentials, options->user, &error)) return STATUS_PASSED;
  return tell(STATUS_USAGE, "--user '%s': %s", options->user, error->message);
}

/* NULL after it was said what is wrong. */
static DebugOptions *debug_of(const Options *options, const Plan *plan) {
  g_autoptr(GError) error = NULL;
  g_autoptr(DebugOptions) debug = debug_options_new(options_list(options->debugs), options_list(options->attaches),
                                                    options_list(options->wraps), &error);
  if (!debug) return tell(STATUS_USAGE, "%s", error->message), NULL;
  const char *unknown = debug_options_unknown(debug, plan);
  if (unknown)
    return tell(STATUS_USAGE, "'%s' cannot be debugged or wrapped: no selected test starts a server of this name",
                unknown),
           NULL;
  return g_steal_pointer(&debug);
}

static guint64 seed_of(const Options *options) {
  guint32 seed = 0;
  if (options->seed >= 0) return (guint64)options->seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = (guint32)g_get_real_time();
  return seed;
}

static RunOptions run_options(const Options *options, const DebugOptions *debug) {
  return (RunOptions){
    .jobs = (guint)options->jobs, .retries = (guint)options->retries, .fail_fast = options->fail_fast,
    .until_fail = options->until_fail, .keep = options->keep, .require_all = options->require_all,
    .timeout_scale = options->timeout_scale, .user = options->user, .seed = seed_of(options),
    .command = (const char *const *)options->argv, .sets = options_list(options->sets), .program = options->program,
    .debug = debug,
  };
}

static TerminalReport *terminal_of(const Options *options, const GArray *wanted, const RunRecord *record) {
  int fd = reports_take_stdout(wanted) ? STDERR_FILENO : STDOUT_FILENO;
  TerminalOptions terminal = {.fd = fd,
                              .colour = terminal_wants_colour(options->colour, fd),
                              .live = terminal_is_live(fd),
                              .width = terminal_width(fd),
                              .verbose = (int)options->verbose,
                              .retries = (guint)options->retries};
  return terminal_report_new(&terminal, record);
}

static bool all_passed(const RunRecord *record) {
  return run_record_count(record, VERDICT_PASSED) + run_record_count(record, VERDICT_FLAKY) +
           run_record_count(record, VERDICT_SKIPPED) == run_record_n_tests(record);
}

/* Ends by the signal that ended the run, so that a shell or make sees it as such. */
static void end_by(int signo) {
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signo);
  signal(signo, SIG_DFL);
  raise(signo);
  sigprocmask(SIG_UNBLOCK, &only, NULL);
}

static int run_plan(const Options *options, const Plan *plan, const GArray *wanted, int *signo) {
  g_autoptr(DebugOptions) debug = debug_of(options, plan);
  if (!debug) return STATUS_USAGE;
  g_autoptr(RunRecord) record = run_record_new();
  g_autoptr(GError) error = NULL;
  TerminalReport *terminal = terminal_of(options, wanted, record);
  RunOptions how = run_options(options, debug);
  RunResult result = {0};
  int status;
  if (run_tests(plan, &how, record, terminal, &result, &error)) {
    terminal_report_end(terminal);
    const char *events[] = {result.events, NULL};
    bool written = reports_write(wanted, options, record, events) && terminal_report_intact(terminal);
    status = result.environment || !written ? STATUS_ENVIRONMENT : all_passed(record) ? STATUS_PASSED : STATUS_FAILED;
  } else {
    status = tell(STATUS_ENVIRONMENT, "%s", error->message);
  }
  *signo = result.signal;
  run_result_clear(&result);
  terminal_report_free(terminal);
  return status;
}

int cmd_run(const Options *options) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) wanted = reports_wanted(options, &error);
  if (!wanted) return tell(STATUS_USAGE, "%s", error->message);
  Selection selection;
  int status = selection_make(options, &selection), signo = 0;
  if (status == STATUS_PASSED) status = check_user(options);
  if (status == STATUS_PASSED) status = check_sets(options, selection.plan);
  if (status == STATUS_PASSED && !touch_shard_file(options)) status = STATUS_ENVIRONMENT;
  if (status == STATUS_PASSED && plan_n_tests(selection.plan))
    status = run_plan(options, selection.plan, wanted, &signo);
  selection_clear(&selection);
  if (signo) end_by(signo);
  return status;
}
