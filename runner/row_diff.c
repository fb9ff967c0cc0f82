/* row_diff.c - see row_diff.h. */
#include "runner/row_diff.h"

#include <string.h>
#include "runner/row_hash.h"

/* A pattern has no place where it differs, so more of it is shown. */
enum { HEADLINE_CELL = 60, HEADLINE_WORD = 200 };

static void edit_clear(gpointer data) {
  Edit *edit = data;
  drawn_row_free(edit->minus);
  drawn_row_free(edit->plus);
}

void row_diff_init(RowDiff *diff, const ExpectedRows *rows, guint n_columns) {
  *diff = (RowDiff){.rows = rows, .n_columns = n_columns};
  diff->edits = g_array_new(FALSE, FALSE, sizeof(Edit));
  g_array_set_clear_func(diff->edits, edit_clear);
}

void row_diff_clear(RowDiff *diff) {
  g_clear_pointer(&diff->edits, g_array_unref);
  g_clear_pointer(&diff->first.want.text, g_free);
  g_clear_pointer(&diff->first.got.text, g_free);
}

/* ---- Drawing cells ----------------------------------------------------------------------------------------------- */

static DbCell expected_value(const ExpectedCell *cell) {
  bool is_null = cell->kind != CELL_TEXT || cell->null_too;
  return (DbCell){.bytes = is_null ? NULL : cell->as.text.bytes, .len = is_null ? 0 : cell->as.text.len};
}

static char *drawn_expected_cell(const ExpectedCell *cell, int budget) {
  g_autofree char *word = expected_cell_word(cell);
  if (word != NULL)
    return text_drawn(word, strlen(word), budget, QUOTE_NEVER);
  DbCell value = expected_value(cell);
  return text_drawn(value.bytes, value.len, budget, QUOTE_DOUBTFUL);
}

DrawnRow *drawn_expected(const ExpectedRow *row, guint n_columns) {
  DrawnRow *drawn = drawn_row_new(row->n);
  for (guint i = 0; i < row->n; i++)
    drawn->cells[i].text = drawn_expected_cell(&row->cells[i], table_budget(n_columns));
  return drawn;
}

DrawnRow *drawn_got(guint n, const DbCell *cells) {
  DrawnRow *drawn = drawn_row_new(n);
  for (guint i = 0; i < n; i++)
    drawn->cells[i].text = text_drawn(cells[i].bytes, cells[i].len, table_budget(n), QUOTE_DOUBTFUL);
  return drawn;
}

static void draw_changed_cell(const ExpectedCell *want, const DbCell *got, int budget, Quote quote, DrawnCell *w,
                              DrawnCell *g) {
  g_autofree char *word = expected_cell_word(want);
  DbCell value = expected_value(want);
  pair_drawn(&value, word, got, word != NULL && quote == QUOTE_ALWAYS ? HEADLINE_WORD : budget, quote, w, g);
}

/* ---- Edits ------------------------------------------------------------------------------------------------------- */

static Edit *keep_edit(RowDiff *diff, EditKind kind, gsize e) {
  if (diff->shown == SHOWN_DIFFERENCES)
    return NULL;
  diff->shown++;
  Edit edit = {.kind = kind, .e = e, .n = 1};
  g_array_append_val(diff->edits, edit);
  return &g_array_index(diff->edits, Edit, diff->edits->len - 1);
}

static void note_expected(RowDiff *diff, const ExpectedRow *row) {
  if (expected_row_is_exact(row))
    diff->order_sum += expected_row_hash(row, NULL);
  else
    diff->order_unknown = true;
}

static void note_got(RowDiff *diff, guint n, const DbCell *cells) { diff->order_sum -= got_row_hash(n, cells, NULL); }

bool row_diff_only_moved(const RowDiff *diff) {
  return !diff->order_unknown && diff->order_sum == 0 && diff->missing == diff->unexpected && diff->not_compared == 0;
}

void row_diff_kept(RowDiff *diff, gsize e, gsize n) {
  diff->kept += n;
  Edit *last = diff->edits->len == 0 ? NULL : &g_array_index(diff->edits, Edit, diff->edits->len - 1);
  if (last != NULL && last->kind == EDIT_KEPT && last->e + last->n == e) {
    last->n += n;
    return;
  }
  if (diff->shown == SHOWN_DIFFERENCES && last != NULL && last->kind == EDIT_KEPT)
    return;
  Edit edit = {.kind = EDIT_KEPT, .e = e, .n = n};
  g_array_append_val(diff->edits, edit);
}

void row_diff_missing(RowDiff *diff, gsize e, gsize n) {
  diff->missing += n;
  diff->cost += (double)n;
  for (gsize i = e; i < e + n; i++)
    note_expected(diff, &diff->rows->v[i]);
  for (gsize i = e; i < e + n; i++) {
    Edit *edit = keep_edit(diff, EDIT_MISSING, i);
    if (edit == NULL)
      return;
    edit->minus = drawn_expected(&diff->rows->v[i], diff->n_columns);
  }
}

void row_diff_unexpected(RowDiff *diff, guint n, const DbCell *cells) {
  diff->unexpected++;
  diff->cost += 1;
  note_got(diff, n, cells);
  Edit *edit = keep_edit(diff, EDIT_UNEXPECTED, 0);
  if (edit != NULL)
    edit->plus = drawn_got(n, cells);
}

void row_diff_unexpected_many(RowDiff *diff, guint64 n) {
  diff->unexpected += n;
  diff->cost += (double)n;
  diff->order_unknown = diff->order_unknown || n > 0;
}

static void note_first(RowDiff *diff, gsize e, guint column, guint n, const DbCell *cells) {
  const ExpectedRow *row = &diff->rows->v[e];
  diff->first = (FirstChange){.found = true, .row = e, .want_cells = row->n, .got_cells = n, .column = column};
  if (column < MIN(n, row->n))
    draw_changed_cell(&row->cells[column], &cells[column], HEADLINE_CELL, QUOTE_ALWAYS, &diff->first.want,
                      &diff->first.got);
}

/* The two rows drawn, the cells that differ against each other. */
static void draw_changed(const RowDiff *diff, Edit *edit, const ExpectedRow *row, guint n, const DbCell *cells) {
  int budget = table_budget(diff->n_columns);
  const char *undecided = NULL;
  edit->minus = drawn_row_new(row->n);
  edit->plus = drawn_row_new(n);
  for (guint i = 0; i < MAX(row->n, n); i++) {
    DrawnCell *minus = &edit->minus->cells[i], *plus = &edit->plus->cells[i];
    if (i < MIN(row->n, n) && !expected_cell_matches(&row->cells[i], &cells[i], &undecided)) {
      draw_changed_cell(&row->cells[i], &cells[i], budget, QUOTE_DOUBTFUL, minus, plus);
      continue;
    }
    if (i < row->n)
      minus->text = drawn_expected_cell(&row->cells[i], budget);
    if (i < n)
      plus->text = text_drawn(cells[i].bytes, cells[i].len, budget, QUOTE_DOUBTFUL);
  }
}

void row_diff_changed(RowDiff *diff, gsize e, guint n, const DbCell *cells) {
  const ExpectedRow *row = &diff->rows->v[e];
  const char *undecided = NULL;
  guint both = MIN(row->n, n), first = 0, differing = expected_row_differs(row, n, cells, &undecided);
  while (first < both && expected_cell_matches(&row->cells[first], &cells[first], &undecided))
    first++;
  diff->changed++;
  diff->cost += 1 + (double)differing / MAX(MAX(row->n, n), 1);
  note_expected(diff, row);
  note_got(diff, n, cells);
  Edit *edit = keep_edit(diff, EDIT_CHANGED, e);
  if (edit != NULL)
    draw_changed(diff, edit, row, n, cells);
  if (!diff->first.found)
    note_first(diff, e, first, n, cells);
}
