#include "cmd/commands.h"
#include "cmd/inputs.h"

static const char *plural(guint n) { return n == 1 ? "" : "s"; }

int cmd_check(const Options *options) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) definitions = inputs_load(options->files, &error);
  if (!definitions) return tell(STATUS_USAGE, "%s", error->message);
  g_autoptr(GString) out = g_string_new(NULL);
  guint n_warnings, n_tests = 0, n_errors = inputs_problems(definitions, true, &n_warnings, out);
  for (guint i = 0; i < definitions->len; i++) n_tests += definition_n_tests(definitions->pdata[i]);
  g_string_append_printf(out, "%u file%s, %u test%s, %u error%s, %u warning%s\n", definitions->len,
                         plural(definitions->len), n_tests, plural(n_tests), n_errors, plural(n_errors), n_warnings,
                         plural(n_warnings));
  return print_result(out, n_errors ? STATUS_USAGE : STATUS_PASSED);
}
