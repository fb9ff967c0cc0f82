/* load.c - a definition from its file: includes, constants, the tests of either dialect. */
#include "yamldef/decode.h"
#include "yamldef/read_file.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TESTS = 10000, MAX_INCLUDES_DEEP = 32 };

struct Definition {
  Arena *arena;
  Problems *problems;
  GPtrArray *patterns;
  guint n_tests;
  const Test *tests;
};

/* ---- Files and includes ------------------------------------------------------------------------------------------ */

typedef struct Files {
  GPtrArray *reading; /* char *: real paths, outermost first */
  GHashTable *done;   /* char *: real paths */
} Files;

static void read_includes(Loader *l, Files *files, const char *path, const Node *root);

static void keep_all(Loader *l, GHashTable *table, const Node *map, const char *kind, const Vocabulary *vocabulary) {
  map = resolve(l, map);
  g_autofree char *title = g_strdup_printf("'%ss'", kind);
  if (g_str_has_suffix(kind, "y")) {
    g_free(title);
    title = g_strdup("'topologies'");
  }
  if (!want_map(l, map, title))
    return;
  for (guint i = 0; i < map->n; i++) {
    const NodePair *pair = &map->pairs[i];
    if (g_hash_table_contains(table, pair->key->text))
      complain(l, pair->key->at, NULL, "another %s is called '%s' too", kind, pair->key->text);
    g_hash_table_insert(table, (gpointer)(guintptr)pair->key->text, (gpointer)(guintptr)pair->value);
    if (vocabulary == NULL)
      continue;
    char nothing = 0; /* their words are read where they are used; here only that they are known */
    enter(l, "%s '%s'", kind, pair->key->text);
    read_record(l, pair->value, vocabulary, &nothing);
    leave(l);
  }
}

/* What a file gives to those that include it. */
static void keep_parts(Loader *l, const Node *root) {
  const Node *vars = node_get(root, "vars"), *engines = node_get(root, "engines"),
             *topologies = node_get(root, "topologies"), *procedures = node_get(root, "procedures");
  if (vars != NULL && want_map(l, vars, "'vars'"))
    scope_add_all(l, vars);
  if (engines != NULL)
    keep_all(l, l->engines, engines, "engine", NULL);
  if (topologies != NULL)
    keep_all(l, l->topologies, topologies, "topology", &VOCAB_TOPOLOGY);
  if (procedures != NULL)
    keep_all(l, l->procedures, procedures, "procedure", &VOCAB_PROCEDURE);
}

static void read_included(Loader *l, Files *files, const char *from, const Node *item) {
  const char *name = read_constant(l, item, "include");
  if (name == NULL)
    return;
  g_autofree char *dir = g_path_get_dirname(from);
  g_autofree char *path = g_path_is_absolute(name) ? g_strdup(name)
                          : strcmp(dir, ".") == 0  ? g_strdup(name)
                                                   : g_build_filename(dir, name, NULL);
  g_autofree char *real = realpath(path, NULL);
  for (guint i = 0; real != NULL && i < files->reading->len; i++) {
    if (strcmp(files->reading->pdata[i], real) == 0) {
      complain(l, item->at, NULL, "the file '%s' includes itself", name);
      return;
    }
  }
  if (real != NULL && g_hash_table_contains(files->done, real))
    return;
  if (files->reading->len > MAX_INCLUDES_DEEP) {
    complain(l, item->at, NULL, "includes are nested deeper than %d files", MAX_INCLUDES_DEEP);
    return;
  }
  g_autoptr(GError) error = NULL;
  gsize len;
  g_autofree char *bytes = read_file(path, &len, &error);
  if (bytes == NULL) {
    complain(l, item->at, NULL, "include '%s': %s", name, error->message);
    return;
  }
  const char *kept = arena_string(l->arena, path);
  const Node *root = yaml_tree(l->arena, l->problems, kept, bytes, len);
  if (root == NULL)
    return;
  g_ptr_array_add(files->reading, real == NULL ? g_strdup(path) : g_strdup(real));
  read_includes(l, files, kept, root);
  const Node *tests = root->kind == NODE_MAP ? node_get(root, "tests") : NULL;
  if (tests != NULL)
    complain(l, tests->at, NULL, "an included file cannot have tests");
  g_hash_table_add(files->done, g_strdup(files->reading->pdata[files->reading->len - 1]));
  g_ptr_array_remove_index(files->reading, files->reading->len - 1);
}

static void read_includes(Loader *l, Files *files, const char *path, const Node *root) {
  if (!want_map(l, root, "a definition"))
    return;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  add_words(words, &VOCAB_FILE);
  for (guint i = 0; i < root->n; i++)
    if (vocab_find(&VOCAB_FILE, root->pairs[i].key->text) == NULL)
      unknown_key(l, root, root->pairs[i].key, "a file", (const char *const *)words->pdata, words->len);
  const Node *include = node_get(root, "include");
  guint n = 0;
  const Node *const *items = include == NULL ? NULL : items_of(l, include, &n);
  for (guint i = 0; i < n; i++)
    read_included(l, files, path, items[i]);
  keep_parts(l, root);
}

/* ---- Topologies -------------------------------------------------------------------------------------------------- */

/* b over a: key by key, and one level into mappings (settings, envs). */
static const Node *refine(Loader *l, const Node *a, const Node *b, bool deep) {
  if (a->kind != NODE_MAP || b->kind != NODE_MAP)
    return b;
  g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(NodePair));
  for (guint i = 0; i < a->n; i++) {
    NodePair pair = a->pairs[i];
    const Node *over = node_get(b, pair.key->text);
    if (over != NULL)
      pair.value = deep ? refine(l, resolve(l, pair.value), resolve(l, over), false) : over;
    g_array_append_val(pairs, pair);
  }
  for (guint i = 0; i < b->n; i++)
    if (node_get(a, b->pairs[i].key->text) == NULL)
      g_array_append_val(pairs, b->pairs[i]);
  Node *refined = arena_copy(l->arena, b, 1, sizeof *b);
  refined->n = pairs->len;
  refined->pairs = arena_array(l->arena, NodePair, pairs);
  return refined;
}

static const char *server_name(Loader *l, const Node *server) {
  const Node *name = server->kind == NODE_MAP ? node_get(server, "name") : server;
  name = name == NULL ? NULL : close_over(l, name);
  return name == NULL || name->kind != NODE_SCALAR ? NULL : name->text;
}

static const Node *refined_list(Loader *l, const Node *topology, const Node *own) {
  guint n, n_own = 0;
  const Node *const *items = items_of(l, topology, &n), *const *owned = own == NULL ? NULL : items_of(l, own, &n_own);
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(all, (gpointer)(guintptr)items[i]);
  for (guint k = 0; k < n_own; k++) {
    const char *name = server_name(l, owned[k]);
    guint i = 0;
    while (i < n && g_strcmp0(server_name(l, all->pdata[i]), name) != 0)
      i++;
    if (i < n && name != NULL)
      all->pdata[i] = (gpointer)(guintptr)refine(l, all->pdata[i], owned[k], true);
    else
      g_ptr_array_add(all, (gpointer)(guintptr)owned[k]);
  }
  Node *list = arena_copy(l->arena, topology, 1, sizeof *list);
  list->kind = NODE_LIST;
  list->n = all->len;
  list->items = arena_copy(l->arena, all->pdata, all->len, sizeof(gpointer));
  return list;
}

/* The servers of a test: its topology's, refined and added to by its own; NULL: none. */
static const Node *servers_of(Loader *l, const Node *test) {
  const Node *own = node_get(test, "servers"), *topology = node_get(test, "topology");
  const char *name = topology == NULL ? NULL : read_constant(l, topology, "topology");
  if (name == NULL)
    return own;
  const Node *found = g_hash_table_lookup(l->topologies, name);
  if (found == NULL) {
    g_autoptr(GPtrArray) names = keys_of(l->topologies);
    g_autofree char *hint = did_you_mean(name, (const char *const *)names->pdata, names->len);
    complain(l, topology->at, hint, "no topology is called '%s'", name);
    return own;
  }
  if (found->kind == NODE_MAP)
    found = node_get(found, "servers");
  return found == NULL ? own : refined_list(l, found, own);
}

/* The links of a test's topology; NULL: none. */
static const Node *topology_links(Loader *l, const Node *test) {
  const Node *topology = node_get(test, "topology");
  const Node *name = topology == NULL ? NULL : resolve(l, topology);
  const Node *found = name == NULL || name->kind != NODE_SCALAR ? NULL : g_hash_table_lookup(l->topologies, name->text);
  return found == NULL || found->kind != NODE_MAP ? NULL : node_get(found, "links");
}

/* ---- A test ------------------------------------------------------------------------------------------------------ */

static void read_needs(Loader *l, const Node *node, Needs *out) {
  node = resolve(l, node);
  if (!want_map(l, node, "'needs'"))
    return;
  g_autoptr(GPtrArray) words = engine_names(l);
  add_words(words, &VOCAB_NEEDS);
  for (guint i = 0; i < node->n; i++) {
    const NodePair *pair = &node->pairs[i];
    const Word *word = vocab_find(&VOCAB_NEEDS, pair->key->text);
    if (word != NULL) {
      read_word(l, pair->value, word, out);
    } else if (!engine_exists(l, pair->key->text)) {
      unknown_key(l, node, pair->key, "needs", (const char *const *)words->pdata, words->len);
    } else if (out->versions_engine.raw != NULL) {
      complain(l, pair->key->at, NULL, "'needs' can ask for the version of one engine only");
    } else {
      out->versions_engine = (Text){.raw = pair->key->text, .len = pair->key->len, .at = pair->key->at};
      read_text(l, pair->value, pair->key->text, &out->version);
    }
  }
}

/* A server that a clone step names is made by that step. */
static void mark_clones(const Steps *steps, GArray *servers) {
  for (guint i = 0; i < steps->n; i++) {
    const Step *step = &steps->v[i];
    for (guint k = 0; step->verb == VERB_CLONE && k < step->life.servers.n; k++)
      for (guint s = 0; s < servers->len; s++)
        if (strcmp(g_array_index(servers, Server, s).name.s, step->life.servers.v[k].s) == 0)
          g_array_index(servers, Server, s).clone_by_step = true;
    for (guint k = 0; step->verb == VERB_TOGETHER && k < step->together.n; k++)
      mark_clones(&step->together.lanes[k], servers);
    if (step->verb == VERB_LOOP || step->verb == VERB_GROUP)
      mark_clones(step->verb == VERB_LOOP ? &step->loop.steps : &step->group.steps, servers);
  }
}

static void read_own_test(Loader *l, const Node *node, Test *test) {
  static const char *const LISTS[] = {"steps", "finally"};
  read_record(l, node, &VOCAB_TEST, test);
  const Node *needs = node_get(node, "needs"), *servers = servers_of(l, node);
  if (needs != NULL)
    read_needs(l, needs, &test->needs);
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Server));
  if (servers != NULL)
    read_servers(l, servers, list);
  for (guint i = 0; i < G_N_ELEMENTS(LISTS); i++) {
    const Node *steps = node_get(node, LISTS[i]);
    if (steps == NULL)
      continue;
    if (i == 1)
      enter(l, "'finally'");
    read_steps(l, steps, i == 0 ? &test->steps : &test->finally);
    if (i == 1)
      leave(l);
  }
  mark_clones(&test->steps, list);
  test->n_servers = list->len;
  test->servers = arena_array(l->arena, Server, list);
  read_links(l, topology_links(l, node), node_get(node, "links"), test);
}

static bool is_dolt(const Node *test) {
  return node_get(test, "repos") != NULL || node_get(test, "multi_repos") != NULL ||
         node_get(test, "connections") != NULL;
}

static bool runs_parallel(Loader *l, const Node *root) {
  const Node *given = node_get(root, "parallel");
  bool parallel = !l->dolt;
  if (given != NULL && !node_is_null(given))
    read_bool(l, given, "parallel", &parallel);
  return parallel;
}

/* One test; its matrix's values are visible, and written out in `suffix`. */
static void read_test(Loader *l, const Node *root, const Node *node, const char *suffix) {
  Test test;
  memcpy(&test, VOCAB_TEST.defaults, sizeof test);
  l->dolt = is_dolt(node);
  l->flavour = l->dolt ? PATTERN_RE2 : PATTERN_LINES;
  l->n_steps = 0;
  l->full = false;
  l->n_errors_before = problems_n_errors(l->problems);
  g_array_set_size(l->notes, 0);
  const Node *vars = l->dolt ? NULL : node_get(node, "vars");
  scope_push(l);
  if (vars != NULL && want_map(l, vars, "'vars'"))
    scope_add_all(l, vars);
  test.parallel = runs_parallel(l, root);
  if (l->dolt)
    read_dolt_test(l, node, &test);
  else
    read_own_test(l, node, &test);
  scope_pop(l);
  if (test.base_name == NULL)
    test.base_name = "";
  test.name = *suffix == '\0' ? test.base_name : arena_printf(l->arena, "%s [%s]", test.base_name, suffix);
  check_test(l, &test);
  g_array_append_val(l->tests, test);
  l->dolt = false;
}

/* ---- The matrix -------------------------------------------------------------------------------------------------- */

static char *value_label(const Node *value, guint number) {
  const Node *name = value->kind == NODE_MAP ? node_get(value, "name") : value;
  return name != NULL && name->kind == NODE_SCALAR ? g_strdup(name->text) : g_strdup_printf("#%u", number);
}

/* One test for each value of the axis at `axis` and those behind it. */
static void read_matrix(Loader *l, const Node *root, const Node *test, const Node *matrix, guint axis,
                        const char *suffix) {
  if (l->tests->len >= MAX_TESTS) {
    complain(l, test->at, NULL, "a file has at most %d tests, and its matrix makes more of them", MAX_TESTS);
    return;
  }
  if (matrix == NULL || axis == matrix->n) {
    read_test(l, root, test, suffix);
    return;
  }
  const char *key = matrix->pairs[axis].key->text;
  guint n;
  const Node *const *values = items_of(l, matrix->pairs[axis].value, &n);
  if (n == 0)
    complain(l, matrix->pairs[axis].value->at, NULL, "the matrix has no values for '%s'", key);
  for (guint i = 0; i < n && l->tests->len < MAX_TESTS && has_room(l, test->at); i++) {
    g_autofree char *label = value_label(values[i], i + 1);
    g_autofree char *longer = g_strdup_printf("%s%s%s=%s", suffix, *suffix == '\0' ? "" : ", ", key, label);
    const Node *value = close_over(l, values[i]);
    scope_push(l);
    scope_add(l, key, value);
    read_matrix(l, root, test, matrix, axis + 1, longer);
    scope_pop(l);
  }
}

static void read_tests(Loader *l, const Node *root, Place at) {
  const Node *tests = node_get(root, "tests");
  guint n = 0;
  const Node *const *items = tests == NULL ? NULL : items_of(l, tests, &n);
  if (n == 0)
    complain(l, tests == NULL ? at : tests->at, NULL, "the file has no tests");
  for (guint i = 0; i < n; i++) {
    const Node *name = items[i]->kind == NODE_MAP ? node_get(items[i], "name") : NULL;
    if (name != NULL && name->kind == NODE_SCALAR)
      enter(l, "test '%s'", name->text);
    else
      enter(l, "test %u", i + 1);
    const Node *matrix = items[i]->kind == NODE_MAP && !is_dolt(items[i]) ? node_get(items[i], "matrix") : NULL;
    matrix = matrix == NULL ? NULL : resolve(l, matrix);
    if (want_map(l, items[i], "a test") && (matrix == NULL || want_map(l, matrix, "'matrix'")))
      read_matrix(l, root, items[i], matrix, 0, "");
    leave(l);
  }
}

/* As Go names a second test of a name: x#01. */
static const char *numbered_name(Loader *l, GHashTable *seen, const char *name) {
  for (guint i = 1;; i++) {
    const char *numbered = arena_printf(l->arena, "%s#%02u", name, i);
    if (!g_hash_table_contains(seen, numbered))
      return numbered;
  }
}

static void check_test_names(Loader *l) {
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < l->tests->len; i++) {
    Test *test = &g_array_index(l->tests, Test, i);
    const Test *first = g_hash_table_lookup(seen, test->name);
    if (first != NULL && test->dolt)
      test->name = numbered_name(l, seen, test->name);
    else if (first != NULL && *test->name != '\0')
      complain(l, test->at, NULL, "another test is called '%s' too, in line %d", test->name, first->at.line);
    g_hash_table_insert(seen, (gpointer)(guintptr)test->name, test);
  }
}

/* Engines that no test uses are read too: all errors of a file are said in one run. */
static void check_engines(Loader *l) {
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init(&iter, l->engines);
  while (g_hash_table_iter_next(&iter, &name, NULL))
    find_engine(l, name, (Place){0});
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------- */

static Loader *loader_new(Definition *definition, const char *cwd) {
  Loader *l = g_new0(Loader, 1);
  l->arena = definition->arena;
  l->problems = definition->problems;
  l->patterns = definition->patterns;
  l->cwd = cwd;
  l->flavour = PATTERN_LINES;
  l->where = g_ptr_array_new_with_free_func(g_free);
  l->calling = g_ptr_array_new();
  l->engines = g_hash_table_new(g_str_hash, g_str_equal);
  l->decoded = g_hash_table_new(g_str_hash, g_str_equal);
  l->topologies = g_hash_table_new(g_str_hash, g_str_equal);
  l->procedures = g_hash_table_new(g_str_hash, g_str_equal);
  l->notes = g_array_new(FALSE, TRUE, sizeof(Note));
  l->tests = g_array_new(FALSE, TRUE, sizeof(Test));
  return l;
}

static void loader_free(Loader *l) {
  g_ptr_array_free(l->where, TRUE);
  g_ptr_array_free(l->calling, TRUE);
  g_hash_table_unref(l->engines);
  g_hash_table_unref(l->decoded);
  g_hash_table_unref(l->topologies);
  g_hash_table_unref(l->procedures);
  g_array_free(l->notes, TRUE);
  g_array_free(l->tests, TRUE);
  g_free(l);
}

static Definition *definition_new(void) {
  Definition *definition = g_new0(Definition, 1);
  definition->arena = arena_new();
  definition->problems = problems_new(definition->arena);
  definition->patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
  return definition;
}

static void load(Definition *definition, const char *path, const char *bytes, gsize len, const char *cwd) {
  Loader *l = loader_new(definition, cwd);
  const char *file = arena_string(l->arena, path);
  const Node *root = yaml_tree(l->arena, l->problems, file, bytes, len);
  Files files = {g_ptr_array_new_with_free_func(g_free), g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
  char *real = realpath(path, NULL);
  g_ptr_array_add(files.reading, real != NULL ? g_strdup(real) : g_strdup(path));
  free(real);
  scope_push(l);
  l->file_scope = l->scope;
  if (root == NULL && problems_n_errors(l->problems) == 0)
    complain(l, (Place){file, 1, 1}, NULL, "the file is empty");
  if (root != NULL)
    read_includes(l, &files, file, root);
  if (root != NULL && root->kind == NODE_MAP) {
    read_tests(l, root, root->at);
    check_engines(l);
    check_test_names(l);
  }
  scope_pop(l);
  g_ptr_array_free(files.reading, TRUE);
  g_hash_table_unref(files.done);
  definition->n_tests = l->tests->len;
  definition->tests = arena_array(l->arena, Test, l->tests);
  problems_sort(l->problems, file);
  loader_free(l);
}

Definition *definition_load_bytes(const char *path, const char *bytes, gsize len, const char *cwd) {
  Definition *definition = definition_new();
  load(definition, path, bytes, len, cwd);
  return definition;
}

Definition *definition_load(const char *path, const char *cwd) {
  g_autoptr(GError) error = NULL;
  gsize len;
  g_autofree char *bytes = read_file(path, &len, &error);
  if (bytes != NULL)
    return definition_load_bytes(path, bytes, len, cwd);
  Definition *definition = definition_new();
  problems_add(definition->problems, false, (Place){arena_string(definition->arena, path), 0, 0}, NULL, NULL,
               error->message);
  return definition;
}

void definition_free(Definition *definition) {
  if (definition == NULL)
    return;
  g_ptr_array_free(definition->patterns, TRUE);
  problems_free(definition->problems);
  arena_free(definition->arena);
  g_free(definition);
}

guint definition_n_tests(const Definition *definition) { return definition->n_tests; }
const Test *definition_test(const Definition *definition, guint i) { return &definition->tests[i]; }
guint definition_n_problems(const Definition *definition) { return problems_n(definition->problems); }
const Problem *definition_problem(const Definition *definition, guint i) {
  return problems_get(definition->problems, i);
}
guint definition_n_errors(const Definition *definition) { return problems_n_errors(definition->problems); }
