/* report_terminal.h - what a person sees: a line per test as it ends, failures in full, a summary with the failing
 * names last.  On a terminal also what runs now, on which step, for how long (redrawn at most ten times a second);
 * elsewhere plain lines, nothing redrawn.  Bytes of servers never reach the terminal as control characters.
 */
#ifndef RUNNER_REPORT_TERMINAL_H
#define RUNNER_REPORT_TERMINAL_H

#include "runner/record.h"

typedef struct TerminalReport TerminalReport;

typedef struct TerminalOptions {
  int fd;                        /* where to */
  bool colour, live;             /* terminal_wants_colour(), terminal_is_live() */
  int width;                     /* 0: 80 */
  int verbose;                   /* 1: a line per step too */
  guint retries; /* so many failed attempts of a test are said in a line; what they were is told when it has ended */
} TerminalOptions;

/* --color auto|always|never, NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM=dumb. */
bool terminal_wants_colour(const char *when, int fd);
/* A terminal, and no dumb one. */
bool terminal_is_live(int fd);
/* Of the terminal, else $COLUMNS, else 80. */
int terminal_width(int fd);

TerminalReport *terminal_report_new(const TerminalOptions *options, const RunRecord *record);
void terminal_report_change(TerminalReport *report, const RecordChange *change);
void terminal_report_tick(TerminalReport *report);          /* call about ten times a second when live */
/* A message of the runner's own, above the live part. */
void terminal_report_say(TerminalReport *report, const char *text);
/* What was not said yet of the record's tests, then the summary. Alone, it makes the whole report of a record. */
void terminal_report_end(TerminalReport *report);
void terminal_report_free(TerminalReport *report);
/* false once the descriptor was closed or full (EPIPE): the run goes on, the exit status is not 0. */
bool terminal_report_intact(const TerminalReport *report);

#endif
