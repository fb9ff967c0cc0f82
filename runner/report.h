/* report.h - from a record to text.  Each report is an entry in one table; none of them prints by itself.
 *
 *   name    what comes out
 *   tap     TAP 13 (prove reads it; dialect 14 on request): one file of definitions a subtest, one test a point
 *   junit   JUnit XML, the dialect of Jenkins' xunit schema; XML-safe whatever the servers printed
 *   jsonl   the events themselves, merged
 *
 * The terminal's report (report_terminal.h) is made while the run goes on.
 */
#ifndef RUNNER_REPORT_H
#define RUNNER_REPORT_H

#include "runner/record.h"

typedef struct ReportOptions {
  const char *tap_version;       /* "13" or "14" */
  const char *const *events;     /* jsonl: the files of events that are merged, NULL-terminated */
} ReportOptions;

typedef struct Report {
  const char *name, *help;
  void (*write)(const RunRecord *record, const ReportOptions *options, GString *out); /* NULL: jsonl, which is copied */
} Report;

void report_tap(const RunRecord *record, const ReportOptions *options, GString *out);
void report_junit(const RunRecord *record, const ReportOptions *options, GString *out);

/* The tests by their files: arrays of TestRecord, none empty, files and tests in planned order. */
GPtrArray *report_by_file(const RunRecord *record);

const Report *report_find(const char *name);
const Report *report_table(guint *n);
/* Writes by a temporary name and rename, so that nobody reads half of it (what is there and no file, such as
 * /dev/stdout or a FIFO, is written to as it is); "-": stdout. */
bool report_write_file(const RunRecord *record, const Report *report, const ReportOptions *options, const char *path,
                       GError **error);

#endif
