/* problem.c - see problem.h. */
#include "yamldef/problem.h"

#include <string.h>

enum { MOST = 1000 }; /* nobody reads more, and a hostile file must not fill the memory with them */

struct Problems {
  Arena *arena;
  GArray *list;
  GHashTable *seen;
  guint n_errors;
};

Problems *problems_new(Arena *arena) {
  Problems *problems = g_new0(Problems, 1);
  problems->arena = arena;
  problems->list = g_array_new(FALSE, FALSE, sizeof(Problem));
  problems->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  return problems;
}

void problems_free(Problems *problems) {
  if (problems == NULL)
    return;
  g_array_free(problems->list, TRUE);
  g_hash_table_unref(problems->seen);
  g_free(problems);
}

void problems_add(Problems *problems, bool warning, Place at, const char *where, const char *hint, const char *what) {
  char *key = g_strdup_printf("%s:%d:%d:%s", at.file ? at.file : "", at.line, at.col, what);
  if (!g_hash_table_add(problems->seen, key) || problems->list->len >= MOST)
    return;
  Arena *arena = problems->arena;
  Problem problem = {.at = at,
                     .warning = warning,
                     .what = arena_string(arena, what),
                     .where = arena_string(arena, where),
                     .hint = arena_string(arena, hint)};
  g_array_append_val(problems->list, problem);
  problems->n_errors += !warning;
}

static int by_place(gconstpointer a, gconstpointer b, gpointer main_file) {
  const Problem *p = a, *q = b;
  const char *f = p->at.file ? p->at.file : "", *g = q->at.file ? q->at.file : "";
  if (strcmp(f, g) != 0) {
    if (strcmp(f, main_file) == 0 || strcmp(g, main_file) == 0)
      return strcmp(f, main_file) == 0 ? -1 : 1;
    return strcmp(f, g);
  }
  if (p->at.line != q->at.line)
    return p->at.line < q->at.line ? -1 : 1;
  return (p->at.col > q->at.col) - (p->at.col < q->at.col);
}

void problems_sort(Problems *problems, const char *main_file) {
  g_array_sort_with_data(problems->list, by_place, (gpointer)(guintptr)main_file);
}

guint problems_n(const Problems *problems) { return problems->list->len; }
guint problems_n_errors(const Problems *problems) { return problems->n_errors; }
const Problem *problems_get(const Problems *problems, guint i) { return &g_array_index(problems->list, Problem, i); }

char *problem_text(const Problem *problem) {
  GString *text = g_string_new(problem->at.file);
  if (problem->at.line > 0)
    g_string_append_printf(text, ":%d:%d", problem->at.line, problem->at.col);
  g_string_append_printf(text, "%s%s%s\n", text->len > 0 ? ": " : "", problem->warning ? "warning: " : "",
                         problem->what);
  if (problem->where != NULL)
    g_string_append_printf(text, "  %s\n", problem->where);
  if (problem->hint != NULL)
    g_string_append_printf(text, "  hint: %s\n", problem->hint);
  return g_string_free(text, FALSE);
}

/* Edits that turn a into b: a letter put in, left out, changed, or two neighbours swapped. */
static guint distance(const char *a, const char *b) {
  enum { LONGEST = 40 };
  guint n = (guint)strlen(a), m = (guint)strlen(b), rows[3][LONGEST + 1];
  if (n > LONGEST || m > LONGEST)
    return LONGEST;
  guint *before = rows[0], *last = rows[1], *now = rows[2];
  for (guint j = 0; j <= m; j++)
    last[j] = j;
  for (guint i = 1; i <= n; i++) {
    now[0] = i;
    for (guint j = 1; j <= m; j++) {
      now[j] = MIN(MIN(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = MIN(now[j], before[j - 2] + 1);
    }
    guint *swap = before;
    before = last;
    last = now;
    now = swap;
  }
  return last[m];
}

const char *nearest_word(const char *word, const char *const *candidates, guint n) {
  guint best = MAX(1, MIN(3, (guint)strlen(word) / 3)) + 1; /* the longer the word, the more slips in it */
  const char *nearest = NULL;
  for (guint i = 0; i < n; i++) {
    guint d = distance(word, candidates[i]);
    if (d > 0 && d < best) {
      best = d;
      nearest = candidates[i];
    }
  }
  return nearest;
}
