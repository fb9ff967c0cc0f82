#include "cmd/commands.h"
#include "cmd/completion.h"
#include "cmd/help.h"
#include "yamldef/problem.h"

static int unknown_command(const char *name) {
  guint n;
  const Subcommand *table = command_table(&n);
  g_autofree const char **words = g_new(const char *, n);
  for (guint i = 0; i < n; i++) words[i] = table[i].name;
  const char *near = nearest_word(name, words, n);
  if (near) return tell(STATUS_USAGE, "unknown command '%s': did you mean '%s'?", name, near);
  return tell(STATUS_USAGE, "unknown command '%s'", name);
}

int cmd_help(const Options *options) {
  if (options->man) return help_man();
  if (options->completion) {
    g_autoptr(GString) out = g_string_new(NULL);
    completion_print(options->completion, out);
    return print_result(out, STATUS_PASSED);
  }
  if (!options->files[0]) return help_command(command_find("run"), true);
  const Subcommand *command = command_find(options->files[0]);
  return command ? help_command(command, false) : unknown_command(options->files[0]);
}
