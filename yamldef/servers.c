/* servers.c - the servers of a test: their words, their files, topologies. */
#include "yamldef/decode.h"
#include "yamldef/read_file.h"
#include "yamldef/template_parse.h"

#include <signal.h>
#include <string.h>

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* A file that is not there is an error of the definition; in Dolt's dialect only of the test that wants it, which may
 * be skipped.
 *
 * `$TESTGENDIR/x`, as Dolt's files have it; NULL, and a problem, when the variable is not set. */
char *put_testgendir(Loader *l, Place at, const char *path) {
  static const char NAME[] = "$TESTGENDIR";
  if (!g_str_has_prefix(path, NAME))
    return g_strdup(path);
  const char *value = g_getenv(NAME + 1);
  if (value == NULL || *value == '\0') {
    (l->dolt ? doubt : complain)(l, at, NULL, "'%s' needs the environment variable TESTGENDIR", path);
    return NULL;
  }
  return g_strconcat(value, path + strlen(NAME), NULL);
}

char *find_source(Loader *l, Place at, const char *path) {
  g_autofree char *meant = put_testgendir(l, at, path);
  if (meant == NULL)
    return NULL;
  g_autofree char *dir = g_path_get_dirname(at.file), *beside = g_build_filename(dir, meant, NULL);
  g_autofree char *below = l->cwd == NULL ? NULL : g_build_filename(l->cwd, meant, NULL);
  const char *candidates[] = {g_path_is_absolute(meant) ? meant : beside, g_path_is_absolute(meant) ? NULL : below};
  for (guint i = 0; i < G_N_ELEMENTS(candidates); i++)
    if (candidates[i] != NULL && g_file_test(candidates[i], G_FILE_TEST_EXISTS))
      return g_strdup(candidates[i]);
  (l->dolt ? doubt : complain)(l, at, NULL, "no file '%s' stands beside the definition or below the current directory",
                               path);
  return NULL;
}

static void read_source(Loader *l, WithFile *file) {
  const Place at = file->source_path.at;
  g_autofree char *found = find_source(l, at, file->source_path.raw);
  g_autoptr(GError) error = NULL;
  gsize len;
  g_autofree char *bytes = found == NULL ? NULL : read_file(found, &len, &error);
  if (bytes == NULL) {
    if (error != NULL)
      complain(l, at, NULL, "%s", error->message);
    return;
  }
  char *kept = arena_bytes(l->arena, bytes, len);
  file->contents = (Text){.raw = kept, .len = len, .at = at};
  g_autoptr(GError) broken = NULL; /* only Dolt's driver treats sources as templates */
  if (l->dolt && !template_parse(l->arena, kept, len, at, NULL, NULL, &file->contents, &broken))
    complain(l, at, NULL, "in the template of '%s': %s", file->source_path.raw, broken->message);
}

/* A path that stays below where it is meant to be. */
static bool stays_below(const char *path) {
  if (*path == '/' || *path == '\0')
    return false;
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    if (strcmp(parts[i], "..") == 0)
      return false;
  return true;
}

void finish_with_file(Loader *l, WithFile *file) {
  if (l->dolt && file->mode < 0)
    file->mode = 0550;
  if (file->name.raw != NULL && (memchr(file->name.raw, '\0', file->name.len) != NULL ||
                                 !(stays_below(file->name.raw) || (file->name.n_parts > 0 && *file->name.raw == '{'))))
    complain(l, file->name.at, NULL, "the file '%s' would not be below the server's directory", file->name.raw);
  if (file->contents.raw != NULL && file->source_path.raw != NULL)
    complain(l, file->at, NULL, "'contents' and 'source_path' exclude each other");
  else if (file->source_path.raw != NULL && file->source_path.n_parts == 0)
    read_source(l, file);
  else if (file->contents.raw == NULL && file->source_path.raw == NULL && l->dolt)
    file->contents = (Text){.raw = "", .at = file->at};
  else if (file->contents.raw == NULL && file->source_path.raw == NULL)
    complain(l, file->at, NULL, "a file needs 'contents' or 'source_path'");
}

/* ---- Readiness and stopping -------------------------------------------------------------------------------------- */

static void read_ready_kind(Loader *l, const Node *map, Ready *out) {
  static const struct {
    const char *key;
    ReadyKind kind;
  } KINDS[] = {{"session", READY_SESSION}, {"tcp", READY_TCP}, {"http", READY_HTTP}, {"log", READY_LOG}};
  guint n = 0;
  bool yes = true;
  for (guint i = 0; i < G_N_ELEMENTS(KINDS); i++) {
    const Node *value = node_get(map, KINDS[i].key);
    if (value == NULL)
      continue;
    n++;
    out->kind = KINDS[i].kind;
    switch (out->kind) {
    case READY_SESSION: read_bool(l, value, "session", &yes); break;
    case READY_TCP: read_text(l, value, "tcp", &out->port); break;
    case READY_HTTP: read_text(l, value, "http", &out->url); break;
    default: read_pattern(l, value, "log", &out->log); break;
    }
  }
  if (n != 1 || !yes)
    complain(l, map->at, NULL,
             "'ready' is one of {session: true}, {tcp: port}, {http: url} and {log: pattern}, or none");
}

void read_ready(Loader *l, const Node *node, Ready *out) {
  node = resolve(l, node);
  memcpy(out, VOCAB_READY.defaults, sizeof *out);
  out->at = node->at;
  if (node->kind == NODE_SCALAR && strcmp(node->text, "none") == 0) {
    out->kind = READY_NONE;
  } else if (node->kind == NODE_SCALAR && strcmp(node->text, "session") == 0) {
    out->kind = READY_SESSION;
  } else if (want_map(l, node, "'ready'")) {
    read_record(l, node, &VOCAB_READY, out);
    read_ready_kind(l, node, out);
  }
}

void check_signal(Loader *l, const Text *signal) {
  guint64 number;
  if (signal->n_parts > 0)
    complain(l, signal->at, NULL, "a signal must be a constant here");
  if (signal->raw == NULL || signal->n_parts > 0 ||
      g_ascii_string_to_unsigned(signal->raw, 10, 1, (guint64)SIGRTMAX, &number, NULL))
    return;
  const char *name = g_str_has_prefix(signal->raw, "SIG") ? signal->raw + 3 : signal->raw;
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  for (int i = 1; i < SIGSYS + 1; i++) {
    const char *known = sigabbrev_np(i);
    if (known != NULL && strcmp(known, name) == 0)
      return;
    if (known != NULL)
      g_ptr_array_add(words, (gpointer)(guintptr)known);
  }
  g_autofree char *hint = did_you_mean(name, (const char *const *)words->pdata, words->len);
  complain(l, signal->at, hint, "no signal is called '%s'", signal->raw);
}

void check_stop(Loader *l, const StopLadder *stop) {
  for (guint i = 0; i < stop->n; i++)
    check_signal(l, &stop->v[i].signal);
}

void read_stop_modes(Loader *l, const Node *node, void *field) {
  node = resolve(l, node);
  if (!want_map(l, node, "'stop_modes'"))
    return;
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(SignalMode));
  for (guint i = 0; i < node->n; i++) {
    SignalMode mode = {.name = node->pairs[i].key->text};
    if (!read_text(l, node->pairs[i].value, mode.name, &mode.signal))
      continue;
    check_signal(l, &mode.signal);
    g_array_append_val(list, mode);
  }
  set_list(l, field, list, sizeof(SignalMode));
}

/* ---- A server ---------------------------------------------------------------------------------------------------- */

static void choose_engine(Loader *l, const Node *map, Server *out) {
  const Node *engine = map->kind == NODE_MAP ? node_get(map, "engine") : NULL;
  const char *name = engine == NULL ? NULL : read_constant(l, engine, "engine");
  const Engine *found = name == NULL ? NULL : find_engine(l, name, engine->at);
  out->engine = found != NULL ? found : empty_engine(l);
  if (engine == NULL && out->command.n == 0 && !out->external)
    complain(l, map->at, NULL, "a server needs 'engine' or 'command'");
  else if (found != NULL && found->command.n == 0 && out->command.n == 0 && !out->external)
    complain(l, engine->at, NULL, "the engine '%s' has no 'command' to start a server", name);
}

static void check_server_name(Loader *l, Name name) {
  static const char *const TAKEN[] = {"all", "self"};
  if (name.s == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS(TAKEN); i++)
    if (strcmp(name.s, TAKEN[i]) == 0)
      complain(l, name.at, NULL, "a server cannot be called '%s': that word has a meaning of its own", name.s);
  for (const char *c = name.s; *c != '\0'; c++)
    if (!g_ascii_isalnum(*c) && strchr("_-.", *c) == NULL) {
      complain(l, name.at, NULL, "the server's name '%s' may only have letters, digits, '_', '-' and '.'", name.s);
      return;
    }
  if (*name.s == '.')
    complain(l, name.at, NULL, "the server's name '%s' must not begin with a dot", name.s);
}

void read_server(Loader *l, const Node *node, Server *out) {
  node = resolve(l, node);
  memcpy(out, VOCAB_SERVER.defaults, sizeof *out);
  l->in_server = true;
  read_record(l, node, &VOCAB_SERVER, out);
  l->in_server = false;
  if (node->kind == NODE_MAP || node->kind == NODE_SCALAR)
    choose_engine(l, node, out);
  else
    out->engine = empty_engine(l);
  check_server_name(l, out->name);
  check_stop(l, &out->stop);
  if (out->port.raw != NULL && out->dynamic_port.raw != NULL)
    complain(l, out->dynamic_port.at, NULL, "'port' and 'dynamic_port' exclude each other");
  out->runs = !out->external;
  out->dir = out->home = out->name.s;
}

void read_servers(Loader *l, const Node *node, GArray *out) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  for (guint i = 0; i < n; i++) {
    Server server;
    const Node *name = items[i]->kind == NODE_MAP ? node_get(items[i], "name") : NULL;
    if (name != NULL && resolve(l, name)->kind == NODE_SCALAR)
      enter(l, "server '%s'", resolve(l, name)->text);
    else
      enter(l, "server %u", i + 1);
    read_server(l, items[i], &server);
    leave(l);
    if (server.name.s != NULL)
      g_array_append_val(out, server);
  }
}
