#include "cmd/commands.h"
#include "runner/registry.h"

static const char *plural(guint n) { return n == 1 ? "" : "s"; }

int cmd_cleanup(const Options *options) {
  g_autoptr(GError) error = NULL;
  RegistrySweep *sweep = registry_sweep(&error);
  if (!sweep) return tell(STATUS_ENVIRONMENT, "%s", error->message);
  g_autoptr(GString) out = g_string_new(NULL);
  g_string_append_printf(out, "%u killed run%s found, %u process%s ended\n", sweep->runs, plural(sweep->runs),
                         sweep->processes, sweep->processes == 1 ? "" : "es");
  for (guint i = 0; i < sweep->directories->len; i++)
    g_string_append_printf(out, "left to look at or to remove: %s\n", (char *)sweep->directories->pdata[i]);
  registry_sweep_free(sweep);
  return print_result(out, STATUS_PASSED);
}
