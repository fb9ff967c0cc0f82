/* reports.h - what --report asked for. */
#ifndef CMD_REPORTS_H
#define CMD_REPORTS_H

#include "cmd/options.h"
#include "runner/report.h"

typedef struct WantedReport { const Report *report; const char *path; } WantedReport;

/* WantedReport; NULL with error set: an unknown report, two for stdout. */
GArray *reports_wanted(const Options *options, GError **error);
/* Whether one of them takes stdout. */
bool reports_take_stdout(const GArray *wanted);
/* Writes all of them, saying on stderr what could not be written; false then. events: NULL-terminated, for jsonl. */
bool reports_write(const GArray *wanted, const Options *options, const RunRecord *record, const char *const *events);

#endif
