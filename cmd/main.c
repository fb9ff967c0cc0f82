/* runner - tests of replicated database clusters, written in YAML. */
#include "cmd/commands.h"
#include "cmd/help.h"
#include <signal.h>
#include <stdio.h>

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  signal(SIGPIPE, SIG_IGN);      /* a reader that went away is an error of write(), said once */
  if (argc < 2) {
    help_usage(stderr);
    return STATUS_USAGE;
  }
  g_autoptr(Options) options = options_parse(argc, argv, &error);
  if (!options) return tell(STATUS_USAGE, "%s", error->message);
  if (options->version) return help_version();
  if (options->help) return help_command(options->command, command_find(argv[1]) == NULL);
  return options->command->run(options);
}
