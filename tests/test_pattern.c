/* test_pattern.c - patterns decide as they are meant to, and never hang or guess. */
#include "yamldef/pattern.h"

#include <string.h>

static PatternResult search(PatternFlavour flavour, const char *pattern, const char *subject, gsize len) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Pattern) p = pattern_new(pattern, strlen(pattern), flavour, &error);
  g_assert_no_error(error);
  return pattern_search(p, subject, len, 0, NULL, NULL, NULL);
}

typedef struct Case {
  const char *pattern, *subject;
  bool matches;
} Case;

static void assert_all(PatternFlavour flavour, const Case *cases, guint n) {
  for (guint i = 0; i < n; i++) {
    PatternResult got = search(flavour, cases[i].pattern, cases[i].subject, strlen(cases[i].subject));
    if (got != (cases[i].matches ? PATTERN_YES : PATTERN_NO))
      g_error("'%s' on '%s' gave %d", cases[i].pattern, cases[i].subject, got);
  }
}

static void patterns_are_searches(void) {
  static const Case CASES[] = {{"b", "abc", true},   {"^b", "abc", false}, {"^abc$", "abc", true},
                               {"", "", true},       {"x", "", false},     {"caf.$", "café", true},
                               {"(?i)É", "é", true}, {"\\d+", "a1", true}};
  assert_all(PATTERN_LINES, CASES, G_N_ELEMENTS(CASES));
}

static void dollar_is_the_very_end(void) {
  static const Case CASES[] = {{"a$", "a\n", false}, {"a$", "a", true}, {"a$", "a\nb", false}, {"a\\z", "a\n", false}};
  assert_all(PATTERN_LINES, CASES, G_N_ELEMENTS(CASES));
  assert_all(PATTERN_RE2, CASES, G_N_ELEMENTS(CASES));
}

static void blocks_have_lines(void) {
  static const Case CASES[] = {{"^b$", "a\nb\nc", true},
                               {"^b$", "abc", false},
                               {"a\nb", "a\nb", true},
                               {"a.b", "a\nb", false},
                               {"(?s)a.b", "a\nb", true}};
  assert_all(PATTERN_BLOCK, CASES, G_N_ELEMENTS(CASES));
}

/* Each of these was taken from the documented syntax of Go's regexp. */
static void re2_decides_as_go_would(void) {
  static const Case CASES[] = {{"^b", "a\nb", false},       {"(?m)^b$", "a\nb\nc", true},
                               {"(?m)^$", "a\n", true},     {"a.b", "a\nb", false},
                               {"(?s)a.b", "a\nb", true},   {"\\s", "\v", false},
                               {"[\\s]", "\v", false},      {"\\S", "\v", true},
                               {"[\\S]", "\v", true},       {"\\v", "\v", true},
                               {"\\v", "\n", false},        {"[\\v]", "\r", false},
                               {"[[:space:]]", "\v", true}, {"\\Qa.b\\E", "a.b", true},
                               {"\\Qa.b\\E", "axb", false}, {"\\Qa\\sb", "a\\sb", true},
                               {"(?P<n>a)b", "ab", true},   {"\\pL", "é", true},
                               {"\\p{Greek}", "a", false},  {"\\PL", "1", true},
                               {"[^]]", "]", false},        {"[]]", "]", true},
                               {"\\x{41}", "A", true},      {"\\101", "A", true},
                               {"a{,2}", "a{,2}", true},    {"(?i)ABC", "abc", true},
                               {"(?U)a+", "aa", true},      {"\\bfoo\\b", "a foo b", true},
                               {"\\w", "é", false},         {"\\d", "٣", false},
                               {"a|b", "b", true},          {"\\Aa\\z", "a", true}};
  assert_all(PATTERN_RE2, CASES, G_N_ELEMENTS(CASES));
}

static void re2_takes_the_first_alternative(void) {
  g_autoptr(Pattern) p = pattern_new("a|ab", 4, PATTERN_RE2, NULL);
  gsize start, end;
  g_assert_cmpint(pattern_search(p, "xab", 3, 0, &start, &end, NULL), ==, PATTERN_YES);
  g_assert_cmpuint(start, ==, 1);
  g_assert_cmpuint(end, ==, 2);
}

static void assert_refused(PatternFlavour flavour, const char *pattern, const char *why) {
  g_autoptr(GError) error = NULL;
  g_assert_null(pattern_new(pattern, strlen(pattern), flavour, &error));
  g_assert_nonnull(error);
  g_assert_cmpstr(error->message, ==, why);
}

static void broken_patterns_are_refused_with_their_place(void) {
  assert_refused(PATTERN_LINES, "ab(c", "offset 4: missing closing parenthesis");
  assert_refused(PATTERN_LINES, "a**b", "offset 2: quantifier does not follow a repeatable item");
  assert_refused(PATTERN_LINES, "[z-a]", "offset 3: range out of order in character class");
  assert_refused(PATTERN_LINES, "a\\Cb", "offset 3: using \\C is disabled by the application");
}

static void re2_refuses_what_go_refuses(void) {
  assert_refused(PATTERN_RE2, "a(?=b)", "offset 1: RE2 knows no group '(?='");
  assert_refused(PATTERN_RE2, "(a)\\1", "offset 3: RE2 knows no back reference '\\1'");
  assert_refused(PATTERN_RE2, "\\Ka", "offset 0: RE2 knows no escape '\\K'");
  assert_refused(PATTERN_RE2, "(*UTF)a", "offset 0: RE2 knows no group '(*'");
  g_autoptr(Pattern) in_class = pattern_new("[(*]", 4, PATTERN_RE2, NULL);
  g_assert_nonnull(in_class);
}

static void the_same_words_are_known_to_ours(void) {
  static const Case CASES[] = {{"a(?=b)", "ab", true}, {"(a)\\1", "aa", true}, {"(?<!a)b", "ab", false}};
  assert_all(PATTERN_LINES, CASES, G_N_ELEMENTS(CASES));
}

static void bad_utf8_does_no_harm(void) {
  g_assert_cmpint(search(PATTERN_LINES, "b",
                         "a\xff\xfe"
                         "b",
                         4),
                  ==, PATTERN_YES);
  g_assert_cmpint(search(PATTERN_LINES, "^a.b$",
                         "a\xff"
                         "b",
                         3),
                  ==, PATTERN_NO);
  g_assert_cmpint(search(PATTERN_RE2, "b\\z",
                         "\xc3"
                         "b",
                         2),
                  ==, PATTERN_YES);
}

static void nul_bytes_are_bytes(void) {
  g_assert_cmpint(search(PATTERN_LINES, "a\\x00b", "a\0b", 3), ==, PATTERN_YES);
  g_autoptr(Pattern) p = pattern_new("a\0b", 3, PATTERN_LINES, NULL);
  g_assert_cmpint(pattern_search(p, "xa\0b", 4, 0, NULL, NULL, NULL), ==, PATTERN_YES);
  g_assert_cmpint(pattern_search(p, "xab", 3, 0, NULL, NULL, NULL), ==, PATTERN_NO);
}

/* A pattern that takes for ever is undecided, never "no match". */
static void catastrophes_are_undecided_soon(void) {
  g_autoptr(GString) subject = g_string_new(NULL);
  for (int i = 0; i < 40; i++)
    g_string_append_c(subject, 'a');
  g_string_append_c(subject, '!');
  g_autoptr(Pattern) p = pattern_new("(a+)+$", 6, PATTERN_LINES, NULL);
  const char *why = NULL;
  gint64 begin = g_get_monotonic_time();
  g_assert_cmpint(pattern_search(p, subject->str, subject->len, 0, NULL, NULL, &why), ==, PATTERN_UNDECIDED);
  g_assert_cmpstr(why, ==, "the pattern takes too many steps on this text");
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
}

/* Where the stack of JIT is too small, the interpreter answers. */
static void long_alternations_are_decided(void) {
  g_autoptr(GString) subject = g_string_new(NULL);
  for (int i = 0; i < 300000; i++)
    g_string_append(subject, "a\n");
  g_string_append(subject, "END");
  g_assert_cmpint(search(PATTERN_RE2, "(.|\n)*END", subject->str, subject->len), ==, PATTERN_YES);
}

static void groups_are_kept_of_the_newest_match(void) {
  g_autoptr(Pattern) p = pattern_new("lsn=(?<lsn>\\w+)(x)?", 19, PATTERN_LINES, NULL);
  g_assert_true(pattern_has_group(p, "lsn"));
  g_assert_true(pattern_has_group(p, "0"));
  g_assert_true(pattern_has_group(p, "2"));
  g_assert_false(pattern_has_group(p, "3"));
  g_assert_false(pattern_has_group(p, "other"));
  g_assert_null(pattern_group(p, "lsn"));
  char subject[] = "at lsn=0A end";
  g_assert_cmpint(pattern_search(p, subject, strlen(subject), 0, NULL, NULL, NULL), ==, PATTERN_YES);
  memset(subject, '?', sizeof subject - 1); /* the caller's text may be gone */
  g_autofree char *named = pattern_group(p, "lsn"), *all = pattern_group(p, "0"), *first = pattern_group(p, "1");
  g_assert_cmpstr(named, ==, "0A");
  g_assert_cmpstr(first, ==, "0A");
  g_assert_cmpstr(all, ==, "lsn=0A");
  g_assert_null(pattern_group(p, "2"));
  g_assert_cmpstr(pattern_text(p), ==, "lsn=(?<lsn>\\w+)(x)?");
}

static void groups_may_lie_outside_the_match(void) {
  g_autoptr(Pattern) p = pattern_new("(?<=(a))b(?=(c))", 16, PATTERN_LINES, NULL);
  g_assert_cmpint(pattern_search(p, "abc", 3, 0, NULL, NULL, NULL), ==, PATTERN_YES);
  g_autofree char *behind = pattern_group(p, "1"), *ahead = pattern_group(p, "2"), *all = pattern_group(p, "0");
  g_assert_cmpstr(behind, ==, "a");
  g_assert_cmpstr(ahead, ==, "c");
  g_assert_cmpstr(all, ==, "b");
}

static void a_search_may_begin_later(void) {
  g_autoptr(Pattern) p = pattern_new("a", 1, PATTERN_LINES, NULL);
  gsize start = 9;
  g_assert_cmpint(pattern_search(p, "a-a", 3, 1, &start, NULL, NULL), ==, PATTERN_YES);
  g_assert_cmpuint(start, ==, 2);
  g_assert_cmpint(pattern_search(p, "a-a", 3, 3, NULL, NULL, NULL), ==, PATTERN_NO);
  g_assert_cmpint(pattern_search(p, "a-a", 3, 4, NULL, NULL, NULL), ==, PATTERN_NO);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pattern/searches", patterns_are_searches);
  g_test_add_func("/pattern/dollar", dollar_is_the_very_end);
  g_test_add_func("/pattern/blocks", blocks_have_lines);
  g_test_add_func("/pattern/re2/go", re2_decides_as_go_would);
  g_test_add_func("/pattern/re2/leftmost-first", re2_takes_the_first_alternative);
  g_test_add_func("/pattern/re2/refused", re2_refuses_what_go_refuses);
  g_test_add_func("/pattern/ours", the_same_words_are_known_to_ours);
  g_test_add_func("/pattern/refused", broken_patterns_are_refused_with_their_place);
  g_test_add_func("/pattern/bad-utf8", bad_utf8_does_no_harm);
  g_test_add_func("/pattern/nul", nul_bytes_are_bytes);
  g_test_add_func("/pattern/catastrophes", catastrophes_are_undecided_soon);
  g_test_add_func("/pattern/long", long_alternations_are_decided);
  g_test_add_func("/pattern/groups", groups_are_kept_of_the_newest_match);
  g_test_add_func("/pattern/groups-outside", groups_may_lie_outside_the_match);
  g_test_add_func("/pattern/from", a_search_may_begin_later);
  return g_test_run();
}
