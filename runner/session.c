#include "runner/session.h"

#include <string.h>
#include "runner/dirs.h"

static DbReadiness wait_for_network(int fd, short events, short *revents, gint64 deadline, gpointer data) {
  Session *session = data;
  if (session->executing && (events & POLLIN)) {
    session->executing = false;
    if (session->on_sent) session->on_sent(session->on_sent_data);
  }
  switch (wait_fd(fd, events, revents, deadline)) {
  case WAIT_READY: return DB_WAIT_READY;
  case WAIT_TIMEOUT: return DB_WAIT_TIMEOUT;
  case WAIT_CANCELLED: break;
  }
  return DB_WAIT_CANCELLED;
}

static gint64 now(gpointer data) { return clock_now(); }

/* What a session is opened with, rendered; lives until session_open() returns. */
typedef struct Words {
  char *user, *password, *database, *ca, *cert, *key;
  TlsMode tls;
  GArray *params;                /* DbParam */
  GPtrArray *owned;
} Words;

static void words_clear(Words *words) {
  g_free(words->user);
  g_free(words->password);
  g_free(words->database);
  g_free(words->ca);
  g_free(words->cert);
  g_free(words->key);
  if (words->params) g_array_unref(words->params);
  if (words->owned) g_ptr_array_unref(words->owned);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Words, words_clear)

/* A file a definition names: beside the definition, else where the run was started. */
static char *read_password(Scope *scope, const Text *file, GError **error) {
  g_autofree char *name = scope_render(scope, file, NULL, error);
  if (!name) return NULL;
  g_autofree char *beside = g_path_get_dirname(scope->cluster->planned->file);
  g_autofree char *first = g_build_filename(beside, name, NULL),
                  *second = g_build_filename(scope->cluster->options->cwd, name, NULL);
  const char *path = g_path_is_absolute(name) ? name : g_file_test(first, G_FILE_TEST_EXISTS) ? first : second;
  char *contents = NULL;
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                "password_file '%s' is neither beside the definition nor where the run was started", name);
    return NULL;
  }
  if (!g_file_get_contents(path, &contents, NULL, error)) {
    g_prefix_error(error, "password_file: ");
    return NULL;
  }
  return g_strstrip(contents);
}

/* Later layers win over earlier ones: engine, server, step. */
static bool words_add(Words *words, Scope *scope, const SessionWords *layer, GError **error) {
  struct { const Text *from; char **to; } texts[] = {
    {&layer->user, &words->user}, {&layer->password, &words->password}, {&layer->database, &words->database},
    {&layer->ca, &words->ca}, {&layer->cert, &words->cert}, {&layer->key, &words->key},
  };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    if (!texts[i].from->raw) continue;
    char *value = scope_render(scope, texts[i].from, NULL, error);
    if (!value) return false;
    g_free(*texts[i].to);
    *texts[i].to = value;
  }
  if (layer->password_file.raw) {
    char *password = read_password(scope, &layer->password_file, error);
    if (!password) return false;
    g_free(words->password);
    words->password = password;
  }
  if (layer->tls != TLS_UNSET) words->tls = layer->tls;
  for (guint i = 0; i < layer->params.n; i++) {
    char *value = scope_render(scope, &layer->params.v[i].value, NULL, error);
    if (!value) return false;
    g_ptr_array_add(words->owned, value);
    DbParam param = {layer->params.v[i].key, value};
    g_array_append_val(words->params, param);
  }
  return true;
}

/* A database of '' is none: Dolt's multi_repo servers have no default database. */
static void fill_target(DbTarget *target, const Words *words, const Node *node, const char *const *infile_dirs,
                        const char *log_name) {
  static const DbTls modes[] = {[TLS_UNSET] = DB_TLS_OFF, [TLS_OFF] = DB_TLS_OFF, [TLS_PREFER] = DB_TLS_PREFER,
                                [TLS_REQUIRE] = DB_TLS_REQUIRE, [TLS_VERIFY] = DB_TLS_VERIFY};
  target->kind = node->engine->client == CLIENT_POSTGRESQL ? DB_POSTGRESQL : DB_MYSQL;
  target->host = node_host(node);
  target->port = node->port;
  target->user = words->user;
  target->password = words->password;
  target->database = words->database && *words->database ? words->database : NULL;
  target->tls = modes[words->tls];
  target->ca = words->ca;
  target->cert = words->cert;
  target->key = words->key;
  target->n_params = words->params->len;
  target->params = (const DbParam *)(gpointer)words->params->data;
  target->infile_dirs = infile_dirs;
  target->log_name = log_name;
}

Session *session_open(Scope *scope, Node *node, const SessionWords *step_words, Deadline deadline, DbOutcome *said,
                      Outcome *outcome) {
  g_auto(Words)
      words = {.params = g_array_new(FALSE, FALSE, sizeof(DbParam)), .owned = g_ptr_array_new_with_free_func(g_free)};
  GError *error = NULL;
  if (node->engine->client == CLIENT_NONE) {
    outcome_error(outcome, "server '%s' takes no sessions: its engine '%s' has no client", node->name,
                  node->engine->name);
    return NULL;
  }
  Scope own = *scope;
  own.roles.self = node;         /* whom a profile and a server mean by it, whoever asks */
  if (!words_add(&words, &own, &node->engine->words, &error) ||
      !words_add(&words, &own, &node->server->words, &error) ||
      (step_words && !words_add(&words, scope, step_words, &error))) {
    outcome_take_error(outcome, error);
    return NULL;
  }
  g_autofree char *beside = g_path_get_dirname(scope->cluster->planned->file);
  const char *infile_dirs[] = {beside, scope->cluster->options->cwd, NULL};
  Session *session = g_new0(Session, 1);
  session->node = node;
  session->loop = (DbLoop){wait_for_network, now, session};
  DbTarget target = {0};
  fill_target(&target, &words, node, infile_dirs, "runner");
  session->db = db_open(&target, &session->loop, deadline, said);
  if (session->db) return session;
  g_free(session);
  return NULL;
}

void session_free(Session *session) {
  if (!session) return;
  db_close(session->db);
  g_free(session);
}

bool session_ask(Session *session, const char *sql, Deadline deadline, Collected *answer, DbOutcome *said) {
  db_execute(session->db, sql, strlen(sql), false, 0, NULL, answer ? collected_sink(answer) : NULL, false, deadline,
             said);
  return said->status == DB_OK;
}

char *node_ask(Scope *scope, Node *node, const Text *query, Deadline deadline, char **why) {
  g_autoptr(GError) error = NULL;
  g_auto(Outcome) outcome = {0};
  DbOutcome said = {0};
  char *text = NULL;
  g_autofree char *sql = scope_render(scope, query, NULL, &error);
  Session *session = sql ? session_open(scope, node, NULL, deadline, &said, &outcome) : NULL;
  Collected *answer = collected_new(64 * 1024);
  if (session && session_ask(session, sql, deadline, answer, &said)) {
    GString *cells = g_string_new(NULL);
    for (guint i = 0; i < answer->rows->len && answer->columns->len > 0; i++) {
      const DbCell *row = g_ptr_array_index(answer->rows, i);
      g_string_append_printf(cells, "%s%s", i > 0 ? "," : "", row[0].bytes ? row[0].bytes : "");
    }
    text = g_string_free(cells, FALSE);
  } else if (why) {
    *why = g_strdup(error ? error->message : outcome.headline ? outcome.headline : said.text ? said.text
                    : said.status == DB_TIMED_OUT ? "no answer in time" : "called off");
  }
  collected_free(answer);
  session_free(session);
  db_outcome_clear(&said);
  return text;
}

bool answer_is_true(const char *text) {
  static const char *const truths[] = {"t", "true", "1", "on", "yes", NULL};
  if (!text) return false;
  for (const char *const *truth = truths; *truth; truth++)
    if (g_ascii_strcasecmp(text, *truth) == 0) return true;
  return false;
}
