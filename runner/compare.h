/* compare.h - a result held against what was expected, as it streams in, in bounded memory.
 *
 *   Comparison *c = comparison_new(expectation, &options, &error);
 *   db_execute(..., comparison_sink(c), ...);
 *   if (!comparison_holds(c)) report(comparison_headline(c), comparison_difference(c));
 *
 * One Comparison is for one execution of a statement.  The expectation must outlive it.
 *
 * Columns are equal by name and order; rows by the bytes that the server prints (see Cell), in order unless `ordered:
 * false` (then as multisets); with several alternatives one must hold as a whole.  NULL is not ''.
 * A million rows cost the memory of the expected ones plus a window: rows received are kept only around differences.
 *
 * The difference is for a person at a glance: aligned by display width, marked rows (-, + and their cells), long cells
 * cut around the place where they differ, many rows cut around the differences, NULL apart from 'NULL', control
 * characters made visible; no colour (the terminal's report adds it by the marks at the beginning of lines).  Each line
 * begins with its mark (' ', '-', '+'); whoever prints it indents it.  Texts that are not const are newly allocated.
 */
#ifndef RUNNER_COMPARE_H
#define RUNNER_COMPARE_H

#include "dbclient/dbclient.h"
#include "yamldef/definition.h"

typedef struct CompareOptions {
  char *(*render)(const Text *text, gsize *len, gpointer data, GError **error);   /* values of what was not constant */
  gpointer data;
  PatternFlavour flavour;        /* of patterns compiled now */
} CompareOptions;

typedef struct Comparison Comparison;
typedef struct Collected Collected;

/* NULL with error set when an expected text could not be rendered or its pattern does not compile. */
Comparison *comparison_new(const ResultExpectation *expected, const CompareOptions *options, GError **error);
/* The `value` word: one row, one column, this cell. */
Comparison *comparison_new_value(const Cell *value, const CompareOptions *options, GError **error);
/* Against another server's answer, which must outlive the comparison. */
Comparison *comparison_new_same(const Collected *other, bool ordered);
void comparison_free(Comparison *comparison);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Comparison, comparison_free)

const DbSink *comparison_sink(Comparison *comparison);
/* After the last row; this or comparison_undecided() comes before the words below.  A statement without a result holds only where no columns
 * were expected, or nothing was. */
bool comparison_holds(Comparison *comparison);
/* A pattern ran into a limit or the like: it could not be decided; NULL when it could. */
const char *comparison_undecided(Comparison *comparison);
/* "expected 3 rows, got 2" */
char *comparison_headline(const Comparison *comparison);
/* The table, lines ended by '\n'; "" when the headline says all. */
char *comparison_difference(const Comparison *comparison);
/* One line of what was received, for "its last three answers": "2 rows: (1, one), (3, three)". */
char *comparison_summary(const Comparison *comparison);

/* A result kept as it came, up to a cap: for equal, same_as, capture. */
struct Collected {
  GPtrArray *columns;            /* char * */
  GPtrArray *rows;               /* DbCell *, columns->len each, owned */
  gsize bytes;
  bool over_cap;                 /* more than max_bytes came: rows were dropped */
  guint64 n_rows;
};
Collected *collected_new(gsize max_bytes);
void collected_free(Collected *collected);
const DbSink *collected_sink(Collected *collected);
/* A diff of several nodes' answers against the first one's: names[i] gave answers[i]. "" when all are equal. */
char *collected_difference(guint n, const char *const *names, Collected *const *answers, bool ordered);
char *collected_summary(const Collected *collected);

/* A cell alone: capture, affected, http. */
bool cell_matches(const Cell *cell, const CompareOptions *options, const char *bytes, gsize len, bool is_null,
                  const char **undecided, GError **error);
/* How a cell is written in messages: NULL, 'one' (texts are quoted), /re/, any, ~3.14 +- 0.01, bytes 00ff, true;
 * control characters visible. */
char *cell_text(const Cell *cell, const CompareOptions *options);

#endif
