#include "runner/names.h"

#include <string.h>
#include "runner/dirs.h"
#include "runner/links.h"
#include "runner/programs.h"
#include "yamldef/template.h"

static void variable_free(gpointer data) {
  Variable *variable = data;
  g_free(variable->bytes);
  g_free(variable);
}

void variable_set(Cluster *cluster, const char *name, const char *bytes, gsize len) {
  if (!cluster->vars) cluster->vars = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, variable_free);
  Variable *variable = g_new0(Variable, 1);
  variable->bytes = g_malloc(len + 1);
  memcpy(variable->bytes, bytes, len);
  variable->bytes[len] = '\0';
  variable->len = len;
  g_hash_table_replace(cluster->vars, g_strdup(name), variable);
}

const Variable *variable_get(Cluster *cluster, const char *name) {
  return cluster->vars ? g_hash_table_lookup(cluster->vars, name) : NULL;
}

void scope_capture(Scope *scope, const char *name, const char *bytes, gsize len) {
  if (scope->own) g_hash_table_replace(scope->own, g_strdup(name), g_strndup(bytes, len));
  else variable_set(scope->cluster, name, bytes, len);
}

Node *scope_node(Scope *scope, const char *name, GError **error) {
  Node *node = NULL;
  if (strcmp(name, "self") == 0) node = scope->roles.self;
  else if (strcmp(name, "primary") == 0 && scope->roles.self) node = scope->roles.primary;
  else if (strcmp(name, "peer") == 0 && scope->roles.self) node = scope->roles.peer;
  if (!node) node = cluster_node(scope->cluster, name);
  if (!node) g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "there is no server '%s' here", name);
  return node;
}

int cluster_port_name(Cluster *cluster, const char *name, GError **error) {
  int port = GPOINTER_TO_INT(g_hash_table_lookup(cluster->port_names, name));
  if (port != 0) return port;
  port = ports_take(cluster->ports, true, error);
  if (port != 0) g_hash_table_insert(cluster->port_names, g_strdup(name), GINT_TO_POINTER(port));
  return port;
}

const char *node_host(const Node *node) { return node->host ? node->host : "127.0.0.1"; }

/* What a server's texts say of another is the way that its link goes. */
static int port_seen(const Scope *scope, const Node *node, const char *extra) {
  int direct = extra ? GPOINTER_TO_INT(g_hash_table_lookup(node->extra_ports, extra)) : node->port;
  int link = scope->direct ? 0 : links_port(scope->cluster, scope->roles.self, node, extra);
  return link != 0 ? link : direct;
}

static const char *host_seen(const Scope *scope, const Node *node) {
  bool linked = !scope->direct && links_port(scope->cluster, scope->roles.self, node, NULL) != 0;
  return linked ? "127.0.0.1" : node_host(node);
}

static char *number(int value) { return value == 0 ? NULL : g_strdup_printf("%d", value); }

/* "server" or "server.extra" */
static char *port_of(Scope *scope, const char *name, GError **error) {
  const char *dot = strrchr(name, '.');
  Node *whole = cluster_node(scope->cluster, name);
  if (!dot || whole) {
    Node *node = scope_node(scope, name, error);
    if (!node) return NULL;
    if (node->port == 0) g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "server '%s' has no port", node->name);
    return number(port_seen(scope, node, NULL));
  }
  g_autofree char *server = g_strndup(name, (gsize)(dot - name));
  Node *node = scope_node(scope, server, error);
  if (!node) return NULL;
  int port = port_seen(scope, node, dot + 1);
  if (port == 0)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "server '%s' has no port '%s'; name it in its 'ports'",
                node->name, dot + 1);
  return number(port);
}

static char *tempdir(Scope *scope, const char *name, GError **error) {
  g_autofree char *safe = dirs_safe_name(name);
  g_autofree char *relative = g_strconcat("tmp/", safe, NULL);
  return dirs_make(scope->cluster->dir, relative, 0700, scope->cluster->options->user, error);
}

/* In an engine's texts a role's name stands for the server's own. */
static Node *role_node(const Roles *roles, const char *name) {
  if (strcmp(name, "self") == 0) return roles->self;
  if (!roles->self) return NULL;
  return strcmp(name, "primary") == 0 ? roles->primary : strcmp(name, "peer") == 0 ? roles->peer : NULL;
}

static char *var(Scope *scope, const char *name, GError **error) {
  const char *own = scope->own ? g_hash_table_lookup(scope->own, name) : NULL;
  if (own) return g_strdup(own);
  Node *role = role_node(&scope->roles, name);
  if (role) return g_strdup(role->name);
  const Variable *variable = variable_get(scope->cluster, name);
  if (variable) return g_memdup2(variable->bytes, variable->len + 1);
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "variable '%s' has no value yet", name);
  return NULL;
}

char *node_conninfo(Node *node, Scope *scope, GError **error) {
  const SessionWords *own = &node->server->words, *engine = &node->engine->words;
  GError *problem = NULL;
  g_autofree char *user = scope_render(scope, own->user.raw ? &own->user : &engine->user, NULL, &problem);
  g_autofree char *database =
    problem ? NULL : scope_render(scope, own->database.raw ? &own->database : &engine->database, NULL, &problem);
  if (problem) {
    g_propagate_error(error, problem);
    return NULL;
  }
  GString *words = g_string_new(NULL);
  g_string_printf(words, "host=%s port=%d", host_seen(scope, node), port_seen(scope, node, NULL));
  if (user) g_string_append_printf(words, " user=%s", user);
  if (database) g_string_append_printf(words, " dbname=%s", database);
  return g_string_free(words, FALSE);
}

static char *data_dir(Scope *scope, Node *node, GError **error) {
  if (!node->engine->data.raw) return g_strdup(node->dir);
  Scope inner = *scope;
  inner.roles.self = node;
  return scope_render(&inner, &node->engine->data, NULL, error);
}

static char *socket_path(Scope *scope, Node *node, GError **error) {
  char *path = g_strdup_printf("%s/%d.s", scope->cluster->socket_dir, node->port);
  if (strlen(path) <= 107) return path;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NAMETOOLONG,
              "the socket path '%s' is %zu bytes long, the system takes 107: set TMPDIR to a shorter directory", path,
              strlen(path));
  g_free(path);
  return NULL;
}

/* One that names no cluster is alone in its own. */
static bool is_member(const Node *node, const Node *self) {
  return node == self || (self->server->cluster && g_strcmp0(node->server->cluster, self->server->cluster) == 0);
}

/* Who the SERVERS argument means: the members of self's cluster, the founder first. */
static char *each(Scope *scope, guint n_args, const char *const *args, GError **error) {
  const char *extra = NULL;
  Node *self = scope->roles.self;
  if (!self) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "'each' is for what an engine says of its own cluster");
    return NULL;
  }
  if (strchr(args[0], '.')) extra = strchr(args[0], '.') + 1;
  else if (strcmp(args[0], "peer") != 0 && strcmp(args[0], "self") != 0) extra = args[0];
  GString *joined = g_string_new(NULL);
  for (guint i = 0; i < scope->cluster->nodes->len; i++) {
    Node *node = g_ptr_array_index(scope->cluster->nodes, i);
    if (!is_member(node, self)) continue;
    int port = port_seen(scope, node, extra);
    if (port == 0) {
      g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "in '{{each %s}}': server '%s' has no such port", args[0],
                  node->name);
      g_string_free(joined, TRUE);
      return NULL;
    }
    g_autofree char *digits = g_strdup_printf("%d", port);
    g_auto(GStrv) parts = g_strsplit(args[1], "%", -1);
    g_autofree char *one = g_strjoinv(digits, parts);
    g_string_append_printf(joined, "%s%s", joined->len > 0 && n_args > 2 ? args[2] : "", one);
  }
  return g_string_free(joined, FALSE);
}

static char *env(const char *name, GError **error) {
  const char *value = g_getenv(name);
  if (!value)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                "the environment variable %s is not set where runner was started", name);
  return g_strdup(value);
}

static char *link_of(Scope *scope, const char *name, GError **error) {
  int port = links_port_named(scope->cluster, name);
  if (port == 0) g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "there is no link '%s' in this test", name);
  return number(port);
}

static char *of_node(Scope *scope, TemplateCall call, const char *name, GError **error) {
  Node *node = scope_node(scope, name, error);
  if (!node) return NULL;
  bool making = scope->dir_as && node == scope->roles.self;
  switch (call) {
  case CALL_HOST: return g_strdup(host_seen(scope, node));
  case CALL_CONNINFO: return node_conninfo(node, scope, error);
  case CALL_DIR: return g_strdup(making ? scope->dir_as : node->dir);
  case CALL_DATA: return making ? g_strdup(scope->dir_as) : data_dir(scope, node, error);
  default: return socket_path(scope, node, error);
  }
}

static char *resolve(TemplateCall call, guint n_args, const char *const *args, gpointer data, GError **error) {
  Scope *scope = data;
  switch (call) {
  case CALL_GET_PORT: return number(cluster_port_name(scope->cluster, args[0], error));
  case CALL_GET_TEMPDIR: return tempdir(scope, args[0], error);
  case CALL_PORT: return port_of(scope, args[0], error);
  case CALL_PROGRAM: return program_path(scope->roles.self, args[0], error);
  case CALL_ENV: return env(args[0], error);
  case CALL_VAR: return var(scope, args[0], error);
  case CALL_EACH: return each(scope, n_args, args, error);
  case CALL_HOST: case CALL_CONNINFO: case CALL_DIR: case CALL_DATA: case CALL_SOCKET:
    return of_node(scope, call, args[0], error);
  case CALL_LINK: return link_of(scope, args[0], error);
  }
  return NULL;
}

char *scope_render(Scope *scope, const Text *text, gsize *len, GError **error) {
  return text_render(text, resolve, scope, len, error);
}

const Pattern *scope_pattern(Scope *scope, const PatternText *wanted, PatternFlavour flavour, Pattern **made,
                             GError **error) {
  if (wanted->compiled) return wanted->compiled;
  gsize len = 0;
  g_autofree char *text = scope_render(scope, &wanted->text, &len, error);
  if (text) *made = pattern_new(text, len, flavour, error);
  return *made;
}

char **scope_render_all(Scope *scope, const Texts *texts, GError **error) {
  g_auto(GStrv) all = g_new0(char *, texts->n + 1);
  for (guint i = 0; i < texts->n; i++) {
    all[i] = scope_render(scope, &texts->v[i], NULL, error);
    if (!all[i]) return NULL;
  }
  return g_steal_pointer(&all);
}
