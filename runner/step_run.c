/* run: a program, as the test's user, with the server's own programs before all others. */
#include <string.h>
#include <sys/wait.h>
#include "runner/command.h"
#include "runner/dirs.h"
#include "runner/step.h"
#include "runner/visible.h"

#define SHOWN 4000

/* Of the engine's own programs, not of cp or rm. */
static bool takes_extra_args(const Context *context, const char *program) {
  const Node *self = context->scope.roles.self;
  if (!context->extra_args || !*context->extra_args || !self) return false;
  for (guint i = 0; i < self->engine->need.n; i++)
    if (strcmp(self->engine->need.v[i].s, program) == 0) return true;
  return false;
}

static char **render_argv(Context *context, Scope *scope, const Texts *command, GError **error) {
  g_auto(GStrv) argv = scope_render_all(scope, command, error);
  bool takes = argv && takes_extra_args(context, argv[0]);
  g_auto(GStrv) extra = takes ? scope_render_all(scope, *context->extra_args, error) : g_new0(char *, 1);
  if (!argv || !extra) return NULL;
  if (takes) *context->extra_args = NULL;
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (char **arg = argv; *arg; arg++) g_ptr_array_add(all, g_strdup(*arg));
  for (char **arg = extra; *arg; arg++) g_ptr_array_add(all, g_strdup(*arg));
  g_ptr_array_add(all, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
}

static bool check_exit(const RunStep *run, const CommandResult *result, const char *name, Outcome *outcome) {
  int status = result->status;
  bool zero = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  g_autofree char *end = exit_text(status);
  switch (run->exit_wish) {
  case EXIT_ZERO: return zero || outcome_fail(outcome, "'%s' %s", name, end);
  case EXIT_NONZERO: return !zero || outcome_fail(outcome, "'%s' was to fail, but it %s", name, end);
  case EXIT_STATUS: break;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == run->exit_status) return true;
  return outcome_fail(outcome, "'%s' was to exit with status %d, but it %s", name, run->exit_status, end);
}

static bool check_text(Context *context, const PatternTexts *patterns, const char *text, gsize len, const char *which,
                       Outcome *outcome) {
  for (guint i = 0; i < patterns->n; i++) {
    g_autoptr(Pattern) made = NULL;
    GError *error = NULL;
    const Pattern *pattern = scope_pattern(&context->scope, &patterns->v[i], PATTERN_BLOCK, &made, &error);
    if (!pattern) return outcome_take_error(outcome, error);
    const char *why = NULL;
    PatternResult found = pattern_search(pattern, text, len, 0, NULL, NULL, &why);
    if (found == PATTERN_YES) continue;
    if (found == PATTERN_NO) outcome_fail(outcome, "its %s does not match /%s/", which, pattern_text(pattern));
    else outcome_error(outcome, "pattern /%s/ over its %s could not be decided: %s", pattern_text(pattern), which, why);
    outcome->at = patterns->v[i].text.at;
    return false;
  }
  return true;
}

static void show_bytes(const char *which, const char *bytes, gsize len, Outcome *outcome) {
  g_autoptr(GString) text = g_string_new(NULL);
  visible_append(text, bytes, MIN(len, SHOWN), VISIBLE_LINES);
  if (len > 0) outcome_addf(outcome, "  %s: %s", which, text->str);
}

static void show_output(const CommandResult *result, char **argv, Outcome *outcome) {
  g_autofree char *line = g_strjoinv(" ", argv);
  outcome_addf(outcome, "  command: %s", line);
  show_bytes("stdout", result->out, result->out_len, outcome);
  show_bytes("stderr", result->err, result->err_len, outcome);
}

static bool leave(Context *context, Scope *scope, Node *node, const RunStep *run, char **argv, Outcome *outcome) {
  Cluster *cluster = context->scope.cluster;
  g_autofree char *safe = dirs_safe_name(run->keep_running.s);
  g_autofree char *path = g_strdup_printf("%s/%s.log", cluster->dir, safe);
  Process *process = command_leave(scope, node, argv, node ? node->dir : cluster->dir, path, outcome);
  if (process) g_ptr_array_add(cluster->helpers, process);
  return process != NULL;
}

void step_command(Context *context, const Step *step, Outcome *outcome) {
  const RunStep *run = &step->run;
  GError *error = NULL;
  Node *node = run->server.s ? context_node(context, &run->server, outcome) : context->scope.roles.self;
  if (outcome->kind != OUTCOME_OK) return;
  Scope scope = context->scope;
  if (node && !scope.roles.self) scope.roles.self = node;   /* its programs are found first */
  g_auto(GStrv) argv = render_argv(context, &scope, &run->command, &error);
  gsize input_len = 0;
  g_autofree char *input = argv ? scope_render(&scope, &run->stdin_text, &input_len, &error) : NULL;
  if (error) {
    outcome_take_error(outcome, error);
    return;
  }
  if (run->keep_running.s) {
    leave(context, &scope, node, run, argv, outcome);
    return;
  }
  g_auto(CommandResult) result = {0};
  CommandWords words = {.argv = argv, .input = input, .input_len = input_len};
  if (!command_run(&scope, node, &words, context->limit, &result, outcome)) {
    if (!result.timed_out) return;
    outcome->kind = OUTCOME_FAILED;   /* how long it may take is the definition's word */
    show_output(&result, argv, outcome);
    return;
  }
  if (!check_exit(run, &result, argv[0], outcome) ||
      !check_text(context, &run->out, result.out, result.out_len, "stdout", outcome) ||
      !check_text(context, &run->err, result.err, result.err_len, "stderr", outcome)) {
    show_output(&result, argv, outcome);
    return;
  }
  if (!run->capture.s) return;
  gsize len = result.out_len;
  if (len > 0 && result.out[len - 1] == '\n') len--;
  scope_capture(&context->scope, run->capture.s, result.out, len);
}
