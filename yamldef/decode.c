/* decode.c - see decode.h. */
#include "yamldef/decode.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- Problems ---------------------------------------------------------------------------------------------------- */

const char *where_now(Loader *l) {
  if (l->where->len == 0)
    return NULL;
  g_autoptr(GString) text = g_string_new("in ");
  for (guint i = l->where->len; i > 0; i--)
    g_string_append_printf(text, "%s%s", i < l->where->len ? " of " : "", (const char *)l->where->pdata[i - 1]);
  return arena_string(l->arena, text->str);
}

void enter(Loader *l, const char *format, ...) {
  va_list words;
  va_start(words, format);
  g_ptr_array_add(l->where, g_strdup_vprintf(format, words));
  va_end(words);
}

void leave(Loader *l) { g_ptr_array_remove_index(l->where, l->where->len - 1); }

void complain(Loader *l, Place at, const char *hint, const char *format, ...) {
  va_list words;
  va_start(words, format);
  g_autofree char *what = g_strdup_vprintf(format, words);
  va_end(words);
  problems_add(l->problems, false, at, where_now(l), hint, what);
}

void doubt(Loader *l, Place at, const char *hint, const char *format, ...) {
  va_list words;
  va_start(words, format);
  g_autofree char *what = g_strdup_vprintf(format, words);
  va_end(words);
  problems_add(l->problems, true, at, where_now(l), hint, what);
}

GPtrArray *keys_of(GHashTable *table) {
  GPtrArray *keys = g_ptr_array_new();
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, table);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    g_ptr_array_add(keys, key);
  return keys;
}

char *did_you_mean(const char *word, const char *const *candidates, guint n) {
  const char *nearest = nearest_word(word, candidates, n);
  return nearest == NULL ? NULL : g_strdup_printf("did you mean '%s'?", nearest);
}

static void wrong_type(Loader *l, const Node *node, const char *what, const char *wanted) {
  g_autofree char *got = node_describe(node);
  complain(l, node->at, NULL, "'%s' must be %s, not %s", what, wanted, got);
}

/* ---- Scalars ----------------------------------------------------------------------------------------------------- */

bool read_name(Loader *l, const Node *node, const char *what, Name *out) {
  *out = (Name){read_constant(l, node, what), node->at};
  return out->s != NULL;
}

/* Where Go's library wants a bool it takes these words of YAML 1.1 too. */
static bool is_go_bool(const Node *node, bool *value) {
  static const char *const WORDS[] = {"n", "no", "off", "y", "yes", "on"};
  for (guint i = 0; node->kind == NODE_SCALAR && node->plain && i < G_N_ELEMENTS(WORDS); i++) {
    if (g_ascii_strcasecmp(node->text, WORDS[i]) == 0) {
      *value = i >= 3;
      return true;
    }
  }
  return false;
}

bool read_bool(Loader *l, const Node *node, const char *what, bool *out) {
  node = resolve(l, node);
  bool value;
  if (!node_is_bool(node, &value) && !(l->dolt && is_go_bool(node, &value))) {
    wrong_type(l, node, what, "true or false");
    return false;
  }
  *out = value;
  return true;
}

bool read_count(Loader *l, const Node *node, const char *what, guint64 least, guint64 most, guint64 *out) {
  const char *text = read_constant(l, node, what);
  if (text == NULL)
    return false;
  if (g_ascii_string_to_unsigned(text, 10, least, most, out, NULL))
    return true;
  g_autofree char *wanted =
      most > G_MAXINT32
          ? g_strdup_printf("a whole number, %" G_GUINT64_FORMAT " or more", least)
          : g_strdup_printf("a whole number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, least, most);
  complain(l, node->at, NULL, "'%s' must be %s, not '%s'", what, wanted, text);
  return false;
}

static bool parse_duration(const char *text, gint64 *out) {
  static const struct {
    const char *unit;
    double factor;
  } UNITS[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};
  char *end;
  if (!g_ascii_isdigit(*text))
    return false;
  double value = g_ascii_strtod(text, &end);
  for (guint i = 0; i < G_N_ELEMENTS(UNITS); i++) {
    double us = value * UNITS[i].factor;
    if (strcmp(end, UNITS[i].unit) == 0 && us >= 1 && us <= 1000.0 * 3600e6) {
      *out = (gint64)us;
      return true;
    }
  }
  return false;
}

bool read_duration(Loader *l, const Node *node, const char *what, gint64 *out) {
  const char *text = read_constant(l, node, what);
  if (text == NULL)
    return false;
  if (parse_duration(text, out))
    return true;
  bool bare = strspn(text, "0123456789.") == strlen(text);
  g_autofree char *hint = bare ? g_strdup_printf("a duration needs its unit: %ss", text) : NULL;
  complain(l, node->at, hint, "'%s' must be a duration such as 250ms, 5s or 2m, not '%s'", what, text);
  return false;
}

bool read_pattern(Loader *l, const Node *node, const char *what, PatternText *out) {
  *out = (PatternText){0};
  if (!read_text(l, node, what, &out->text))
    return false;
  if (out->text.n_parts > 0)
    return true;
  g_autoptr(GError) error = NULL;
  Pattern *pattern = pattern_new(out->text.raw, out->text.len, l->flavour, &error);
  if (pattern == NULL) {
    complain(l, node->at, NULL, "the pattern of '%s' does not compile: %s", what, error->message);
    return false;
  }
  g_ptr_array_add(l->patterns, pattern);
  out->compiled = pattern;
  return true;
}

static void read_mode(Loader *l, const Node *node, const char *what, int *out) {
  const char *text = read_constant(l, node, what);
  if (text == NULL)
    return;
  const char *digits = g_str_has_prefix(text, "0o") ? text + 2 : text;
  guint64 value;
  if (g_ascii_string_to_unsigned(digits, 8, 0, 07777, &value, NULL))
    *out = (int)value;
  else
    complain(l, node->at, NULL, "'%s' must be an octal number such as 0644, not '%s'", what, text);
}

static void read_choice(Loader *l, const Node *node, const Word *word, void *field) {
  const char *text = read_constant(l, node, word->key);
  if (text == NULL)
    return;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  g_autoptr(GString) all = g_string_new(NULL);
  for (const Choice *c = word->of; c->word != NULL; c++) {
    if (strcmp(c->word, text) == 0) {
      memcpy(field, &c->value, sizeof c->value);
      return;
    }
    g_ptr_array_add(words, (gpointer)(guintptr)c->word);
    g_string_append_printf(all, "%s%s", all->len == 0 ? "" : c[1].word == NULL ? " or " : ", ", c->word);
  }
  g_autofree char *hint = did_you_mean(text, (const char *const *)words->pdata, words->len);
  complain(l, node->at, hint, "'%s' must be %s, not '%s'", word->key, all->str, text);
}

/* ---- Lists and mappings ------------------------------------------------------------------------------------------ */

typedef struct AnyList {
  guint n;
  const void *v;
} AnyList;

void set_list(Loader *l, void *field, const GArray *from, gsize item_size) {
  AnyList list = {from->len, arena_copy(l->arena, from->data, from->len, item_size)};
  memcpy(field, &list, sizeof list);
}

bool want_map(Loader *l, const Node *node, const char *what) {
  if (node->kind == NODE_MAP)
    return true;
  g_autofree char *got = node_describe(node);
  complain(l, node->at, NULL, "%s must be a mapping (key: value), not %s", what, got);
  return false;
}

void add_words(GPtrArray *candidates, const Vocabulary *vocabulary) {
  for (guint i = 0; i < vocabulary->n_words; i++)
    g_ptr_array_add(candidates, (gpointer)(guintptr)vocabulary->words[i].key);
}

/* `{on: a, exec: INSERT INTO t VALUES (1, 2)}`: what follows the comma came out as a key without a value. */
static const Node *cut_off_sql(const Node *map, const Node *key) {
  static const char *const SQL_KEYS[] = {"query", "exec", "script", "init", "role", "value"};
  const Node *cut = NULL;
  for (guint i = 0; map->flow && i < map->n; i++) {
    if (map->pairs[i].key == key)
      return node_is_null(map->pairs[i].value) ? cut : NULL;
    if (map->pairs[i].value->kind != NODE_SCALAR)
      continue;
    for (guint k = 0; k < G_N_ELEMENTS(SQL_KEYS); k++)
      if (strcmp(map->pairs[i].key->text, SQL_KEYS[k]) == 0 && map->pairs[i].value->plain)
        cut = map->pairs[i].key;
  }
  return NULL;
}

void unknown_key(Loader *l, const Node *map, const Node *key, const char *what, const char *const *candidates,
                 guint n) {
  const Node *cut = cut_off_sql(map, key);
  g_autofree char *hint = NULL;
  if (cut != NULL)
    hint = g_strdup_printf("a comma within { } ends an unquoted value: put the text of '%s' in quotes", cut->text);
  else
    hint = did_you_mean(key->text, candidates, n);
  complain(l, key->at, hint, "unknown key '%s' in %s", key->text, what);
}

static void read_texts(Loader *l, const Node *node, const char *what, void *field) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Text));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    Text text;
    if (read_text(l, items[i], what, &text))
      g_array_append_val(list, text);
  }
  set_list(l, field, list, sizeof(Text));
}

static void read_names(Loader *l, const Node *node, const char *what, void *field) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Name));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    Name name;
    if (read_name(l, items[i], what, &name))
      g_array_append_val(list, name);
  }
  set_list(l, field, list, sizeof(Name));
}

static void read_patterns(Loader *l, const Node *node, const char *what, void *field) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(PatternText));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    PatternText pattern; /* a broken one counts too, so that nobody misses it */
    read_pattern(l, items[i], what, &pattern);
    g_array_append_val(list, pattern);
  }
  set_list(l, field, list, sizeof(PatternText));
}

static bool read_pair(Loader *l, const NodePair *from, Pair *out) {
  const Node *value = resolve(l, from->value);
  Text key;
  if (!read_text(l, from->key, from->key->text, &key))
    return false;
  *out = (Pair){.key = key.raw, .key_at = from->key->at, .is_null = node_is_null(value)};
  return read_text(l, value, from->key->text, &out->value);
}

static void read_pairs(Loader *l, const Node *node, const char *what, void *field) {
  node = resolve(l, node);
  if (node->kind != NODE_MAP) {
    wrong_type(l, node, what, "a mapping (key: value)");
    return;
  }
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Pair));
  for (guint i = 0; i < node->n; i++) {
    Pair pair;
    if (read_pair(l, &node->pairs[i], &pair))
      g_array_append_val(list, pair);
  }
  set_list(l, field, list, sizeof(Pair));
}

/* ---- Environments: K=V ------------------------------------------------------------------------------------------- */

static Text text_from(const char *raw, gsize len, Place at) { return (Text){.raw = raw, .len = len, .at = at}; }

/* The text behind `K=`; parts keep what they are, but the first begins later. */
static Text text_behind(Loader *l, const Text *text, gsize skip) {
  Text rest = *text;
  rest.raw += skip;
  rest.len -= skip;
  if (text->n_parts > 0) {
    TextPart *parts = arena_copy(l->arena, text->parts, text->n_parts, sizeof *parts);
    parts[0].literal += skip;
    parts[0].len -= skip;
    rest.parts = parts;
  }
  return rest;
}

static bool split_env(Loader *l, const Text *text, Pair *out) {
  const char *equals = strchr(text->raw, '=');
  gsize literal = text->n_parts == 0 ? text->len : text->parts[0].is_call ? 0 : text->parts[0].len;
  if (equals == NULL || equals == text->raw || (gsize)(equals - text->raw) >= literal) {
    complain(l, text->at, NULL, "an environment entry is NAME=VALUE, not '%s'", text->raw);
    return false;
  }
  gsize n = (gsize)(equals - text->raw);
  *out = (Pair){.key = arena_bytes(l->arena, text->raw, n), .key_at = text->at, .value = text_behind(l, text, n + 1)};
  return true;
}

static void read_envs(Loader *l, const Node *node, const char *what, void *field) {
  node = resolve(l, node);
  if (node->kind == NODE_MAP) {
    read_pairs(l, node, what, field);
    return;
  }
  Texts texts;
  read_texts(l, node, what, &texts);
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Pair));
  for (guint i = 0; i < texts.n; i++) {
    Pair pair;
    if (split_env(l, &texts.v[i], &pair))
      g_array_append_val(list, pair);
  }
  set_list(l, field, list, sizeof(Pair));
}

static Text join_env(Loader *l, const Pair *pair) {
  gsize n = strlen(pair->key) + 1;
  char *head = arena_printf(l->arena, "%s=", pair->key);
  Text text = text_from(arena_printf(l->arena, "%s%s", head, pair->value.raw), n + pair->value.len, pair->key_at);
  if (pair->value.n_parts > 0) {
    TextPart *parts = arena_new0(l->arena, TextPart, pair->value.n_parts + 1);
    parts[0] = (TextPart){.literal = head, .len = n};
    memcpy(parts + 1, pair->value.parts, pair->value.n_parts * sizeof *parts);
    text.parts = parts;
    text.n_parts = pair->value.n_parts + 1;
  }
  return text;
}

static void read_env_texts(Loader *l, const Node *node, const char *what, void *field) {
  Pairs pairs = {0};
  read_envs(l, node, what, &pairs);
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Text));
  for (guint i = 0; i < pairs.n; i++) {
    Text text = join_env(l, &pairs.v[i]);
    g_array_append_val(list, text);
  }
  set_list(l, field, list, sizeof(Text));
}

/* ---- Records ----------------------------------------------------------------------------------------------------- */

static const Node *as_map(Loader *l, const Node *node, const Vocabulary *vocabulary, const Word **obvious) {
  *obvious = NULL;
  if (node->kind == NODE_MAP)
    return node;
  if (vocabulary->obvious != NULL && !node_is_null(node)) {
    *obvious = vocab_find(vocabulary, vocabulary->obvious);
    return node;
  }
  want_map(l, node, vocabulary->what);
  return NULL;
}

static void want_required(Loader *l, const Node *map, const Vocabulary *vocabulary, const Word *obvious) {
  for (guint i = 0; i < vocabulary->n_words; i++) {
    const Word *word = &vocabulary->words[i];
    if (word->required && word != obvious && node_get(map, word->key) == NULL)
      complain(l, map->at, NULL, "%s needs '%s'", vocabulary->what, word->key);
  }
}

/* Go's structs cannot tell null, or an empty name, from nothing. */
static bool not_given_in_go(const Node *value, const Word *word) {
  bool name = word->type == WORD_STRING || word->type == WORD_NAME;
  return node_is_null(value) || (name && value->kind == NODE_SCALAR && value->len == 0);
}

void read_record(Loader *l, const Node *node, const Vocabulary *vocabulary, void *base) {
  node = resolve(l, node);
  if (vocabulary->place > 0)
    memcpy((char *)base + vocabulary->place - 1, &node->at, sizeof node->at);
  const Word *obvious;
  if (as_map(l, node, vocabulary, &obvious) == NULL)
    return;
  if (obvious != NULL)
    read_word(l, node, obvious, base);
  for (guint i = 0; node->kind == NODE_MAP && i < node->n; i++) {
    const Word *word = vocab_find(vocabulary, node->pairs[i].key->text);
    if (word != NULL && l->dolt && not_given_in_go(node->pairs[i].value, word))
      continue;
    if (word != NULL) {
      read_word(l, node->pairs[i].value, word, base);
      continue;
    }
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    add_words(words, vocabulary);
    unknown_key(l, node, node->pairs[i].key, vocabulary->what, (const char *const *)words->pdata, words->len);
  }
  want_required(l, node, vocabulary, obvious);
}

/* Some structs need a last look that their words cannot give. */
static void finish_record(Loader *l, const Vocabulary *vocabulary, void *base) {
  if (vocabulary == &VOCAB_WITH_FILE)
    finish_with_file(l, base);
}

static void read_records(Loader *l, const Node *node, const Vocabulary *vocabulary, void *field) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  char *all = arena_alloc(l->arena, n, vocabulary->size);
  for (guint i = 0; i < n; i++) {
    void *one = all + i * vocabulary->size;
    if (vocabulary->defaults != NULL)
      memcpy(one, vocabulary->defaults, vocabulary->size);
    read_record(l, items[i], vocabulary, one);
    finish_record(l, vocabulary, one);
  }
  AnyList list = {n, all};
  memcpy(field, &list, sizeof list);
}

/* Lists of argument lists; a list of words alone is one command. */
static void read_commands(Loader *l, const Node *node, void *field) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  bool nested = false;
  for (guint i = 0; i < n; i++)
    nested = nested || items[i]->kind != NODE_SCALAR;
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Command));
  for (guint i = 0; i < (nested ? n : MIN(n, 1)); i++) {
    Command command = {0};
    read_record(l, nested ? items[i] : resolve(l, node), &VOCAB_COMMAND, &command);
    if (command.argv.n == 0)
      complain(l, items[i]->at, NULL, "a command needs a program");
    g_array_append_val(list, command);
  }
  set_list(l, field, list, sizeof(Command));
}

static void read_args(Loader *l, const Node *node, void *field) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(SqlArg));
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    SqlArg arg = {.is_null = node_is_null(items[i])};
    if (read_text(l, items[i], "args", &arg.text))
      g_array_append_val(list, arg);
  }
  set_list(l, field, list, sizeof(SqlArg));
}

static void read_exit(Loader *l, const Node *node, RunStep *run) {
  const Node *resolved = resolve(l, node);
  guint64 status;
  if (resolved->kind == NODE_SCALAR && strcmp(resolved->text, "nonzero") == 0) {
    run->exit_wish = EXIT_NONZERO;
  } else if (read_count(l, node, "exit", 0, 255, &status)) {
    run->exit_wish = EXIT_STATUS;
    run->exit_status = (int)status;
  }
}

/* ---- The table of types ------------------------------------------------------------------------------------------ */

static void read_number(Loader *l, const Node *node, const Word *word, void *field) {
  guint64 value;
  switch (word->type) {
  case WORD_COUNT: { /* Dolt's own files may say 0 for "not at all" */
    guint count;
    if (read_count(l, node, word->key, l->dolt ? 0 : 1, 1000000000, &value)) {
      count = (guint)value;
      memcpy(field, &count, sizeof count);
    }
    break;
  }
  case WORD_SIZE:
    if (read_count(l, node, word->key, 0, G_MAXINT64, &value))
      memcpy(field, &value, sizeof value);
    break;
  case WORD_STATUS:
    if (read_count(l, node, word->key, 0, 255, &value)) {
      int status = (int)value;
      memcpy(field, &status, sizeof status);
    }
    break;
  default: break;
  }
}

/* Types of one struct each, which other files read. */
static void read_struct(Loader *l, const Node *node, const Word *word, void *field) {
  switch (word->type) {
  case WORD_CELL: read_cell(l, node, word->key, field); break;
  case WORD_CELL_POINTER: read_cell_pointer(l, node, word->key, field); break;
  case WORD_RESULT: read_result(l, node, field); break;
  case WORD_ROWS: read_rows(l, node, field); break;
  case WORD_ROWS_FILE: read_rows_file(l, node, field); break;
  case WORD_NOTICES: read_notices(l, node, field); break;
  case WORD_CAPTURES: read_captures(l, node, field); break;
  case WORD_ARGS: read_args(l, node, field); break;
  case WORD_ENTRIES: read_entries(l, node, field); break;
  case WORD_TARGET: read_target(l, node, field); break;
  case WORD_WHEN: read_when(l, node, field); break;
  case WORD_EXIT: read_exit(l, node, field); break;
  case WORD_STEPS: read_steps(l, node, field); break;
  case WORD_LANES: read_lanes(l, node, field); break;
  case WORD_SQL_INIT: read_sql_init(l, node, field); break;
  case WORD_POSITION: read_position(l, node, field); break;
  case WORD_READY: read_ready(l, node, field); break;
  case WORD_STOP_MODES: read_stop_modes(l, node, field); break;
  case WORD_LINK_SIDES: read_link_sides(l, node, field); break;
  case WORD_BANDWIDTH: read_bandwidth(l, node, word->key, field); break;
  case WORD_HTTP_STATUS: read_http_status(l, node, word->key, field); break;
  case WORD_BYTES: read_bytes_count(l, node, word->key, field); break;
  case WORD_JSON_CELLS: read_json_cells(l, node, word->key, field); break;
  default: break;
  }
}

void read_word(Loader *l, const Node *node, const Word *word, void *base) {
  void *field = (char *)base + word->offset;
  if (word->given > 0)
    *(bool *)((char *)base + word->given - 1) = true;
  switch (word->type) {
  case WORD_TEXT: read_text(l, node, word->key, field); break;
  case WORD_TEXTS: read_texts(l, node, word->key, field); break;
  case WORD_NAME: read_name(l, node, word->key, field); break;
  case WORD_NAMES: read_names(l, node, word->key, field); break;
  case WORD_STRING: *(const char **)field = read_constant(l, node, word->key); break;
  case WORD_BOOL: read_bool(l, node, word->key, field); break;
  case WORD_COUNT:
  case WORD_SIZE:
  case WORD_STATUS: read_number(l, node, word, field); break;
  case WORD_MODE: read_mode(l, node, word->key, field); break;
  case WORD_DURATION: read_duration(l, node, word->key, field); break;
  case WORD_PAIRS: read_pairs(l, node, word->key, field); break;
  case WORD_ENVS: read_envs(l, node, word->key, field); break;
  case WORD_ENV_TEXTS: read_env_texts(l, node, word->key, field); break;
  case WORD_PATTERN: read_pattern(l, node, word->key, field); break;
  case WORD_PATTERNS: read_patterns(l, node, word->key, field); break;
  case WORD_COMMANDS: read_commands(l, node, field); break;
  case WORD_CHOICE: read_choice(l, node, word, field); break;
  case WORD_RECORD: read_record(l, node, word->of, field); break;
  case WORD_RECORDS: read_records(l, node, word->of, field); break;
  case WORD_SPECIAL: break;
  default: read_struct(l, node, word, field);
  }
}
