/* row_hash.h - hashes of rows, equal for an expected row of exact cells and the row received that matches it.
 *
 * exact NULL: all cells; otherwise those cells only for which exact[i].  Cells that are hashed must be exact ones.
 * Private to comparing; not stable between runs of different versions, and no protection against chosen keys (whoever
 * uses them compares the rows too, and bounds how many).
 */
#ifndef RUNNER_ROW_HASH_H
#define RUNNER_ROW_HASH_H

#include "runner/cells.h"

guint64 expected_row_hash(const ExpectedRow *row, const bool *exact);
guint64 got_row_hash(guint n, const DbCell *cells, const bool *exact);
bool expected_row_is_exact(const ExpectedRow *row);

/* Of hashes as GHashTable keys. */
guint row_hash_fold(gconstpointer key);

#endif
