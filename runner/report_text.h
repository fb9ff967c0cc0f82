/* report_text.h - what the terminal's report says, as text: pure functions of a record.
 *
 *   FAIL  failover loses no acknowledged write (4.2 s)      testdefs/failover.yaml:31
 *     step 6, on standby: expected 3 rows, got 2          testdefs/failover.yaml:58:5
 *         | i | name  |
 *       - | 2 | two   |        missing
 *     servers' output, files and configuration kept in: /tmp/...
 *     to run it again: runner -t '...' testdefs/failover.yaml
 *
 * Places stand at the right edge where there is room.  Headline and detail are the verdict's own; detail is indented by
 * two, and coloured where a line begins with - or +.
 */
#ifndef RUNNER_REPORT_TEXT_H
#define RUNNER_REPORT_TEXT_H

#include "runner/record.h"

typedef struct TextStyle { bool colour; guint width; } TextStyle;

/* Each appends whole lines. */
void text_verdict(GString *out, const TextStyle *style, const TestRecord *test);
/* A failed attempt that another follows. */
void text_retry(GString *out, const TextStyle *style, const TestRecord *test, const AttemptRecord *attempt);
void text_step(GString *out, const TextStyle *style, const TestRecord *test);
/* Failing names, what is peculiar, and `12 passed, 1 failed, 2 skipped` on a line of its own, last. */
void text_summary(GString *out, const TextStyle *style, const RunRecord *record);

/* The live part: a line for each of the running tests (eight at most), and one on all. now: microseconds since the
 * epoch. Gives the number of lines, none wider than the style's width. */
guint text_live(GString *out, const TextStyle *style, const RunRecord *record, const GPtrArray *running, gint64 now);

/* "4.2 s", "312 ms", "2 min 5 s" */
char *text_duration(gint64 us);

#endif
