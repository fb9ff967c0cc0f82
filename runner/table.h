/* table.h - rows drawn for a person: aligned by display width, long cells cut around the place where they differ.
 *
 *     | i | name |
 *     | 1 | one  |
 *   - | 2 | two  |        expected
 *   + | 2 | twö  |        got
 *     |   |   ^  |
 *     ... 12 rows as expected
 *
 * Each line begins with its mark (' ', '-' or '+') and ends with '\n'.  What is drawn is valid UTF-8 without control
 * characters, whatever the bytes were: \n, \t, \r, \x00, bytes outside UTF-8 as \xff, invisible characters as \u{200b}.
 * NULL is written bare, the text 'NULL', '' and texts with blanks at an end in quotes.  Two cells that would look alike
 * though they differ are drawn with doubled backslashes, then with all but ASCII as \u{...}.
 *
 * Private to comparing; also for others who show bytes of servers in a line (text_drawn).
 */
#ifndef RUNNER_TABLE_H
#define RUNNER_TABLE_H

#include <glib.h>
#include <stdbool.h>
#include "dbclient/dbclient.h"

/* A cell as it is drawn; columns [from, to) of the display are where it differs, to 0: nowhere. */
typedef struct DrawnCell { char *text; int from, to; } DrawnCell;
typedef struct DrawnRow { guint n; DrawnCell *cells; } DrawnRow;

typedef enum Quote { QUOTE_NEVER, QUOTE_DOUBTFUL, QUOTE_ALWAYS } Quote;

/* Display columns that a cell may take in a table of so many columns. */
int table_budget(guint n_columns);
/* Of text that was drawn. */
int display_width(const char *text);
/* One value on a line: at most `budget` display columns (and its quotes), "…" where it was cut. NULL bytes: NULL. */
char *text_drawn(const char *bytes, gsize len, int budget, Quote quote);
/* Two values that differ, each drawn around the first difference. word: what the first one is written as when it is not
 * a value but a matcher (then both are marked whole), else NULL. */
void pair_drawn(const DbCell *want, const char *word, const DbCell *got, int budget, Quote quote, DrawnCell *want_drawn,
                DrawnCell *got_drawn);

DrawnRow *drawn_row_new(guint n);
DrawnRow *drawn_row_copy(const DrawnRow *row);
void drawn_row_free(DrawnRow *row);

typedef struct Table Table;

Table *table_new(guint n, const char *const *names);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)
/* The row becomes the table's. note NULL: none. pointers: a line of ^^^ below it where its cells differ. */
void table_row(Table *table, char mark, DrawnRow *row, const char *note, bool pointers);
/* A line of words between rows. */
void table_say(Table *table, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *table_text(const Table *table);

#endif
