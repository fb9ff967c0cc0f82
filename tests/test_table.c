/* How values and rows are drawn: widths, what is invisible, bytes outside UTF-8, cuts around differences. */
#include <string.h>
#include "runner/table.h"

static void check_drawn(const char *bytes, gsize len, int budget, Quote quote, const char *expected) {
  g_autofree char *text = text_drawn(bytes, len, budget, quote);
  g_assert_cmpstr(text, ==, expected);
  g_assert_true(g_utf8_validate(text, -1, NULL));
}

static void check_text(const char *bytes, const char *expected) {
  check_drawn(bytes, strlen(bytes), 60, QUOTE_DOUBTFUL, expected);
}

static void test_what_is_invisible(void) {
  check_text("plain", "plain");
  check_text("a\nb\tc\rd", "a\\nb\\tc\\rd");
  check_text("\x1b[31m\x07\x7f", "\\x1b[31m\\x07\\x7f");
  check_drawn("a\0b", 3, 60, QUOTE_DOUBTFUL, "a\\x00b");
  check_text("C:\\dir", "C:\\dir");
  check_text("zero\u200bwidth\u202e", "zero\\u{200b}width\\u{202e}");
  check_text("\xc2\x85\u2028", "\\u{85}\\u{2028}");
}

static void test_bytes_outside_utf8(void) {
  check_text("a\xff\xfe", "a\\xff\\xfe");
  check_text("caf\xc3", "caf\\xc3");
  check_text("\xed\xa0\x80", "\\xed\\xa0\\x80");
  check_text("\xc0\x80z", "\\xc0\\x80z");
}

static void test_quotes(void) {
  check_drawn(NULL, 0, 60, QUOTE_ALWAYS, "NULL");
  check_text("NULL", "'NULL'");
  check_text("", "''");
  check_text(" a", "' a'");
  check_text("a ", "'a '");
  check_text("a b", "a b");
  check_text("'a'", "''a''");
  check_drawn("x", 1, 60, QUOTE_ALWAYS, "'x'");
  check_drawn("", 0, 60, QUOTE_NEVER, "");
}

static void test_widths(void) {
  g_assert_cmpint(display_width("abc"), ==, 3);
  g_assert_cmpint(display_width("日本"), ==, 4);
  g_assert_cmpint(display_width("e\u0301"), ==, 1);
  g_assert_cmpint(display_width("😀"), ==, 2);
  g_assert_cmpint(display_width("…"), ==, 1);
  check_text("\u0301x", "\\u{301}x");
}

static void test_cuts(void) {
  check_drawn("0123456789", 10, 10, QUOTE_NEVER, "0123456789");
  check_drawn("0123456789a", 11, 10, QUOTE_NEVER, "0123456789…");
  check_drawn("日本語日本語", 18, 7, QUOTE_NEVER, "日本語…");
  check_drawn("ab\ncd", 5, 3, QUOTE_NEVER, "ab…");
}

static void test_a_pile_of_marks_is_cut(void) {
  g_autoptr(GString) pile = g_string_new("e");
  for (int i = 0; i < 10000; i++)
    g_string_append(pile, "\u0301");
  g_autofree char *text = text_drawn(pile->str, pile->len, 20, QUOTE_NEVER);
  g_assert_cmpuint(strlen(text), <, 200);
}

static void check_pair(const char *want, gsize want_len, const char *got, gsize got_len, int budget,
                       const char *want_text, const char *got_text, int want_from, int want_to, int got_from,
                       int got_to) {
  DrawnCell w, g;
  DbCell a = {want, want_len}, b = {got, got_len};
  pair_drawn(&a, NULL, &b, budget, QUOTE_DOUBTFUL, &w, &g);
  g_assert_cmpstr(w.text, ==, want_text);
  g_assert_cmpstr(g.text, ==, got_text);
  g_assert_cmpint(w.from, ==, want_from);
  g_assert_cmpint(g.from, ==, got_from);
  g_assert_cmpint(w.to, ==, want_to);
  g_assert_cmpint(g.to, ==, got_to);
  g_free(w.text);
  g_free(g.text);
}

#define PAIR(want, got, budget, ...) check_pair(want, sizeof want - 1, got, sizeof got - 1, budget, __VA_ARGS__)

static void test_where_texts_differ(void) {
  PAIR("abc", "abXc", 40, "abc", "abXc", 2, 3, 2, 3);
  PAIR("one two", "one 2", 40, "one two", "one 2", 4, 7, 4, 5);
  PAIR("日本", "日木", 40, "日本", "日木", 2, 4, 2, 4);
  PAIR("", "x", 40, "''", "x", 1, 2, 0, 1);
  PAIR("a\xc3\xa9", "a\xc3\xa8", 40, "aé", "aè", 1, 2, 1, 2);
  PAIR("\xff\xfe", "\xff\xfd", 40, "\\xff\\xfe", "\\xff\\xfd", 4, 8, 4, 8);
}

static void test_what_looks_alike_is_spelt_out(void) {
  PAIR("a\nb", "a\\nb", 40, "a\\nb", "a\\\\nb", 1, 3, 1, 4);
  PAIR("caf\u00e9", "cafe\u0301", 40, "caf\\u{e9}", "cafe\\u{301}", 3, 9, 3, 11);
  PAIR("a\u00a0b", "a b", 40, "a\\u{a0}b", "a b", 1, 7, 1, 2);
}

/* A difference deep in a long text: both are cut at the same place before it. */
static void test_long_texts_are_cut_around_the_difference(void) {
  enum { LONG = 1000000 };
  g_autofree char *a = g_malloc(LONG), *b = g_malloc(LONG);
  for (int i = 0; i < LONG; i++)
    a[i] = b[i] = (char)('a' + i % 26);
  b[777777] = '!';
  check_pair(a, LONG, b, LONG, 24, "…fghijklmnopqrstuvwxyzab…", "…fghijklm!opqrstuvwxyzab…", 9, 10, 9, 10);
  check_pair(a, LONG, a, LONG - 3, 24, "…defghijklmn", "…defghijk", 9, 12, 9, 10);
}

static void test_the_end_of_a_cut(void) {
  PAIR("0123456789abcdefghij", "0123456789abcdefghij0123456789x", 12, "…ghij", "…ghij0123456…", 5, 6, 5, 13);
}

static DrawnRow *row(const char *a, const char *b) {
  DrawnRow *drawn = drawn_row_new(2);
  drawn->cells[0].text = g_strdup(a);
  drawn->cells[1].text = g_strdup(b);
  return drawn;
}

static void check_table(const Table *table, const char *expected) {
  g_autofree char *text = table_text(table);
  g_assert_cmpstr(text, ==, expected);
}

static void test_alignment(void) {
  const char *names[] = {"名前", "n"};
  g_autoptr(Table) table = table_new(2, names);
  table_row(table, ' ', row("ab", "1"), NULL, false);
  table_row(table, '-', row("日本語", "22"), "missing", false);
  table_say(table, "... %d rows", 5);
  DrawnRow *marked = row("e\u0301f", "x");
  marked->cells[0].from = 1;
  marked->cells[0].to = 2;
  table_row(table, '+', marked, "got", true);
  check_table(table, "  | 名前   | n  |\n"
                     "  | ab     | 1  |\n"
                     "- | 日本語 | 22 |        missing\n"
                     "  ... 5 rows\n"
                     "+ | e\u0301f     | x  |        got\n"
                     "  |  ^     |    |\n");
}

/* Of very many columns those that differ are shown, and the first ones. */
static void test_many_columns(void) {
  enum { N = 100 };
  const char *names[N];
  DrawnRow *drawn = drawn_row_new(N);
  for (guint i = 0; i < N; i++) {
    names[i] = "column";
    drawn->cells[i].text = g_strdup_printf("%u", i);
  }
  drawn->cells[77].to = 2;
  g_autoptr(Table) table = table_new(N, names);
  table_row(table, '+', drawn, NULL, true);
  g_autofree char *text = table_text(table);
  g_assert_nonnull(strstr(text, "| 0      | 1      | 2      |"));
  g_assert_nonnull(strstr(text, "| … | 77     | … |\n"));
  g_assert_null(strstr(text, "| 76 "));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/table/what is invisible", test_what_is_invisible);
  g_test_add_func("/table/bytes outside UTF-8", test_bytes_outside_utf8);
  g_test_add_func("/table/quotes", test_quotes);
  g_test_add_func("/table/widths", test_widths);
  g_test_add_func("/table/cuts", test_cuts);
  g_test_add_func("/table/a pile of marks is cut", test_a_pile_of_marks_is_cut);
  g_test_add_func("/table/where texts differ", test_where_texts_differ);
  g_test_add_func("/table/what looks alike is spelt out", test_what_looks_alike_is_spelt_out);
  g_test_add_func("/table/long texts are cut around the difference", test_long_texts_are_cut_around_the_difference);
  g_test_add_func("/table/the end of a cut", test_the_end_of_a_cut);
  g_test_add_func("/table/alignment", test_alignment);
  g_test_add_func("/table/many columns", test_many_columns);
  return g_test_run();
}
