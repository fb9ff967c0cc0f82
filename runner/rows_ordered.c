/* rows_ordered.c - rows held against expected rows in order, as they stream.
 *
 * As long as rows are as expected nothing is kept.  At the first that is not, rows are kept in a window and aligned
 * with the expected ones that come next (Needleman-Wunsch; a row may also be changed into another).  As soon as the
 * alignment has found three rows in turn that are as expected, the edits up to there are final, and the stream goes on
 * behind them; otherwise the window grows.  At its largest the rows of the window are looked up among all expected rows
 * that follow, so that a long run of missing rows is seen as one; failing that, the alignment is taken as it is.
 */
#include "runner/row_diff.h"

#include <string.h>
#include "runner/row_hash.h"

enum {
  FIRST_WINDOW = 16, LARGEST_WINDOW = 256,
  WINDOW_BYTES = 4 * 1024 * 1024,
  IN_STEP = 3,                   /* rows in turn that mean both are in step again */
  MOST_ROW_COMPARISONS = 4 * 1000 * 1000,
  MOST_LOOKED_UP = 1000,         /* equal expected rows tried for one row */
};

/* Scores of an alignment: a changed row is worth more the fewer cells differ, and a little more than a missing and an
 * unexpected one even when all of them do. */
enum { SCORE_KEPT = 128, SCORE_GAP = -64, SCORE_CHANGED = 48, SCORE_ALL_CELLS = -160 };

struct OrderedRows {
  const ExpectedRows *rows;
  RowDiff *diff;
  gsize e;                       /* the next expected row */
  GPtrArray *window;             /* GotRow, from the first that was not as expected */
  gsize window_bytes;
  guint limit;
  guint64 comparisons;
  bool given_up;
  const char *unclear;           /* a pattern ran into a limit while likeness was sought, which decides nothing */
  GHashTable *index;             /* hash of an exact expected row -> the first such + 1; NULL until it is needed */
  gsize *next;                   /* of each expected row: the next one of its hash + 1, 0: none */
};

OrderedRows *ordered_rows_new(const ExpectedRows *rows, RowDiff *diff) {
  OrderedRows *o = g_new0(OrderedRows, 1);
  *o = (OrderedRows){.rows = rows, .diff = diff, .limit = FIRST_WINDOW};
  o->window = g_ptr_array_new_with_free_func(g_free);
  return o;
}

void ordered_rows_free(OrderedRows *o) {
  if (o == NULL)
    return;
  g_ptr_array_unref(o->window);
  g_clear_pointer(&o->index, g_hash_table_unref);
  g_free(o->next);
  g_free(o);
}

/* ---- One alignment ----------------------------------------------------------------------------------------------- */

typedef struct Alignment {
  guint ne, ng;
  int *score;                    /* (ne + 1) x (ng + 1), of the best way to there */
  guint8 *came;                  /* an EditKind: how */
} Alignment;

static gsize at(const Alignment *a, guint i, guint j) { return (gsize)i * (a->ng + 1) + j; }

static void consider(Alignment *a, gsize where, int score, EditKind how) {
  if (score <= a->score[where])
    return;
  a->score[where] = score;
  a->came[where] = (guint8)how;
}

static int pair_score(OrderedRows *o, guint i, guint j, EditKind *how) {
  const GotRow *got = g_ptr_array_index(o->window, j);
  const ExpectedRow *row = &o->rows->v[o->e + i];
  /* Patterns that run into limits take their time: no more of them are tried. */
  guint differing =
      o->unclear != NULL ? MAX(row->n, got->n) : expected_row_differs(row, got->n, got->cells, &o->unclear);
  o->comparisons++;
  *how = differing == 0 ? EDIT_KEPT : EDIT_CHANGED;
  return differing == 0 ? SCORE_KEPT : SCORE_CHANGED + SCORE_ALL_CELLS * (int)differing / (int)MAX(row->n, got->n);
}

static void align(OrderedRows *o, Alignment *a) {
  for (guint i = 0; i <= a->ne; i++)
    for (guint j = 0; j <= a->ng; j++) {
      gsize here = at(a, i, j);
      a->score[here] = i + j == 0 ? 0 : G_MININT;
      if (i > 0 && j > 0) {
        EditKind how;
        int score = pair_score(o, i - 1, j - 1, &how);
        consider(a, here, a->score[at(a, i - 1, j - 1)] + score, how);
      }
      if (i > 0)
        consider(a, here, a->score[at(a, i - 1, j)] + SCORE_GAP, EDIT_MISSING);
      if (j > 0)
        consider(a, here, a->score[at(a, i, j - 1)] + SCORE_GAP, EDIT_UNEXPECTED);
    }
}

static void alignment_clear(Alignment *a) {
  g_free(a->score);
  g_free(a->came);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Alignment, alignment_clear)

/* Where the alignment ends: where both do, or, where more rows follow, where the better of them ends.  e_open: expected
 * rows follow behind the window; g_open: more rows may come. */
static void choose_end(const Alignment *a, bool e_open, bool g_open, guint *end_i, guint *end_j) {
  guint best_i = a->ne, best_j = a->ng;
  for (guint i = 0; e_open && i <= a->ne; i++)
    if (a->score[at(a, i, a->ng)] > a->score[at(a, best_i, best_j)])
      best_i = i, best_j = a->ng;
  for (guint j = 0; g_open && j <= a->ng; j++)
    if (a->score[at(a, a->ne, j)] > a->score[at(a, best_i, best_j)])
      best_i = a->ne, best_j = j;
  *end_i = best_i;
  *end_j = best_j;
}

/* The way from the beginning to (i, j), an EditKind each. */
static GByteArray *way_to(const Alignment *a, guint i, guint j) {
  GByteArray *way = g_byte_array_new();
  while (i + j > 0) {
    guint8 how = a->came[at(a, i, j)];
    g_byte_array_append(way, &how, 1);
    i -= how != EDIT_UNEXPECTED;
    j -= how != EDIT_MISSING;
  }
  for (guint k = 0; k < way->len / 2; k++) {
    guint8 swap = way->data[k];
    way->data[k] = way->data[way->len - 1 - k];
    way->data[way->len - 1 - k] = swap;
  }
  return way;
}

/* How much of the way is final because both are in step after it; 0: they never are. */
static guint until_in_step(const GByteArray *way) {
  guint run = 0;
  for (guint k = 0; k < way->len; k++) {
    run = way->data[k] == EDIT_KEPT ? run + 1 : 0;
    if (run == IN_STEP)
      return k + 1;
  }
  return 0;
}

/* ---- What is final ----------------------------------------------------------------------------------------------- */

static void drop_from_window(OrderedRows *o, guint n) {
  for (guint i = 0; i < n; i++)
    o->window_bytes -= ((const GotRow *)g_ptr_array_index(o->window, i))->size;
  if (n > 0)
    g_ptr_array_remove_range(o->window, 0, n);
}

static void commit(OrderedRows *o, const GByteArray *way, guint n) {
  guint j = 0;
  for (guint k = 0; k < n; k++) {
    const GotRow *got = j < o->window->len ? g_ptr_array_index(o->window, j) : NULL;
    switch ((EditKind)way->data[k]) {
    case EDIT_KEPT:
      row_diff_kept(o->diff, o->e, 1);
      break;
    case EDIT_MISSING:
      row_diff_missing(o->diff, o->e, 1);
      break;
    case EDIT_UNEXPECTED:
      row_diff_unexpected(o->diff, got->n, got->cells);
      break;
    case EDIT_CHANGED:
      row_diff_changed(o->diff, o->e, got->n, got->cells);
      break;
    }
    o->e += way->data[k] != EDIT_UNEXPECTED;
    j += way->data[k] != EDIT_MISSING;
  }
  drop_from_window(o, j);
}

/* Rows of the window that are as expected again. */
static void pass_window(OrderedRows *o) {
  guint n = 0;
  for (; n < o->window->len && o->e < o->rows->n; n++, o->e++) {
    const GotRow *got = g_ptr_array_index(o->window, n);
    if (!expected_row_matches(&o->rows->v[o->e], got->n, got->cells, &o->unclear))
      break;
    row_diff_kept(o->diff, o->e, 1);
  }
  drop_from_window(o, n);
}

static void window_unexpected(OrderedRows *o) {
  for (guint i = 0; i < o->window->len; i++) {
    const GotRow *got = g_ptr_array_index(o->window, i);
    row_diff_unexpected(o->diff, got->n, got->cells);
  }
  drop_from_window(o, o->window->len);
}

/* ---- Long runs of missing rows ----------------------------------------------------------------------------------- */

static void build_index(OrderedRows *o) {
  if (o->index != NULL)
    return;
  o->index = g_hash_table_new(row_hash_fold, g_direct_equal);
  o->next = g_new0(gsize, o->rows->n + 1);
  for (gsize e = o->rows->n; e-- > o->e;) {
    if (!expected_row_is_exact(&o->rows->v[e]))
      continue;
    gpointer hash = GSIZE_TO_POINTER(expected_row_hash(&o->rows->v[e], NULL));
    o->next[e] = GPOINTER_TO_SIZE(g_hash_table_lookup(o->index, hash));
    g_hash_table_insert(o->index, hash, GSIZE_TO_POINTER(e + 1));
  }
}

/* Whether expected rows from e and rows of the window from j are in step. */
static bool in_step(OrderedRows *o, gsize e, guint j) {
  guint run = MIN(IN_STEP, o->window->len - j);
  for (guint k = 0; k < run; k++) {
    const GotRow *got = g_ptr_array_index(o->window, j + k);
    o->comparisons++;
    if (e + k >= o->rows->n || !expected_row_matches(&o->rows->v[e + k], got->n, got->cells, &o->unclear))
      return false;
  }
  return run > 0;
}

/* Where row j of the window goes on among the expected rows from o->e on; rows->n: nowhere. */
static gsize look_up(OrderedRows *o, guint j) {
  const GotRow *got = g_ptr_array_index(o->window, j);
  gpointer hash = GSIZE_TO_POINTER(got_row_hash(got->n, got->cells, NULL));
  gsize e = GPOINTER_TO_SIZE(g_hash_table_lookup(o->index, hash));
  for (guint tried = 0; e != 0 && tried < MOST_LOOKED_UP; tried++, e = o->next[e - 1])
    if (e - 1 >= o->e && in_step(o, e - 1, j))
      return e - 1;
  return o->rows->n;
}

/* Skips what is missing, and what stands before in the window, when a row of the window stands further on. */
static bool skip_missing(OrderedRows *o) {
  build_index(o);
  for (guint j = 0; j < o->window->len; j++) {
    gsize e = look_up(o, j);
    if (e == o->rows->n)
      continue;
    for (guint k = 0; k < j; k++) {
      const GotRow *got = g_ptr_array_index(o->window, k);
      row_diff_unexpected(o->diff, got->n, got->cells);
    }
    drop_from_window(o, j);
    row_diff_missing(o->diff, o->e, e - o->e);
    o->e = e;
    return true;
  }
  return false;
}

/* ---- The stream -------------------------------------------------------------------------------------------------- */

/* Aligns the window once; false when it has to grow first. */
static bool settle(OrderedRows *o, bool ended) {
  gsize left = o->rows->n - o->e;
  guint reach = ended ? LARGEST_WINDOW : o->limit;
  g_auto(Alignment) a = {.ne = (guint)MIN(left, reach), .ng = o->window->len};
  a.score = g_new(int, ((gsize)a.ne + 1) * (a.ng + 1));
  a.came = g_new0(guint8, ((gsize)a.ne + 1) * (a.ng + 1));
  align(o, &a);
  guint i, j;
  choose_end(&a, a.ne < left, !ended, &i, &j);
  g_autoptr(GByteArray) way = way_to(&a, i, j);
  guint final = ended ? way->len : until_in_step(way);
  bool full = o->limit >= LARGEST_WINDOW || o->window_bytes >= WINDOW_BYTES;
  if (final == 0 && !full)
    return false;
  if (final == 0 && !ended && skip_missing(o))
    return true;
  commit(o, way, final == 0 ? way->len : final);
  return true;
}

static void give_up(OrderedRows *o) {
  o->given_up = true;
  o->diff->not_compared += o->window->len;
  drop_from_window(o, o->window->len);
}

static void settle_window(OrderedRows *o) {
  while (o->window->len >= o->limit || o->window_bytes >= WINDOW_BYTES) {
    if (o->comparisons > MOST_ROW_COMPARISONS || o->unclear != NULL) {
      give_up(o);
      return;
    }
    if (o->e == o->rows->n) {
      window_unexpected(o);
    } else if (!settle(o, false)) {
      o->limit *= 4;
      continue;
    }
    pass_window(o);
    o->limit = o->window->len < FIRST_WINDOW ? FIRST_WINDOW : o->limit;
  }
}

void ordered_rows_got(OrderedRows *o, guint n, const DbCell *cells) {
  if (o->given_up) {
    o->diff->not_compared++;
    return;
  }
  if (o->window->len == 0) {
    if (o->e == o->rows->n) {
      row_diff_unexpected(o->diff, n, cells);
      return;
    }
    /* A row that could not be decided passes for now: another row that differs decides for the whole. */
    const char *undecided = NULL;
    if (expected_row_matches(&o->rows->v[o->e], n, cells, &undecided) || undecided != NULL) {
      o->diff->undecided = undecided != NULL ? undecided : o->diff->undecided;
      row_diff_kept(o->diff, o->e++, 1);
      return;
    }
  }
  GotRow *row = got_row_new(n, cells);
  g_ptr_array_add(o->window, row);
  o->window_bytes += row->size;
  settle_window(o);
}

static void settle_rest(OrderedRows *o) {
  while (o->window->len > 0 && o->rows->n - o->e > LARGEST_WINDOW && skip_missing(o))
    pass_window(o);
  if (o->window->len > 0)
    settle(o, true);
  window_unexpected(o);
  if (o->e < o->rows->n)
    row_diff_missing(o->diff, o->e, o->rows->n - o->e);
  o->e = o->rows->n;
}

void ordered_rows_end(OrderedRows *o) {
  if (!o->given_up)
    settle_rest(o);
  if (o->diff->missing + o->diff->unexpected + o->diff->changed + o->diff->not_compared > 0)
    o->diff->undecided = NULL;
}
