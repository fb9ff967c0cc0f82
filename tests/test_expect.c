/* How a statement was to end and how it did: errors, notices, rows affected, and exactly what is said. */
#include "runner/expect.h"
#include "tests/expectations.h"

static char *UNDEFINED = (char[]){"ERROR (42P01): relation \"x\" does not exist"};

static DbOutcome fine(void) { return (DbOutcome){.status = DB_OK, .affected = -1}; }

static DbOutcome failed(char *sqlstate, char *text) {
  return (DbOutcome){.status = DB_ERROR, .sqlstate = sqlstate, .text = text, .affected = -1};
}

static SqlEntry wants_code(const char *codes) { return (SqlEntry){.error_code = texts_of(codes)}; }

static SqlEntry wants_match(const char *pattern) { return (SqlEntry){.error_match.text = text_of(pattern)}; }

static void check(SqlEntry entry, DbOutcome outcome, const char *expected) {
  CompareOptions options = {0};
  bool undecided = true;
  g_autofree char *text = expect_outcome(&entry, &outcome, &options, false, &undecided);
  g_assert_cmpstr(text, ==, expected);
  g_assert_false(undecided);
  expectations_clear();
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

static void test_nothing_asked(void) {
  check((SqlEntry){0}, fine(), NULL);
  check((SqlEntry){0}, failed("42P01", UNDEFINED), "unexpected error: ERROR (42P01): relation \"x\" does not exist");
}

static void test_code(void) {
  check(wants_code("42P01"), failed("42P01", UNDEFINED), NULL);
  check(wants_code("42p01"), failed("42P01", UNDEFINED), NULL);
  check(wants_code("25006|42P01"), failed("42P01", UNDEFINED), NULL);
  check(wants_code("25006"), fine(), "expected error code 25006, but the statement succeeded");
  check(wants_code("25006|40001"), failed("42P01", UNDEFINED),
        "expected error code 25006 or 40001, got ERROR (42P01): relation \"x\" does not exist");
}

static void test_mysql_number(void) {
  DbOutcome outcome = failed("HY000", (char[]){"Error 1105 (HY000): no"});
  outcome.code = 1105;
  check(wants_code("1105"), outcome, NULL);
  check(wants_code("HY000"), outcome, NULL);
  check(wants_code("1106"), outcome, "expected error code 1106, got Error 1105 (HY000): no");
  /* PostgreSQL has no numbers: its 0 is none. */
  check(wants_code("0"), failed("42P01", UNDEFINED),
        "expected error code 0, got ERROR (42P01): relation \"x\" does not exist");
}

static void test_ok_or_error(void) {
  check(wants_code("ok|42P01"), fine(), NULL);
  check(wants_code("ok|42P01"), failed("42P01", UNDEFINED), NULL);
  check(wants_code("ok|25006"), failed("42P01", UNDEFINED),
        "expected success or error code 25006, got ERROR (42P01): relation \"x\" does not exist");
  check(wants_code("ok"), failed("42P01", UNDEFINED), "unexpected error: ERROR (42P01): relation \"x\" does not exist");
}

static void test_match(void) {
  check(wants_match("relation .* does not"), failed("42P01", UNDEFINED), NULL);
  check(wants_match("(?s)^ERROR.*HINT: look$"), failed("1", (char[]){"ERROR (1): a\nDETAIL: b\nHINT: look"}), NULL);
  check(wants_match("x"), fine(), "expected an error that matches /x/, but the statement succeeded");
  check(wants_match("^relation"), failed("42P01", UNDEFINED),
        "expected an error that matches /^relation/, got \"ERROR (42P01): relation \"x\" does not exist\"");
  check(wants_match("("), failed("42P01", UNDEFINED),
        "the error to expect: pattern /(/: offset 1: missing closing parenthesis");
}

static void test_code_and_match(void) {
  SqlEntry both = wants_code("42P01");
  both.error_match.text = text_of("gone");
  check(both, fine(), "expected error code 42P01 that matches /gone/, but the statement succeeded");
  both = wants_code("42P01");
  both.error_match.text = text_of("gone");
  check(both, failed("42P01", UNDEFINED),
        "expected an error that matches /gone/, got \"ERROR (42P01): relation \"x\" does not exist\"");
}

static void test_a_time_out_is_no_expected_error(void) {
  DbOutcome late = {.status = DB_TIMED_OUT, .affected = -1}, off = {.status = DB_CANCELLED, .text = (char[]){"stop"}};
  check((SqlEntry){0}, late, "the statement ran out of time");
  check(wants_code("57014"), late, "expected error code 57014, but the statement ran out of time");
  check(wants_match("."), off, "expected an error that matches /./, but the statement was called off: stop");
  check(wants_code("ok|57014"), late, "the statement ran out of time");
}

static void test_connect_error(void) {
  bool undecided = false;
  Texts codes = texts_of("28P01");
  PatternText match = {0};
  DbOutcome outcome = fine();
  g_autofree char *text = expect_error(&codes, &match, &outcome, "connection", NULL, false, &undecided);
  g_assert_cmpstr(text, ==, "expected error code 28P01, but the connection succeeded");
  expectations_clear();
}

/* In Dolt's dialect patterns are RE2's: \Z is no part of it. */
static void test_dolt_patterns(void) {
  bool undecided = false;
  SqlEntry entry = wants_match("exist\\Z");
  DbOutcome outcome = failed("42P01", UNDEFINED);
  g_autofree char *ours = expect_outcome(&entry, &outcome, NULL, false, &undecided);
  g_autofree char *dolts = expect_outcome(&entry, &outcome, NULL, true, &undecided);
  g_assert_null(ours);
  g_assert_true(g_str_has_prefix(dolts, "the error to expect: pattern /exist\\Z/: "));
}

static void test_undecided(void) {
  bool undecided = false;
  SqlEntry entry = wants_match("^(a+a?)+$");
  DbOutcome outcome = failed("42P01", (char[]){"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"});
  g_autofree char *text = expect_outcome(&entry, &outcome, NULL, false, &undecided);
  g_assert_true(undecided);
  g_assert_true(g_str_has_prefix(text, "whether the error matches /^(a+a?)+$/ could not be decided: "));
}

/* ---- Notices ----------------------------------------------------------------------------------------------------- */

static DbNotice hello = {DB_NOTICE, NULL, (char[]){"hello"}},
                beware = {DB_WARNING, NULL, (char[]){"beware\nDETAIL: of the dog"}},
                trace = {DB_DEBUG, NULL, (char[]){"trace"}}, mistake = {DB_NOTICE_ERROR, NULL, (char[]){"mistake"}};

/* The outcome's notices live until expectations_clear(). */
static DbOutcome noticed(DbNotice *a, DbNotice *b) {
  static gpointer v[2];
  static GPtrArray notices;
  v[0] = a;
  v[1] = b;
  notices = (GPtrArray){.pdata = v, .len = (a != NULL) + (b != NULL)};
  DbOutcome outcome = fine();
  outcome.notices = &notices;
  return outcome;
}

static SqlEntry wants_notice(NoticeLevel level, const char *text, const char *re) {
  NoticeExpectation *one = hold(g_new0(NoticeExpectation, 1));
  *one = (NoticeExpectation){.level = level, .text = text_of(text), .re.text = text_of(re)};
  return (SqlEntry){.notices = {.given = true, .n = 1, .v = one}};
}

static void test_notices_that_come(void) {
  check(wants_notice(NOTICE_ANY, "hello", NULL), noticed(&hello, &beware), NULL);
  check(wants_notice(NOTICE_ANY, "beware", NULL), noticed(&hello, &beware), NULL);
  check(wants_notice(NOTICE_ANY, "beware\nDETAIL: of the dog", NULL), noticed(&hello, &beware), NULL);
  check(wants_notice(NOTICE_WARNING, NULL, "of the (cat|dog)$"), noticed(&hello, &beware), NULL);
}

static void test_notices_that_do_not_come(void) {
  check(wants_notice(NOTICE_ANY, "hell", NULL), noticed(&hello, &beware),
        "expected notice 'hell' did not come; came: NOTICE: hello; WARNING: beware\\nDETAIL: of the dog");
  check(wants_notice(NOTICE_WARNING, NULL, "hello"), noticed(&hello, NULL),
        "expected warning /hello/ did not come; came: NOTICE: hello");
  check(wants_notice(NOTICE_INFO, "hello", NULL), noticed(&hello, NULL),
        "expected info 'hello' did not come; came: NOTICE: hello");
  check(wants_notice(NOTICE_ANY, "trace", NULL), noticed(&trace, NULL),
        "expected notice 'trace' did not come; none came");
  check(wants_notice(NOTICE_ANY, "hello", NULL), fine(), "expected notice 'hello' did not come; none came");
}

static void test_warnings_word(void) {
  SqlEntry entry = wants_notice(NOTICE_ANY, "x", NULL);
  entry.warnings = entry.notices;
  entry.notices = (NoticeExpectations){0};
  check(entry, fine(), "expected warning 'x' did not come; none came");
}

static void test_no_notices(void) {
  SqlEntry none = {.notices = {.given = true}}, no_warnings = {.warnings = {.given = true}};
  check(none, fine(), NULL);
  check(none, noticed(&trace, &mistake), NULL);
  check(none, noticed(&hello, NULL), "expected no notices, got NOTICE: hello");
  check(no_warnings, noticed(&beware, NULL), "expected no warnings, got WARNING: beware\\nDETAIL: of the dog");
}

/* ---- Rows affected, and several things at once ------------------------------------------------------------------- */

static DbOutcome affected(gint64 n) { return (DbOutcome){.status = DB_OK, .affected = n}; }

static SqlEntry wants_affected(const char *word) { return (SqlEntry){.has_affected = true, .affected = cell_of(word)}; }

static void test_affected(void) {
  check(wants_affected("3"), affected(3), NULL);
  check(wants_affected("3"), affected(2), "expected 3 rows affected, got 2");
  check(wants_affected("1"), affected(0), "expected 1 row affected, got 0");
  check(wants_affected("/^[12]$/"), affected(2), NULL);
  check(wants_affected("/^[12]$/"), affected(3), "expected /^[12]$/ rows affected, got 3");
  check(wants_affected("3"), affected(-1), "expected 3 rows affected, but the server did not say how many");
}

static void test_all_that_is_wrong_is_said(void) {
  SqlEntry entry = wants_notice(NOTICE_ANY, "x", NULL);
  entry.has_affected = true;
  entry.affected = cell_of("3");
  DbOutcome outcome = noticed(&hello, NULL);
  outcome.affected = 2;
  check(entry, outcome, "expected notice 'x' did not come; came: NOTICE: hello\nexpected 3 rows affected, got 2");
  SqlEntry error = wants_code("42P01");
  error.has_affected = true;
  error.affected = cell_of("3");
  check(error, failed("42P01", UNDEFINED), NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/expect/nothing asked", test_nothing_asked);
  g_test_add_func("/expect/code", test_code);
  g_test_add_func("/expect/MySQL's number", test_mysql_number);
  g_test_add_func("/expect/ok or an error", test_ok_or_error);
  g_test_add_func("/expect/match", test_match);
  g_test_add_func("/expect/code and match", test_code_and_match);
  g_test_add_func("/expect/a time-out is no expected error", test_a_time_out_is_no_expected_error);
  g_test_add_func("/expect/connect_error", test_connect_error);
  g_test_add_func("/expect/Dolt's patterns", test_dolt_patterns);
  g_test_add_func("/expect/undecided", test_undecided);
  g_test_add_func("/expect/notices that come", test_notices_that_come);
  g_test_add_func("/expect/notices that do not come", test_notices_that_do_not_come);
  g_test_add_func("/expect/the word warnings", test_warnings_word);
  g_test_add_func("/expect/no notices", test_no_notices);
  g_test_add_func("/expect/affected", test_affected);
  g_test_add_func("/expect/all that is wrong is said", test_all_that_is_wrong_is_said);
  return g_test_run();
}
