/* A server's directory: created from the cache or cloned from its upstream, configured, filled with its files. */
#include "runner/node.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "runner/cache.h"
#include "runner/command.h"
#include "runner/dirs.h"
#include "runner/settings.h"
#include "runner/step.h"

void node_set(Node *node, const char *key, const char *value) {
  if (!g_hash_table_contains(node->settings, key)) g_ptr_array_add(node->settings_order, g_strdup(key));
  g_hash_table_replace(node->settings, g_strdup(key), g_strdup(value));
}

static bool set_all(Node *node, Scope *scope, const Pairs *pairs, GError **error) {
  for (guint i = 0; i < pairs->n; i++) {
    if (pairs->v[i].is_null) {
      node_set(node, pairs->v[i].key, NULL);
      continue;
    }
    g_autofree char *value = scope_render(scope, &pairs->v[i].value, NULL, error);
    if (!value) return false;
    node_set(node, pairs->v[i].key, value);
  }
  return true;
}

/* --set engine.key=value stands between the profile's and the server's own. */
static void set_from_command_line(Node *node) {
  const char *const *sets = node->cluster->options->sets;
  g_autofree char *prefix = g_strconcat(node->engine->name ? node->engine->name : "", ".", NULL);
  for (; sets && *sets; sets++) {
    const char *equals = strchr(*sets, '=');
    if (!equals || !g_str_has_prefix(*sets, prefix)) continue;
    g_autofree char *key = g_strndup(*sets + strlen(prefix), (gsize)(equals - *sets) - strlen(prefix));
    node_set(node, key, equals + 1);
  }
}

bool node_write_settings(Node *node, Outcome *outcome) {
  const Engine *engine = node->engine;
  if (!engine->has_settings_file) return true;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}};
  GError *error = NULL;
  g_autofree char *path = scope_render(&scope, &engine->settings_path, NULL, &error);
  if (!path) return outcome_take_error(outcome, error);
  g_autofree char *full = g_build_filename(node->dir, path, NULL);
  g_autofree char *before = NULL;
  if (engine->settings_append) g_file_get_contents(full, &before, NULL, NULL);   /* none yet is as good as empty */
  g_autoptr(GArray) settings = g_array_new(FALSE, FALSE, sizeof(Setting));
  for (guint i = 0; i < node->settings_order->len; i++) {
    Setting setting = {g_ptr_array_index(node->settings_order, i), NULL};
    setting.value = g_hash_table_lookup(node->settings, setting.key);
    if (setting.value) g_array_append_val(settings, setting);
  }
  g_autofree char *text = settings_text(engine->settings_form, engine->settings_append, engine->settings_section,
                                        before, settings->len, (const Setting *)(gpointer)settings->data);
  if (!dirs_write(node->dir, path, text, strlen(text), 0600, false, node->cluster->options->user, &error))
    return outcome_take_error(outcome, error);
  return true;
}

/* A source path is found beside the definition first, then where the run was started. */
static bool read_source(Scope *scope, const WithFile *file, char **bytes, gsize *len, GError **error) {
  g_autofree char *name = scope_render(scope, &file->source_path, NULL, error);
  if (!name) return false;
  g_autofree char *beside = g_path_get_dirname(scope->cluster->planned->file);
  g_autofree char *first = g_build_filename(beside, name, NULL);
  g_autofree char *second = g_build_filename(scope->cluster->options->cwd, name, NULL);
  const char *path = g_path_is_absolute(name) ? name : g_file_test(first, G_FILE_TEST_EXISTS) ? first : second;
  return g_file_get_contents(path, bytes, len, error);
}

static bool write_files(Node *node, Scope *scope, const WithFiles *files, GError **error) {
  for (guint i = 0; i < files->n; i++) {
    const WithFile *file = &files->v[i];
    g_autofree char *name = scope_render(scope, &file->name, NULL, error);
    g_autofree char *bytes = NULL;
    gsize len = 0;
    if (!name) return false;
    if (file->contents.raw) bytes = scope_render(scope, &file->contents, &len, error);
    else if (!read_source(scope, file, &bytes, &len, error)) return false;
    if (!bytes) return false;
    if (!dirs_write(node->dir, name, bytes, len, file->mode < 0 ? 0644 : file->mode, file->append,
                    node->cluster->options->user, error)) {
      g_prefix_error(error, "file of server '%s': ", node->name);
      return false;
    }
  }
  return true;
}

static bool run_commands(Node *node, Scope *scope, const Commands *commands, const char *what, Deadline limit,
                         Outcome *outcome) {
  g_autofree char *title = g_strdup_printf("%s server '%s'", what, node->name);
  for (guint i = 0; i < commands->n; i++) {
    const Command *command = &commands->v[i];
    GError *error = NULL;
    if (command->cwd) {
      g_autofree char *made = dirs_make(node->dir, command->cwd, 0750, node->cluster->options->user, &error);
      if (!made) return outcome_take_error(outcome, error);
    }
    if (!command_must_texts(scope, node, command, node->dir, NULL, title, limit, outcome)) return false;
  }
  return true;
}

/* Several servers may share a home (Dolt's repositories): the first one creates it, the others wait for that. */
static bool create_home(Node *node, Deadline limit, Outcome *outcome) {
  if (node->engine->create.n == 0) return true;
  Cluster *cluster = node->cluster;
  for (guint i = 0; i < cluster->nodes->len; i++) {
    Node *other = g_ptr_array_index(cluster->nodes, i);
    if (other == node) break;
    if (strcmp(other->home, node->home) == 0 && strcmp(node->home, node->dir) != 0) {
      while (!other->home_made && !other->up_done) {
        WaitResult result = wait_cond(&other->changed, limit);
        if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
        if (result == WAIT_TIMEOUT)
          return outcome_error(outcome, "the home of server '%s' was not made in time", node->name);
      }
      return true;
    }
  }
  return cache_create(node, node->home, limit, outcome);
}

bool node_make(Node *node, Node *from, const Texts *clone_args, Deadline limit, Outcome *outcome) {
  const Server *server = node->server;
  const Engine *engine = node->engine;
  Scope scope = {.cluster = node->cluster, .roles = {.self = node, .primary = from}};
  GError *error = NULL;
  if ((!from || engine->clone_created) && !create_home(node, limit, outcome)) return false;
  if (from) {
    if (!engine->has_clone)
      return outcome_error(outcome, "engine '%s' has no 'clone' recipe: '%s' cannot be a replica of '%s'", engine->name,
                           node->name, from->name);
    g_autofree char *what = g_strdup_printf("clone server '%s' from '%s'", node->name, from->name);
    if (!recipe_run_for(node->cluster, &engine->clone, scope.roles, what, clone_args, limit, outcome)) return false;
  }
  node->home_made = true;
  cond_wake(&node->changed);
  if (!run_commands(node, &scope, &engine->setup, "set up", limit, outcome) ||
      !run_commands(node, &scope, &server->setup, "set up", limit, outcome))
    return false;
  if (!set_all(node, &scope, &engine->settings, &error)) return outcome_take_error(outcome, error);
  set_from_command_line(node);
  if (!set_all(node, &scope, &server->settings, &error)) return outcome_take_error(outcome, error);
  if (!node_write_settings(node, outcome)) return false;
  if (!write_files(node, &scope, &engine->files, &error) || !write_files(node, &scope, &server->files, &error))
    return outcome_take_error(outcome, error);
  if (!run_commands(node, &scope, &engine->prepare, "prepare", limit, outcome) ||
      !run_commands(node, &scope, &server->prepare, "prepare", limit, outcome))
    return false;
  node->made = true;
  if (node->state == NODE_DECLARED) node->state = NODE_STOPPED;
  cond_wake(&node->changed);
  return true;
}
