#include "cmd/commands.h"
#include "cmd/reports.h"
#include "runner/report_terminal.h"
#include <unistd.h>

static void show(const Options *options, const RunRecord *record, int fd) {
  TerminalOptions terminal = {.fd = fd,
                              .colour = terminal_wants_colour(options->colour, fd),
                              .width = terminal_width(fd),
                              .verbose = (int)options->verbose};
  TerminalReport *report = terminal_report_new(&terminal, record);
  terminal_report_end(report);
  terminal_report_free(report);
}

int cmd_report(const Options *options) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) wanted = reports_wanted(options, &error);
  if (!wanted) return tell(STATUS_USAGE, "%s", error->message);
  g_autoptr(RunRecord) record = run_record_new();
  for (char **path = options->files; *path; path++)
    if (!run_record_file(record, *path, &error)) return tell(STATUS_USAGE, "%s", error->message);
  guint bad = run_record_bad_lines(record);
  if (!run_record_n_tests(record)) return tell(STATUS_USAGE, "these files have no events of a run");
  if (bad) tell(STATUS_PASSED, "%u line%s passed over: cut off, or no events", bad, bad == 1 ? "" : "s");
  if (!wanted->len) show(options, record, STDOUT_FILENO);
  return reports_write(wanted, options, record, (const char *const *)options->files) ? STATUS_PASSED
                                                                                     : STATUS_ENVIRONMENT;
}
