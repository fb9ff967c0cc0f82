/* expect.c - see expect.h. */
#include "runner/expect.h"

#include <string.h>
#include "runner/cells.h"
#include "runner/table.h"

enum { TEXT_WIDTH = 200 };

/* What an entry says of its error, with its values put in. */
typedef struct ErrorWish {
  GPtrArray *codes;              /* const char *, without ok */
  bool ok;                       /* it may succeed too */
  const Pattern *match;          /* NULL: any text */
  GPtrArray *memory, *patterns;
} ErrorWish;

static void error_wish_clear(ErrorWish *wish) {
  g_ptr_array_unref(wish->codes);
  g_ptr_array_unref(wish->memory);
  g_ptr_array_unref(wish->patterns);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ErrorWish, error_wish_clear)

static bool error_wish_read(ErrorWish *wish, const Texts *codes, const PatternText *match,
                            const CompareOptions *options, PatternFlavour flavour, GError **error) {
  for (guint i = 0; i < codes->n; i++) {
    gsize len;
    const char *code = text_value(&codes->v[i], options, wish->memory, &len, error);
    if (code == NULL)
      return false;
    if (g_ascii_strcasecmp(code, "ok") == 0)
      wish->ok = true;
    else
      g_ptr_array_add(wish->codes, g_strndup(code, len));
  }
  if (match->text.raw == NULL)
    return true;
  wish->match = pattern_value(match, options, flavour, wish->memory, wish->patterns, error);
  return wish->match != NULL;
}

static bool code_is(const DbOutcome *outcome, const char *code) {
  g_autofree char *number = g_strdup_printf("%d", outcome->code);
  return (outcome->sqlstate != NULL && g_ascii_strcasecmp(code, outcome->sqlstate) == 0) ||
         (outcome->code != 0 && strcmp(code, number) == 0);
}

static bool code_is_wished(const ErrorWish *wish, const DbOutcome *outcome) {
  for (guint i = 0; i < wish->codes->len; i++)
    if (code_is(outcome, g_ptr_array_index(wish->codes, i)))
      return true;
  return wish->codes->len == 0;
}

/* "error code 25006 or 40001 that matches /x/", "an error that matches /x/" */
static char *wish_text(const ErrorWish *wish) {
  GString *out = g_string_new(wish->codes->len == 0 ? "an error" : "error code ");
  for (guint i = 0; i < wish->codes->len; i++)
    g_string_append_printf(out, "%s%s", i == 0 ? "" : " or ", (const char *)g_ptr_array_index(wish->codes, i));
  if (wish->match != NULL)
    g_string_append_printf(out, " that matches /%s/", pattern_text(wish->match));
  return g_string_free(out, FALSE);
}

static const char *outcome_text(const DbOutcome *outcome) { return outcome->text == NULL ? "" : outcome->text; }

static char *not_ended(const ErrorWish *wish, bool wished, const DbOutcome *outcome, const char *what) {
  g_autofree char *text = wish_text(wish);
  const char *how = outcome->status == DB_TIMED_OUT ? "ran out of time" : "was called off";
  g_autofree char *why = outcome->text == NULL || *outcome->text == '\0' ? g_strdup("")
                                                                         : g_strdup_printf(": %s", outcome->text);
  return wished ? g_strdup_printf("expected %s, but the %s %s%s", text, what, how, why)
                : g_strdup_printf("the %s %s%s", what, how, why);
}

static char *judge_text(const ErrorWish *wish, const DbOutcome *outcome, bool *undecided) {
  const char *text = outcome_text(outcome), *why = NULL;
  switch (pattern_search(wish->match, text, strlen(text), 0, NULL, NULL, &why)) {
  case PATTERN_YES:
    return NULL;
  case PATTERN_UNDECIDED:
    *undecided = true;
    return g_strdup_printf("whether the error matches /%s/ could not be decided: %s", pattern_text(wish->match),
                           why == NULL ? "a pattern ran into a limit" : why);
  case PATTERN_NO:
    return g_strdup_printf("expected an error that matches /%s/, got \"%s\"", pattern_text(wish->match), text);
  }
  g_assert_not_reached();
}

static char *judge_error(const ErrorWish *wish, const DbOutcome *outcome, const char *what, bool *undecided) {
  bool wished = wish->codes->len > 0 || wish->match != NULL;
  if (outcome->status == DB_TIMED_OUT || outcome->status == DB_CANCELLED)
    return not_ended(wish, wished && !wish->ok, outcome, what);
  g_autofree char *text = wish_text(wish);
  if (outcome->status == DB_OK)
    return wished && !wish->ok ? g_strdup_printf("expected %s, but the %s succeeded", text, what) : NULL;
  if (!wished)
    return g_strdup_printf("unexpected error: %s", outcome_text(outcome));
  if (!code_is_wished(wish, outcome))
    return g_strdup_printf("expected %s%s, got %s", wish->ok ? "success or " : "", text, outcome_text(outcome));
  return wish->match == NULL ? NULL : judge_text(wish, outcome, undecided);
}

char *expect_error(const Texts *codes, const PatternText *match, const DbOutcome *outcome, const char *what,
                   const CompareOptions *options, bool dolt, bool *undecided) {
  g_auto(ErrorWish) wish = {.codes = g_ptr_array_new_with_free_func(g_free),
                            .memory = g_ptr_array_new_with_free_func(g_free),
                            .patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free)};
  g_autoptr(GError) error = NULL;
  if (!error_wish_read(&wish, codes, match, options, dolt ? PATTERN_RE2 : PATTERN_LINES, &error))
    return g_strdup_printf("the error to expect: %s", error->message);
  return judge_error(&wish, outcome, what, undecided);
}

/* ---- Notices ----------------------------------------------------------------------------------------------------- */

static const char *const LEVELS[] = {
    [DB_INFO] = "INFO", [DB_NOTICE] = "NOTICE", [DB_WARNING] = "WARNING", [DB_NOTICE_ERROR] = NULL};

static const char *const LEVEL_WORDS[] = {
    [NOTICE_ANY] = NULL, [NOTICE_INFO] = "info", [NOTICE_NOTICE] = "notice", [NOTICE_WARNING] = "warning"};

static bool level_fits(NoticeLevel wanted, DbNoticeLevel level) {
  static const DbNoticeLevel AS[] = {
      [NOTICE_INFO] = DB_INFO, [NOTICE_NOTICE] = DB_NOTICE, [NOTICE_WARNING] = DB_WARNING};
  return LEVELS[level] != NULL && (wanted == NOTICE_ANY || AS[wanted] == level);
}

static char *came_text(const DbOutcome *outcome) {
  GString *out = g_string_new(NULL);
  for (guint i = 0; outcome->notices != NULL && i < outcome->notices->len; i++) {
    const DbNotice *notice = g_ptr_array_index(outcome->notices, i);
    if (!level_fits(NOTICE_ANY, notice->level))
      continue;
    g_autofree char *text = text_drawn(notice->text, strlen(notice->text), TEXT_WIDTH, QUOTE_NEVER);
    g_string_append_printf(out, "%s%s: %s", out->len == 0 ? "" : "; ", LEVELS[notice->level], text);
  }
  return g_string_free(out, FALSE);
}

/* A text is the whole message, or its first line where more lines follow. */
static bool text_came(const ExpectedCell *cell, const char *text, const char **undecided) {
  DbCell whole = {text, strlen(text)}, line = {text, strcspn(text, "\n")};
  return expected_cell_matches(cell, &whole, undecided) ||
         (cell->kind == CELL_TEXT && expected_cell_matches(cell, &line, undecided));
}

static bool notice_came(const NoticeExpectation *wanted, const ExpectedCell *cell, const DbOutcome *outcome,
                        const char **undecided) {
  for (guint i = 0; outcome->notices != NULL && i < outcome->notices->len; i++) {
    const DbNotice *notice = g_ptr_array_index(outcome->notices, i);
    if (level_fits(wanted->level, notice->level) && text_came(cell, notice->text, undecided))
      return true;
  }
  return false;
}

static void add_line(GString *out, char *line) {
  if (line == NULL)
    return;
  g_string_append_printf(out, "%s%s", out->len == 0 ? "" : "\n", line);
  g_free(line);
}

static void judge_notice(const NoticeExpectation *wanted, const char *word, const DbOutcome *outcome,
                         const CompareOptions *options, GString *out, bool *undecided) {
  Cell as_cell = {.kind = wanted->re.text.raw != NULL ? CELL_RE : CELL_TEXT, .text = wanted->text, .re = wanted->re};
  g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  g_autoptr(GError) error = NULL;
  ExpectedCell cell;
  const char *why = NULL;
  if (!expected_cell_set(&cell, &as_cell, options, memory, patterns, &error)) {
    add_line(out, g_strdup_printf("the %s to expect: %s", word, error->message));
    return;
  }
  if (notice_came(wanted, &cell, outcome, &why))
    return;
  g_autofree char *text = cell_text(&as_cell, options), *came = came_text(outcome);
  const char *level = LEVEL_WORDS[wanted->level] == NULL ? word : LEVEL_WORDS[wanted->level];
  if (why != NULL) {
    *undecided = true;
    add_line(out, g_strdup_printf("whether %s %s came could not be decided: %s", level, text, why));
    return;
  }
  add_line(out, *came == '\0' ? g_strdup_printf("expected %s %s did not come; none came", level, text)
                              : g_strdup_printf("expected %s %s did not come; came: %s", level, text, came));
}

static void judge_notices(const NoticeExpectations *wanted, const char *word, const DbOutcome *outcome,
                          const CompareOptions *options, GString *out, bool *undecided) {
  if (!wanted->given)
    return;
  g_autofree char *came = came_text(outcome);
  if (wanted->n == 0 && *came != '\0')
    add_line(out, g_strdup_printf("expected no %ss, got %s", word, came));
  for (guint i = 0; i < wanted->n; i++)
    judge_notice(&wanted->v[i], word, outcome, options, out, undecided);
}

/* ---- Rows affected ----------------------------------------------------------------------------------------------- */

static char *judge_affected(const Cell *wanted, const DbOutcome *outcome, const CompareOptions *options,
                            bool *undecided) {
  g_autofree char *number = g_strdup_printf("%" G_GINT64_FORMAT, outcome->affected);
  g_autofree char *text = wanted->kind == CELL_TEXT && wanted->text.n_parts == 0 ? g_strdup(wanted->text.raw)
                                                                                 : cell_text(wanted, options);
  const char *rows = g_strcmp0(text, "1") == 0 ? "row" : "rows", *why = NULL;
  if (outcome->affected < 0)
    return g_strdup_printf("expected %s %s affected, but the server did not say how many", text, rows);
  g_autoptr(GError) error = NULL;
  if (cell_matches(wanted, options, number, strlen(number), false, &why, &error))
    return NULL;
  if (error != NULL)
    return g_strdup_printf("the number of rows affected to expect: %s", error->message);
  if (why == NULL)
    return g_strdup_printf("expected %s %s affected, got %s", text, rows, number);
  *undecided = true;
  return g_strdup_printf("whether %s %s were affected could not be decided: %s", text, rows, why);
}

char *expect_outcome(const SqlEntry *entry, const DbOutcome *outcome, const CompareOptions *options, bool dolt,
                     bool *undecided) {
  g_autoptr(GString) out = g_string_new(NULL);
  *undecided = false;
  add_line(out, expect_error(&entry->error_code, &entry->error_match, outcome, "statement", options, dolt, undecided));
  if (outcome->status == DB_TIMED_OUT || outcome->status == DB_CANCELLED)
    return g_string_free(g_steal_pointer(&out), FALSE);
  judge_notices(&entry->warnings, "warning", outcome, options, out, undecided);
  judge_notices(&entry->notices, "notice", outcome, options, out, undecided);
  if (entry->has_affected && outcome->status == DB_OK)
    add_line(out, judge_affected(&entry->affected, outcome, options, undecided));
  return out->len == 0 ? NULL : g_string_free(g_steal_pointer(&out), FALSE);
}
