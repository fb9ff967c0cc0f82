/* outcome.h - how something went: it held, it did not, it could not be decided, or it was called off.
 *
 * The text is made where the fact is known, once, for the person who reads the report: a headline (one line, no final full
 * stop) and lines of detail.  Zero is a valid outcome: OUTCOME_OK.
 */
#ifndef RUNNER_OUTCOME_H
#define RUNNER_OUTCOME_H

#include "yamldef/definition.h"

typedef enum OutcomeKind {
  OUTCOME_OK,
  OUTCOME_FAILED,        /* an expectation did not hold */
  OUTCOME_ERROR,         /* it could not be decided: the environment, a limit */
  OUTCOME_CANCELLED,     /* called off; who did so knows why */
} OutcomeKind;

typedef struct Outcome {
  OutcomeKind kind;
  char *headline;        /* NULL when OK or CANCELLED */
  char *detail;          /* lines ended by '\n', or NULL */
  Place at;              /* line 0: the step's own */
  bool environment;      /* the machine lacked descriptors, memory or room on a disk */
} Outcome;

void outcome_clear(Outcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, outcome_clear)

/* Each replaces what was there, and returns false, so that `return outcome_fail(...)` ends a function that says whether all
 * is well. */
bool outcome_fail(Outcome *outcome, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool outcome_error(Outcome *outcome, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool outcome_cancel(Outcome *outcome);
/* Takes the error's message (and frees it): an error of ours or the environment's. */
bool outcome_take_error(Outcome *outcome, GError *error);
/* Adds lines to the detail; text may lack its last newline. NULL and "" add nothing. */
void outcome_add(Outcome *outcome, const char *text);
void outcome_addf(Outcome *outcome, const char *format, ...) G_GNUC_PRINTF(2, 3);
void outcome_move(Outcome *to, Outcome *from);

#endif
