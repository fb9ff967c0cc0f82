#include "runner/outcome.h"

#include <errno.h>
#include <string.h>
#include "runner/fail.h"

void outcome_clear(Outcome *outcome) {
  g_free(outcome->headline);
  g_free(outcome->detail);
  memset(outcome, 0, sizeof *outcome);
}

static bool set(Outcome *outcome, OutcomeKind kind, const char *format, va_list args) {
  outcome_clear(outcome);
  outcome->kind = kind;
  outcome->headline = g_strdup_vprintf(format, args);
  return false;
}

bool outcome_fail(Outcome *outcome, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set(outcome, OUTCOME_FAILED, format, args);
  va_end(args);
  return false;
}

bool outcome_error(Outcome *outcome, const char *format, ...) {
  va_list args;
  va_start(args, format);
  set(outcome, OUTCOME_ERROR, format, args);
  va_end(args);
  return false;
}

bool outcome_cancel(Outcome *outcome) {
  outcome_clear(outcome);
  outcome->kind = OUTCOME_CANCELLED;
  return false;
}

static bool of_environment(const GError *error) {
  static const int numbers[] = {EMFILE, ENFILE, ENOMEM, EAGAIN, ENOSPC, EDQUOT};
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    if (error->domain == RUNNER_ERROR && error->code == numbers[i]) return true;
    int code = (int)g_file_error_from_errno(numbers[i]);
    if (error->domain == G_FILE_ERROR && error->code == code && code != G_FILE_ERROR_FAILED) return true;
  }
  return false;
}

bool outcome_take_error(Outcome *outcome, GError *error) {
  outcome_error(outcome, "%s", error->message);
  outcome->environment = of_environment(error);
  g_error_free(error);
  return false;
}

void outcome_add(Outcome *outcome, const char *text) {
  if (!text || !*text) return;
  bool ended = g_str_has_suffix(text, "\n");
  char *joined = g_strconcat(outcome->detail ? outcome->detail : "", text, ended ? "" : "\n", NULL);
  g_free(outcome->detail);
  outcome->detail = joined;
}

void outcome_addf(Outcome *outcome, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  outcome_add(outcome, text);
}

void outcome_move(Outcome *to, Outcome *from) {
  outcome_clear(to);
  *to = *from;
  memset(from, 0, sizeof *from);
}
