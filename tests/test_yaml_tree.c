/* test_yaml_tree.c - what a YAML file is read as, and that hostile ones are refused quickly. */
#include "yamldef/yaml_tree.h"

#include <string.h>

/* One tree with what was said about it. */
typedef struct Tree {
  Arena *arena;
  Problems *problems;
  const Node *root;
} Tree;

static Tree *tree_of_bytes(const char *bytes, gsize len) {
  Tree *tree = g_new0(Tree, 1);
  tree->arena = arena_new();
  tree->problems = problems_new(tree->arena);
  tree->root = yaml_tree(tree->arena, tree->problems, "f", bytes, len);
  return tree;
}

static Tree *tree_of(const char *text) { return tree_of_bytes(text, strlen(text)); }

static void tree_free(Tree *tree) {
  problems_free(tree->problems);
  arena_free(tree->arena);
  g_free(tree);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)

/* The value of a key of the root, which must be a scalar. */
static const Node *scalar(const Tree *tree, const char *key) {
  g_assert_nonnull(tree->root);
  const Node *node = node_get(tree->root, key);
  g_assert_nonnull(node);
  g_assert_cmpint(node->kind, ==, NODE_SCALAR);
  return node;
}

static void assert_refused(const Tree *tree, int line, int col, const char *what) {
  g_assert_null(tree->root);
  g_assert_cmpuint(problems_n(tree->problems), ==, 1);
  const Problem *problem = problems_get(tree->problems, 0);
  g_assert_cmpstr(problem->what, ==, what);
  g_assert_cmpint(problem->at.line, ==, line);
  g_assert_cmpint(problem->at.col, ==, col);
}

/* `on` is a key and `no` a string; only null, ~, nothing, true and false are more than text. */
static void scalars_are_typed_as_yaml_1_2_says(void) {
  g_autoptr(Tree) t =
      tree_of("on: no\nn: ~\nm: null\ne:\nq: 'null'\nt: true\nu: 'true'\nyes: off\nz: 0777\nf: 1e3\nN: NULL\n");
  bool value = false;
  g_assert_cmpstr(scalar(t, "on")->text, ==, "no");
  g_assert_false(node_is_bool(scalar(t, "on"), &value));
  g_assert_false(node_is_bool(scalar(t, "yes"), &value));
  g_assert_true(node_is_null(scalar(t, "n")));
  g_assert_true(node_is_null(scalar(t, "m")));
  g_assert_true(node_is_null(scalar(t, "e")));
  g_assert_true(node_is_null(scalar(t, "N")));
  g_assert_false(node_is_null(scalar(t, "q")));
  g_assert_true(node_is_bool(scalar(t, "t"), &value) && value);
  g_assert_false(node_is_bool(scalar(t, "u"), &value));
  g_assert_cmpstr(scalar(t, "z")->text, ==, "0777");
  g_assert_cmpstr(scalar(t, "f")->text, ==, "1e3");
}

static void tags_decide_instead_of_quotes(void) {
  g_autoptr(Tree) t = tree_of("a: !!str null\nb: !!null 'null'\nc: ! true\nd: !!int '5'\n");
  bool value;
  g_assert_false(node_is_null(scalar(t, "a")));
  g_assert_true(node_is_null(scalar(t, "b")));
  g_assert_false(node_is_bool(scalar(t, "c"), &value));
  g_assert_true(scalar(t, "d")->plain);
  g_autoptr(Tree) wrong = tree_of("a: !!seq b\n");
  assert_refused(wrong, 1, 4, "the tag 'tag:yaml.org,2002:seq' does not fit here");
}

static void nodes_know_their_place(void) {
  g_autoptr(Tree) t = tree_of("a:\n  - b\n  - {c: d}\n");
  const Node *list = node_get(t->root, "a");
  g_assert_cmpint(list->items[0]->at.line, ==, 2);
  g_assert_cmpint(list->items[0]->at.col, ==, 5);
  g_assert_cmpint(node_get(list->items[1], "c")->at.col, ==, 9);
  g_assert_true(list->items[1]->flow);
  g_assert_false(list->flow);
  g_assert_cmpstr(list->at.file, ==, "f");
}

static void bytes_are_kept(void) {
  g_autoptr(Tree) t = tree_of("a: \"x\\0y\\n\"\nb: |\n  one\n  two\nc: >-\n  one\n  two\nd: 'it''s'\n");
  g_assert_cmpmem(scalar(t, "a")->text, scalar(t, "a")->len, "x\0y\n", 4);
  g_assert_cmpstr(scalar(t, "b")->text, ==, "one\ntwo\n");
  g_assert_cmpstr(scalar(t, "c")->text, ==, "one two");
  g_assert_cmpstr(scalar(t, "d")->text, ==, "it's");
}

static void carriage_returns_end_lines(void) {
  g_autoptr(Tree) t = tree_of("a: b\r\nc: |\r\n  d\r\n");
  g_assert_cmpstr(scalar(t, "a")->text, ==, "b");
  g_assert_cmpstr(scalar(t, "c")->text, ==, "d\n");
}

static void byte_order_marks_and_utf_16_are_read(void) {
  g_autoptr(Tree) bom = tree_of("\xEF\xBB\xBF"
                                "a: b\n");
  g_assert_cmpstr(scalar(bom, "a")->text, ==, "b");
  g_autoptr(Tree) le = tree_of_bytes("\xFF\xFE"
                                     "a\0:\0 \0\xE9\0\n\0",
                                     12);
  g_assert_cmpstr(scalar(le, "a")->text, ==, "é");
  g_autoptr(Tree) be = tree_of_bytes("\xFE\xFF\0a\0:\0 \0b\0\n", 12);
  g_assert_cmpstr(scalar(be, "a")->text, ==, "b");
}

/* ---- Aliases and merges ------------------------------------------------------------------------------------------ */

static void aliases_share_their_node(void) {
  g_autoptr(Tree) t = tree_of("a: &x [1, 2]\nb: *x\n");
  g_assert_true(node_get(t->root, "a") == node_get(t->root, "b"));
}

static void own_keys_win_over_merged_ones(void) {
  g_autoptr(Tree) t = tree_of("a: &a {x: 1, y: 2}\nb: {x: 3, <<: *a}\nc: {<<: *a, y: 4}\n");
  g_assert_cmpstr(node_get(node_get(t->root, "b"), "x")->text, ==, "3");
  g_assert_cmpstr(node_get(node_get(t->root, "b"), "y")->text, ==, "2");
  g_assert_cmpstr(node_get(node_get(t->root, "c"), "x")->text, ==, "1");
  g_assert_cmpstr(node_get(node_get(t->root, "c"), "y")->text, ==, "4");
  g_assert_cmpuint(node_get(t->root, "c")->n, ==, 2);
}

static void earlier_merged_mappings_win(void) {
  g_autoptr(Tree) t = tree_of("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b, {z: 3}]}\n");
  const Node *c = node_get(t->root, "c");
  g_assert_cmpstr(node_get(c, "x")->text, ==, "1");
  g_assert_cmpstr(node_get(c, "y")->text, ==, "2");
  g_assert_cmpstr(node_get(c, "z")->text, ==, "3");
}

static void merges_of_merges_are_done(void) {
  g_autoptr(Tree) t = tree_of("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n");
  g_assert_cmpstr(node_get(node_get(t->root, "c"), "x")->text, ==, "1");
}

static void a_quoted_merge_key_is_a_key(void) {
  g_autoptr(Tree) t = tree_of("a: {'<<': b}\n");
  g_assert_cmpstr(node_get(node_get(t->root, "a"), "<<")->text, ==, "b");
}

/* Ten times what was written is right, a little more is not. */
static void expansion_is_bounded_to_ten_times(void) {
  g_autoptr(GString) text = g_string_new("a: &a [");
  for (int i = 0; i < 100; i++)
    g_string_append(text, "x, ");
  g_string_append(text, "]\nb: [");
  gsize start = text->len;
  for (int i = 0; i < 10; i++)
    g_string_append(text, "*a, ");
  g_string_append(text, "]\n");
  g_autoptr(Tree) right = tree_of(text->str);
  g_assert_nonnull(right->root);
  g_string_truncate(text, start);
  for (int i = 0; i < 13; i++)
    g_string_append(text, "*a, ");
  g_string_append(text, "]\n");
  g_autoptr(Tree) wrong = tree_of(text->str);
  assert_refused(wrong, 1, 1, "aliases make the file more than 10 times as big as it is written");
}

/* ---- Hostile files ----------------------------------------------------------------------------------------------- */

static double seconds_for(const GString *text, const char *what) {
  gint64 begin = g_get_monotonic_time();
  g_autoptr(Tree) tree = tree_of_bytes(text->str, text->len);
  double took = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
  g_assert_null(tree->root);
  g_assert_cmpuint(problems_n_errors(tree->problems), ==, 1);
  g_assert_cmpstr(problems_get(tree->problems, 0)->what, ==, what);
  return took;
}

static GString *repeated(const char *piece, guint n) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < n; i++)
    g_string_append(text, piece);
  return text;
}

/* libyaml alone takes 38 s for the first of these. */
static void deep_nesting_is_refused_at_once(void) {
  static const char *const PIECES[] = {"[", "{a: ", "- ", "? ", "[[{"};
  for (guint i = 0; i < G_N_ELEMENTS(PIECES); i++) {
    g_autoptr(GString) text = repeated(PIECES[i], 100000);
    g_assert_cmpfloat(seconds_for(text, "nested deeper than 64 levels"), <, 0.5);
  }
}

static void sixty_four_levels_are_allowed(void) {
  g_autoptr(GString) text = repeated("[", 64);
  for (int i = 0; i < 64; i++)
    g_string_append_c(text, ']');
  g_autoptr(Tree) right = tree_of(text->str);
  g_assert_nonnull(right->root);
  g_string_prepend_c(text, '[');
  g_string_append_c(text, ']');
  g_autoptr(Tree) wrong = tree_of(text->str);
  assert_refused(wrong, 1, 65, "nested deeper than 64 levels");
}

static void many_anchors_are_quick(void) {
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(text, "- &a%u x\n", i);
  gint64 begin = g_get_monotonic_time();
  g_autoptr(Tree) tree = tree_of(text->str);
  g_assert_nonnull(tree->root);
  g_assert_cmpuint(tree->root->n, ==, 100000);
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 3 * G_USEC_PER_SEC);
}

static void many_keys_are_quick(void) {
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < 100000; i++)
    g_string_append_printf(text, "k%u: x\n", i);
  g_string_append(text, "k7: again\n");
  g_assert_cmpfloat(seconds_for(text, "duplicate key 'k7': it stands in line 8 too"), <, 3);
}

static void laughs_are_refused_at_once(void) {
  g_autoptr(GString) text = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
  for (guint i = 1; i < 40; i++)
    g_string_append_printf(text, "a%u: &a%u [*a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u, *a%u]\n", i, i, i - 1,
                           i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
  g_assert_cmpfloat(seconds_for(text, "aliases make the file too big: more than 1000000 nodes"), <, 0.5);
}

static void merged_laughs_are_refused_at_once(void) {
  g_autoptr(GString) text = g_string_new("a0: &a0 {x: 1}\n");
  for (guint i = 1; i < 60; i++)
    g_string_append_printf(text, "a%u: &a%u {x: *a%u, y: *a%u, z%u: 1, <<: *a%u}\n", i, i, i - 1, i - 1, i, i - 1);
  g_assert_cmpfloat(seconds_for(text, "aliases make the file too big: more than 1000000 nodes"), <, 0.5);
}

static void a_million_nodes_is_the_end(void) {
  g_autoptr(GString) text = repeated("- x\n", 1000001);
  g_assert_cmpfloat(seconds_for(text, "the file is too big: more than 1000000 nodes"), <, 20);
}

static void reader_errors_have_their_place(void) {
  g_autoptr(Tree) nul = tree_of_bytes("a: b\n\xC3\xA9: \0\n", 11);
  assert_refused(nul, 2, 4, "a NUL byte in the file");
  g_autoptr(Tree) bad = tree_of("a: b\nc: d\ne: \xFF\n");
  assert_refused(bad, 3, 4, "invalid leading UTF-8 octet: 0xFF");
  g_autoptr(Tree) control = tree_of("a: \x01\n");
  assert_refused(control, 1, 4, "control characters are not allowed: 0x01");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/yaml/scalars", scalars_are_typed_as_yaml_1_2_says);
  g_test_add_func("/yaml/tags", tags_decide_instead_of_quotes);
  g_test_add_func("/yaml/places", nodes_know_their_place);
  g_test_add_func("/yaml/bytes", bytes_are_kept);
  g_test_add_func("/yaml/carriage-returns", carriage_returns_end_lines);
  g_test_add_func("/yaml/byte-order-marks", byte_order_marks_and_utf_16_are_read);
  g_test_add_func("/yaml/aliases", aliases_share_their_node);
  g_test_add_func("/yaml/merge/own-keys-win", own_keys_win_over_merged_ones);
  g_test_add_func("/yaml/merge/earlier-wins", earlier_merged_mappings_win);
  g_test_add_func("/yaml/merge/of-merges", merges_of_merges_are_done);
  g_test_add_func("/yaml/merge/quoted", a_quoted_merge_key_is_a_key);
  g_test_add_func("/yaml/expansion", expansion_is_bounded_to_ten_times);
  g_test_add_func("/yaml/hostile/deep", deep_nesting_is_refused_at_once);
  g_test_add_func("/yaml/hostile/depth-limit", sixty_four_levels_are_allowed);
  g_test_add_func("/yaml/hostile/anchors", many_anchors_are_quick);
  g_test_add_func("/yaml/hostile/keys", many_keys_are_quick);
  g_test_add_func("/yaml/hostile/laughs", laughs_are_refused_at_once);
  g_test_add_func("/yaml/hostile/merged-laughs", merged_laughs_are_refused_at_once);
  g_test_add_func("/yaml/hostile/nodes", a_million_nodes_is_the_end);
  g_test_add_func("/yaml/hostile/reader-errors", reader_errors_have_their_place);
  return g_test_run();
}
