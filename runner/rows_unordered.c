/* rows_unordered.c - rows held against expected rows in any order, as multisets.
 *
 * An expected row of exact texts takes a row received with the same texts at once, found by hash: giving it to a row
 * with matchers instead could never be better, as the exact row can take no other.  What is left over is assigned to
 * the rows with matchers at the end, by augmenting paths, so that a row which fits several of them never stands in the
 * way.  Rows with matchers are found by the hash of their exact cells: those with the same cells exact form a group.
 *
 * Memory: the expected rows, as many rows received as there are rows with matchers, and some to show.
 */
#include "runner/row_diff.h"

#include <string.h>
#include "runner/row_hash.h"

enum {
  MOST_GROUPS = 32,              /* of rows with matchers; the others are tried one by one */
  EXTRA_LEFT = 200,              /* rows left over that are kept to be shown or paired */
  MOST_ROW_COMPARISONS = 20 * 1000 * 1000,
};

enum { NONE = -1 };

/* Expected rows in which the same cells are exact. */
typedef struct Group {
  guint n;                       /* cells of a row */
  bool *exact;
  bool all_exact;
  GHashTable *heads;             /* hash of the exact cells -> first row + 1; the next ones by UnorderedRows.next */
} Group;

struct UnorderedRows {
  const ExpectedRows *rows;
  RowDiff *diff;
  GArray *groups;                /* Group */
  gint64 *next;                  /* of each expected row: the next one of the same hash in its group, or NONE */
  bool *taken;
  gsize n_matchers;
  GPtrArray *left;               /* GotRow */
  guint64 n_left;
  guint64 comparisons;
  guint width;                   /* cells of the rows received */
};

/* ---- Groups ------------------------------------------------------------------------------------------------------ */

static void group_clear(gpointer data) {
  Group *group = data;
  g_free(group->exact);
  g_hash_table_unref(group->heads);
}

static bool fits_group(const Group *group, const ExpectedRow *row) {
  if (group->n != row->n)
    return false;
  for (guint i = 0; i < row->n; i++)
    if (group->exact[i] != expected_cell_is_exact(&row->cells[i]))
      return false;
  return true;
}

static guint add_group(UnorderedRows *u, const ExpectedRow *row, bool by_cells) {
  Group group = {.n = row->n, .all_exact = by_cells};
  group.exact = g_new0(bool, row->n + 1);
  group.heads = g_hash_table_new(row_hash_fold, g_direct_equal);
  for (guint i = 0; by_cells && i < row->n; i++) {
    group.exact[i] = expected_cell_is_exact(&row->cells[i]);
    group.all_exact = group.all_exact && group.exact[i];
  }
  g_array_append_val(u->groups, group);
  return u->groups->len - 1;
}

/* The group of a row: past the most of them, one (per width) for all others, in which no cell is looked up. */
static guint group_of(UnorderedRows *u, const ExpectedRow *row) {
  for (guint g = 0; g < u->groups->len; g++) {
    const Group *group = &g_array_index(u->groups, Group, g);
    if (fits_group(group, row))
      return g;
    if (g >= MOST_GROUPS && group->n == row->n)
      return g;
  }
  return add_group(u, row, u->groups->len < MOST_GROUPS);
}

static void enter(UnorderedRows *u, gsize e) {
  const ExpectedRow *row = &u->rows->v[e];
  guint g = group_of(u, row);
  Group *group = &g_array_index(u->groups, Group, g);
  gpointer hash = GSIZE_TO_POINTER(expected_row_hash(row, group->exact));
  u->next[e] = GPOINTER_TO_SIZE(g_hash_table_lookup(group->heads, hash));
  u->next[e]--;
  g_hash_table_insert(group->heads, hash, GSIZE_TO_POINTER(e + 1));
  u->n_matchers += !group->all_exact;
}

UnorderedRows *unordered_rows_new(const ExpectedRows *rows, RowDiff *diff) {
  UnorderedRows *u = g_new0(UnorderedRows, 1);
  *u = (UnorderedRows){.rows = rows, .diff = diff, .width = diff->n_columns};
  u->groups = g_array_new(FALSE, FALSE, sizeof(Group));
  g_array_set_clear_func(u->groups, group_clear);
  u->next = g_new(gint64, rows->n + 1);
  u->taken = g_new0(bool, rows->n + 1);
  u->left = g_ptr_array_new_with_free_func(g_free);
  /* From the last to the first, so that of equal rows the first is found first. */
  for (gsize e = rows->n; e-- > 0;)
    if (rows->v[e].n == u->width)
      enter(u, e);
  return u;
}

void unordered_rows_free(UnorderedRows *u) {
  if (u == NULL)
    return;
  g_array_unref(u->groups);
  g_free(u->next);
  g_free(u->taken);
  g_ptr_array_unref(u->left);
  g_free(u);
}

/* ---- Exact rows -------------------------------------------------------------------------------------------------- */

/* Takes an expected row of exactly these texts out of its group. */
static bool take_exact(UnorderedRows *u, Group *group, const DbCell *cells) {
  gpointer hash = GSIZE_TO_POINTER(got_row_hash(group->n, cells, group->exact));
  gint64 e = (gint64)GPOINTER_TO_SIZE(g_hash_table_lookup(group->heads, hash)) - 1, before = NONE;
  for (; e != NONE; before = e, e = u->next[e]) {
    if (!expected_row_matches(&u->rows->v[e], group->n, cells, &u->diff->undecided))
      continue;
    if (before != NONE)
      u->next[before] = u->next[e];
    else if (u->next[e] != NONE)
      g_hash_table_insert(group->heads, hash, GSIZE_TO_POINTER((gsize)u->next[e] + 1));
    else
      g_hash_table_remove(group->heads, hash);
    u->taken[e] = true;
    return true;
  }
  return false;
}

void unordered_rows_got(UnorderedRows *u, guint n, const DbCell *cells) {
  for (guint g = 0; n == u->width && g < u->groups->len; g++) {
    Group *group = &g_array_index(u->groups, Group, g);
    if (group->all_exact && take_exact(u, group, cells))
      return;
  }
  u->n_left++;
  if (u->left->len < u->n_matchers + EXTRA_LEFT)
    g_ptr_array_add(u->left, got_row_new(n, cells));
}

/* ---- Rows with matchers: a largest assignment -------------------------------------------------------------------- */

typedef struct Assignment {
  UnorderedRows *u;
  gint64 *of_row;                /* of each expected row: the row left over that it has, or NONE */
  gint64 *of_left;               /* of each row left over: its expected row, or NONE */
  gint64 *reached_from;          /* of each expected row: the row left over that reached it in this search */
  guint32 *reached;              /* the search that reached it */
  guint32 search;
  GArray *queue;                 /* gint64 rows left over */
} Assignment;

/* Gives expected row e to the row left over that reached it, and so on back to the row that began the search. */
static void augment(Assignment *a, gint64 e, gint64 began) {
  for (;;) {
    gint64 left = a->reached_from[e], before = a->of_left[left];
    a->of_row[e] = left;
    a->of_left[left] = e;
    if (left == began)
      return;
    e = before;
  }
}

/* Looks at the expected rows that `left` fits; true: a free one was found and the path augmented. */
static bool reach(Assignment *a, const Group *group, gint64 left, gint64 began) {
  UnorderedRows *u = a->u;
  const GotRow *got = g_ptr_array_index(u->left, left);
  gpointer hash = GSIZE_TO_POINTER(got_row_hash(got->n, got->cells, group->exact));
  gint64 e = (gint64)GPOINTER_TO_SIZE(g_hash_table_lookup(group->heads, hash)) - 1;
  for (; e != NONE; e = u->next[e]) {
    if (a->reached[e] == a->search)
      continue;
    u->comparisons++;
    if (!expected_row_matches(&u->rows->v[e], got->n, got->cells, &u->diff->undecided))
      continue;
    a->reached[e] = a->search;
    a->reached_from[e] = left;
    if (a->of_row[e] == NONE) {
      augment(a, e, began);
      return true;
    }
    g_array_append_val(a->queue, a->of_row[e]);
  }
  return false;
}

static void assign(Assignment *a, gint64 began) {
  UnorderedRows *u = a->u;
  a->search++;
  g_array_set_size(a->queue, 0);
  g_array_append_val(a->queue, began);
  for (guint q = 0; q < a->queue->len; q++) {
    gint64 left = g_array_index(a->queue, gint64, q);
    for (guint g = 0; g < u->groups->len; g++) {
      const Group *group = &g_array_index(u->groups, Group, g);
      if (!group->all_exact && reach(a, group, left, began))
        return;
    }
    if (u->comparisons > MOST_ROW_COMPARISONS)
      u->diff->undecided = "too many rows with matchers fit each other to be assigned in any order";
    if (u->diff->undecided != NULL)
      return;
  }
}

static gint64 *all_none(gsize n) {
  gint64 *v = g_new(gint64, n + 1);
  memset(v, 0xff, (n + 1) * sizeof *v);
  return v;
}

static void assign_all(UnorderedRows *u) {
  Assignment a = {.u = u, .of_row = all_none(u->rows->n), .of_left = all_none(u->left->len),
                  .reached_from = all_none(u->rows->n), .reached = g_new0(guint32, u->rows->n + 1),
                  .queue = g_array_new(FALSE, FALSE, sizeof(gint64))};
  for (gint64 left = 0; left < (gint64)u->left->len && u->diff->undecided == NULL; left++)
    if (((const GotRow *)g_ptr_array_index(u->left, left))->n == u->width)
      assign(&a, left);
  for (gsize e = 0; e < u->rows->n; e++)
    u->taken[e] = u->taken[e] || a.of_row[e] != NONE;
  guint kept = 0;
  for (guint left = 0; left < u->left->len; left++) {
    gpointer row = g_steal_pointer(&u->left->pdata[left]);
    if (a.of_left[left] == NONE)
      u->left->pdata[kept++] = row;
    else
      g_free(row);
  }
  u->n_left -= u->left->len - kept;
  g_ptr_array_set_size(u->left, (gint)kept);
  g_free(a.of_row);
  g_free(a.of_left);
  g_free(a.reached_from);
  g_free(a.reached);
  g_array_unref(a.queue);
}

/* ---- The difference ---------------------------------------------------------------------------------------------- */

typedef struct Likeness { guint missing, left, differing; } Likeness;

static gint by_likeness(gconstpointer a, gconstpointer b) {
  const Likeness *x = a, *y = b;
  if (x->differing != y->differing)
    return x->differing < y->differing ? -1 : 1;
  if (x->missing != y->missing)
    return x->missing < y->missing ? -1 : 1;
  return x->left < y->left ? -1 : x->left > y->left;
}

/* Expected rows that did not come, and rows left over, of which at least one cell agrees (or that are alone): the
 * likest pairs are shown as one row changed.  partner[i]: the row left over of missing[i], or NONE. */
static void pair_likest(UnorderedRows *u, const GArray *missing, gint64 *partner) {
  guint n_missing = MIN(missing->len, EXTRA_LEFT), n_left = MIN(u->left->len, EXTRA_LEFT);
  g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(Likeness));
  bool alone = missing->len == 1 && u->n_left == 1;
  const char *unclear = NULL;
  for (guint m = 0; m < n_missing; m++)
    for (guint l = 0; l < n_left; l++) {
      const ExpectedRow *row = &u->rows->v[g_array_index(missing, gsize, m)];
      const GotRow *got = g_ptr_array_index(u->left, l);
      Likeness pair = {m, l, expected_row_differs(row, got->n, got->cells, &unclear)};
      if (unclear != NULL)
        return;
      if (alone || pair.differing < MAX(row->n, got->n))
        g_array_append_val(pairs, pair);
    }
  g_array_sort(pairs, by_likeness);
  g_autofree bool *used = g_new0(bool, n_left + 1);
  for (guint p = 0; p < pairs->len; p++) {
    const Likeness *pair = &g_array_index(pairs, Likeness, p);
    if (partner[pair->missing] != NONE || used[pair->left])
      continue;
    partner[pair->missing] = pair->left;
    used[pair->left] = true;
  }
}

static void tell(UnorderedRows *u, const GArray *missing) {
  g_autofree gint64 *partner = all_none(missing->len);
  g_autofree bool *told = g_new0(bool, u->left->len + 1);
  if (u->diff->undecided == NULL)
    pair_likest(u, missing, partner);
  guint64 more = u->n_left;
  for (guint m = 0; m < missing->len; m++) {
    gsize e = g_array_index(missing, gsize, m);
    if (partner[m] == NONE) {
      row_diff_missing(u->diff, e, 1);
      continue;
    }
    const GotRow *got = g_ptr_array_index(u->left, partner[m]);
    row_diff_changed(u->diff, e, got->n, got->cells);
    told[partner[m]] = true;
    more--;
  }
  for (guint l = 0; l < u->left->len; l++) {
    const GotRow *got = g_ptr_array_index(u->left, l);
    if (told[l])
      continue;
    row_diff_unexpected(u->diff, got->n, got->cells);
    more--;
  }
  row_diff_unexpected_many(u->diff, more);
}

void unordered_rows_end(UnorderedRows *u) {
  if (u->n_matchers > 0 && u->left->len > 0)
    assign_all(u);
  g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(gsize));
  for (gsize e = 0; e < u->rows->n; e++)
    if (!u->taken[e])
      g_array_append_val(missing, e);
  u->diff->kept += u->rows->n - missing->len;
  /* All have found one, or there are more of one than of the other: then what was not decided does not matter. */
  if (missing->len != u->n_left || missing->len == 0)
    u->diff->undecided = NULL;
  tell(u, missing);
}
