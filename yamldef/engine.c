/* engine.c - engine profiles: those of the file and its includes, then those that ship. */
#include "yamldef/decode.h"

#include <string.h>

static const char DRIVER[] = "dolt_driver";

/* The profile's node out of a file that ships; its other engines become known too. */
static const Node *shipped_node(Loader *l, const char *name) {
  gsize len;
  const char *text = engine_shipped(name, &len);
  if (text == NULL)
    return NULL;
  const Node *root = yaml_tree(l->arena, l->problems, arena_printf(l->arena, "engines/%s.yaml", name), text, len);
  const Node *engines = root == NULL ? NULL : node_get(root, "engines");
  return engines == NULL ? NULL : node_get(engines, name);
}

bool engine_exists(Loader *l, const char *name) {
  gsize len;
  return g_hash_table_contains(l->engines, name) || (engine_shipped(name, &len) != NULL && strcmp(name, DRIVER) != 0);
}

GPtrArray *engine_names(Loader *l) {
  GPtrArray *names = keys_of(l->engines);
  for (guint i = 0; engine_shipped_name(i) != NULL; i++)
    if (strcmp(engine_shipped_name(i), DRIVER) != 0)
      g_ptr_array_add(names, (gpointer)(guintptr)engine_shipped_name(i));
  return names;
}

const Engine *empty_engine(Loader *l) {
  Engine *engine = arena_copy(l->arena, VOCAB_ENGINE.defaults, 1, sizeof *engine);
  StopRung *rung = arena_new0(l->arena, StopRung, 1);
  *rung = (StopRung){.signal = {.raw = "TERM", .len = 4}, .within = 10 * G_USEC_PER_SEC};
  engine->name = "";
  engine->stop = (StopLadder){1, rung};
  return engine;
}

static bool captures_position(const Steps *steps) {
  for (guint i = 0; i < steps->n; i++) {
    const Step *step = &steps->v[i];
    for (guint e = 0; step->verb == VERB_SQL && e < step->sql.n_entries; e++)
      for (guint c = 0; c < step->sql.entries[e].capture.n; c++)
        if (g_strcmp0(step->sql.entries[e].capture.v[c].name.s, "position") == 0)
          return true;
    if (step->verb == VERB_GROUP && captures_position(&step->group.steps))
      return true;
    if (step->verb == VERB_RUN && g_strcmp0(step->run.capture.s, "position") == 0)
      return true;
  }
  return false;
}

static const Engine *read_engine(Loader *l, const char *name, const Node *node, const Scope *scope) {
  Loader outer = *l;
  g_autoptr(GPtrArray) where = g_ptr_array_new_with_free_func(g_free), calling = g_ptr_array_new();
  l->where = where;
  l->calling = calling;
  l->scope = scope;
  l->in_engine = true;
  l->in_server = l->dolt = false;
  l->flavour = PATTERN_LINES;
  l->n_steps = 0;
  Engine *engine = arena_copy(l->arena, VOCAB_ENGINE.defaults, 1, sizeof *engine);
  engine->name = name;
  enter(l, "engine '%s'", name);
  read_record(l, node, &VOCAB_ENGINE, engine);
  if (engine->position.n > 0 && !captures_position(&engine->position))
    complain(l, engine->position.v[0].at, NULL, "'position' must capture a variable 'position'");
  const Steps *const RECIPES[] = {&engine->clone,  &engine->promote,  &engine->follow,
                                  &engine->rejoin, &engine->position, &engine->init};
  for (guint i = 0; i < G_N_ELEMENTS(RECIPES); i++)
    check_recipe(l, RECIPES[i]);
  check_stop(l, &engine->stop);
  check_signal(l, &engine->reload_signal);
  if (engine->stop.n == 0)
    engine->stop = empty_engine(l)->stop;
  leave(l);
  l->where = outer.where;
  l->calling = outer.calling;
  l->scope = outer.scope;
  l->in_engine = outer.in_engine;
  l->in_server = outer.in_server;
  l->dolt = outer.dolt;
  l->flavour = outer.flavour;
  l->n_steps = outer.n_steps;
  return engine;
}

static const Engine *find_decoded(Loader *l, const char *name, const Scope *scope) {
  gpointer engine;
  if (g_hash_table_lookup_extended(l->decoded, name, NULL, &engine))
    return engine;
  const Node *node = g_hash_table_lookup(l->engines, name);
  if (node == NULL)
    node = shipped_node(l, name);
  if (node == NULL)
    return NULL;
  const char *kept = arena_string(l->arena, name);
  g_hash_table_insert(l->decoded, (gpointer)(guintptr)kept, NULL);
  engine = (gpointer)(guintptr)read_engine(l, kept, node, scope);
  g_hash_table_insert(l->decoded, (gpointer)(guintptr)kept, engine);
  return engine;
}

const Engine *find_engine(Loader *l, const char *name, Place at) {
  const Engine *engine = engine_exists(l, name) ? find_decoded(l, name, l->file_scope) : NULL;
  if (engine != NULL)
    return engine;
  g_autoptr(GPtrArray) names = engine_names(l);
  g_autofree char *hint = did_you_mean(name, (const char *const *)names->pdata, names->len);
  complain(l, at, hint, "no engine is called '%s'", name);
  return NULL;
}

static const Node *text_node(Loader *l, const char *text) {
  Node *node = arena_new0(l->arena, Node, 1);
  node->kind = NODE_SCALAR;
  node->text = arena_string(l->arena, text);
  node->len = strlen(text);
  return node;
}

const Engine *dolt_driver_engine(Loader *l) {
  const char *program = g_getenv("DOLT_BIN_PATH");
  const Scope *outer = l->scope;
  l->scope = NULL;
  const Scope *scope = scope_push(l);
  scope_add(l, "dolt", text_node(l, program != NULL && *program != '\0' ? program : "dolt"));
  const Engine *engine = find_decoded(l, DRIVER, scope);
  scope_pop(l);
  l->scope = outer;
  return engine;
}
