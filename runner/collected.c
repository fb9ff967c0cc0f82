/* collected.c - results kept as they came, and the answers of several nodes held against each other. */
#include "runner/cells.h"
#include "runner/comparison_private.h"

/* What collected_new() hands out the beginning of. */
typedef struct Collecting {
  Collected collected;           /* first */
  gsize max_bytes;
  DbSink sink;
} Collecting;

static void on_columns(guint n, const char *const *names, gpointer data) {
  Collected *c = data;
  g_ptr_array_set_size(c->columns, 0);
  g_ptr_array_set_size(c->rows, 0);
  c->bytes = 0;
  c->over_cap = false;
  c->n_rows = 0;
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(c->columns, g_strdup(names[i]));
}

static bool on_row(guint n, const DbCell *cells, gpointer data) {
  Collecting *collecting = data;
  Collected *c = &collecting->collected;
  c->n_rows++;
  if (c->over_cap)
    return true;
  gsize size;
  gpointer row = cells_block(0, n, cells, &size);
  if (c->bytes + size > collecting->max_bytes) {
    c->over_cap = true;
    g_free(row);
    return true;
  }
  c->bytes += size;
  g_ptr_array_add(c->rows, row);
  return true;
}

Collected *collected_new(gsize max_bytes) {
  Collecting *collecting = g_new0(Collecting, 1);
  collecting->collected.columns = g_ptr_array_new_with_free_func(g_free);
  collecting->collected.rows = g_ptr_array_new_with_free_func(g_free);
  collecting->max_bytes = max_bytes;
  collecting->sink = (DbSink){.columns = on_columns, .row = on_row, .data = collecting};
  return &collecting->collected;
}

void collected_free(Collected *collected) {
  if (collected == NULL)
    return;
  g_ptr_array_unref(collected->columns);
  g_ptr_array_unref(collected->rows);
  g_free(collected);
}

const DbSink *collected_sink(Collected *collected) { return &((Collecting *)(gpointer)collected)->sink; }

char *collected_summary(const Collected *collected) {
  Summary summary;
  summary_init(&summary);
  for (guint i = 0; i < collected->rows->len && !summary_is_full(&summary); i++)
    summary_row(&summary, collected->columns->len, g_ptr_array_index(collected->rows, i));
  char *text = summary_text(&summary, collected->n_rows);
  summary_clear(&summary);
  return text;
}

/* ---- Several nodes ----------------------------------------------------------------------------------------------- */

static void send(const Collected *from, const DbSink *to) {
  to->columns(from->columns->len, (const char *const *)from->columns->pdata, to->data);
  for (guint i = 0; i < from->rows->len; i++)
    to->row(from->columns->len, g_ptr_array_index(from->rows, i), to->data);
}

static void put_difference(GString *out, const char *first, const Collected *a, const char *second, const Collected *b,
                           bool ordered) {
  g_autoptr(Comparison) comparison = comparison_new_between(first, a, second, ordered);
  send(b, comparison_sink(comparison));
  if (comparison_holds(comparison))
    return;
  g_autofree char *headline = comparison_headline(comparison), *difference = comparison_difference(comparison);
  g_string_append_printf(out, "%s and %s differ: %s\n%s", first, second, headline, difference);
}

char *collected_difference(guint n, const char *const *names, Collected *const *answers, bool ordered) {
  GString *out = g_string_new(NULL);
  for (guint i = 0; i < n; i++)
    if (answers[i]->over_cap)
      g_string_append_printf(out, "%s gave %" G_GUINT64_FORMAT " rows, too many bytes to be held against others'\n",
                             names[i], answers[i]->n_rows);
  bool all_kept = out->len == 0;
  for (guint i = 1; i < n && all_kept; i++)
    put_difference(out, names[0], answers[0], names[i], answers[i], ordered);
  return g_string_free(out, FALSE);
}
