/* Results in any order: multisets, matchers assigned as well as can be, and exactly what is said. */
#include <malloc.h>
#include "tests/expectations.h"

static char *said_unordered(const char *const *expected, const char *columns, const char *const *got) {
  ResultExpectation x = with_rows(anything(), expected);
  x.ordered = false;
  return said(x, columns, got);
}

static void test_any_order_holds(void) {
  g_assert_cmpstr(said_unordered(LINES("1|a", "2|b", "3|NULL"), "i|t", LINES("3|NULL", "1|a", "2|b")), ==, "");
  g_assert_cmpstr(said_unordered(NO_LINES, "i", NO_LINES), ==, "");
  expectations_clear();
}

static void test_counts_of_equal_rows_matter(void) {
  g_assert_cmpstr(said_unordered(LINES("1", "1", "2"), "i", LINES("2", "1", "1")), ==, "");
  g_assert_cmpstr(said_unordered(LINES("1", "1", "2"), "i", LINES("2", "1", "2")), ==,
                  "expected row 2: column 'i': expected '1', got '2'\n"
                  "  | i |\n"
                  "  ... 2 rows as expected\n"
                  "- | 1 |        expected\n"
                  "+ | 2 |        got\n"
                  "  | ^ |\n");
  expectations_clear();
}

static void test_missing_and_unexpected(void) {
  g_assert_cmpstr(said_unordered(LINES("1|a", "2|b"), "i|t", LINES("2|b")), ==,
                  "expected 2 rows, got 1\n"
                  "  | i | t |\n"
                  "  ... 1 row as expected\n"
                  "- | 1 | a |        missing\n");
  g_assert_cmpstr(said_unordered(LINES("1|a"), "i|t", LINES("3|c", "1|a", "4|d")), ==,
                  "expected 1 row, got 3\n"
                  "  | i | t |\n"
                  "  ... 1 row as expected\n"
                  "+ | 3 | c |        unexpected\n"
                  "+ | 4 | d |        unexpected\n");
  g_assert_cmpstr(said_unordered(LINES("1|a", "2|b"), "i|t", LINES("3|c", "4|d")), ==,
                  "2 rows are missing, 2 unexpected\n"
                  "  | i | t |\n"
                  "- | 1 | a |        missing\n"
                  "- | 2 | b |        missing\n"
                  "+ | 3 | c |        unexpected\n"
                  "+ | 4 | d |        unexpected\n");
  expectations_clear();
}

/* The likest are shown as one row changed. */
static void test_likest_rows_are_paired(void) {
  g_assert_cmpstr(said_unordered(LINES("1|a|x", "2|b|y", "3|c|z"), "i|t|u", LINES("2|b|Y", "3|c|z", "1|A|x")), ==,
                  "expected row 1: column 't': expected 'a', got 'A' (and 1 more row differs)\n"
                  "  | i | t | u |\n"
                  "  ... 1 row as expected\n"
                  "- | 1 | a | x |        expected\n"
                  "+ | 1 | A | x |        got\n"
                  "  |   | ^ |   |\n"
                  "- | 2 | b | y |        expected\n"
                  "+ | 2 | b | Y |        got\n"
                  "  |   |   | ^ |\n");
  expectations_clear();
}

/* First come, first served would give the row 1|a to any|a, and 1|b would be left without. */
static void test_matchers_are_assigned_as_well_as_can_be(void) {
  g_assert_cmpstr(said_unordered(LINES("any|/[ab]/", "1|/./", "any|/a/"), "i|t", LINES("1|a", "2|b", "3|a")), ==, "");
  const char *const *chain = LINES("/[ab]/", "/[bc]/", "/[cd]/", "/[de]/");
  g_assert_cmpstr(said_unordered(chain, "t", LINES("b", "c", "d", "a")), ==, "");
  g_assert_cmpstr(said_unordered(chain, "t", LINES("d", "c", "b", "e")), ==, "");
  g_assert_cmpstr(said_unordered(LINES("any", "x"), "t", LINES("x", "y")), ==, "");
  expectations_clear();
}

static void test_matchers_that_cannot_all_be_served(void) {
  g_assert_cmpstr(said_unordered(LINES("/a/", "/a/", "any"), "t", LINES("a", "b", "c")), ==,
                  "expected row 2: column 't': expected /a/, got 'c'\n"
                  "  | t   |\n"
                  "  ... 2 rows as expected\n"
                  "- | /a/ |        expected\n"
                  "+ | c   |        got\n"
                  "  | ^   |\n");
  expectations_clear();
}

static void test_booleans_and_bytes(void) {
  const char *const *three = LINES("1|b:true", "2|b:false", "x:00ff|b:true");
  g_assert_cmpstr(said_unordered(three, "i|t", LINES("\\x00FF|t", "2|0", "1|1")), ==, "");
  g_assert_cmpstr(said_unordered(LINES("1|b:true", "2|b:false"), "i|t", LINES("2|t", "1|1")), ==,
                  "expected row 2: column 't': expected false, got 't'\n"
                  "  | i | t     |\n"
                  "  ... 1 row as expected\n"
                  "- | 2 | false |        expected\n"
                  "+ | 2 | t     |        got\n"
                  "  |   | ^     |\n");
  expectations_clear();
}

static void test_rows_of_another_width(void) {
  g_assert_cmpstr(said_unordered(LINES("1", "2|b"), "i|t", LINES("2|b", "1|a")), ==,
                  "expected row 1: expected 1 cell, got 2\n"
                  "  | i | t |\n"
                  "  ... 1 row as expected\n"
                  "- | 1 |   |        expected\n"
                  "+ | 1 | a |        got\n"
                  "  |   |   |\n");
  expectations_clear();
}

static void test_alternatives(void) {
  ResultExpectation x = with_rows(with_rows(anything(), LINES("1", "2")), LINES("3", "4", "5"));
  x.ordered = false;
  g_assert_cmpstr(said(x, "i", LINES("2", "1")), ==, "");
  g_assert_cmpstr(said(x, "i", LINES("5", "3", "4")), ==, "");
  g_assert_cmpstr(said(x, "i", LINES("5", "3")), ==,
                  "expected 3 rows, got 2 (closest of 2 alternatives)\n"
                  "  | i |\n"
                  "  ... 2 rows as expected\n"
                  "- | 4 |        missing\n");
  expectations_clear();
}

/* Every combination of cells that are exact is a group of its own; more of them than are looked up by hash work too. */
static void test_many_kinds_of_rows(void) {
  g_autoptr(GPtrArray) expected = g_ptr_array_new_with_free_func(g_free), got = g_ptr_array_new_with_free_func(g_free);
  for (guint mask = 0; mask < 128; mask++) {
    g_autoptr(GString) e = g_string_new(NULL), g = g_string_new(NULL);
    for (guint bit = 0; bit < 7; bit++) {
      g_string_append_printf(g, "%s%u", bit == 0 ? "" : "|", mask);
      g_string_append_printf(e, mask >> bit & 1 ? "%s%u" : "%s/^%u$/", bit == 0 ? "" : "|", mask);
    }
    g_ptr_array_add(expected, g_strdup(e->str));
    g_ptr_array_insert(got, 0, g_strdup(g->str));
  }
  g_ptr_array_add(expected, NULL);
  g_ptr_array_add(got, NULL);
  const char *columns = "a|b|c|d|e|f|g", *const *rows = (const char *const *)expected->pdata;
  g_assert_cmpstr(said_unordered(rows, columns, (const char *const *)got->pdata), ==, "");
  g_free(got->pdata[64]);
  got->pdata[64] = g_strdup("x|x|x|x|x|x|x");
  g_assert_cmpstr(said_unordered(rows, columns, (const char *const *)got->pdata), !=, "");
  expectations_clear();
}

/* ---- Many rows --------------------------------------------------------------------------------------------------- */

enum { MANY = 100000 };

/* Rows of a number and, with_bool, a truth. */
static ResultExpectation many(bool with_bool) {
  Row *rows = hold(g_new0(Row, MANY));
  Cell *cells = hold(g_new0(Cell, 2 * (gsize)MANY));
  for (guint i = 0; i < MANY; i++, cells += 2) {
    cells[0] = (Cell){.kind = CELL_TEXT, .text = text_of(hold(g_strdup_printf("%u", i)))};
    cells[1] = (Cell){.kind = with_bool ? CELL_BOOL : CELL_TEXT, .text = text_of(with_bool ? "true" : "t")};
    rows[i] = (Row){.n = 2, .v = cells};
  }
  Rows *all = hold(g_new0(Rows, 1));
  *all = (Rows){.n = MANY, .v = rows};
  return (ResultExpectation){.has_rows = true, .n_either = 1, .either = all, .row_count = -1};
}

static void send_number(const DbSink *sink, guint number) {
  char text[16];
  int len = g_snprintf(text, sizeof text, "%u", number);
  sink->row(2, (DbCell[]){{text, (gsize)len}, {"t", 1}}, sink->data);
}

static void check_many(bool with_bool, guint but, const char *expected) {
  CompareOptions options = {0};
  ResultExpectation x = many(with_bool);
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_columns(comparison_sink(c), "i|t");
  for (guint i = 0; i < MANY; i++) {
    guint number = (guint)((guint64)i * 77777 % MANY);
    send_number(comparison_sink(c), number == but ? MANY : number);
  }
  g_assert_cmpstr(said_of(c), ==, expected);
  expectations_clear();
}

static void test_many_rows(void) {
  check_many(false, G_MAXUINT, "");
  check_many(true, G_MAXUINT, "");
  check_many(false, 5,
             "expected row 6: column 'i': expected '5', got '100000'\n"
             "  | i      | t |\n"
             "  ... 99999 rows as expected\n"
             "- | 5      | t |        expected\n"
             "+ | 100000 | t |        got\n"
             "  | ^^^^^^ |   |\n");
  check_many(true, 5,
             "expected row 6: column 'i': expected '5', got '100000'\n"
             "  | i      | t    |\n"
             "  ... 99999 rows as expected\n"
             "- | 5      | true |        expected\n"
             "+ | 100000 | t    |        got\n"
             "  | ^^^^^^ |      |\n");
}

static void test_unexpected_rows_in_bounded_memory(void) {
  ResultExpectation x = with_rows(anything(), LINES("1|t", "/^2$/|t"));
  x.ordered = false;
  CompareOptions options = {0};
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_columns(comparison_sink(c), "i|t");
  size_t before = mallinfo2().uordblks;
  for (guint i = 0; i < 1000000; i++)
    send_number(comparison_sink(c), i);
  g_assert_cmpuint(mallinfo2().uordblks, <, before + 256 * 1024);
  g_assert_true(g_str_has_prefix(said_of(c), "expected 2 rows, got 1000000\n"));
  expectations_clear();
}

/* Far more rows with matchers, all alike, than can be tried against each other: said, not guessed. */
static void test_too_many_that_fit_nothing(void) {
  enum { N = 6000 };
  g_autoptr(GPtrArray) expected = g_ptr_array_new();
  for (guint i = 0; i < N; i++)
    g_ptr_array_add(expected, hold(g_strdup_printf("/^%ux$/", i)));
  g_ptr_array_add(expected, NULL);
  ResultExpectation x = with_rows(anything(), (const char *const *)expected->pdata);
  x.ordered = false;
  CompareOptions options = {0};
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_columns(comparison_sink(c), "i");
  for (guint i = 0; i < N; i++)
    comparison_sink(c)->row(1, (DbCell[]){{"y", 1}}, comparison_sink(c)->data);
  g_assert_false(comparison_holds(c));
  g_assert_cmpstr(comparison_undecided(c), ==,
                  "too many rows with matchers fit each other to be assigned in any order");
  expectations_clear();
}

/* ---- Against a search of all assignments ------------------------------------------------------------------------- */

static const char *const WORDS[] = {"a", "b", "c", "any", "/[ab]/", "/[bc]/", "/[ac]/"};

static bool word_fits(const char *word, const char *got) {
  if (strcmp(word, "any") == 0)
    return true;
  return word[0] == '/' ? strchr(word + 2, got[0]) != NULL : strcmp(word, got) == 0;
}

static bool some_assignment(const char **expected, const char **got, guint n, guint e, guint used) {
  if (e == n)
    return true;
  for (guint g = 0; g < n; g++)
    if (!(used >> g & 1) && word_fits(expected[e], got[g]) && some_assignment(expected, got, n, e + 1, used | 1u << g))
      return true;
  return false;
}

static void test_random_assignments(void) {
  guint held_there = 0;
  for (int round = 0; round < 3000; round++) {
    guint n = (guint)g_test_rand_int_range(1, 7);
    const char *expected[8] = {0}, *got[8] = {0};
    for (guint i = 0; i < n; i++) {
      expected[i] = WORDS[g_test_rand_int_range(0, G_N_ELEMENTS(WORDS))];
      got[i] = WORDS[g_test_rand_int_range(0, 3)];
    }
    bool can = some_assignment(expected, got, n, 0, 0);
    held_there += can;
    if ((*said_unordered(expected, "t", got) == '\0') != can)
      g_error("round %d: an assignment there is: %d", round, can);
    expectations_clear();
  }
  g_assert_cmpuint(held_there, >, 100);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/unordered/any order holds", test_any_order_holds);
  g_test_add_func("/unordered/counts of equal rows matter", test_counts_of_equal_rows_matter);
  g_test_add_func("/unordered/missing and unexpected", test_missing_and_unexpected);
  g_test_add_func("/unordered/the likest rows are paired", test_likest_rows_are_paired);
  g_test_add_func("/unordered/matchers are assigned as well as can be", test_matchers_are_assigned_as_well_as_can_be);
  g_test_add_func("/unordered/matchers that cannot all be served", test_matchers_that_cannot_all_be_served);
  g_test_add_func("/unordered/booleans and bytes", test_booleans_and_bytes);
  g_test_add_func("/unordered/rows of another width", test_rows_of_another_width);
  g_test_add_func("/unordered/alternatives", test_alternatives);
  g_test_add_func("/unordered/many kinds of rows", test_many_kinds_of_rows);
  g_test_add_func("/unordered/many rows", test_many_rows);
  g_test_add_func("/unordered/unexpected rows in bounded memory", test_unexpected_rows_in_bounded_memory);
  g_test_add_func("/unordered/too many that fit nothing", test_too_many_that_fit_nothing);
  g_test_add_func("/unordered/random assignments", test_random_assignments);
  return g_test_run();
}
