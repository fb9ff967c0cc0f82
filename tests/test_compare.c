/* Results in order, columns, values, alternatives: what holds, and exactly what is said when it does not. */
#include <malloc.h>
#include "tests/expectations.h"

#define ONE_TWO_THREE LINES("1|one", "2|two", "3|three")

static ResultExpectation three_rows(void) { return with_rows(with_columns(anything(), "i|name"), ONE_TWO_THREE); }

/* ---- Rows -------------------------------------------------------------------------------------------------------- */

static void test_equal_rows_hold(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", ONE_TWO_THREE), ==, "");
  g_assert_cmpstr(said(with_rows(anything(), NO_LINES), "i", NO_LINES), ==, "");
  expectations_clear();
}

static void test_missing_row(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("1|one", "3|three")), ==,
                  "expected 3 rows, got 2\n"
                  "  | i | name  |\n"
                  "  | 1 | one   |\n"
                  "- | 2 | two   |        missing\n"
                  "  | 3 | three |\n");
  expectations_clear();
}

static void test_unexpected_row(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("1|one", "2|two", "2|more", "3|three")), ==,
                  "expected 3 rows, got 4\n"
                  "  | i | name  |\n"
                  "  | 1 | one   |\n"
                  "  | 2 | two   |\n"
                  "+ | 2 | more  |        unexpected\n"
                  "  | 3 | three |\n");
  expectations_clear();
}

static void test_changed_cell(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("1|one", "2|twö", "3|three")), ==,
                  "row 2: column 'name': expected 'two', got 'twö'\n"
                  "  | i | name  |\n"
                  "  | 1 | one   |\n"
                  "- | 2 | two   |        expected\n"
                  "+ | 2 | twö   |        got\n"
                  "  |   |   ^   |\n"
                  "  | 3 | three |\n");
  expectations_clear();
}

static void test_two_changed_rows(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("1|One", "2|two", "3|tree")), ==,
                  "row 1: column 'name': expected 'one', got 'One' (and 1 more row differs)\n"
                  "  | i | name  |\n"
                  "- | 1 | one   |        expected\n"
                  "+ | 1 | One   |        got\n"
                  "  |   | ^     |\n"
                  "  | 2 | two   |\n"
                  "- | 3 | three |        expected\n"
                  "+ | 3 | tree  |        got\n"
                  "  |   |  ^    |\n");
  expectations_clear();
}

static void test_other_order(void) {
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("2|two", "1|one", "3|three")), ==,
                  "the same 3 rows in another order\n"
                  "  | i | name  |\n"
                  "+ | 2 | two   |        unexpected\n"
                  "  | 1 | one   |\n"
                  "- | 2 | two   |        missing\n"
                  "  | 3 | three |\n");
  g_assert_cmpstr(said(three_rows(), "i|name", LINES("4|four", "1|one", "2|two")), ==,
                  "1 row is missing, 1 unexpected\n"
                  "  | i | name  |\n"
                  "+ | 4 | four  |        unexpected\n"
                  "  | 1 | one   |\n"
                  "  | 2 | two   |\n"
                  "- | 3 | three |        missing\n");
  expectations_clear();
}

static void test_no_rows(void) {
  g_assert_cmpstr(said(with_rows(anything(), LINES("1")), "i", NO_LINES), ==,
                  "expected 1 row, got 0\n"
                  "  | i |\n"
                  "- | 1 |        missing\n");
  g_assert_cmpstr(said(with_rows(anything(), NO_LINES), "i", LINES("1")), ==,
                  "expected 0 rows, got 1\n"
                  "  | i |\n"
                  "+ | 1 |        unexpected\n");
  expectations_clear();
}

static void test_null_is_not_its_text(void) {
  ResultExpectation x = with_rows(anything(), LINES("NULL|'NULL'|''"));
  g_assert_cmpstr(said(x, "a|b|c", LINES("NULL|'NULL'|''")), ==, "");
  g_assert_cmpstr(said(x, "a|b|c", LINES("'NULL'|NULL|NULL")), ==,
                  "row 1: column 'a': expected NULL, got 'NULL'\n"
                  "  | a      | b      | c    |\n"
                  "- | NULL   | 'NULL' | ''   |        expected\n"
                  "+ | 'NULL' | NULL   | NULL |        got\n"
                  "  | ^^^^^^ | ^^^^   | ^^^^ |\n");
  expectations_clear();
}

static void test_dolts_null_is_both(void) {
  ResultExpectation x = with_rows(anything(), LINES("?NULL"));
  g_assert_cmpstr(said(x, "a", LINES("NULL")), ==, "");
  g_assert_cmpstr(said(x, "a", LINES("'NULL'")), ==, "");
  g_assert_cmpstr(said(x, "a", LINES("''")), ==,
                  "row 1: column 'a': expected NULL, got ''\n"
                  "  | a    |\n"
                  "- | NULL |        expected\n"
                  "+ | ''   |        got\n"
                  "  | ^^   |\n");
  expectations_clear();
}

static void test_row_of_another_width(void) {
  g_assert_cmpstr(said(with_rows(anything(), LINES("1|one", "2|two|too")), "i|name", LINES("1|one", "2|two")), ==,
                  "row 2: expected 3 cells, got 2\n"
                  "  | i | name |     |\n"
                  "  | 1 | one  |     |\n"
                  "- | 2 | two  | too |        expected\n"
                  "+ | 2 | two  |     |        got\n"
                  "  |   |      |     |\n");
  expectations_clear();
}

/* ---- Columns, counts, picks -------------------------------------------------------------------------------------- */

static void test_columns(void) {
  ResultExpectation x = with_columns(anything(), "a|b");
  g_assert_cmpstr(said(x, "a|b", LINES("1|2")), ==, "");
  g_assert_cmpstr(said(x, "a|c", LINES("1|2")), ==,
                  "expected columns (a, b), got (a, c)\n"
                  "  | column |\n"
                  "  | a      |\n"
                  "- | b      |        expected\n"
                  "+ | c      |        got\n"
                  "  | ^      |\n");
  g_assert_cmpstr(said(x, "a", LINES("1")), ==,
                  "expected columns (a, b), got (a)\n"
                  "  | column |\n"
                  "  | a      |\n"
                  "- | b      |        missing\n");
  g_assert_cmpstr(said(x, "b|a", LINES("1|2")), ==,
                  "expected columns (a, b), got (b, a) (the same in another order)\n"
                  "  | column |\n"
                  "+ | b      |        unexpected\n"
                  "  | a      |\n"
                  "- | b      |        missing\n");
  expectations_clear();
}

static void test_row_count(void) {
  ResultExpectation x = anything();
  x.row_count = 3;
  g_assert_cmpstr(said(x, "a", LINES("1", "2", "3")), ==, "");
  g_assert_cmpstr(said(x, "a", LINES("1", "2", "3", "4")), ==, "expected 3 rows (row_count), got 4\n");
  x.row_count = 1;
  g_assert_cmpstr(said(x, "a", NO_LINES), ==, "expected 1 row (row_count), got 0\n");
  expectations_clear();
}

static void test_row_count_shows_rows_too(void) {
  ResultExpectation x = with_rows(anything(), LINES("1", "2"));
  x.row_count = 2;
  g_assert_cmpstr(said(x, "a", LINES("1")), ==,
                  "expected 2 rows (row_count), got 1\n"
                  "  | a |\n"
                  "  | 1 |\n"
                  "- | 2 |        missing\n");
  expectations_clear();
}

static void test_pick(void) {
  ResultExpectation x = with_rows(with_pick(anything(), "c|a"), LINES("3|1"));
  g_assert_cmpstr(said(x, "a|b|c", LINES("1|2|3")), ==, "");
  g_assert_cmpstr(said(x, "a|b|c", LINES("4|2|3")), ==,
                  "row 1: column 'a': expected '1', got '4'\n"
                  "  | c | a |\n"
                  "- | 3 | 1 |        expected\n"
                  "+ | 3 | 4 |        got\n"
                  "  |   | ^ |\n");
  g_assert_cmpstr(said(x, "a|b", LINES("1|2")), ==, "expected a column 'c' to pick, got (a, b)\n");
  expectations_clear();
}

static void test_no_result(void) {
  CompareOptions options = {0};
  ResultExpectation rows = with_rows(anything(), NO_LINES), no_columns = with_columns(anything(), "");
  g_autoptr(Comparison) a = comparison_new(&rows, &options, NULL), b = comparison_new(&no_columns, &options, NULL);
  g_assert_cmpstr(said_of(a), ==, "expected a result, but the statement gave none\n");
  g_assert_cmpstr(said_of(b), ==, "");
  expectations_clear();
}

/* The last result with columns is the one that counts. */
static void test_begins_anew(void) {
  CompareOptions options = {0};
  ResultExpectation x = three_rows();
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_result(comparison_sink(c), "x", LINES("9", "9"));
  send_result(comparison_sink(c), "i|name", ONE_TWO_THREE);
  g_assert_cmpstr(said_of(c), ==, "");
  g_autofree char *summary = comparison_summary(c);
  g_assert_cmpstr(summary, ==, "3 rows: (1, one), (2, two), (3, three)");
  expectations_clear();
}

/* ---- Values, alternatives, same_as ------------------------------------------------------------------------------- */

static void test_value(void) {
  g_assert_cmpstr(said_value("two", "v", LINES("two")), ==, "");
  g_assert_cmpstr(said_value("two", "v", LINES("twö")), ==, "expected 'two', got 'twö'\n");
  g_assert_cmpstr(said_value("two", "v", LINES("NULL")), ==, "expected 'two', got NULL\n");
  g_assert_cmpstr(said_value("/^t+$/", "v", LINES("x")), ==, "expected /^t+$/, got 'x'\n");
  g_assert_cmpstr(said_value("two", "v", NO_LINES), ==,
                  "expected one row of one column, got no rows\n"
                  "  | v   |\n"
                  "- | two |        missing\n");
  g_assert_cmpstr(said_value("two", "v", LINES("two", "three")), ==,
                  "expected one row of one column, got 2 rows\n"
                  "  | v     |\n"
                  "  | two   |\n"
                  "+ | three |        unexpected\n");
  g_assert_cmpstr(said_value("two", "v|w", LINES("two|three")), ==,
                  "expected one row of one column, got 1 row of 2 columns (v, w)\n");
  expectations_clear();
}

static void test_alternatives(void) {
  ResultExpectation x = with_rows(with_rows(anything(), LINES("1", "2", "3")), LINES("7", "8", "9", "10"));
  g_assert_cmpstr(said(x, "a", LINES("1", "2", "3")), ==, "");
  g_assert_cmpstr(said(x, "a", LINES("7", "8", "9", "10")), ==, "");
  g_assert_cmpstr(said(x, "a", LINES("7", "8", "9")), ==,
                  "expected 4 rows, got 3 (closest of 2 alternatives)\n"
                  "  | a  |\n"
                  "  | 7  |\n"
                  "  | 8  |\n"
                  "  | 9  |\n"
                  "- | 10 |        missing\n");
  expectations_clear();
}

static Collected *collected_of(const char *columns, const char *const *lines) {
  Collected *c = collected_new(1000000);
  send_result(collected_sink(c), columns, lines);
  return c;
}

static void test_same_as(void) {
  Collected *other = collected_of("a|b", LINES("1|NULL", "2|two"));
  g_autoptr(Comparison) same = comparison_new_same(other, true), differs = comparison_new_same(other, true);
  send_result(comparison_sink(same), "a|b", LINES("1|NULL", "2|two"));
  g_assert_cmpstr(said_of(same), ==, "");
  send_result(comparison_sink(differs), "a|b", LINES("1|NULL"));
  g_assert_cmpstr(said_of(differs), ==,
                  "expected 2 rows, got 1\n"
                  "  | a | b    |\n"
                  "  | 1 | NULL |\n"
                  "- | 2 | two  |        missing\n");
  collected_free(other);
  expectations_clear();
}

static void test_same_as_too_large(void) {
  Collected *other = collected_new(100);
  send_result(collected_sink(other), "a", LINES("1", "2", "3", "4", "5", "6", "7", "8", "9"));
  g_assert_true(other->over_cap);
  g_assert_cmpuint(other->n_rows, ==, 9);
  g_autoptr(Comparison) c = comparison_new_same(other, true);
  send_result(comparison_sink(c), "a", LINES("1"));
  g_assert_false(comparison_holds(c));
  g_assert_cmpstr(comparison_undecided(c), ==,
                  "the other server's answer is too large to be kept and held against this one");
  collected_free(other);
  expectations_clear();
}

static void test_nodes(void) {
  Collected *a = collected_of("i|name", LINES("1|one", "2|two")), *b = collected_of("i|name", LINES("1|one", "2|two")),
            *c = collected_of("i|name", LINES("1|One", "3|two", "4|x")), *d = collected_of("i", LINES("1"));
  Collected *all[] = {a, b, c, d};
  const char *names[] = {"n1", "n2", "n3", "n4"};
  g_autofree char *two = collected_difference(2, names, all, true), *four = collected_difference(4, names, all, true);
  g_assert_cmpstr(two, ==, "");
  g_assert_cmpstr(four, ==,
                  "n1 and n3 differ: 2 rows on n1, 3 on n3\n"
                  "  | i | name |\n"
                  "- | 1 | one  |        on n1\n"
                  "+ | 1 | One  |        on n3\n"
                  "  |   | ^    |\n"
                  "- | 2 | two  |        on n1\n"
                  "+ | 3 | two  |        on n3\n"
                  "  | ^ |      |\n"
                  "+ | 4 | x    |        only on n3\n"
                  "n1 and n4 differ: columns (i, name) on n1, (i) on n4\n"
                  "  | column |\n"
                  "  | i      |\n"
                  "- | name   |        only on n1\n");
  g_autofree char *summary = collected_summary(c);
  g_assert_cmpstr(summary, ==, "3 rows: (1, One), (3, two), (4, x)");
  for (int i = 0; i < 4; i++)
    collected_free(all[i]);
  expectations_clear();
}

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

static bool matches(const char *word, const char *bytes, gsize len) {
  Cell cell = cell_of(word);
  CompareOptions options = {0};
  g_autoptr(GError) error = NULL;
  const char *undecided = NULL;
  bool result = cell_matches(&cell, &options, bytes, len, bytes == NULL, &undecided, &error);
  g_assert_no_error(error);
  g_assert_null(undecided);
  return result;
}

static void test_cells(void) {
  static const struct { const char *cell, *got; bool holds; } CASES[] = {
      {"1", "1", true}, {"1", "01", false}, {"1", "1 ", false}, {"''", "", true}, {"''", NULL, false},
      {"b:true", "t", true}, {"b:true", "1", true}, {"b:true", "true", true}, {"b:true", "f", false},
      {"b:true", "True", false}, {"b:true", NULL, false}, {"b:false", "f", true}, {"b:false", "0", true},
      {"b:false", "false", true}, {"b:false", "", false}, {"b:false", "1", false},
      {"any", "", true}, {"any", NULL, true}, {"any", "x", true},
      {"/^a.c$/", "abc", true}, {"/b/", "abc", true}, {"/^b/", "abc", false}, {"/b/", NULL, false},
      {"~3.14+-0.01", "3.15", true}, {"~3.14+-0.01", "3.13", true}, {"~3.14+-0.01", "3.1500001", false},
      {"~3.14+-0.01", "3,14", false}, {"~3.14+-0.01", "3.14x", false}, {"~3.14+-0.01", " 3.14", false},
      {"~3.14+-0.01", "", false}, {"~3.14+-0.01", NULL, false}, {"~3.14+-0.01", "NaN", false},
      {"~3.14+-0.01", "inf", false}, {"~16+-0", "0x10", false}, {"~16+-0", "1.6e1", true}, {"~16+-0", "+16", true},
      {"~inf+-1", "Infinity", true}, {"~inf+-1", "-Infinity", false}, {"~inf+-1", "1e308", false},
      {"~nan+-1", "NaN", true}, {"~nan+-1", "1", false}, {"~-0.5+-0", "-.5", true},
      {"x:00ff", "\\x00ff", true}, {"x:00ff", "\\x00FF", true}, {"x:00ff", "\\x00fe", false}, {"x:00ff", "00ff", false},
      {"x:6162", "ab", true}, {"x:6162", "abc", false}, {"x:", "", true}, {"x:", "\\x", true}, {"x:", NULL, false},
  };
  for (guint i = 0; i < G_N_ELEMENTS(CASES); i++)
    if (matches(CASES[i].cell, CASES[i].got, CASES[i].got == NULL ? 0 : strlen(CASES[i].got)) != CASES[i].holds)
      g_error("%s and %s", CASES[i].cell, CASES[i].got);
  g_assert_true(matches("x:00ff", "\0\xff", 2));
  expectations_clear();
}

static void test_cell_words(void) {
  static const struct { const char *cell, *text; } CASES[] = {
      {"one", "'one'"}, {"NULL", "NULL"}, {"'NULL'", "'NULL'"}, {"?NULL", "NULL"}, {"any", "any"}, {"/a|b/", "/a|b/"},
      {"~3.14+-0.01", "~3.14 +- 0.01"}, {"x:00ff", "bytes 00ff"}, {"b:true", "true"}, {"a\nb", "'a\\nb'"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
    Cell cell = cell_of(CASES[i].cell);
    g_autofree char *text = cell_text(&cell, NULL);
    g_assert_cmpstr(text, ==, CASES[i].text);
  }
  expectations_clear();
}

static char *render_upper(const Text *text, gsize *len, gpointer data, GError **error) {
  if (strcmp(text->raw, "{{var x}}") != 0) {
    g_set_error(error, g_quark_from_static_string("test"), 0, "no variable");
    return NULL;
  }
  *len = strlen(data);
  return g_strdup(data);
}

static void test_templates(void) {
  static const TextPart PART = {.is_call = true};
  Cell cells[] = {{.kind = CELL_TEXT, .text = {.raw = "{{var x}}", .len = 9, .parts = &PART, .n_parts = 1}},
                  {.kind = CELL_RE, .re.text = {.raw = "{{var x}}", .len = 9, .parts = &PART, .n_parts = 1}}};
  Row row = {.n = 2, .v = cells};
  Rows rows = {.n = 1, .v = &row};
  ResultExpectation x = {.has_rows = true, .n_either = 1, .either = &rows, .ordered = true, .row_count = -1};
  char value[] = "a+", bad[] = "a(";
  CompareOptions options = {.render = render_upper, .data = value};
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_result(comparison_sink(c), "t|re", LINES("a+|baaa"));
  g_assert_cmpstr(said_of(c), ==, "");
  g_autoptr(GError) error = NULL;
  options.data = bad;
  g_assert_null(comparison_new(&x, &options, &error));
  g_assert_cmpstr(error->message, ==, "pattern /a(/: offset 2: missing closing parenthesis");
  g_clear_error(&error);
  cells[0].text.raw = "{{var y}}";
  g_assert_null(comparison_new(&x, &options, &error));
  g_assert_cmpstr(error->message, ==, "no variable");
  expectations_clear();
}

/* A pattern that ran into its limit is neither a match nor none. */
static void test_undecided(void) {
  GString *subject = g_string_new(NULL);
  for (int i = 0; i < 60; i++)
    g_string_append(subject, "a");
  g_string_append(subject, "b");
  CompareOptions options = {0};
  ResultExpectation x = with_rows(anything(), LINES("/^(a+a?)+$/"));
  g_autoptr(Comparison) c = comparison_new(&x, &options, NULL);
  send_result(comparison_sink(c), "a", LINES(subject->str));
  g_assert_nonnull(comparison_undecided(c));
  g_assert_false(comparison_holds(c));
  g_autofree char *headline = comparison_headline(c);
  g_assert_true(g_str_has_prefix(headline, "could not be decided: "));
  g_string_free(subject, TRUE);
  expectations_clear();
}

/* A difference decides, whatever else could not be decided. */
static void test_undecided_beside_a_difference(void) {
  static const char SUBJECT[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
  g_autofree char *same_row = g_strconcat(SUBJECT, "|2", NULL), *fine_row = g_strconcat(SUBJECT, "|1", NULL);
  CompareOptions options = {0};
  ResultExpectation x = with_rows(anything(), LINES("/^(a+a?)+$/|1", "x|2"));
  for (int ordered = 0; ordered < 2; ordered++) {
    x.ordered = ordered;
    g_autoptr(Comparison) a = comparison_new(&x, &options, NULL), b = comparison_new(&x, &options, NULL),
                          c = comparison_new(&x, &options, NULL);
    send_result(comparison_sink(a), "t|i", LINES(fine_row, "x|2"));
    send_result(comparison_sink(b), "t|i", LINES(fine_row, "x|2", "x|3"));
    send_result(comparison_sink(c), "t|i", LINES(same_row, "x|2"));
    g_assert_false(comparison_holds(a) || comparison_holds(b) || comparison_holds(c));
    g_assert_nonnull(comparison_undecided(a));
    g_assert_null(comparison_undecided(b));
    g_assert_null(comparison_undecided(c));
  }
  expectations_clear();
}

/* ---- Many rows --------------------------------------------------------------------------------------------------- */

enum { MANY = 100000 };

static Rows numbered(guint n) {
  Row *rows = hold(g_new0(Row, n));
  Cell *cells = hold(g_new0(Cell, 2 * (gsize)n));
  for (guint i = 0; i < n; i++, cells += 2) {
    cells[0] = (Cell){.kind = CELL_TEXT, .text = text_of(hold(g_strdup_printf("%u", i)))};
    cells[1] = (Cell){.kind = CELL_TEXT, .text = text_of("the same text in each row")};
    rows[i] = (Row){.n = 2, .v = cells};
  }
  return (Rows){.n = n, .v = rows};
}

static ResultExpectation many_rows(guint n) {
  Rows *rows = hold(g_new0(Rows, 1));
  *rows = numbered(n);
  return (ResultExpectation){.has_rows = true, .n_either = 1, .either = rows, .ordered = true, .row_count = -1};
}

static void send_numbered(const DbSink *sink, guint from, guint to) {
  for (guint i = from; i < to; i++) {
    char number[16];
    int len = g_snprintf(number, sizeof number, "%u", i);
    DbCell cells[] = {{number, (gsize)len}, {"the same text in each row", 25}};
    sink->row(2, cells, sink->data);
  }
}

static Comparison *comparison_of(const ResultExpectation *x) {
  CompareOptions options = {0};
  Comparison *c = comparison_new(x, &options, NULL);
  send_columns(comparison_sink(c), "i|text");
  return c;
}

static void test_one_of_many_is_missing(void) {
  ResultExpectation x = many_rows(MANY);
  g_autoptr(Comparison) c = comparison_of(&x);
  send_numbered(comparison_sink(c), 0, 70000);
  send_numbered(comparison_sink(c), 70001, MANY);
  g_assert_cmpstr(said_of(c), ==,
                  "expected 100000 rows, got 99999\n"
                  "  | i     | text                      |\n"
                  "  ... 69998 rows as expected\n"
                  "  | 69998 | the same text in each row |\n"
                  "  | 69999 | the same text in each row |\n"
                  "- | 70000 | the same text in each row |        missing\n"
                  "  | 70001 | the same text in each row |\n"
                  "  | 70002 | the same text in each row |\n"
                  "  ... 29997 rows as expected\n");
  expectations_clear();
}

static void test_a_block_of_many_is_missing(void) {
  ResultExpectation x = many_rows(MANY);
  g_autoptr(Comparison) c = comparison_of(&x);
  send_numbered(comparison_sink(c), 0, 1000);
  send_numbered(comparison_sink(c), 5000, MANY);
  g_autofree char *said_here = g_strdup(said_of(c));
  g_assert_true(g_str_has_prefix(said_here, "expected 100000 rows, got 96000\n"));
  g_assert_nonnull(strstr(said_here, "- | 1000 | the same text in each row |        missing\n"));
  g_assert_nonnull(strstr(said_here, "  ... 3980 more rows differ\n"));
  g_assert_null(strstr(said_here, "+"));
  expectations_clear();
}

static void test_a_block_too_many(void) {
  ResultExpectation x = many_rows(5000);
  g_autoptr(Comparison) c = comparison_of(&x);
  send_numbered(comparison_sink(c), 0, 1000);
  send_numbered(comparison_sink(c), 50000, 53000);
  send_numbered(comparison_sink(c), 1000, 5000);
  g_autofree char *said_here = g_strdup(said_of(c));
  g_assert_true(g_str_has_prefix(said_here, "expected 5000 rows, got 8000\n"));
  g_assert_nonnull(strstr(said_here, "+ | 50000 | the same text in each row |        got\n"));
  g_assert_nonnull(strstr(said_here, " more rows differ\n"));
  expectations_clear();
}

/* All differ: nothing of the rows is kept but what is shown (some bytes for each expected row are an index), and the
 * search for likeness ends. */
static void test_all_of_many_differ(void) {
  ResultExpectation x = many_rows(MANY);
  g_autoptr(Comparison) c = comparison_of(&x);
  size_t before = mallinfo2().uordblks;
  const DbSink *sink = comparison_sink(c);
  for (guint i = 0; i < 3 * MANY; i++)
    sink->row(2, (DbCell[]){{"x", 1}, {NULL, 0}}, sink->data);
  g_assert_cmpuint(mallinfo2().uordblks, <, before + 6 * 1024 * 1024);
  g_autofree char *said_here = g_strdup(said_of(c));
  g_assert_true(g_str_has_prefix(said_here, "expected 100000 rows, got 300000\n"));
  g_assert_cmpuint(strlen(said_here), <, 8000);
  expectations_clear();
}

/* A million rows as expected cost no memory beyond the expectation, which here is of one more row. */
static void test_a_million_in_bounded_memory(void) {
  ResultExpectation x = anything();
  x.row_count = 1000000;
  g_autoptr(Comparison) counted = comparison_of(&x);
  size_t before = mallinfo2().uordblks;
  send_numbered(comparison_sink(counted), 0, 1000000);
  g_assert_cmpuint(mallinfo2().uordblks, <, before + 64 * 1024);
  g_assert_true(comparison_holds(counted));
  ResultExpectation rows = many_rows(1000);
  g_autoptr(Comparison) c = comparison_of(&rows);
  before = mallinfo2().uordblks;
  send_numbered(comparison_sink(c), 0, 1000000);
  g_assert_cmpuint(mallinfo2().uordblks, <, before + 1024 * 1024);
  g_assert_false(comparison_holds(c));
  expectations_clear();
}

static void test_speed(void) {
  enum { N = 1000000 };
  ResultExpectation x = many_rows(N);
  g_autoptr(Comparison) c = comparison_of(&x);
  const DbSink *sink = comparison_sink(c);
  const Row *rows = x.either[0].v;
  gint64 began = g_get_monotonic_time();
  for (guint i = 0; i < N; i++) {
    DbCell cells[] = {{rows[i].v[0].text.raw, rows[i].v[0].text.len}, {rows[i].v[1].text.raw, rows[i].v[1].text.len}};
    sink->row(2, cells, sink->data);
  }
  g_assert_true(comparison_holds(c));
  g_test_message("%.1f million cells a second", 2.0 * N / (double)MAX(g_get_monotonic_time() - began, 1));
  expectations_clear();
}

/* ---- Random results ---------------------------------------------------------------------------------------------- */

static char **random_lines(guint n_rows, guint n_cells) {
  char **lines = g_new0(char *, n_rows + 1);
  for (guint i = 0; i < n_rows; i++) {
    GString *line = g_string_new(NULL);
    for (guint k = 0; k < n_cells; k++) {
      int die = g_test_rand_int_range(0, 10);
      g_string_append(line, k == 0 ? "" : "|");
      if (die == 0)
        g_string_append(line, "NULL");
      else
        g_string_append_printf(line, "%s%d", die < 5 ? "" : "word", g_test_rand_int_range(0, 12));
    }
    lines[i] = g_string_free(line, FALSE);
  }
  return lines;
}

/* One expected cell is changed: the message must name what was expected and, in order, where. */
static void test_random_mutations(void) {
  for (int round = 0; round < 400; round++) {
    guint n_rows = (guint)g_test_rand_int_range(1, 60), n_cells = (guint)g_test_rand_int_range(1, 5);
    g_auto(GStrv) lines = random_lines(n_rows, n_cells), changed = g_strdupv(lines);
    bool ordered = round % 2 == 0;
    ResultExpectation x = with_rows(anything(), (const char *const *)lines);
    x.ordered = ordered;
    const char *columns = &"a|b|c|d"[8 - 2 * n_cells - (n_cells > 4)];
    g_assert_cmpstr(said(x, columns, (const char *const *)lines), ==, "");
    guint row = (guint)g_test_rand_int_range(0, (gint)n_rows), cell = (guint)g_test_rand_int_range(0, (gint)n_cells);
    g_auto(GStrv) words = g_strsplit(changed[row], "|", -1);
    g_free(words[cell]);
    words[cell] = g_strdup("mutant");
    g_free(changed[row]);
    changed[row] = g_strjoinv("|", words);
    ResultExpectation y = with_rows(anything(), (const char *const *)changed);
    y.ordered = ordered;
    char *text = said(y, columns, (const char *const *)lines);
    if (strstr(text, "mutant") == NULL)
      g_error("the mutant of row %u is not named: %s", row + 1, text);
    expectations_clear();
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/compare/equal rows hold", test_equal_rows_hold);
  g_test_add_func("/compare/a missing row", test_missing_row);
  g_test_add_func("/compare/an unexpected row", test_unexpected_row);
  g_test_add_func("/compare/a changed cell", test_changed_cell);
  g_test_add_func("/compare/two changed rows", test_two_changed_rows);
  g_test_add_func("/compare/another order", test_other_order);
  g_test_add_func("/compare/no rows", test_no_rows);
  g_test_add_func("/compare/NULL is not its text", test_null_is_not_its_text);
  g_test_add_func("/compare/Dolt's NULL is both", test_dolts_null_is_both);
  g_test_add_func("/compare/a row of another width", test_row_of_another_width);
  g_test_add_func("/compare/columns", test_columns);
  g_test_add_func("/compare/row_count", test_row_count);
  g_test_add_func("/compare/row_count and rows", test_row_count_shows_rows_too);
  g_test_add_func("/compare/pick", test_pick);
  g_test_add_func("/compare/no result", test_no_result);
  g_test_add_func("/compare/a further result begins anew", test_begins_anew);
  g_test_add_func("/compare/value", test_value);
  g_test_add_func("/compare/alternatives", test_alternatives);
  g_test_add_func("/compare/same_as", test_same_as);
  g_test_add_func("/compare/same_as of a too large answer", test_same_as_too_large);
  g_test_add_func("/compare/nodes", test_nodes);
  g_test_add_func("/compare/cells", test_cells);
  g_test_add_func("/compare/words of cells", test_cell_words);
  g_test_add_func("/compare/templates", test_templates);
  g_test_add_func("/compare/undecided", test_undecided);
  g_test_add_func("/compare/undecided beside a difference", test_undecided_beside_a_difference);
  g_test_add_func("/compare/one of many is missing", test_one_of_many_is_missing);
  g_test_add_func("/compare/a block of many is missing", test_a_block_of_many_is_missing);
  g_test_add_func("/compare/a block too many", test_a_block_too_many);
  g_test_add_func("/compare/all of many differ", test_all_of_many_differ);
  g_test_add_func("/compare/a million rows in bounded memory", test_a_million_in_bounded_memory);
  g_test_add_func("/compare/speed", test_speed);
  g_test_add_func("/compare/random mutations", test_random_mutations);
  return g_test_run();
}
