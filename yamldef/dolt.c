/* dolt.c - Dolt's own format into the one model: repos and multi_repos become servers, connections become steps. */
#include "yamldef/decode.h"

#include <string.h>

/* ---- Small constant texts ---------------------------------------------------------------------------------------- */

static Text text_of(Loader *l, const char *text, Place at) {
  return (Text){.raw = arena_string(l->arena, text), .len = strlen(text), .at = at};
}

/* `dolt init` and the like: the program is the profile's, so that DOLT_BIN_PATH counts. */
static Command dolt_command(Loader *l, Place at, const char *cwd, guint n, const Text *args) {
  const Engine *engine = dolt_driver_engine(l);
  Text *argv = arena_new0(l->arena, Text, n + 1);
  argv[0] = engine->command.n > 0 ? engine->command.v[0] : text_of(l, "dolt", at);
  memcpy(argv + 1, args, n * sizeof *args);
  return (Command){.argv = {n + 1, argv}, .cwd = cwd, .at = at};
}

static Text prefixed(Loader *l, const char *prefix, const Text *text) {
  g_autofree char *head = g_strconcat(prefix, "/", NULL);
  gsize n = strlen(head);
  g_autofree char *raw = g_strconcat(head, text->raw, NULL);
  Text out = text_of(l, raw, text->at);
  if (text->n_parts > 0) {
    TextPart *parts = arena_new0(l->arena, TextPart, text->n_parts + 1);
    parts[0] = (TextPart){.literal = arena_string(l->arena, head), .len = n};
    memcpy(parts + 1, text->parts, text->n_parts * sizeof *parts);
    out.parts = parts;
    out.n_parts = text->n_parts + 1;
  }
  return out;
}

/* ---- Repos ------------------------------------------------------------------------------------------------------- */

/* What is done in a repo's directory; `below` is NULL when that is the server's own. */
static void add_repo_commands(Loader *l, const DoltRepo *repo, const char *below, GArray *setup, GArray *prepare) {
  Text init = text_of(l, "init", repo->at);
  Command command = dolt_command(l, repo->at, below, 1, &init);
  g_array_append_val(setup, command);
  for (guint i = 0; i < repo->remotes.n; i++) {
    const DoltRemote *remote = &repo->remotes.v[i];
    Text args[] = {text_of(l, "remote", repo->at), text_of(l, "add", repo->at), remote->name, remote->url};
    command = dolt_command(l, repo->at, below, G_N_ELEMENTS(args), args);
    g_array_append_val(prepare, command);
  }
}

static void check_dir(Loader *l, Name name) {
  if (name.s == NULL)
    return;
  g_auto(GStrv) parts = g_strsplit(name.s, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++) {
    if (parts[i][0] == '\0' || strcmp(parts[i], "..") == 0 || strcmp(parts[i], ".") == 0) {
      complain(l, name.at, NULL, "the name '%s' would not be a directory below the test's", name.s);
      return;
    }
  }
}

static Server new_server(Loader *l, Name name, Place at) {
  Server server;
  memcpy(&server, VOCAB_SERVER.defaults, sizeof server);
  server.at = at;
  server.name = name;
  server.dir = name.s;
  server.home = "";
  server.engine = dolt_driver_engine(l);
  server.runs = false;
  server.lazy_ready = true;
  check_dir(l, name);
  return server;
}

static void put_server(Loader *l, const DoltServer *from, Server *to) {
  to->runs = true;
  if (from->name.s != NULL)
    to->name = from->name;
  to->args = from->args;
  to->envs = from->envs;
  to->port = from->port;
  to->dynamic_port = from->dynamic_port;
  to->debug_port = from->debug_port;
  to->log_matches = from->log_matches;
  to->log_not_matches = from->log_not_matches;
  to->error_matches = from->error_matches;
  to->has_error_matches = from->has_error_matches;
  if (from->port.raw != NULL && from->dynamic_port.raw != NULL)
    complain(l, from->dynamic_port.at, NULL, "'port' and 'dynamic_port' exclude each other");
}

static void put_external(const DoltExternal *from, Server *to) {
  if (from->name.s != NULL)
    to->name = from->name;
  to->external = true;
  to->external_host = from->host;
  to->external_port = from->port;
  to->words = from->words;
}

static void add_repo(Loader *l, const DoltRepo *repo, GArray *servers) {
  g_autoptr(GArray) setup = g_array_new(FALSE, TRUE, sizeof(Command)),
                    prepare = g_array_new(FALSE, TRUE, sizeof(Command));
  if (repo->name.s == NULL)
    return;
  Server server = new_server(l, repo->name, repo->at);
  add_repo_commands(l, repo, NULL, setup, prepare);
  set_list(l, &server.setup, setup, sizeof(Command));
  set_list(l, &server.prepare, prepare, sizeof(Command));
  server.files = repo->files;
  if (repo->has_server && repo->has_external)
    complain(l, repo->at, NULL, "'server' and 'external-server' exclude each other");
  else if (repo->has_server)
    put_server(l, &repo->server, &server);
  else if (repo->has_external)
    put_external(&repo->external, &server);
  /* Its sessions begin in the repository; those of a multi_repo's server in none. */
  if (repo->name.s != NULL)
    server.words.database = text_of(l, repo->name.s, repo->at);
  g_array_append_val(servers, server);
}

static void add_multi_repo(Loader *l, const DoltMultiRepo *multi, GArray *servers) {
  g_autoptr(GArray) setup = g_array_new(FALSE, TRUE, sizeof(Command)),
                    prepare = g_array_new(FALSE, TRUE, sizeof(Command)),
                    files = g_array_new(FALSE, TRUE, sizeof(WithFile));
  if (multi->name.s == NULL)
    return;
  Server server = new_server(l, multi->name, multi->at);
  for (guint i = 0; i < multi->repos.n; i++) {
    const DoltRepo *repo = &multi->repos.v[i];
    if (repo->has_server || repo->has_external)
      complain(l, repo->at, NULL, "a repo of a multi_repo has no server of its own");
    if (repo->name.s == NULL)
      continue;
    check_dir(l, repo->name);
    add_repo_commands(l, repo, repo->name.s, setup, prepare);
    for (guint f = 0; f < repo->files.n; f++) {
      WithFile file = repo->files.v[f];
      if (file.name.raw != NULL)
        file.name = prefixed(l, repo->name.s, &file.name);
      g_array_append_val(files, file);
    }
  }
  g_array_append_vals(files, multi->files.v, multi->files.n);
  set_list(l, &server.setup, setup, sizeof(Command));
  set_list(l, &server.prepare, prepare, sizeof(Command));
  set_list(l, &server.files, files, sizeof(WithFile));
  server.home = multi->name.s;
  if (multi->has_server)
    put_server(l, &multi->server, &server);
  g_array_append_val(servers, server);
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

/* What becomes of a word of the MySQL driver for Go: passed on to the session; without meaning here (Go's own types and
 * bookkeeping); or refused, since it would change what a statement gives. */
typedef enum ParamFate { PARAM_PASSED, PARAM_MEANINGLESS, PARAM_TLS, PARAM_MUST_BE } ParamFate;
typedef struct DriverParam {
  const char *key;
  ParamFate fate;
  const char *must_be;
} DriverParam;

static const DriverParam DRIVER_PARAMS[] = {
    {"allowCleartextPasswords", PARAM_PASSED, NULL},
    {"allowAllFiles", PARAM_PASSED, NULL},
    {"multiStatements", PARAM_PASSED, NULL},
    {"timeout", PARAM_PASSED, NULL},
    {"readTimeout", PARAM_PASSED, NULL},
    {"writeTimeout", PARAM_PASSED, NULL},
    {"charset", PARAM_PASSED, NULL},
    {"collation", PARAM_PASSED, NULL},
    {"clientFoundRows", PARAM_PASSED, NULL},
    {"tls", PARAM_TLS, NULL},
    {"interpolateParams", PARAM_MEANINGLESS, NULL},
    {"checkConnLiveness", PARAM_MEANINGLESS, NULL},
    {"loc", PARAM_MEANINGLESS, NULL},
    {"maxAllowedPacket", PARAM_MEANINGLESS, NULL},
    {"connectionAttributes", PARAM_MEANINGLESS, NULL},
    {"parseTime", PARAM_MUST_BE, "false"},
    {"columnsWithAlias", PARAM_MUST_BE, "false"},
    {"rejectReadOnly", PARAM_MUST_BE, "false"},
    {"allowOldPasswords", PARAM_MUST_BE, "false"},
    {"allowNativePasswords", PARAM_MUST_BE, "true"},
    {"serverPubKey", PARAM_MUST_BE, ""},
};

static const DriverParam *find_param(Loader *l, const Pair *pair) {
  const char *words[G_N_ELEMENTS(DRIVER_PARAMS)];
  for (guint i = 0; i < G_N_ELEMENTS(DRIVER_PARAMS); i++) {
    if (strcmp(DRIVER_PARAMS[i].key, pair->key) == 0)
      return &DRIVER_PARAMS[i];
    words[i] = DRIVER_PARAMS[i].key;
  }
  g_autofree char *hint = did_you_mean(pair->key, words, G_N_ELEMENTS(words));
  complain(l, pair->key_at, hint, "unknown driver parameter '%s'", pair->key);
  return NULL;
}

/* The driver's `true` verifies against the system's authorities, which `verify` without `ca` means as well. */
static TlsMode tls_mode(Loader *l, const Pair *pair) {
  static const Choice MODES[] = {
      {"true", TLS_VERIFY}, {"false", TLS_OFF}, {"skip-verify", TLS_REQUIRE}, {"preferred", TLS_PREFER}, {NULL, 0}};
  for (const Choice *mode = MODES; mode->word != NULL; mode++)
    if (g_ascii_strcasecmp(pair->value.raw, mode->word) == 0)
      return (TlsMode)mode->value;
  complain(l, pair->value.at, NULL,
           "the driver parameter 'tls' must be true, false, skip-verify or preferred, not '%s'", pair->value.raw);
  return TLS_UNSET;
}

static void map_params(Loader *l, SessionWords *words) {
  g_autoptr(GArray) passed = g_array_new(FALSE, TRUE, sizeof(Pair));
  for (guint i = 0; i < words->params.n; i++) {
    const Pair *pair = &words->params.v[i];
    const DriverParam *param = find_param(l, pair);
    if (param == NULL)
      continue;
    if (param->fate == PARAM_PASSED)
      g_array_append_val(passed, *pair);
    else if (param->fate == PARAM_TLS)
      words->tls = tls_mode(l, pair);
    else if (param->fate == PARAM_MUST_BE && g_ascii_strcasecmp(pair->value.raw, param->must_be) != 0)
      complain(l, pair->value.at, NULL, "the driver parameter '%s' can only be '%s' here", pair->key, param->must_be);
  }
  set_list(l, &words->params, passed, sizeof(Pair));
}

static void map_password_file(Loader *l, Text *file) {
  g_autofree char *path = file->raw == NULL ? NULL : put_testgendir(l, file->at, file->raw);
  if (path != NULL && file->n_parts == 0)
    *file = text_of(l, path, file->at);
}

static Step new_step(Verb verb, Place at, guint number) {
  Step step;
  memcpy(&step, VOCAB_STEP.defaults, sizeof step);
  step.at = at;
  step.verb = verb;
  step.number = number;
  return step;
}

static void add_connection(Loader *l, const DoltConnection *from, guint number, GArray *steps) {
  Name *on = arena_copy(l->arena, &from->on, 1, sizeof *on);
  if (on->s == NULL)
    return;
  Step step = new_step(VERB_SQL, from->at, number);
  step.sql.on = (Target){.at = on->at, .servers = {1, on}};
  step.sql.words = from->words;
  step.sql.n_entries = from->entries.n;
  step.sql.entries = from->entries.v;
  step.sql.connection_attempts = from->retry_attempts;
  map_params(l, &step.sql.words);
  map_password_file(l, &step.sql.words.password_file);
  g_array_append_val(steps, step);
  if (!from->has_restart)
    return;
  step = new_step(VERB_RESTART, from->at, number);
  step.life = from->restart;
  step.life.servers = (Names){1, on};
  step.life.lasting = true;
  g_array_append_val(steps, step);
}

/* ---- A test ------------------------------------------------------------------------------------------------------ */

static const Node *const *items_in(Loader *l, const Node *map, const char *key, guint *n) {
  const Node *list = node_get(map, key);
  *n = 0;
  return list == NULL ? NULL : items_of(l, list, n);
}

static void read_dolt_servers(Loader *l, const Node *map, GArray *servers) {
  guint n;
  const Node *const *items = items_in(l, map, "repos", &n);
  l->in_server = true;
  for (guint i = 0; i < n; i++) {
    DoltRepo repo = {0};
    enter(l, "repo %u", i + 1);
    read_record(l, items[i], &VOCAB_DOLT_REPO, &repo);
    add_repo(l, &repo, servers);
    leave(l);
  }
  items = items_in(l, map, "multi_repos", &n);
  for (guint i = 0; i < n; i++) {
    DoltMultiRepo multi = {0};
    enter(l, "multi_repo %u", i + 1);
    read_record(l, items[i], &VOCAB_DOLT_MULTI_REPO, &multi);
    add_multi_repo(l, &multi, servers);
    leave(l);
  }
  l->in_server = false;
}

void read_dolt_test(Loader *l, const Node *node, Test *test) {
  g_autoptr(GArray) servers = g_array_new(FALSE, TRUE, sizeof(Server)), steps = g_array_new(FALSE, TRUE, sizeof(Step));
  if (dolt_driver_engine(l) == NULL)
    return; /* the shipped file is broken, and that was said */
  test->dolt = true;
  read_record(l, node, &VOCAB_DOLT_TEST, test);
  read_dolt_servers(l, node, servers);
  guint n;
  const Node *const *items = items_in(l, node, "connections", &n);
  for (guint i = 0; i < n; i++) {
    DoltConnection connection = {0};
    enter(l, "connection %u", i + 1);
    read_record(l, items[i], &VOCAB_DOLT_CONNECTION, &connection);
    add_connection(l, &connection, i + 1, steps);
    leave(l);
  }
  test->n_servers = servers->len;
  test->servers = arena_array(l->arena, Server, servers);
  set_list(l, &test->steps, steps, sizeof(Step));
}
