/* schema.c - see schema.h. */
#include "yamldef/schema.h"

#include <string.h>
#include "yamldef/vocab.h"

#define REF(name) "{\"$ref\":\"#/definitions/" name "\"}"
#define ANY_OF(...) "{\"anyOf\":[" __VA_ARGS__ "]}"
#define ONE_OR_LIST(item)                                                                                              \
  ANY_OF(item                                                                                                          \
         ",{\"type\":\"array\",\"items\":" ANY_OF(item "," REF("template")) "},{\"type\":\"null\"}," REF("template"))
#define MAP_OF(item) ANY_OF("{\"type\":\"object\",\"additionalProperties\":" item "}," REF("template"))
#define DIGITS_OR_TEMPLATE "{\"type\":\"string\",\"pattern\":\"^[0-9]+$|\\\\{\\\\{\"}"
#define NUMBER(least, most) ANY_OF("{\"type\":\"integer\",\"minimum\":" least most "}," DIGITS_OR_TEMPLATE)

/* What a value may be. A constant, `{{var x}}`, may stand for anything. */
static const struct {
  const char *name, *schema;
} TYPES[] = {
    {"template", "{\"type\":\"string\",\"pattern\":\"\\\\{\\\\{\"}"},
    {"text", "{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]}"},
    {"name", "{\"type\":[\"string\",\"number\",\"boolean\"]}"},
    {"texts", ONE_OR_LIST(REF("text"))},
    {"names", ONE_OR_LIST(REF("name"))},
    {"bool", ANY_OF("{\"type\":\"boolean\"}," REF("template"))},
    {"count", NUMBER("1", "")},
    {"size", NUMBER("0", "")},
    {"status", NUMBER("0", ",\"maximum\":255")},
    {"http-status", NUMBER("100", ",\"maximum\":599")},
    {"exit", ANY_OF(REF("status") ",{\"const\":\"nonzero\"}")},
    {"mode", ANY_OF("{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":\"^(0o)?[0-7]+$|\\\\{\\\\{\"}")},
    {"duration", "{\"type\":\"string\",\"pattern\":\"^[0-9][0-9.eE]*(us|ms|s|m|h)$|\\\\{\\\\{\"}"},
    {"bytes", ANY_OF("{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\",\"pattern\":\"^[0-9]+(B|kB|KiB|MB|MiB|"
                     "GB|GiB)?$|\\\\{\\\\{\"}")},
    {"bandwidth", "{\"type\":\"string\",\"pattern\":\"^[0-9][0-9.eE]*(B|kB|KiB|MB|MiB|GB|GiB)(/s)?$|\\\\{\\\\{\"}"},
    {"pairs", MAP_OF(REF("text"))},
    {"envs", ANY_OF(REF("pairs") "," REF("texts"))},
    {"commands", ANY_OF(REF("texts") "," REF("command") ",{\"type\":\"array\",\"items\":" ANY_OF(
                     REF("texts") "," REF("command")) "}")},
    {"cell-or-text", ANY_OF(REF("text") "," REF("cell"))},
    {"row-list", "{\"type\":\"array\",\"items\":" ANY_OF(
                     REF("cell-or-text") ",{\"type\":\"array\",\"items\":" REF("cell-or-text") "}") "}"},
    {"rows", ANY_OF(REF("row-list") ",{\"type\":\"object\",\"properties\":{\"or\":{\"type\":\"array\",\"items\":" REF(
                 "row-list") "}},\"required\":[\"or\"],\"additionalProperties\":false}," REF("template"))},
    {"captures", ANY_OF(REF("name") "," MAP_OF(REF("name")))},
    {"when", "{\"type\":[\"string\",\"boolean\"]}"},
    {"steps", ONE_OR_LIST(REF("step"))},
    {"lanes", "{\"type\":\"array\",\"minItems\":1,\"items\":" REF("steps") "}"},
    {"sql-init", ONE_OR_LIST(ANY_OF(REF("text") "," REF("step")))},
    {"position", ANY_OF(REF("text") "," REF("steps"))},
    {"link-sides", "{\"type\":\"array\",\"minItems\":2,\"maxItems\":2,\"items\":" REF("names") "}"},
    {"json-cells", MAP_OF(REF("cell-or-text"))},
    {"anything", "{}"},
};

/* Types of words that are nothing but one of these. */
static const char *const TYPE_NAMES[] = {[WORD_TEXT] = "text",
                                         [WORD_TEXTS] = "texts",
                                         [WORD_NAME] = "name",
                                         [WORD_NAMES] = "names",
                                         [WORD_STRING] = "name",
                                         [WORD_BOOL] = "bool",
                                         [WORD_COUNT] = "count",
                                         [WORD_SIZE] = "size",
                                         [WORD_STATUS] = "status",
                                         [WORD_MODE] = "mode",
                                         [WORD_DURATION] = "duration",
                                         [WORD_PAIRS] = "pairs",
                                         [WORD_ENVS] = "envs",
                                         [WORD_ENV_TEXTS] = "envs",
                                         [WORD_PATTERN] = "text",
                                         [WORD_PATTERNS] = "texts",
                                         [WORD_COMMANDS] = "commands",
                                         [WORD_CELL] = "cell-or-text",
                                         [WORD_CELL_POINTER] = "cell-or-text",
                                         [WORD_ROWS] = "rows",
                                         [WORD_ROWS_FILE] = "name",
                                         [WORD_CAPTURES] = "captures",
                                         [WORD_ARGS] = "texts",
                                         [WORD_WHEN] = "when",
                                         [WORD_EXIT] = "exit",
                                         [WORD_STEPS] = "steps",
                                         [WORD_LANES] = "lanes",
                                         [WORD_SQL_INIT] = "sql-init",
                                         [WORD_POSITION] = "position",
                                         [WORD_STOP_MODES] = "pairs",
                                         [WORD_LINK_SIDES] = "link-sides",
                                         [WORD_BANDWIDTH] = "bandwidth",
                                         [WORD_BYTES] = "bytes",
                                         [WORD_HTTP_STATUS] = "http-status",
                                         [WORD_JSON_CELLS] = "json-cells",
                                         [WORD_SPECIAL] = NULL};

/* Words that whoever reads the mapping reads itself, or of which more is known than their type; @ is the vocabulary `of`. */
#define MANY_OF ONE_OR_LIST("@")
static const struct {
  const Vocabulary *in;
  const char *key, *schema;
  const Vocabulary *of;
} SPECIALS[] = {
    {&VOCAB_CELL, "re", REF("text"), NULL},
    {&VOCAB_CELL, "any", REF("bool"), NULL},
    {&VOCAB_CELL, "approx",
     "{\"type\":\"array\",\"minItems\":2,\"maxItems\":2,\"items\":{\"type\":[\"number\",\"string\"]}}", NULL},
    {&VOCAB_CELL, "bytes", REF("name"), NULL},
    {&VOCAB_ENTRY, "query", REF("text"), NULL},
    {&VOCAB_ENTRY, "exec", REF("text"), NULL},
    {&VOCAB_ENTRY, "script", REF("text"), NULL},
    {&VOCAB_DOLT_QUERY, "query", REF("text"), NULL},
    {&VOCAB_DOLT_QUERY, "exec", REF("text"), NULL},
    {&VOCAB_SQL_STEP, "restart_server", "@", &VOCAB_RESTART_SERVER},
    {&VOCAB_CALL, "with", REF("anything"), NULL},
    {&VOCAB_FOR_EACH, "in", REF("anything"), NULL},
    {&VOCAB_FOR_EACH, "steps", REF("steps"), NULL},
    {&VOCAB_READY, "session", REF("bool"), NULL},
    {&VOCAB_READY, "tcp", REF("text"), NULL},
    {&VOCAB_READY, "http", REF("text"), NULL},
    {&VOCAB_READY, "log", REF("text"), NULL},
    {&VOCAB_SERVER, "engine", REF("name"), NULL},
    {&VOCAB_TOPOLOGY, "servers", MANY_OF, &VOCAB_SERVER},
    {&VOCAB_TOPOLOGY, "links", MANY_OF, &VOCAB_LINK},
    {&VOCAB_PROCEDURE, "params", REF("names"), NULL},
    {&VOCAB_PROCEDURE, "steps", REF("steps"), NULL},
    {&VOCAB_TARGET, "role", "{\"enum\":[\"primary\",\"replica\"]}", NULL},
    {&VOCAB_SERVER, "debugger",
     ANY_OF("{\"enum\":[\"dlv\",\"gdbserver\",\"lldb-server\",\"valgrind\"]}," REF("template")), NULL},
    {&VOCAB_TEST, "needs", "@", &VOCAB_NEEDS},
    {&VOCAB_TEST, "matrix", "{\"type\":\"object\"}", NULL},
    {&VOCAB_TEST, "vars", REF("anything"), NULL},
    {&VOCAB_TEST, "topology", REF("name"), NULL},
    {&VOCAB_TEST, "servers", MANY_OF, &VOCAB_SERVER},
    {&VOCAB_TEST, "links", MANY_OF, &VOCAB_LINK},
    {&VOCAB_TEST, "steps", REF("steps"), NULL},
    {&VOCAB_TEST, "finally", REF("steps"), NULL},
    {&VOCAB_FILE, "parallel", REF("bool"), NULL},
    {&VOCAB_FILE, "include", REF("names"), NULL},
    {&VOCAB_FILE, "engines", MAP_OF("@"), &VOCAB_ENGINE},
    {&VOCAB_FILE, "vars", REF("anything"), NULL},
    {&VOCAB_FILE, "topologies", MAP_OF("@"), &VOCAB_TOPOLOGY},
    {&VOCAB_FILE, "procedures", MAP_OF("@"), &VOCAB_PROCEDURE},
    {&VOCAB_FILE, "tests", ONE_OR_LIST(REF("any-test")), NULL},
    {&VOCAB_DOLT_TEST, "repos", MANY_OF, &VOCAB_DOLT_REPO},
    {&VOCAB_DOLT_TEST, "multi_repos", MANY_OF, &VOCAB_DOLT_MULTI_REPO},
    {&VOCAB_DOLT_TEST, "connections", MANY_OF, &VOCAB_DOLT_CONNECTION},
};

/* Keys that exclude each other. */
static const struct {
  const Vocabulary *in;
  const char *one, *other;
} EXCLUDES[] = {
    {&VOCAB_SERVER, "port", "dynamic_port"}, {&VOCAB_DOLT_SERVER, "port", "dynamic_port"},
    {&VOCAB_ENTRY, "query", "exec"},         {&VOCAB_ENTRY, "query", "script"},
    {&VOCAB_ENTRY, "exec", "script"},        {&VOCAB_ENTRY, "exec", "value"},
    {&VOCAB_ENTRY, "exec", "result"},        {&VOCAB_ENTRY, "exec", "capture"},
    {&VOCAB_ENTRY, "script", "value"},       {&VOCAB_ENTRY, "script", "result"},
    {&VOCAB_ENTRY, "script", "capture"},     {&VOCAB_ENTRY, "script", "args"},
    {&VOCAB_SQL_STEP, "queries", "query"},   {&VOCAB_SQL_STEP, "queries", "exec"},
    {&VOCAB_SQL_STEP, "queries", "script"},
};

typedef struct Schema {
  GString *out;
  GPtrArray *known; /* const Vocabulary *: named so far, written in this order */
} Schema;

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static bool is_dolt(const Vocabulary *vocabulary) {
  static const Vocabulary *const DOLT[] = {&VOCAB_DOLT_TEST,       &VOCAB_DOLT_REPO,   &VOCAB_DOLT_MULTI_REPO,
                                           &VOCAB_DOLT_SERVER,     &VOCAB_DOLT_REMOTE, &VOCAB_DOLT_EXTERNAL,
                                           &VOCAB_DOLT_CONNECTION, &VOCAB_DOLT_QUERY};
  for (guint i = 0; i < G_N_ELEMENTS(DOLT); i++)
    if (DOLT[i] == vocabulary) return true;
  return false;
}

/* "a settings_file", the fifth one: settings_file-5. The few that others speak of have their bare names. */
static char *name_of(const Schema *s, const Vocabulary *vocabulary) {
  guint index = 0;
  if (vocabulary == &VOCAB_CELL) return g_strdup("cell");
  if (vocabulary == &VOCAB_COMMAND) return g_strdup("command");
  if (!g_ptr_array_find(s->known, vocabulary, &index)) {
    index = s->known->len;
    g_ptr_array_add(s->known, (gpointer)(guintptr)vocabulary);
  }
  const char *what = vocabulary->what;
  what += g_str_has_prefix(what, "an ") ? 3 : g_str_has_prefix(what, "a ") ? 2 : 0;
  g_autofree char *word = g_strdelimit(g_strdup(what), " ", '-');
  return g_strdup_printf("%s-%u", word, index + 1);
}

static char *reference(const Schema *s, const Vocabulary *vocabulary) {
  g_autofree char *name = name_of(s, vocabulary);
  return g_strdup_printf("{\"$ref\":\"#/definitions/%s\"}", name);
}

static void append_string(GString *out, const char *text) {
  g_string_append_c(out, '"');
  for (const char *p = text; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\') g_string_append_c(out, '\\');
    g_string_append_c(out, *p);
  }
  g_string_append_c(out, '"');
}

/* ---- Words ------------------------------------------------------------------------------------------------------- */

static char *replaced(const char *schema, const char *by) {
  g_auto(GStrv) pieces = g_strsplit(schema, "@", -1);
  return g_strjoinv(by, pieces);
}

static char *special_schema(const Schema *s, const Vocabulary *vocabulary, const Word *word) {
  for (guint i = 0; i < G_N_ELEMENTS(SPECIALS); i++) {
    if (SPECIALS[i].in != vocabulary || strcmp(SPECIALS[i].key, word->key) != 0) continue;
    g_autofree char *of = SPECIALS[i].of == NULL ? NULL : reference(s, SPECIALS[i].of);
    return of == NULL ? g_strdup(SPECIALS[i].schema) : replaced(SPECIALS[i].schema, of);
  }
  return NULL;
}

static char *choice_schema(const Choice *choices) {
  g_autoptr(GString) out = g_string_new("{\"anyOf\":[{\"enum\":[");
  for (const Choice *c = choices; c->word != NULL; c++) {
    if (c != choices) g_string_append_c(out, ',');
    append_string(out, c->word);
  }
  g_string_append(out, "]}," REF("template") "]}");
  return g_strdup(out->str);
}

/* A record, or the value of its obvious key. */
static char *schema_of(const Schema *s, const Vocabulary *vocabulary, const Word *word) {
  g_autofree char *of = NULL, *special = special_schema(s, vocabulary, word);
  if (special != NULL) return g_steal_pointer(&special);
  switch (word->type) {
  case WORD_SPECIAL: g_error("the schema does not know '%s' of %s", word->key, vocabulary->what);
  case WORD_CHOICE: return choice_schema(word->of);
  case WORD_RECORD: return reference(s, word->of);
  case WORD_RECORDS: of = reference(s, word->of); return replaced(MANY_OF, of);
  case WORD_RESULT: return reference(s, &VOCAB_RESULT);
  case WORD_NOTICES: of = reference(s, &VOCAB_NOTICE); return replaced(MANY_OF, of);
  case WORD_ENTRIES:
    of = reference(s, is_dolt(vocabulary) ? &VOCAB_DOLT_QUERY : &VOCAB_ENTRY);
    return replaced(MANY_OF, of);
  case WORD_TARGET: of = reference(s, &VOCAB_TARGET); return replaced(ANY_OF(REF("names") ",@"), of);
  case WORD_READY: of = reference(s, &VOCAB_READY); return replaced(ANY_OF("{\"enum\":[\"none\",\"session\"]},@"), of);
  case WORD_COUNT: return g_strdup(is_dolt(vocabulary) ? REF("size") : REF("count"));
  default:
    if (word->type >= G_N_ELEMENTS(TYPE_NAMES) || TYPE_NAMES[word->type] == NULL)
      g_error("the schema does not know the type of '%s' of %s", word->key, vocabulary->what);
    return g_strdup_printf("{\"$ref\":\"#/definitions/%s\"}", TYPE_NAMES[word->type]);
  }
}

static void append_property(const Schema *s, const Vocabulary *vocabulary, const Word *word, bool *first) {
  g_autofree char *schema = schema_of(s, vocabulary, word);
  g_string_append(s->out, *first ? "\n" : ",\n");
  *first = false;
  append_string(s->out, word->key);
  g_string_append(s->out, ":{\"description\":");
  append_string(s->out, word->help);
  g_string_append_printf(s->out, ",\"anyOf\":[%s%s]}", schema, is_dolt(vocabulary) ? ",{\"type\":\"null\"}" : "");
}

static void append_properties(const Schema *s, const Vocabulary *vocabulary, bool *first) {
  for (guint i = 0; i < vocabulary->n_words; i++) append_property(s, vocabulary, &vocabulary->words[i], first);
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

static void append_required(GString *out, const Vocabulary *vocabulary) {
  bool first = true;
  g_string_append(out, "},\"required\":[");
  for (guint i = 0; i < vocabulary->n_words; i++) {
    if (!vocabulary->words[i].required) continue;
    if (!first) g_string_append_c(out, ',');
    first = false;
    append_string(out, vocabulary->words[i].key);
  }
  g_string_append_c(out, ']');
}

static void append_excludes(GString *out, const Vocabulary *vocabulary) {
  bool any = false;
  for (guint i = 0; i < G_N_ELEMENTS(EXCLUDES); i++) {
    if (EXCLUDES[i].in != vocabulary) continue;
    g_string_append_printf(out, "%s{\"required\":[\"%s\",\"%s\"]}", any ? "," : "{\"not\":{\"anyOf\":[",
                           EXCLUDES[i].one, EXCLUDES[i].other);
    any = true;
  }
  g_string_append(out, any ? "]}}" : "{}");
}

/* Versions of engines stand beside the words of `needs`. */
static void append_object(const Schema *s, const Vocabulary *vocabulary) {
  bool first = true;
  g_string_append(s->out, "{\"type\":\"object\",\"properties\":{");
  append_properties(s, vocabulary, &first);
  append_required(s->out, vocabulary);
  g_string_append(s->out, ",\"allOf\":[");
  append_excludes(s->out, vocabulary);
  g_string_append_c(s->out, ']');
  if (vocabulary == &VOCAB_CELL) g_string_append(s->out, ",\"minProperties\":1,\"maxProperties\":1");
  g_string_append_printf(s->out, ",\"additionalProperties\":%s}", vocabulary == &VOCAB_NEEDS ? REF("text") : "false");
}

static void append_definition(const Schema *s, const char *name, const Vocabulary *vocabulary) {
  g_string_append(s->out, ",\n\n");
  append_string(s->out, name);
  g_string_append(s->out, ":{\"anyOf\":[");
  append_object(s, vocabulary);
  if (vocabulary->obvious != NULL) {
    g_autofree char *alone = schema_of(s, vocabulary, vocab_find(vocabulary, vocabulary->obvious));
    g_string_append_printf(s->out, ",{\"not\":{\"type\":\"object\"},\"allOf\":[%s]}", alone);
  }
  g_string_append(s->out, "," REF("template") "]}");
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static void append_modifier_names(GString *out) {
  for (guint i = 0; i < VOCAB_STEP.n_words; i++) {
    g_string_append_c(out, ',');
    append_string(out, VOCAB_STEP.words[i].key);
  }
}

/* Exactly one verb and no word of SQL, or words of SQL and no verb. */
static void append_step(const Schema *s) {
  bool first = true;
  g_string_append(s->out, ",\n\n\"step\":{\"type\":\"object\",\"properties\":{");
  append_properties(s, &VOCAB_STEP, &first);
  append_properties(s, &VOCAB_SQL_STEP, &first);
  append_properties(s, &VOCAB_SESSION, &first);
  append_properties(s, &VOCAB_ENTRY, &first);
  for (guint i = 0; i < N_VERB_WORDS; i++) {
    const char *key = VERBS[i].word.key;
    if (VERBS[i].word.type != WORD_SPECIAL) {
      append_property(s, &VOCAB_STEP, &VERBS[i].word, &first);
      continue;
    }
    g_autofree char *of = reference(s, strcmp(key, "call") == 0 ? &VOCAB_CALL : &VOCAB_FOR_EACH);
    g_string_append_printf(s->out, ",\n\"%s\":{\"description\":\"%s\",\"anyOf\":[%s]}", key, VERBS[i].word.help, of);
  }
  g_string_append(s->out, "},\"additionalProperties\":false,\"allOf\":[");
  append_excludes(s->out, &VOCAB_ENTRY);
  g_string_append_c(s->out, ',');
  append_excludes(s->out, &VOCAB_SQL_STEP);
  g_string_append(s->out, "],\"oneOf\":[");
  for (guint i = 0; i < N_VERB_WORDS; i++) {
    const char *key = VERBS[i].word.key;
    g_string_append_printf(s->out, "\n{\"required\":[\"%s\"],\"propertyNames\":{\"enum\":[\"%s\"", key, key);
    append_modifier_names(s->out);
    g_string_append(s->out, "]}},");
  }
  g_string_append(s->out, "\n{\"not\":{\"anyOf\":[");
  for (guint i = 0; i < N_VERB_WORDS; i++)
    g_string_append_printf(s->out, "%s{\"required\":[\"%s\"]}", i == 0 ? "" : ",", VERBS[i].word.key);
  g_string_append(s->out, "]},\"anyOf\":[");
  static const char *const SQL[] = {"on",     "session", "query",         "exec",
                                    "script", "queries", "connect_error", "restart_server"};
  for (guint i = 0; i < G_N_ELEMENTS(SQL); i++)
    g_string_append_printf(s->out, "%s{\"required\":[\"%s\"]}", i == 0 ? "" : ",", SQL[i]);
  g_string_append(s->out, "]}]}");
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

void schema_append(GString *out) {
  g_autoptr(GPtrArray) known = g_ptr_array_new();
  const Schema s = {out, known};
  g_autofree char *test = name_of(&s, &VOCAB_TEST), *dolt = name_of(&s, &VOCAB_DOLT_TEST);
  g_string_append(out, "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\n\"title\":\"a definition of tests "
                       "for runner\",\n\"allOf\":[");
  append_object(&s, &VOCAB_FILE);
  g_string_append(out, "],\n\"definitions\":{");
  for (guint i = 0; i < G_N_ELEMENTS(TYPES); i++)
    g_string_append_printf(out, "%s\n\"%s\":%s", i == 0 ? "" : ",", TYPES[i].name, TYPES[i].schema);
  g_string_append_printf(
      out,
      ",\n\"any-test\":{\"if\":{\"anyOf\":[{\"required\":[\"repos\"]},{\"required\":[\"multi_repos\"]},"
      "{\"required\":[\"connections\"]}]},\"then\":{\"$ref\":\"#/definitions/%s\"},\"else\":{\"$ref\":\"#/definitions/"
      "%s\"}}",
      dolt, test);
  append_step(&s);
  append_definition(&s, "cell", &VOCAB_CELL);
  append_definition(&s, "command", &VOCAB_COMMAND);
  for (guint i = 0; i < known->len; i++) { /* grows while it is written */
    g_autofree char *name = name_of(&s, known->pdata[i]);
    append_definition(&s, name, known->pdata[i]);
  }
  g_string_append(out, "}}\n");
}
