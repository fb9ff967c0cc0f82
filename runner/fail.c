/* Errors of the runner's own domain. */
#include "runner/fail.h"

#include <errno.h>

G_DEFINE_QUARK(runner-error, runner_error)

bool fail(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (error) *error = g_error_new_valist(RUNNER_ERROR, 0, format, args);
  va_end(args);
  return false;
}

bool fail_errno(GError **error, const char *format, ...) {
  int number = errno;
  if (!error) return false;
  va_list args;
  va_start(args, format);
  g_autofree char *what = g_strdup_vprintf(format, args);
  va_end(args);
  *error = g_error_new(RUNNER_ERROR, number, "%s: %s", what, g_strerror(number));
  return false;
}
