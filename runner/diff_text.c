/* diff_text.c - a RowDiff in words and as a table; the summary of a result. */
#include "runner/comparison_private.h"

#include <string.h>

enum { SUMMARY_ROWS = 5, SUMMARY_WIDTH = 160, SUMMARY_CELL = 24, NAME_WIDTH = 60 };

char *sides_text(const Sides *sides, const char *want, const char *got) {
  return sides->first == NULL ? g_strdup_printf("expected %s, got %s", want, got)
                              : g_strdup_printf("%s on %s, %s on %s", want, sides->first, got, sides->second);
}

static const char *plural(guint64 n, const char *one, const char *many) { return n == 1 ? one : many; }

/* ---- The table --------------------------------------------------------------------------------------------------- */

typedef struct Notes { char *missing, *unexpected, *want, *got; } Notes;

static void notes_init(Notes *notes, const Sides *sides) {
  bool nodes = sides->first != NULL;
  *notes = (Notes){
      .missing = nodes ? g_strdup_printf("only on %s", sides->first) : g_strdup("missing"),
      .unexpected = nodes ? g_strdup_printf("only on %s", sides->second) : g_strdup("unexpected"),
      .want = nodes ? g_strdup_printf("on %s", sides->first) : g_strdup("expected"),
      .got = nodes ? g_strdup_printf("on %s", sides->second) : g_strdup("got"),
  };
}

static void notes_clear(Notes *notes) {
  g_free(notes->missing);
  g_free(notes->unexpected);
  g_free(notes->want);
  g_free(notes->got);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Notes, notes_clear)

static const char *as_they_should(const Sides *sides) { return sides->first == NULL ? "as expected" : "alike"; }

static void put_kept(Table *table, const RowDiff *diff, const Sides *sides, const Edit *edit, bool first, bool last) {
  gsize head = first ? 0 : CONTEXT_ROWS, tail = last ? 0 : CONTEXT_ROWS;
  bool all = edit->n <= head + tail + 1;
  for (gsize i = 0; i < edit->n; i++) {
    if (!all && i == head) {
      gsize skipped = edit->n - head - tail;
      table_say(table, "... %zu %s %s", skipped, plural(skipped, "row", "rows"), as_they_should(sides));
      i += skipped;
      if (i == edit->n)
        return;
    }
    table_row(table, ' ', drawn_expected(&diff->rows->v[edit->e + i], diff->n_columns), NULL, false);
  }
}

static void put_edit(Table *table, const Edit *edit, const Notes *notes) {
  bool changed = edit->kind == EDIT_CHANGED;
  if (edit->minus != NULL)
    table_row(table, '-', drawn_row_copy(edit->minus), changed ? notes->want : notes->missing, false);
  if (edit->plus != NULL)
    table_row(table, '+', drawn_row_copy(edit->plus), changed ? notes->got : notes->unexpected, changed);
}

static void put_rest(Table *table, const RowDiff *diff) {
  guint64 differing = diff->missing + diff->unexpected + diff->changed;
  if (differing > diff->shown)
    table_say(table, "... %" G_GUINT64_FORMAT " more %s", differing - diff->shown,
              plural(differing - diff->shown, "row differs", "rows differ"));
  if (diff->not_compared > 0)
    table_say(table, "... %" G_GUINT64_FORMAT " %s received and not compared, so much differs", diff->not_compared,
              plural(diff->not_compared, "row", "rows"));
}

char *diff_text(const RowDiff *diff, const Sides *sides, guint n, const char *const *names, bool in_order) {
  if (diff->missing + diff->unexpected + diff->changed + diff->not_compared == 0)
    return g_strdup("");
  g_auto(Notes) notes = {0};
  notes_init(&notes, sides);
  g_autoptr(Table) table = table_new(n, names);
  if (!in_order && diff->kept > 0)
    table_say(table, "... %" G_GUINT64_FORMAT " %s %s", diff->kept, plural(diff->kept, "row", "rows"),
              as_they_should(sides));
  for (guint i = 0; i < diff->edits->len; i++) {
    const Edit *edit = &g_array_index(diff->edits, Edit, i);
    if (edit->kind == EDIT_KEPT)
      put_kept(table, diff, sides, edit, i == 0, i + 1 == diff->edits->len);
    else
      put_edit(table, edit, &notes);
  }
  put_rest(table, diff);
  return table_text(table);
}

/* ---- The headline ------------------------------------------------------------------------------------------------ */

static char *change_text(const RowDiff *diff, const Sides *sides, guint n, const char *const *names, bool in_order) {
  const FirstChange *first = &diff->first;
  const char *which = in_order || sides->first != NULL ? "row" : "expected row";
  if (first->want.text == NULL) {
    g_autofree char *want = g_strdup_printf("%u %s", first->want_cells, plural(first->want_cells, "cell", "cells"));
    g_autofree char *got = g_strdup_printf("%u", first->got_cells), *both = sides_text(sides, want, got);
    return g_strdup_printf("%s %zu: %s", which, first->row + 1, both);
  }
  g_autofree char *both = sides_text(sides, first->want.text, first->got.text);
  const char *name = first->column < n ? names[first->column] : "";
  g_autofree char *column = text_drawn(name, strlen(name), NAME_WIDTH, QUOTE_ALWAYS);
  return g_strdup_printf("%s %zu: column %s: %s", which, first->row + 1, column, both);
}

static char *moved_text(const RowDiff *diff, const Sides *sides) {
  g_autofree char *missing = g_strdup_printf("%" G_GUINT64_FORMAT " %s", diff->missing,
                                             plural(diff->missing, "row is", "rows are"));
  return sides->first == NULL
             ? g_strdup_printf("%s missing, %" G_GUINT64_FORMAT " unexpected", missing, diff->unexpected)
             : g_strdup_printf("%s only on %s, %" G_GUINT64_FORMAT " only on %s", missing, sides->first,
                               diff->unexpected, sides->second);
}

char *diff_headline(const RowDiff *diff, const Sides *sides, guint64 n_rows, guint n, const char *const *names,
                    bool in_order) {
  if (diff->rows->n != n_rows) {
    g_autofree char *want = g_strdup_printf("%zu %s", diff->rows->n, plural(diff->rows->n, "row", "rows"));
    g_autofree char *got = g_strdup_printf("%" G_GUINT64_FORMAT, n_rows);
    return sides_text(sides, want, got);
  }
  if (row_diff_only_moved(diff))
    return g_strdup_printf("the same %zu rows in another order", diff->rows->n);
  if (!diff->first.found)
    return moved_text(diff, sides);
  char *change = change_text(diff, sides, n, names, in_order);
  guint64 more = diff->changed - 1 + diff->missing + diff->unexpected;
  if (more == 0)
    return change;
  g_autofree char *only = change;
  return g_strdup_printf("%s (and %" G_GUINT64_FORMAT " more %s)", only, more,
                         plural(more, "row differs", "rows differ"));
}

/* ---- The summary ------------------------------------------------------------------------------------------------- */

void summary_init(Summary *summary) { *summary = (Summary){.rows = g_string_new(NULL)}; }

void summary_clear(Summary *summary) {
  if (summary->rows != NULL)
    g_string_free(summary->rows, TRUE);
  summary->rows = NULL;
}

bool summary_is_full(const Summary *summary) { return summary->n == SUMMARY_ROWS || summary->cut; }

void summary_row(Summary *summary, guint n, const DbCell *cells) {
  if (summary_is_full(summary))
    return;
  g_autoptr(GString) row = g_string_new(summary->n == 0 ? "(" : ", (");
  for (guint i = 0; i < n && row->len < 4 * SUMMARY_WIDTH; i++) {
    g_autofree char *cell = text_drawn(cells[i].bytes, cells[i].len, SUMMARY_CELL, QUOTE_DOUBTFUL);
    g_string_append_printf(row, "%s%s", i == 0 ? "" : ", ", cell);
  }
  g_string_append_c(row, ')');
  if (summary->n > 0 && display_width(summary->rows->str) + display_width(row->str) > SUMMARY_WIDTH) {
    summary->cut = true;
    return;
  }
  g_string_append(summary->rows, row->str);
  summary->n++;
}

char *summary_text(const Summary *summary, guint64 n_rows) {
  if (n_rows == 0)
    return g_strdup("no rows");
  return g_strdup_printf("%" G_GUINT64_FORMAT " %s: %s%s", n_rows, plural(n_rows, "row", "rows"), summary->rows->str,
                         summary->n < n_rows ? ", ..." : "");
}
