/* comparison_private.h - what the files of comparing share besides compare.h. */
#ifndef RUNNER_COMPARISON_PRIVATE_H
#define RUNNER_COMPARISON_PRIVATE_H

#include "runner/row_diff.h"

/* The first rows of a result on one line. */
typedef struct Summary {
  GString *rows;
  guint n;
  bool cut;
} Summary;

void summary_init(Summary *summary);
void summary_clear(Summary *summary);
bool summary_is_full(const Summary *summary);
void summary_row(Summary *summary, guint n, const DbCell *cells);
/* "2 rows: (1, one), (3, three)" */
char *summary_text(const Summary *summary, guint64 n_rows);

/* A comparison of what `second` answers with what `first` answered: messages name them. Borrows all three. */
Comparison *comparison_new_between(const char *first, const Collected *answer, const char *second, bool ordered);

/* The words that differ between an expectation and a result on the one hand, two nodes on the other. */
typedef struct Sides { const char *first, *second; } Sides;    /* both NULL: expected and got */

/* "expected WANT, got GOT", or "WANT on a, GOT on b". */
char *sides_text(const Sides *sides, const char *want, const char *got);
/* The table of a diff; in_order: kept rows stand where they came. */
char *diff_text(const RowDiff *diff, const Sides *sides, guint n, const char *const *names, bool in_order);
/* What is wrong with the rows, in a line. */
char *diff_headline(const RowDiff *diff, const Sides *sides, guint64 n_rows, guint n, const char *const *names,
                    bool in_order);

#endif
