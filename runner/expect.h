/* expect.h - whether a statement ended as it was to end: its error, its notices, the rows it affected.
 *
 * Pure: takes an entry and an outcome, gives words.  Not for results, which stream: see compare.h.
 *
 * An error that was expected ends the matter for `affected`, not for notices: those before the error came.  A statement
 * that ran out of time or was called off never counts as an expected error.  INFO, NOTICE and WARNING count as notices.
 */
#ifndef RUNNER_EXPECT_H
#define RUNNER_EXPECT_H

#include "runner/compare.h"

/* NULL when all holds; otherwise, newly allocated, a headline and perhaps more lines, without a newline at the end.
 * dolt: error_match is as RE2 would decide where it is compiled now. *undecided: a pattern ran into a limit, so that
 * nobody knows; the text says which. */
char *expect_outcome(const SqlEntry *entry, const DbOutcome *outcome, const CompareOptions *options, bool dolt,
                     bool *undecided);

/* The error codes and pattern alone, for connect_error too; what: "statement", "connection". codes->n 0 and
 * match->text.raw NULL: no error is expected. */
char *expect_error(const Texts *codes, const PatternText *match, const DbOutcome *outcome, const char *what,
                   const CompareOptions *options, bool dolt, bool *undecided);

#endif
