#include "cmd/commands.h"
#include <stdarg.h>
#include <stdio.h>

int tell(ExitStatus status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  fprintf(stderr, "runner: %s\n", text);
  return status;
}

int print_result(const GString *text, ExitStatus status) {
  bool written = fwrite(text->str, 1, text->len, stdout) == text->len;
  if (fflush(stdout) == 0 && written) return status;
  return tell(STATUS_ENVIRONMENT, "write to stdout: %m");
}
