/* commands.h - the commands, each in its cmd_NAME.c, and the exit statuses that they share.
 *
 * Here, and only here, is printed: results to stdout, messages to stderr.
 */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "cmd/options.h"

typedef enum ExitStatus {
  STATUS_PASSED = 0,
  STATUS_FAILED = 1,             /* a test failed */
  STATUS_USAGE = 2,              /* the command line or a definition is wrong: nothing was started */
  STATUS_ENVIRONMENT = 3,        /* the disk is full, a report could not be written, our own fault */
  STATUS_NOTHING = 4,            /* no test was selected */
} ExitStatus;

int cmd_run(const Options *options);
int cmd_check(const Options *options);
int cmd_list(const Options *options);
int cmd_plan(const Options *options);
int cmd_report(const Options *options);
int cmd_cleanup(const Options *options);
int cmd_schema(const Options *options);
int cmd_help(const Options *options);

/* "runner: ..." on stderr; gives the status back. */
int tell(ExitStatus status, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* What a command has to say, on stdout, at once; STATUS_ENVIRONMENT when it could not be written. */
int print_result(const GString *text, ExitStatus status);

#endif
