/* cells.h - expected cells and rows made ready for comparing: texts rendered, patterns compiled, packed small.
 *
 * Private to comparing (compare.c, rows_*.c, collected.c, expect.c).  Not for drawing: see table.h.
 *
 * An ExpectedRows owns what it had to make (rendered texts, patterns it compiled); constant texts and compiled patterns
 * stay the definition's, a Collected's cells stay its own: both must outlive it.
 */
#ifndef RUNNER_CELLS_H
#define RUNNER_CELLS_H

#include "runner/compare.h"

typedef struct ExpectedCell {
  guint8 kind;                   /* a CellKind */
  bool null_too;
  union {
    struct { const char *bytes; gsize len; } text;       /* TEXT, BOOL, BYTES */
    struct { double value, tolerance; } approx;
    const Pattern *pattern;
  } as;
} ExpectedCell;

typedef struct ExpectedRow { guint n; const ExpectedCell *cells; } ExpectedRow;

typedef struct ExpectedRows {
  gsize n;
  ExpectedRow *v;
  GPtrArray *memory;             /* owned blocks */
  GPtrArray *patterns;           /* owned Pattern */
} ExpectedRows;

/* A row received, copied into one block: free with g_free(). */
typedef struct GotRow { guint n; gsize size; DbCell cells[]; } GotRow;

GotRow *got_row_new(guint n, const DbCell *cells);
/* `header` bytes (a multiple of a pointer's alignment), then copies of the cells, then their bytes, in one block. */
gpointer cells_block(gsize header, guint n, const DbCell *cells, gsize *size);

/* Adds the rows; false with error set when a text could not be rendered or a pattern does not compile. */
ExpectedRows *expected_rows_new(void);
bool expected_rows_add(ExpectedRows *rows, const Rows *written, const CompareOptions *options, GError **error);
void expected_rows_add_cell(ExpectedRows *rows, const ExpectedCell *cell);
void expected_rows_add_collected(ExpectedRows *rows, const Collected *collected);
void expected_rows_free(ExpectedRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExpectedRows, expected_rows_free)

/* One cell made ready; what it needs is added to memory and patterns. */
bool expected_cell_set(ExpectedCell *cell, const Cell *written, const CompareOptions *options, GPtrArray *memory,
                       GPtrArray *patterns, GError **error);

/* A text's value: borrowed when constant, else rendered and added to memory. NULL with error set when it cannot be. */
const char *text_value(const Text *text, const CompareOptions *options, GPtrArray *memory, gsize *len, GError **error);

/* A pattern: the definition's, or compiled now and added to patterns. NULL with error set. */
const Pattern *pattern_value(const PatternText *re, const CompareOptions *options, PatternFlavour flavour,
                             GPtrArray *memory, GPtrArray *patterns, GError **error);

/* *undecided is set, and false returned, when a pattern ran into a limit. */
bool expected_cell_matches(const ExpectedCell *cell, const DbCell *got, const char **undecided);
/* A cell that does not match decides for the row, also when another one could not be decided. */
bool expected_row_matches(const ExpectedRow *row, guint n, const DbCell *cells, const char **undecided);
/* How many cells do not match; cells that only one of them has count too. */
guint expected_row_differs(const ExpectedRow *row, guint n, const DbCell *cells, const char **undecided);

/* Whether only one very text (or NULL) matches. */
static inline bool expected_cell_is_exact(const ExpectedCell *cell) {
  return (cell->kind == CELL_TEXT && !cell->null_too) || cell->kind == CELL_NULL;
}

/* What a matcher is written as in messages ("/re/", "any", "~3.14 +- 0.01", "bytes 00ff", "true"), newly allocated;
 * NULL for TEXT and NULL, which are values. */
char *expected_cell_word(const ExpectedCell *cell);

#endif
