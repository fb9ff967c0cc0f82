/* record.h - a run as its events tell it, for those who report.
 *
 * Lines may come from several files and runs, in any interleaving of tests; a test is (run, number).  A line that is cut
 * off (a crash) or not ours is counted and passed over.  json-glib reads them.
 */
#ifndef RUNNER_RECORD_H
#define RUNNER_RECORD_H

#include "runner/event.h"

typedef struct StepRecord {
  char *step, *verb, *name, *text, *file;
  int line, col;
  gint64 began;                  /* microseconds since the epoch */
} StepRecord;

typedef struct AttemptRecord {
  guint number;
  Verdict verdict;               /* NONE: under way, or cut off */
  gint64 began, us;
  char *headline, *detail, *step, *file, *kept, *again;
  int line, col;
} AttemptRecord;

typedef struct TestRecord {
  const char *run;
  guint number;
  char *name, *base_name, *file;
  int line;
  char **tags;
  bool begun;                    /* a worker started it (a test that is skipped may have a verdict only) */
  GPtrArray *open_steps;         /* StepRecord, of the newest attempt: begun and not ended, the newest last */
  GPtrArray *attempts;           /* AttemptRecord */
  Verdict verdict;               /* over all attempts: flaky when a pass followed a failure */
  gint64 us;                     /* of all attempts */
} TestRecord;

typedef struct RunRecord RunRecord;

RunRecord *run_record_new(void);
void run_record_free(RunRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunRecord, run_record_free)

/* What changed with this line; test NULL: the run itself. kind is interned ("verdict"). text: what a debug, workload
 * or invariant event says, until the next line. */
typedef struct RecordChange {
  const char *kind;
  TestRecord *test;
  AttemptRecord *attempt;
  const char *text;
} RecordChange;
/* One line without its newline. Bytes that were no UTF-8 come back as they were (a NUL as U+FFFD). false: not an event of ours (counted). */
bool run_record_line(RunRecord *record, const char *line, gsize len, RecordChange *change);
bool run_record_file(RunRecord *record, const char *path, GError **error);

guint run_record_n_tests(const RunRecord *record);
TestRecord *run_record_test(const RunRecord *record, guint i);     /* in planned order, runs one after the other */
guint run_record_count(const RunRecord *record, Verdict verdict);  /* VERDICT_NONE: cut off or not yet run */
guint run_record_bad_lines(const RunRecord *record);
gint64 run_record_started(const RunRecord *record); /* microseconds since the epoch, of the earliest run */
gint64 run_record_us(const RunRecord *record);                     /* longest run_ended */
int run_record_signal(const RunRecord *record);                    /* 0: none ended it */
const char *run_record_host(const RunRecord *record);

#endif
