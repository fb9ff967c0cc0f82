/* row_diff.h - the differences found between the rows expected and the rows received, and the two ways to find them.
 *
 * A RowDiff counts all differences and keeps the first ones, drawn, so that its size does not depend on the result's.
 * Private to comparing.
 */
#ifndef RUNNER_ROW_DIFF_H
#define RUNNER_ROW_DIFF_H

#include "runner/cells.h"
#include "runner/table.h"

enum {
  SHOWN_DIFFERENCES = 20,        /* rows that differ which are kept, drawn */
  CONTEXT_ROWS = 2,              /* rows shown around a difference */
};

typedef enum EditKind { EDIT_KEPT, EDIT_MISSING, EDIT_UNEXPECTED, EDIT_CHANGED } EditKind;

/* KEPT: n expected rows from e on came.  The others: one row each; MISSING and CHANGED have minus, UNEXPECTED and
 * CHANGED have plus. */
typedef struct Edit {
  EditKind kind;
  gsize e, n;
  DrawnRow *minus, *plus;
} Edit;

/* The first changed row, for the headline. */
typedef struct FirstChange {
  bool found;
  gsize row;                     /* of the expected ones, from 0 */
  guint want_cells, got_cells;   /* when these differ, there is no column */
  guint column;
  DrawnCell want, got;
} FirstChange;

typedef struct RowDiff {
  const ExpectedRows *rows;
  guint n_columns;
  GArray *edits;                 /* Edit, in order */
  guint shown;
  guint64 kept, missing, unexpected, changed;
  double cost;                   /* how far off: 1 a row missing or unexpected, up to 2 a row changed */
  guint64 not_compared;          /* rows received after the search was given up: too much differs */
  const char *undecided;         /* at the end: nobody knows whether the rows are as expected, and why */
  FirstChange first;
  bool order_unknown;            /* order_sum tells nothing: matchers, or rows that were not looked at */
  guint64 order_sum;             /* hashes of the expected rows that differ less those received: 0 for the same rows */
} RowDiff;

void row_diff_init(RowDiff *diff, const ExpectedRows *rows, guint n_columns);
void row_diff_clear(RowDiff *diff);
static inline bool row_diff_empty(const RowDiff *diff) {
  return diff->missing + diff->unexpected + diff->changed + diff->not_compared == 0 && diff->undecided == NULL;
}

/* Whether the same rows came in another order. */
bool row_diff_only_moved(const RowDiff *diff);

void row_diff_kept(RowDiff *diff, gsize e, gsize n);
void row_diff_missing(RowDiff *diff, gsize e, gsize n);
void row_diff_unexpected(RowDiff *diff, guint n, const DbCell *cells);
void row_diff_changed(RowDiff *diff, gsize e, guint n, const DbCell *cells);
/* Rows that came and of which no more is known. */
void row_diff_unexpected_many(RowDiff *diff, guint64 n);

DrawnRow *drawn_expected(const ExpectedRow *row, guint n_columns);
DrawnRow *drawn_got(guint n, const DbCell *cells);

/* Rows in order: an alignment with the fewest edits, sought in windows around differences. */
typedef struct OrderedRows OrderedRows;
OrderedRows *ordered_rows_new(const ExpectedRows *rows, RowDiff *diff);
void ordered_rows_got(OrderedRows *ordered, guint n, const DbCell *cells);
void ordered_rows_end(OrderedRows *ordered);
void ordered_rows_free(OrderedRows *ordered);

/* Rows in any order: exact rows by hash, rows with matchers by a largest assignment. */
typedef struct UnorderedRows UnorderedRows;
UnorderedRows *unordered_rows_new(const ExpectedRows *rows, RowDiff *diff);
void unordered_rows_got(UnorderedRows *unordered, guint n, const DbCell *cells);
void unordered_rows_end(UnorderedRows *unordered);
void unordered_rows_free(UnorderedRows *unordered);

#endif
