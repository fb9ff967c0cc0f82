/* cells.c - see cells.h. */
#include "runner/cells.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static G_DEFINE_QUARK(compare-error, compare_error)

/* ---- Making ready ------------------------------------------------------------------------------------------------ */

const char *text_value(const Text *text, const CompareOptions *options, GPtrArray *memory, gsize *len, GError **error) {
  if (text->n_parts == 0) {
    *len = text->raw == NULL ? 0 : text->len;
    return text->raw == NULL ? "" : text->raw;
  }
  if (options == NULL || options->render == NULL) {
    g_set_error(error, compare_error_quark(), 0, "render '%s': its values are not known here", text->raw);
    return NULL;
  }
  char *value = options->render(text, len, options->data, error);
  if (value != NULL)
    g_ptr_array_add(memory, value);
  return value;
}

const Pattern *pattern_value(const PatternText *re, const CompareOptions *options, PatternFlavour flavour,
                             GPtrArray *memory, GPtrArray *patterns, GError **error) {
  if (re->compiled != NULL)
    return re->compiled;
  gsize len = 0;
  const char *text = text_value(&re->text, options, memory, &len, error);
  if (text == NULL)
    return NULL;
  Pattern *pattern = pattern_new(text, len, flavour, error);
  if (pattern == NULL)
    g_prefix_error(error, "pattern /%s/: ", text);
  else
    g_ptr_array_add(patterns, pattern);
  return pattern;
}

bool expected_cell_set(ExpectedCell *cell, const Cell *written, const CompareOptions *options, GPtrArray *memory,
                       GPtrArray *patterns, GError **error) {
  *cell = (ExpectedCell){.kind = (guint8)written->kind, .null_too = written->null_too};
  switch (written->kind) {
  case CELL_TEXT:
  case CELL_BOOL:
    cell->as.text.bytes = text_value(&written->text, options, memory, &cell->as.text.len, error);
    return cell->as.text.bytes != NULL;
  case CELL_RE:
    cell->as.pattern = pattern_value(&written->re, options, options == NULL ? PATTERN_LINES : options->flavour, memory,
                                     patterns, error);
    return cell->as.pattern != NULL;
  case CELL_APPROX:
    cell->as.approx.value = written->value;
    cell->as.approx.tolerance = written->tolerance;
    return true;
  case CELL_BYTES:
    cell->as.text.bytes = (const char *)written->bytes;
    cell->as.text.len = written->n_bytes;
    return true;
  case CELL_NULL:
  case CELL_ANY:
    return true;
  }
  g_assert_not_reached();
}

ExpectedRows *expected_rows_new(void) {
  ExpectedRows *rows = g_new0(ExpectedRows, 1);
  rows->memory = g_ptr_array_new_with_free_func(g_free);
  rows->patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  return rows;
}

/* Room for n more rows of all_cells cells altogether: the rows go to the end of v, the cells are returned. */
static ExpectedCell *reserve(ExpectedRows *rows, gsize n, gsize all_cells) {
  rows->v = g_renew(ExpectedRow, rows->v, rows->n + n);
  ExpectedCell *cells = g_new0(ExpectedCell, all_cells);
  g_ptr_array_add(rows->memory, cells);
  return cells;
}

bool expected_rows_add(ExpectedRows *rows, const Rows *written, const CompareOptions *options, GError **error) {
  gsize all_cells = 0;
  for (guint i = 0; i < written->n; i++)
    all_cells += written->v[i].n;
  ExpectedCell *cells = reserve(rows, written->n, all_cells);
  for (guint i = 0; i < written->n; i++) {
    const Row *row = &written->v[i];
    for (guint k = 0; k < row->n; k++)
      if (!expected_cell_set(&cells[k], &row->v[k], options, rows->memory, rows->patterns, error))
        return false;
    rows->v[rows->n++] = (ExpectedRow){.n = row->n, .cells = cells};
    cells += row->n;
  }
  return true;
}

void expected_rows_add_cell(ExpectedRows *rows, const ExpectedCell *cell) {
  ExpectedCell *cells = reserve(rows, 1, 1);
  *cells = *cell;
  rows->v[rows->n++] = (ExpectedRow){.n = 1, .cells = cells};
}

void expected_rows_add_collected(ExpectedRows *rows, const Collected *collected) {
  guint n = collected->columns->len;
  ExpectedCell *cells = reserve(rows, collected->rows->len, (gsize)collected->rows->len * n);
  for (guint i = 0; i < collected->rows->len; i++, cells += n) {
    const DbCell *from = g_ptr_array_index(collected->rows, i);
    for (guint k = 0; k < n; k++) {
      cells[k].kind = from[k].bytes == NULL ? CELL_NULL : CELL_TEXT;
      cells[k].as.text.bytes = from[k].bytes;
      cells[k].as.text.len = from[k].len;
    }
    rows->v[rows->n++] = (ExpectedRow){.n = n, .cells = cells};
  }
}

void expected_rows_free(ExpectedRows *rows) {
  if (rows == NULL)
    return;
  g_free(rows->v);
  g_ptr_array_unref(rows->memory);
  g_ptr_array_unref(rows->patterns);
  g_free(rows);
}

gpointer cells_block(gsize header, guint n, const DbCell *cells, gsize *size) {
  *size = header + n * sizeof(DbCell);
  for (guint i = 0; i < n; i++)
    *size += cells[i].bytes == NULL ? 0 : cells[i].len + 1;
  char *block = g_malloc(*size);
  DbCell *copies = (DbCell *)(gpointer)(block + header);
  char *at = (char *)(copies + n);
  for (guint i = 0; i < n; i++) {
    copies[i] = cells[i];
    if (cells[i].bytes == NULL)
      continue;
    memcpy(at, cells[i].bytes, cells[i].len);
    at[cells[i].len] = '\0';
    copies[i].bytes = at;
    at += cells[i].len + 1;
  }
  return block;
}

GotRow *got_row_new(guint n, const DbCell *cells) {
  gsize size;
  GotRow *row = cells_block(offsetof(GotRow, cells), n, cells, &size);
  row->n = n;
  row->size = size;
  return row;
}

/* ---- Matching ---------------------------------------------------------------------------------------------------- */

static bool is_text(const DbCell *got, const char *text) {
  return got->len == strlen(text) && memcmp(got->bytes, text, got->len) == 0;
}

static bool bool_matches(const ExpectedCell *cell, const DbCell *got) {
  bool truth = cell->as.text.len == 4;
  return truth ? is_text(got, "true") || is_text(got, "t") || is_text(got, "1")
               : is_text(got, "false") || is_text(got, "f") || is_text(got, "0");
}

/* A decimal number, or the infinities and NaN as servers print them; nothing around it, no hexadecimal. */
static bool read_number(const DbCell *got, double *value) {
  if (got->len == 0 || got->len > 4096 || memchr(got->bytes, '\0', got->len) != NULL)
    return false;
  g_autofree char *text = g_strndup(got->bytes, got->len);
  const char *digits = text + (*text == '-' || *text == '+');
  if (!(g_ascii_isdigit(*digits) || *digits == '.' || *digits == 'i' || *digits == 'I' || *digits == 'n' ||
        *digits == 'N') ||
      (digits[0] == '0' && (digits[1] | 0x20) == 'x') || strchr(text, '(') != NULL)
    return false;
  char *end = NULL;
  *value = g_ascii_strtod(text, &end);
  return end == text + got->len;
}

/* Some ulps are given on top, so that what is exactly at the tolerance in decimals is within it in binary too. */
static bool approx_matches(const ExpectedCell *cell, const DbCell *got) {
  double value, wanted = cell->as.approx.value;
  if (!read_number(got, &value))
    return false;
  if (isnan(wanted) || isnan(value))
    return isnan(wanted) && isnan(value);
  if (isinf(wanted) || isinf(value))
    return wanted == value;
  return fabs(value - wanted) <= cell->as.approx.tolerance + 4 * DBL_EPSILON * fmax(fabs(value), fabs(wanted));
}

/* The raw bytes, or bytea as PostgreSQL prints it: \x and hexadecimal digits. */
static bool bytes_match(const ExpectedCell *cell, const DbCell *got) {
  const guint8 *want = (const guint8 *)cell->as.text.bytes;
  gsize n = cell->as.text.len;
  if (got->len == n && (n == 0 || memcmp(got->bytes, want, n) == 0))
    return true;
  if (got->len != 2 + 2 * n || got->bytes[0] != '\\' || got->bytes[1] != 'x')
    return false;
  for (gsize i = 0; i < n; i++) {
    int high = g_ascii_xdigit_value(got->bytes[2 + 2 * i]), low = g_ascii_xdigit_value(got->bytes[3 + 2 * i]);
    if (high < 0 || low < 0 || high * 16 + low != want[i])
      return false;
  }
  return true;
}

static bool re_matches(const ExpectedCell *cell, const DbCell *got, const char **undecided) {
  const char *why = NULL;
  switch (pattern_search(cell->as.pattern, got->bytes, got->len, 0, NULL, NULL, &why)) {
  case PATTERN_YES:
    return true;
  case PATTERN_UNDECIDED:
    *undecided = why == NULL ? "a pattern ran into a limit" : why;
    return false;
  case PATTERN_NO:
    return false;
  }
  g_assert_not_reached();
}

bool expected_cell_matches(const ExpectedCell *cell, const DbCell *got, const char **undecided) {
  if (cell->kind == CELL_ANY)
    return true;
  if (got->bytes == NULL)
    return cell->kind == CELL_NULL || cell->null_too;
  switch ((CellKind)cell->kind) {
  case CELL_TEXT:
    return got->len == cell->as.text.len && memcmp(got->bytes, cell->as.text.bytes, got->len) == 0;
  case CELL_BOOL:
    return bool_matches(cell, got);
  case CELL_RE:
    return re_matches(cell, got, undecided);
  case CELL_APPROX:
    return approx_matches(cell, got);
  case CELL_BYTES:
    return bytes_match(cell, got);
  case CELL_NULL:
  case CELL_ANY:
    return false;
  }
  g_assert_not_reached();
}

bool expected_row_matches(const ExpectedRow *row, guint n, const DbCell *cells, const char **undecided) {
  if (row->n != n)
    return false;
  const char *first = NULL;
  for (guint i = 0; i < n; i++) {
    const char *why = NULL;
    if (!expected_cell_matches(&row->cells[i], &cells[i], &why) && why == NULL)
      return false;
    first = first == NULL ? why : first;
  }
  if (first != NULL)
    *undecided = first;
  return first == NULL;
}

guint expected_row_differs(const ExpectedRow *row, guint n, const DbCell *cells, const char **undecided) {
  guint both = MIN(row->n, n), differing = MAX(row->n, n) - both;
  for (guint i = 0; i < both; i++)
    differing += !expected_cell_matches(&row->cells[i], &cells[i], undecided);
  return differing;
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

char *expected_cell_word(const ExpectedCell *cell) {
  char value[G_ASCII_DTOSTR_BUF_SIZE], tolerance[G_ASCII_DTOSTR_BUF_SIZE];
  switch ((CellKind)cell->kind) {
  case CELL_TEXT:
  case CELL_NULL:
    return NULL;
  case CELL_BOOL:
    return g_strndup(cell->as.text.bytes, cell->as.text.len);
  case CELL_RE:
    return g_strdup_printf("/%s/", pattern_text(cell->as.pattern));
  case CELL_ANY:
    return g_strdup("any");
  case CELL_APPROX:
    return g_strdup_printf("~%s +- %s", g_ascii_formatd(value, sizeof value, "%.15g", cell->as.approx.value),
                           g_ascii_formatd(tolerance, sizeof tolerance, "%.15g", cell->as.approx.tolerance));
  case CELL_BYTES: {
    GString *out = g_string_new("bytes ");
    for (gsize i = 0; i < cell->as.text.len; i++)
      g_string_append_printf(out, "%02x", (guint8)cell->as.text.bytes[i]);
    return g_string_free(out, FALSE);
  }
  }
  g_assert_not_reached();
}
