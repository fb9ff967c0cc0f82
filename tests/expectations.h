/* expectations.h - expectations and results built by hand, for the tests of comparing.
 *
 * Rows are written as one string a row, its cells divided by '|'.  A cell NULL is SQL NULL; 'x' is the text x (so that
 * 'NULL' can be said), in expected rows also: any, /re/, ~value+-tolerance, x:00ff (bytes), b:true, ?NULL (Dolt's).
 * Everything lives until expectations_clear(), which each test calls at its end.
 */
#ifndef TESTS_EXPECTATIONS_H
#define TESTS_EXPECTATIONS_H

#include <string.h>
#include "runner/compare.h"

static GPtrArray *held;

static inline gpointer hold(gpointer block) {
  if (held == NULL)
    held = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(held, block);
  return block;
}

static inline void expectations_clear(void) { g_clear_pointer(&held, g_ptr_array_unref); }

static inline Text text_of(const char *s) { return (Text){.raw = s, .len = s == NULL ? 0 : strlen(s)}; }

static inline char *unquoted(const char *word) {
  gsize len = strlen(word);
  return hold(len >= 2 && word[0] == '\'' && word[len - 1] == '\'' ? g_strndup(word + 1, len - 2) : g_strdup(word));
}

static inline Cell cell_bytes(const char *hex) {
  gsize n = strlen(hex) / 2;
  guint8 *bytes = hold(g_malloc0(n + 1));
  for (gsize i = 0; i < n; i++)
    bytes[i] = (guint8)(g_ascii_xdigit_value(hex[2 * i]) * 16 + g_ascii_xdigit_value(hex[2 * i + 1]));
  return (Cell){.kind = CELL_BYTES, .bytes = bytes, .n_bytes = n};
}

static inline Cell cell_of(const char *word) {
  gsize len = strlen(word);
  if (strcmp(word, "NULL") == 0)
    return (Cell){.kind = CELL_NULL};
  if (strcmp(word, "?NULL") == 0)
    return (Cell){.kind = CELL_TEXT, .text = text_of("NULL"), .null_too = true};
  if (strcmp(word, "any") == 0)
    return (Cell){.kind = CELL_ANY};
  if (g_str_has_prefix(word, "b:"))
    return (Cell){.kind = CELL_BOOL, .text = text_of(hold(g_strdup(word + 2)))};
  if (g_str_has_prefix(word, "x:"))
    return cell_bytes(word + 2);
  if (word[0] == '/' && len > 1)
    return (Cell){.kind = CELL_RE, .re.text = text_of(hold(g_strndup(word + 1, len - 2)))};
  if (word[0] == '~')
    return (Cell){.kind = CELL_APPROX, .value = g_ascii_strtod(word + 1, NULL),
                  .tolerance = g_ascii_strtod(strstr(word, "+-") + 2, NULL)};
  return (Cell){.kind = CELL_TEXT, .text = text_of(unquoted(word))};
}

static inline Row row_of(const char *line) {
  g_auto(GStrv) words = g_strsplit(line, "|", -1);
  guint n = g_strv_length(words);
  Cell *cells = hold(g_new0(Cell, n));
  for (guint i = 0; i < n; i++)
    cells[i] = cell_of(words[i]);
  return (Row){.n = n, .v = cells};
}

static inline Rows rows_of(const char *const *lines) {
  guint n = 0;
  while (lines[n] != NULL)
    n++;
  Row *rows = hold(g_new0(Row, n + 1));
  for (guint i = 0; i < n; i++)
    rows[i] = row_of(lines[i]);
  return (Rows){.n = n, .v = rows};
}

static inline Texts texts_of(const char *line) {
  g_auto(GStrv) words = g_strsplit(line, "|", -1);
  guint n = g_strv_length(words);
  Text *texts = hold(g_new0(Text, n + 1));
  for (guint i = 0; i < n; i++)
    texts[i] = text_of(hold(g_strdup(words[i])));
  return (Texts){.n = n, .v = texts};
}

static inline ResultExpectation anything(void) { return (ResultExpectation){.ordered = true, .row_count = -1}; }

static inline ResultExpectation with_rows(ResultExpectation x, const char *const *lines) {
  Rows *either = hold(g_new0(Rows, x.n_either + 1));
  if (x.n_either > 0)
    memcpy(either, x.either, x.n_either * sizeof(Rows));
  either[x.n_either++] = rows_of(lines);
  x.either = either;
  x.has_rows = true;
  return x;
}

static inline ResultExpectation with_columns(ResultExpectation x, const char *line) {
  x.has_columns = true;
  x.columns = *line == '\0' ? (Texts){0} : texts_of(line);
  return x;
}

static inline ResultExpectation with_pick(ResultExpectation x, const char *line) {
  Texts texts = texts_of(line);
  Name *names = hold(g_new0(Name, texts.n));
  for (guint i = 0; i < texts.n; i++)
    names[i].s = texts.v[i].raw;
  x.pick = (Names){.n = texts.n, .v = names};
  return x;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_LINES ((const char *const[]){NULL})

static inline void send_columns(const DbSink *sink, const char *line) {
  g_auto(GStrv) names = g_strsplit(line, "|", -1);
  sink->columns(*line == '\0' ? 0 : g_strv_length(names), (const char *const *)names, sink->data);
}

static inline void send_row(const DbSink *sink, const char *line) {
  g_auto(GStrv) words = g_strsplit(line, "|", -1);
  guint n = g_strv_length(words);
  g_autofree DbCell *cells = g_new0(DbCell, n);
  for (guint i = 0; i < n; i++) {
    if (strcmp(words[i], "NULL") == 0)
      continue;
    cells[i].bytes = unquoted(words[i]);
    cells[i].len = strlen(cells[i].bytes);
  }
  sink->row(n, cells, sink->data);
}

static inline void send_result(const DbSink *sink, const char *columns, const char *const *lines) {
  send_columns(sink, columns);
  for (; *lines != NULL; lines++)
    send_row(sink, *lines);
}

/* What is said about this result: "" when it holds, otherwise the headline and the difference. */
static inline char *said_of(Comparison *comparison) {
  bool holds = comparison_holds(comparison);
  g_autofree char *headline = comparison_headline(comparison), *difference = comparison_difference(comparison);
  if (holds)
    g_assert_cmpstr(difference, ==, "");
  return hold(holds ? g_strdup("") : g_strdup_printf("%s\n%s", headline, difference));
}

static inline char *said(ResultExpectation expected, const char *columns, const char *const *lines) {
  CompareOptions options = {0};
  g_autoptr(GError) error = NULL;
  g_autoptr(Comparison) comparison = comparison_new(&expected, &options, &error);
  g_assert_no_error(error);
  send_result(comparison_sink(comparison), columns, lines);
  return said_of(comparison);
}

static inline char *said_value(const char *word, const char *columns, const char *const *lines) {
  CompareOptions options = {0};
  Cell cell = cell_of(word);
  g_autoptr(GError) error = NULL;
  g_autoptr(Comparison) comparison = comparison_new_value(&cell, &options, &error);
  g_assert_no_error(error);
  send_result(comparison_sink(comparison), columns, lines);
  return said_of(comparison);
}

#endif
