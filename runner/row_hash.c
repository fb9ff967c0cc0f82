/* row_hash.c - see row_hash.h. */
#include "runner/row_hash.h"

#include <string.h>

static guint64 mix(guint64 hash, guint64 word) {
  hash = (hash ^ word) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
  return hash ^ (hash >> 29);
}

static guint64 hash_bytes(guint64 hash, const char *bytes, gsize len) {
  if (bytes == NULL)
    return mix(hash, G_MAXUINT64);
  hash = mix(hash, len);
  guint64 word;
  for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = mix(hash, word);
  }
  word = 0;
  memcpy(&word, bytes, len);
  return mix(hash, word);
}

guint64 expected_row_hash(const ExpectedRow *row, const bool *exact) {
  guint64 hash = row->n;
  for (guint i = 0; i < row->n; i++) {
    const ExpectedCell *cell = &row->cells[i];
    if (exact == NULL || exact[i])
      hash = hash_bytes(hash, cell->kind == CELL_NULL ? NULL : cell->as.text.bytes, cell->as.text.len);
  }
  return hash;
}

guint64 got_row_hash(guint n, const DbCell *cells, const bool *exact) {
  guint64 hash = n;
  for (guint i = 0; i < n; i++)
    if (exact == NULL || exact[i])
      hash = hash_bytes(hash, cells[i].bytes, cells[i].len);
  return hash;
}

bool expected_row_is_exact(const ExpectedRow *row) {
  for (guint i = 0; i < row->n; i++)
    if (!expected_cell_is_exact(&row->cells[i]))
      return false;
  return true;
}

guint row_hash_fold(gconstpointer key) {
  gsize hash = GPOINTER_TO_SIZE(key);
  return (guint)(hash ^ (hash >> 32));
}
