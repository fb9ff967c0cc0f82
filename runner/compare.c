/* compare.c - see compare.h: the columns, the alternatives, what holds and what is said.
 *
 * The rows themselves are compared by rows_ordered.c and rows_unordered.c, one of them for each alternative.
 */
#include "runner/comparison_private.h"

#include <string.h>

enum { NAMES_WIDTH = 100, VALUE_WIDTH = 100 };

typedef enum Subject { SUBJECT_RESULT, SUBJECT_VALUE, SUBJECT_SAME } Subject;

/* One of the results that would do. */
typedef struct Alternative {
  ExpectedRows *rows;
  RowDiff diff;
  OrderedRows *in_order;
  UnorderedRows *in_any_order;
} Alternative;

struct Comparison {
  Subject subject;
  Sides sides;
  bool ordered, has_columns, has_rows;
  gint64 row_count;
  GPtrArray *columns;            /* expected: char * */
  GPtrArray *pick;               /* char *; empty: all */
  guint n_alternatives;
  Alternative *alternatives;
  GPtrArray *memory, *patterns;  /* of columns and the value */
  const char *cannot;            /* why it cannot be decided at all, NULL */
  DbSink sink;
  /* Of the result that comes in */
  bool began, ended, columns_hold, holds;
  GPtrArray *all_got, *got;      /* names received; those compared (borrowed from all_got) */
  const char *not_picked;        /* the column that could not be picked */
  guint *picked;
  DbCell *cells;                 /* a row's picked cells */
  guint64 n_rows;
  const char *undecided;
  Summary summary;
};

/* ---- Streaming in ------------------------------------------------------------------------------------------------ */

static void alternative_end(Alternative *a) {
  if (a->in_order != NULL)
    ordered_rows_end(a->in_order);
  if (a->in_any_order != NULL)
    unordered_rows_end(a->in_any_order);
}

static void alternative_reset(Alternative *a) {
  g_clear_pointer(&a->in_order, ordered_rows_free);
  g_clear_pointer(&a->in_any_order, unordered_rows_free);
  row_diff_clear(&a->diff);
}

static void alternative_begin(Alternative *a, guint n_columns, bool ordered) {
  alternative_reset(a);
  row_diff_init(&a->diff, a->rows, n_columns);
  if (ordered)
    a->in_order = ordered_rows_new(a->rows, &a->diff);
  else
    a->in_any_order = unordered_rows_new(a->rows, &a->diff);
}

static void choose_picked(Comparison *c) {
  c->picked = g_renew(guint, c->picked, c->pick->len);
  c->cells = g_renew(DbCell, c->cells, c->pick->len);
  for (guint p = 0; p < c->pick->len; p++) {
    const char *name = g_ptr_array_index(c->pick, p);
    if (!g_ptr_array_find_with_equal_func(c->all_got, name, g_str_equal, &c->picked[p])) {
      c->not_picked = name;
      return;
    }
    g_ptr_array_add(c->got, g_ptr_array_index(c->all_got, c->picked[p]));
  }
}

static bool names_equal(const GPtrArray *a, const GPtrArray *b) {
  if (a->len != b->len)
    return false;
  for (guint i = 0; i < a->len; i++)
    if (strcmp(g_ptr_array_index(a, i), g_ptr_array_index(b, i)) != 0)
      return false;
  return true;
}

static void on_columns(guint n, const char *const *names, gpointer data) {
  Comparison *c = data;
  c->began = true;
  c->ended = false;
  c->n_rows = 0;
  c->not_picked = c->undecided = NULL;
  g_ptr_array_set_size(c->got, 0);
  g_ptr_array_set_size(c->all_got, 0);
  summary_clear(&c->summary);
  summary_init(&c->summary);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(c->all_got, g_strdup(names[i]));
  if (c->pick->len > 0)
    choose_picked(c);
  else
    g_ptr_array_extend(c->got, c->all_got, NULL, NULL);
  c->columns_hold = c->not_picked == NULL && (!c->has_columns || names_equal(c->columns, c->got)) &&
                    (c->subject != SUBJECT_VALUE || n == 1);
  for (guint i = 0; i < c->n_alternatives; i++)
    alternative_begin(&c->alternatives[i], c->got->len, c->ordered);
}

static bool on_row(guint n, const DbCell *cells, gpointer data) {
  Comparison *c = data;
  c->n_rows++;
  if (c->pick->len > 0 && c->not_picked == NULL) {
    for (guint p = 0; p < c->pick->len; p++)
      c->cells[p] = cells[c->picked[p]];
    cells = c->cells;
    n = c->pick->len;
  }
  if (!summary_is_full(&c->summary))
    summary_row(&c->summary, n, cells);
  for (guint i = 0; i < c->n_alternatives && c->columns_hold; i++) {
    Alternative *a = &c->alternatives[i];
    if (c->ordered)
      ordered_rows_got(a->in_order, n, cells);
    else
      unordered_rows_got(a->in_any_order, n, cells);
  }
  return true;
}

const DbSink *comparison_sink(Comparison *c) { return &c->sink; }

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static Comparison *comparison_alloc(Subject subject, guint n_alternatives, bool ordered) {
  Comparison *c = g_new0(Comparison, 1);
  *c = (Comparison){.subject = subject, .ordered = ordered, .row_count = -1, .n_alternatives = n_alternatives};
  c->columns = g_ptr_array_new_with_free_func(g_free);
  c->pick = g_ptr_array_new_with_free_func(g_free);
  c->all_got = g_ptr_array_new_with_free_func(g_free);
  c->got = g_ptr_array_new();
  c->memory = g_ptr_array_new_with_free_func(g_free);
  c->patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  c->alternatives = g_new0(Alternative, n_alternatives);
  c->has_rows = n_alternatives > 0;
  for (guint i = 0; i < n_alternatives; i++)
    c->alternatives[i].rows = expected_rows_new();
  c->sink = (DbSink){.columns = on_columns, .row = on_row, .data = c};
  summary_init(&c->summary);
  return c;
}

void comparison_free(Comparison *c) {
  if (c == NULL)
    return;
  for (guint i = 0; i < c->n_alternatives; i++) {
    alternative_reset(&c->alternatives[i]);
    expected_rows_free(c->alternatives[i].rows);
  }
  g_free(c->alternatives);
  GPtrArray *const arrays[] = {c->columns, c->pick, c->got, c->all_got, c->memory, c->patterns};
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_ptr_array_unref(arrays[i]);
  g_free(c->picked);
  g_free(c->cells);
  summary_clear(&c->summary);
  g_free(c);
}

static bool add_columns(Comparison *c, const Texts *columns, const CompareOptions *options, GError **error) {
  for (guint i = 0; i < columns->n; i++) {
    gsize len = 0;
    const char *name = text_value(&columns->v[i], options, c->memory, &len, error);
    if (name == NULL)
      return false;
    g_ptr_array_add(c->columns, g_strndup(name, len));
  }
  return true;
}

Comparison *comparison_new(const ResultExpectation *expected, const CompareOptions *options, GError **error) {
  guint n = !expected->has_rows ? 0 : MAX(expected->n_either, 1);
  g_autoptr(Comparison) c = comparison_alloc(SUBJECT_RESULT, n, expected->ordered);
  c->has_columns = expected->has_columns;
  c->row_count = expected->row_count;
  for (guint i = 0; i < expected->pick.n; i++)
    g_ptr_array_add(c->pick, g_strdup(expected->pick.v[i].s));
  if (!add_columns(c, &expected->columns, options, error))
    return NULL;
  for (guint i = 0; i < MIN(n, expected->n_either); i++)
    if (!expected_rows_add(c->alternatives[i].rows, &expected->either[i], options, error))
      return NULL;
  return g_steal_pointer(&c);
}

Comparison *comparison_new_value(const Cell *value, const CompareOptions *options, GError **error) {
  g_autoptr(Comparison) c = comparison_alloc(SUBJECT_VALUE, 1, true);
  ExpectedCell cell;
  if (!expected_cell_set(&cell, value, options, c->memory, c->patterns, error))
    return NULL;
  expected_rows_add_cell(c->alternatives[0].rows, &cell);
  return g_steal_pointer(&c);
}

Comparison *comparison_new_same(const Collected *other, bool ordered) {
  Comparison *c = comparison_alloc(SUBJECT_SAME, 1, ordered);
  c->has_columns = true;
  for (guint i = 0; i < other->columns->len; i++)
    g_ptr_array_add(c->columns, g_strdup(g_ptr_array_index(other->columns, i)));
  expected_rows_add_collected(c->alternatives[0].rows, other);
  if (other->over_cap)
    c->cannot = "the other server's answer is too large to be kept and held against this one";
  return c;
}

Comparison *comparison_new_between(const char *first, const Collected *answer, const char *second, bool ordered) {
  Comparison *c = comparison_new_same(answer, ordered);
  c->sides = (Sides){first, second};
  return c;
}

/* ---- What holds -------------------------------------------------------------------------------------------------- */

/* A statement without a result is as good as one of no columns and no rows where just that is asked for. */
static bool nothing_holds(const Comparison *c) {
  if (c->subject == SUBJECT_VALUE || c->row_count > 0)
    return false;
  if (c->has_columns)
    return c->columns->len == 0;
  return !c->has_rows && c->row_count < 0;
}

static const Alternative *closest(const Comparison *c) {
  const Alternative *best = c->n_alternatives == 0 ? NULL : &c->alternatives[0];
  for (guint i = 1; i < c->n_alternatives; i++) {
    const Alternative *a = &c->alternatives[i];
    if (a->diff.not_compared == best->diff.not_compared ? a->diff.cost < best->diff.cost
                                                        : a->diff.not_compared < best->diff.not_compared)
      best = a;
  }
  return best;
}

static bool decide(Comparison *c) {
  if (c->cannot != NULL) {
    c->undecided = c->cannot;
    return false;
  }
  if (!c->began)
    return nothing_holds(c);
  bool any = !c->has_rows;
  for (guint i = 0; i < c->n_alternatives && c->columns_hold; i++) {
    alternative_end(&c->alternatives[i]);
    any = any || row_diff_empty(&c->alternatives[i].diff);
  }
  if (!c->columns_hold || (c->row_count >= 0 && (guint64)c->row_count != c->n_rows))
    return false;
  for (guint i = 0; i < c->n_alternatives && !any && c->undecided == NULL; i++)
    c->undecided = c->alternatives[i].diff.undecided;
  return any;
}

bool comparison_holds(Comparison *c) {
  if (!c->ended)
    c->holds = decide(c);
  c->ended = true;
  return c->holds;
}

const char *comparison_undecided(Comparison *c) {
  comparison_holds(c);
  return c->undecided;
}

/* ---- What is said ------------------------------------------------------------------------------------------------ */

/* "(a, b, c)", cut when long. */
static char *names_text(const GPtrArray *names) {
  g_autoptr(GString) all = g_string_new(NULL);
  for (guint i = 0; i < names->len && all->len < 8 * NAMES_WIDTH; i++)
    g_string_append_printf(all, "%s%s", i == 0 ? "" : ", ", (const char *)g_ptr_array_index(names, i));
  g_autofree char *text = text_drawn(all->str, all->len, NAMES_WIDTH, QUOTE_NEVER);
  return g_strdup_printf("(%s)", text);
}

static gint by_name(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_in_another_order(const GPtrArray *a, const GPtrArray *b) {
  if (names_equal(a, b))
    return false;
  g_autoptr(GPtrArray) x = g_ptr_array_new(), y = g_ptr_array_new();
  for (guint i = 0; i < a->len; i++)
    g_ptr_array_add(x, g_ptr_array_index(a, i));
  for (guint i = 0; i < b->len; i++)
    g_ptr_array_add(y, g_ptr_array_index(b, i));
  g_ptr_array_sort(x, by_name);
  g_ptr_array_sort(y, by_name);
  return names_equal(x, y);
}

static char *columns_headline(const Comparison *c) {
  if (c->not_picked != NULL) {
    g_autofree char *all = names_text(c->all_got);
    return g_strdup_printf("expected a column '%s' to pick, got %s", c->not_picked, all);
  }
  g_autofree char *want = names_text(c->columns), *got = names_text(c->got);
  g_autofree char *want_columns = g_strdup_printf("columns %s", want), *both = sides_text(&c->sides, want_columns, got);
  return g_strdup_printf("%s%s", both, same_in_another_order(c->columns, c->got) ? " (the same in another order)" : "");
}

static char *value_headline(const Comparison *c) {
  const RowDiff *diff = &c->alternatives[0].diff;
  if (c->columns_hold && c->n_rows == 1)
    return sides_text(&c->sides, diff->first.want.text, diff->first.got.text);
  g_autofree char *rows = g_strdup_printf("%" G_GUINT64_FORMAT " row%s", c->n_rows, c->n_rows == 1 ? "" : "s");
  if (c->columns_hold)
    return g_strdup_printf("expected one row of one column, got %s", c->n_rows == 0 ? "no rows" : rows);
  g_autofree char *names = names_text(c->all_got);
  return g_strdup_printf("expected one row of one column, got %s of %u columns %s", rows, c->all_got->len, names);
}

static char *undecided_headline(const Comparison *c) {
  return g_strdup_printf("could not be decided: %s", c->undecided);
}

static char *row_count_headline(const Comparison *c) {
  return g_strdup_printf("expected %" G_GINT64_FORMAT " row%s (row_count), got %" G_GUINT64_FORMAT, c->row_count,
                         c->row_count == 1 ? "" : "s", c->n_rows);
}

char *comparison_headline(const Comparison *c) {
  if (c->undecided != NULL)
    return undecided_headline(c);
  if (c->holds)
    return g_strdup("as expected");
  if (!c->began)
    return g_strdup("expected a result, but the statement gave none");
  if (c->subject == SUBJECT_VALUE)
    return value_headline(c);
  if (!c->columns_hold)
    return columns_headline(c);
  if (c->row_count >= 0 && (guint64)c->row_count != c->n_rows)
    return row_count_headline(c);
  const Alternative *a = closest(c);
  g_autofree char *headline =
      diff_headline(&a->diff, &c->sides, c->n_rows, c->got->len, (const char *const *)c->got->pdata, c->ordered);
  return c->n_alternatives == 1
             ? g_steal_pointer(&headline)
             : g_strdup_printf("%s (closest of %u alternatives)", headline, c->n_alternatives);
}

/* Names are rows of one cell here, so that a name that is missing shows as one. */
static char *columns_difference(const Comparison *c) {
  static const char *const HEADER[] = {"column"};
  g_autoptr(ExpectedRows) rows = expected_rows_new();
  for (guint i = 0; i < c->columns->len; i++) {
    const char *name = g_ptr_array_index(c->columns, i);
    ExpectedCell cell = {.kind = CELL_TEXT, .as.text = {name, strlen(name)}};
    expected_rows_add_cell(rows, &cell);
  }
  Alternative a = {.rows = rows};
  alternative_begin(&a, 1, true);
  for (guint i = 0; i < c->got->len; i++) {
    const char *name = g_ptr_array_index(c->got, i);
    ordered_rows_got(a.in_order, 1, &(DbCell){name, strlen(name)});
  }
  alternative_end(&a);
  char *text = diff_text(&a.diff, &c->sides, 1, HEADER, true);
  alternative_reset(&a);
  return text;
}

char *comparison_difference(const Comparison *c) {
  if (!c->began || c->holds || c->not_picked != NULL || c->cannot != NULL)
    return g_strdup("");
  if (!c->columns_hold)
    return c->subject == SUBJECT_VALUE ? g_strdup("") : columns_difference(c);
  const Alternative *a = closest(c);
  if (a == NULL || (c->subject == SUBJECT_VALUE && c->n_rows == 1))
    return g_strdup("");
  return diff_text(&a->diff, &c->sides, c->got->len, (const char *const *)c->got->pdata, c->ordered);
}

char *comparison_summary(const Comparison *c) {
  return c->began ? summary_text(&c->summary, c->n_rows) : g_strdup("no result");
}

/* ---- A cell alone ------------------------------------------------------------------------------------------------ */

bool cell_matches(const Cell *cell, const CompareOptions *options, const char *bytes, gsize len, bool is_null,
                  const char **undecided, GError **error) {
  g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  ExpectedCell expected;
  if (!expected_cell_set(&expected, cell, options, memory, patterns, error))
    return false;
  DbCell got = {.bytes = is_null ? NULL : bytes, .len = is_null ? 0 : len};
  const char *why = NULL;
  bool matches = expected_cell_matches(&expected, &got, &why);
  if (undecided != NULL)
    *undecided = why;
  return matches;
}

char *cell_text(const Cell *cell, const CompareOptions *options) {
  g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  ExpectedCell expected;
  g_autoptr(GError) error = NULL;
  if (!expected_cell_set(&expected, cell, options, memory, patterns, &error))
    return g_strdup_printf("(%s)", error->message);
  g_autofree char *word = expected_cell_word(&expected);
  if (word != NULL)
    return text_drawn(word, strlen(word), VALUE_WIDTH, QUOTE_NEVER);
  bool is_null = expected.kind == CELL_NULL || expected.null_too;
  return is_null ? g_strdup("NULL")
                 : text_drawn(expected.as.text.bytes, expected.as.text.len, VALUE_WIDTH, QUOTE_ALWAYS);
}
