/* steps.c - lists of steps: verbs, modifiers, procedures, for_each. */
#include "yamldef/decode.h"

#include <string.h>

/* ---- Where and when ---------------------------------------------------------------------------------------------- */

static void read_role(Loader *l, const Node *node, Target *out) {
  read_record(l, node, &VOCAB_TARGET, out);
  if (out->role != NULL && strcmp(out->role, "primary") != 0 && strcmp(out->role, "replica") != 0)
    complain(l, node->at, NULL, "'role' must be primary or replica, not '%s'", out->role);
}

void read_target(Loader *l, const Node *node, Target *out) {
  node = resolve(l, node);
  *out = (Target){.at = node->at};
  if (node->kind == NODE_MAP) {
    read_role(l, node, out);
    return;
  }
  if (node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0) {
    out->all = true;
    return;
  }
  static const Word ON = {.key = "on", .type = WORD_NAMES};
  read_word(l, node, &ON, &out->servers);
  if (node->kind == NODE_LIST ? node->n == 0 : node_is_null(node))
    complain(l, node->at, NULL, "'on' names no server");
}

void read_when(Loader *l, const Node *node, When *out) {
  static const char RUNS[] = " is running", RUNS_NOT[] = " is not running";
  const char *text = read_constant(l, node, "when");
  *out = (When){0};
  if (text == NULL)
    return;
  out->negated = g_str_has_suffix(text, RUNS_NOT);
  if (!out->negated && !g_str_has_suffix(text, RUNS))
    return; /* a condition on constants, decided by holds() */
  gsize n = strlen(text) - strlen(out->negated ? RUNS_NOT : RUNS);
  out->given = true;
  out->server = (Name){arena_bytes(l->arena, text, n), node->at};
}

/* The two sides of `a == b`; a side that names a constant is its value. */
static char *side(Loader *l, const char *text) {
  g_autofree char *word = g_strstrip(g_strdup(text));
  gsize n = strlen(word);
  const Node *constant = l->scope == NULL ? NULL : scope_find(l->scope, word);
  if (constant != NULL && constant->kind == NODE_SCALAR)
    return g_strdup(constant->text);
  if (n >= 2 && (word[0] == '"' || word[0] == '\'') && word[n - 1] == word[0])
    return g_strndup(word + 1, n - 2);
  return g_steal_pointer(&word);
}

/* What a condition on constants says; one on a server holds as far as the loader knows. */
static bool holds(Loader *l, const Node *node) {
  static const char *const OPERATORS[] = {"==", "!="};
  guint noted = l->notes->len;
  const Node *resolved = resolve(l, node);
  bool value;
  if (node_is_bool(resolved, &value))
    return value;
  When when;
  read_when(l, node, &when);
  g_array_set_size(l->notes, noted);
  const char *text = when.given ? NULL : read_constant(l, node, "when");
  if (text == NULL)
    return true;
  for (guint i = 0; i < G_N_ELEMENTS(OPERATORS); i++) {
    const char *at = strstr(text, OPERATORS[i]);
    if (at == NULL)
      continue;
    g_autofree char *left_text = g_strndup(text, (gsize)(at - text)), *left = side(l, left_text),
                    *right = side(l, at + 2);
    return (strcmp(left, right) == 0) == (i == 0);
  }
  g_autofree char *word = side(l, text);
  if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
    return strcmp(word, "true") == 0;
  complain(l, node->at, NULL, "'when' must be `SERVER is running`, `a == b`, `a != b`, true or false, not '%s'", text);
  return true;
}

/* ---- SQL --------------------------------------------------------------------------------------------------------- */

static bool is_entry_key(const char *key) { return vocab_find(&VOCAB_ENTRY, key) != NULL; }
static bool is_sql_key(const char *key) {
  return is_entry_key(key) || vocab_find(&VOCAB_SQL_STEP, key) != NULL || vocab_find(&VOCAB_SESSION, key) != NULL;
}

/* The words of a statement may stand in the step itself, when it is the only one. */
static void read_single_entry(Loader *l, const Node *map, SqlStep *sql) {
  guint n_words = 0;
  const char *one = NULL;
  for (guint i = 0; i < map->n; i++) {
    if (is_entry_key(map->pairs[i].key->text) && strcmp(map->pairs[i].key->text, "retry_attempts") != 0) {
      n_words++;
      one = map->pairs[i].key->text;
    }
  }
  const Node *attempts = node_get(map, "retry_attempts");
  if (sql->n_entries > 0 || n_words == 0) {
    guint64 count;
    if (one != NULL)
      complain(l, map->at, NULL, "'queries' and '%s' exclude each other", one);
    if (attempts != NULL && read_count(l, attempts, "retry_attempts", 1, 1000000, &count))
      sql->connection_attempts = (guint)count;
    return;
  }
  SqlEntry *entry = arena_copy(l->arena, VOCAB_ENTRY.defaults, 1, sizeof *entry);
  entry->at = map->at;
  for (guint i = 0; i < map->n; i++) {
    const Word *word = vocab_find(&VOCAB_ENTRY, map->pairs[i].key->text);
    if (word != NULL)
      read_word(l, map->pairs[i].value, word, entry);
  }
  read_entry_kind(l, map, entry);
  sql->n_entries = 1;
  sql->entries = entry;
}

static void default_target(Loader *l, const Node *map, SqlStep *sql) {
  if (sql->on.all || sql->on.role != NULL || sql->on.servers.n > 0 || node_get(map, "on") != NULL)
    return;
  if (!l->in_engine && !l->in_server) {
    complain(l, map->at, NULL, "an SQL step needs 'on': the server that is asked");
    return;
  }
  Name *self = arena_new0(l->arena, Name, 1);
  *self = (Name){"self", map->at};
  sql->on = (Target){.at = map->at, .servers = {1, self}};
}

static void read_sql_step(Loader *l, const Node *map, Step *step) {
  step->verb = VERB_SQL;
  for (guint i = 0; i < map->n; i++) {
    const Word *word = vocab_find(&VOCAB_SQL_STEP, map->pairs[i].key->text);
    if (word == NULL)
      word = vocab_find(&VOCAB_SESSION, map->pairs[i].key->text);
    if (word != NULL)
      read_word(l, map->pairs[i].value, word, &step->sql);
  }
  read_single_entry(l, map, &step->sql);
  default_target(l, map, &step->sql);
}

/* `restart_server` beside SQL: a restart of its own behind it, whose args and envs stay. */
static void add_restart(Loader *l, const Node *map, const Step *sql, GArray *out) {
  const Node *restart = node_get(map, "restart_server");
  if (restart == NULL)
    return;
  Step step;
  memcpy(&step, VOCAB_STEP.defaults, sizeof step);
  step.at = restart->at;
  step.number = sql->number;
  step.when = sql->when;
  step.verb = VERB_RESTART;
  step.life.servers = sql->sql.on.servers;
  step.life.lasting = true;
  read_record(l, restart, &VOCAB_RESTART_SERVER, &step.life);
  if (step.life.servers.n == 0)
    complain(l, restart->at, NULL, "'restart_server' needs servers by name in 'on'");
  g_array_append_val(out, step);
}

/* ---- Procedures and rounds --------------------------------------------------------------------------------------- */

static bool is_calling(Loader *l, const char *name) {
  for (guint i = 0; i < l->calling->len; i++)
    if (strcmp(l->calling->pdata[i], name) == 0)
      return true;
  return false;
}

static void bind_arguments(Loader *l, const Node *call, const char *name, const Names *params, const Node *with) {
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  for (guint i = 0; i < params->n; i++) {
    g_ptr_array_add(words, (gpointer)(guintptr)params->v[i].s);
    const Node *value = with == NULL ? NULL : node_get(with, params->v[i].s);
    if (value == NULL)
      complain(l, call->at, NULL, "the call of procedure '%s' needs '%s' in 'with'", name, params->v[i].s);
    else
      scope_add(l, params->v[i].s, value);
  }
  g_autofree char *title = g_strdup_printf("'with' of procedure '%s'", name);
  for (guint i = 0; with != NULL && i < with->n; i++)
    if (!g_ptr_array_find_with_equal_func(words, with->pairs[i].key->text, g_str_equal, NULL))
      unknown_key(l, with, with->pairs[i].key, title, (const char *const *)words->pdata, words->len);
}

static void read_procedure_params(Loader *l, const Node *procedure, Names *out) {
  static const Word PARAMS = {.key = "params", .type = WORD_NAMES};
  const Node *params = procedure->kind == NODE_MAP ? node_get(procedure, "params") : NULL;
  *out = (Names){0};
  if (params != NULL)
    read_word(l, params, &PARAMS, out);
}

static void unknown_procedure(Loader *l, Name name) {
  g_autoptr(GPtrArray) names = keys_of(l->procedures);
  g_autofree char *hint = did_you_mean(name.s, (const char *const *)names->pdata, names->len);
  complain(l, name.at, hint, "no procedure is called '%s'", name.s);
}

static void read_call(Loader *l, const Node *node, Step *step) {
  CallWords words = {0};
  node = resolve(l, node);
  read_record(l, node, &VOCAB_CALL, &words);
  const char *name = words.procedure.s;
  if (name == NULL)
    return;
  const Node *procedure = g_hash_table_lookup(l->procedures, name);
  if (procedure == NULL || is_calling(l, name)) {
    if (procedure == NULL)
      unknown_procedure(l, words.procedure);
    else
      complain(l, words.procedure.at, NULL, "the procedure '%s' calls itself", name);
    return;
  }
  const Node *with = node->kind == NODE_MAP ? node_get(node, "with") : NULL;
  with = with == NULL ? NULL : close_over(l, resolve(l, with)); /* in the caller's scope */
  if (with != NULL && !want_map(l, with, "'with'"))
    return;
  Names params;
  read_procedure_params(l, procedure, &params);
  scope_push(l);
  bind_arguments(l, node, name, &params, with);
  enter(l, "procedure '%s'", name);
  g_ptr_array_add(l->calling, (gpointer)(guintptr)name);
  const Node *steps = procedure->kind == NODE_MAP ? node_get(procedure, "steps") : procedure;
  if (steps != NULL)
    read_steps(l, steps, &step->group.steps);
  g_ptr_array_remove_index(l->calling, l->calling->len - 1);
  leave(l);
  scope_pop(l);
  step->group.label = arena_printf(l->arena, "procedure '%s'", name);
}

static char *round_label(const char *var, const Node *item, guint number) {
  return item->kind == NODE_SCALAR ? g_strdup_printf("%s=%s", var, item->text) : g_strdup_printf("%s=#%u", var, number);
}

static void read_for_each(Loader *l, const Node *node, Step *step) {
  ForEachWords words = {0};
  node = resolve(l, node);
  read_record(l, node, &VOCAB_FOR_EACH, &words);
  const Node *in = node->kind == NODE_MAP ? node_get(node, "in") : NULL;
  const Node *steps = node->kind == NODE_MAP ? node_get(node, "steps") : NULL;
  if (in == NULL || steps == NULL || words.var.s == NULL)
    return;
  guint n;
  const Node *const *items = items_of(l, in, &n);
  Step *rounds = arena_new0(l->arena, Step, n);
  for (guint i = 0; i < n; i++) {
    g_autofree char *label = round_label(words.var.s, items[i], i + 1);
    memcpy(&rounds[i], VOCAB_STEP.defaults, sizeof *rounds);
    rounds[i].at = items[i]->at;
    rounds[i].verb = VERB_GROUP;
    rounds[i].number = i + 1;
    rounds[i].group.label = arena_string(l->arena, label);
    const Node *closed = close_over(l, items[i]);
    scope_push(l);
    scope_add(l, words.var.s, closed);
    enter(l, "%s", label);
    read_steps(l, steps, &rounds[i].group.steps);
    leave(l);
    scope_pop(l);
  }
  step->group = (GroupStep){arena_printf(l->arena, "for_each %s", words.var.s), {n, rounds}};
}

/* ---- A step ------------------------------------------------------------------------------------------------------ */

static const VerbWord *find_verb(const char *key) {
  for (guint i = 0; i < N_VERB_WORDS; i++)
    if (strcmp(VERBS[i].word.key, key) == 0)
      return &VERBS[i];
  return NULL;
}

static void step_candidates(GPtrArray *words, bool sql) {
  for (guint i = 0; i < N_VERB_WORDS; i++)
    g_ptr_array_add(words, (gpointer)(guintptr)VERBS[i].word.key);
  add_words(words, &VOCAB_STEP);
  if (!sql)
    return;
  add_words(words, &VOCAB_SQL_STEP);
  add_words(words, &VOCAB_SESSION);
  add_words(words, &VOCAB_ENTRY);
}

/* The one verb of a step; *sql: it is an SQL step.  False, and problems, when that is not clear. */
static bool choose_verb(Loader *l, const Node *map, const VerbWord **verb, const Node **value, bool *sql) {
  const Node *unknown = NULL;
  const char *sql_key = NULL, *first = NULL;
  *verb = NULL;
  for (guint i = 0; i < map->n; i++) {
    const Node *key = map->pairs[i].key;
    const VerbWord *found = find_verb(key->text);
    if (found != NULL && first != NULL) {
      complain(l, key->at, NULL, "a step has one verb, and here are two: '%s' and '%s'", first, key->text);
      return false;
    }
    if (found != NULL) {
      *verb = found;
      *value = map->pairs[i].value;
      first = key->text;
    } else if (is_sql_key(key->text)) {
      sql_key = sql_key == NULL ? key->text : sql_key;
    } else if (vocab_find(&VOCAB_STEP, key->text) == NULL) {
      unknown = key;
    }
  }
  *sql = *verb == NULL && sql_key != NULL;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  step_candidates(words, *verb == NULL);
  for (guint i = 0; i < map->n; i++) {
    const Node *key = map->pairs[i].key;
    bool foreign = *verb != NULL && is_sql_key(key->text) && find_verb(key->text) == NULL;
    if (foreign)
      complain(l, key->at, NULL, "'%s' does not belong to the verb '%s'", key->text, first);
    else if (find_verb(key->text) == NULL && !is_sql_key(key->text) && vocab_find(&VOCAB_STEP, key->text) == NULL)
      unknown_key(l, map, key, "a step", (const char *const *)words->pdata, words->len);
  }
  if (*verb == NULL && !*sql && unknown == NULL)
    complain(l, map->at, NULL, "this step has no verb");
  return *verb != NULL || *sql;
}

static bool is_captured(Loader *l, const char *name) {
  bool captured = false;
  for (guint i = 0; i < l->notes->len; i++) {
    const Note *note = &g_array_index(l->notes, Note, i);
    if (note->kind != NOTE_TEXT && strcmp(note->name.s, name) == 0)
      captured = note->kind == NOTE_CAPTURE;
  }
  return captured;
}

/* `id` is a variable of the writers, and of nobody else. */
static void read_workload(Loader *l, const Node *value, const VerbWord *verb, Step *step) {
  const Name id = {"id", value->at};
  const Note forget = {.kind = NOTE_FORGET, .name = id, .where = where_now(l)};
  bool outside = is_captured(l, id.s);
  if (!outside)
    note_capture(l, id);
  read_word(l, value, &verb->word, step);
  if (!outside && !l->in_engine)
    g_array_append_val(l->notes, forget);
}

static void read_verb(Loader *l, const Node *value, const VerbWord *verb, Step *step) {
  step->verb = verb->verb;
  if (verb->verb == VERB_GROUP)
    step->group.label = verb->word.key; /* until it is known of what */
  if (verb->verb == VERB_WORKLOAD)
    read_workload(l, value, verb, step);
  else if (verb->word.type != WORD_SPECIAL)
    read_word(l, value, &verb->word, step);
  else if (strcmp(verb->word.key, "call") == 0)
    read_call(l, value, step);
  else
    read_for_each(l, value, step);
}

static void note_step_captures(Loader *l, const Step *step) {
  if (step->verb == VERB_RUN && step->run.capture.s != NULL)
    note_capture(l, step->run.capture);
  for (guint i = 0; step->verb == VERB_LOG && i < step->log.capture.n; i++)
    note_capture(l, (Name){step->log.capture.v[i].key, step->log.capture.v[i].key_at});
}

/* `block` says how a log's patterns are to be compiled, wherever it stands; what a command prints, the web answers or a file holds is many lines. */
static PatternFlavour flavour_of(Loader *l, const Node *value, const VerbWord *verb) {
  bool block = false;
  if (verb != NULL && (verb->verb == VERB_RUN || verb->verb == VERB_HTTP || verb->verb == VERB_FILE))
    return PATTERN_BLOCK;
  if (verb == NULL || verb->verb != VERB_LOG || resolve(l, value)->kind != NODE_MAP)
    return l->flavour;
  const Node *given = node_get(resolve(l, value), "block");
  return given != NULL && node_is_bool(resolve(l, given), &block) && block ? PATTERN_BLOCK : l->flavour;
}

static void read_step(Loader *l, const Node *map, guint number, GArray *out) {
  const Node *when = node_get(map, "when"), *value = NULL;
  const VerbWord *verb;
  bool sql;
  if (when != NULL && !holds(l, when))
    return;
  if (!choose_verb(l, map, &verb, &value, &sql))
    return;
  Step step;
  memcpy(&step, VOCAB_STEP.defaults, sizeof step);
  step.at = map->at;
  step.number = number;
  for (guint i = 0; i < map->n; i++) {
    const Word *word = vocab_find(&VOCAB_STEP, map->pairs[i].key->text);
    if (word != NULL)
      read_word(l, map->pairs[i].value, word, &step);
  }
  PatternFlavour flavour = l->flavour;
  l->flavour = flavour_of(l, value, verb);
  if (sql)
    read_sql_step(l, map, &step);
  else
    read_verb(l, value, verb, &step);
  l->flavour = flavour;
  note_step_captures(l, &step);
  const Node *restart = node_get(map, "restart_server");
  if (!sql || restart == NULL || step.sql.n_entries > 0 || step.sql.connect_error.given || step.sql.session.s != NULL)
    g_array_append_val(out, step); /* `restart_server` alone needs no session */
  if (sql)
    add_restart(l, map, &step, out);
}

static void read_step_list(Loader *l, const Node *node, Steps *out) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Step));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    l->n_steps++;
    if (!has_room(l, items[i]->at))
      break;
    enter(l, "step %u", i + 1);
    if (want_map(l, items[i], "a step"))
      read_step(l, items[i], i + 1, list);
    leave(l);
  }
  set_list(l, out, list, sizeof(Step));
}

void read_steps(Loader *l, const Node *node, Steps *out) {
  node = resolve(l, node);
  if (node->kind == NODE_SCALAR && !node_is_null(node)) {
    complain(l, node->at, NULL, "steps must be a list of mappings");
    return;
  }
  read_step_list(l, node, out);
}

void read_lanes(Loader *l, const Node *node, TogetherStep *out) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  Steps *lanes = arena_new0(l->arena, Steps, n);
  for (guint i = 0; i < n; i++) {
    enter(l, "lane %u", i + 1);
    read_steps(l, items[i], &lanes[i]);
    leave(l);
  }
  if (n == 0)
    complain(l, node->at, NULL, "'together' needs lists of steps");
  *out = (TogetherStep){n, lanes};
}

/* ---- SQL that stands alone --------------------------------------------------------------------------------------- */

static Step self_step(Loader *l, const Node *node, SqlKind kind, SqlEntry **entry) {
  Step step;
  memcpy(&step, VOCAB_STEP.defaults, sizeof step);
  step.at = node->at;
  step.number = 1;
  *entry = arena_copy(l->arena, VOCAB_ENTRY.defaults, 1, sizeof **entry);
  (*entry)->at = node->at;
  (*entry)->kind = kind;
  read_text(l, node, kind == SQL_QUERY ? "query" : "script", &(*entry)->sql);
  Name *self = arena_new0(l->arena, Name, 1);
  *self = (Name){"self", node->at};
  step.sql.on = (Target){.at = node->at, .servers = {1, self}};
  step.sql.n_entries = 1;
  step.sql.entries = *entry;
  return step;
}

void read_sql_init(Loader *l, const Node *node, Steps *out) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Step));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    SqlEntry *entry;
    enter(l, "init %u", i + 1);
    if (items[i]->kind == NODE_SCALAR) {
      Step step = self_step(l, items[i], SQL_SCRIPT, &entry);
      step.number = i + 1;
      g_array_append_val(list, step);
    } else if (want_map(l, items[i], "an init")) {
      read_step(l, items[i], i + 1, list);
    }
    leave(l);
  }
  set_list(l, out, list, sizeof(Step));
}

void read_position(Loader *l, const Node *node, Steps *out) {
  node = resolve(l, node);
  if (node->kind != NODE_SCALAR) {
    read_steps(l, node, out);
    return;
  }
  SqlEntry *entry;
  Step *step = arena_new0(l->arena, Step, 1);
  *step = self_step(l, node, SQL_QUERY, &entry);
  Capture *capture = arena_new0(l->arena, Capture, 1);
  capture->name = (Name){"position", node->at};
  entry->capture = (Captures){1, capture};
  *out = (Steps){1, step};
}
