#include "runner/programs.h"

#include <glob.h>
#include <string.h>
#include <unistd.h>
#include "runner/fail.h"
#include "yamldef/template.h"

static bool executable(const char *path) {
  return g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0;
}

/* Digits compare as numbers, so that /17/ comes after /9.6/. */
static int by_version(const void *a, const void *b) {
  return strverscmp(*(char *const *)b, *(char *const *)a);
}

static char *in_dir(const char *dir, const char *name) {
  char *path = g_build_filename(dir, name, NULL);
  if (executable(path)) return path;
  g_free(path);
  return NULL;
}

static char *in_glob(const char *pattern, const char *name) {
  glob_t found = {0};
  char *path = NULL;
  if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
    qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_version);
    for (size_t i = 0; i < found.gl_pathc && !path; i++) path = in_dir(found.gl_pathv[i], name);
  }
  globfree(&found);
  return path;
}

static char *in_path(const char *name) {
  const char *path = g_getenv("PATH");
  g_auto(GStrv) dirs = g_strsplit(path ? path : "/usr/bin:/bin:/usr/sbin:/sbin", ":", -1);
  for (char **dir = dirs; *dir; dir++) {
    char *found = **dir ? in_dir(*dir, name) : NULL;
    if (found) return found;
  }
  return NULL;
}

static char *search(const Engine *engine, const char *bindir, const char *name) {
  if (bindir) return in_dir(bindir, name);
  for (guint i = 0; engine && i < engine->search.n; i++) {
    const char *where = engine->search.v[i].raw;
    char *found = strcmp(where, "PATH") == 0 ? in_path(name) : in_glob(where, name);
    if (found) return found;
  }
  return in_path(name);
}

static char *places(const Engine *engine, const char *bindir) {
  if (bindir) return g_strdup(bindir);
  GString *all = g_string_new(NULL);
  for (guint i = 0; engine && i < engine->search.n; i++)
    g_string_append_printf(all, "%s%s", i > 0 ? ", " : "", engine->search.v[i].raw);
  if (all->len == 0) g_string_append(all, "PATH");
  return g_string_free(all, FALSE);
}

static char *environment_only(TemplateCall call, guint n_args, const char *const *args, gpointer data, GError **error) {
  const char *value = call == CALL_ENV ? g_getenv(args[0]) : NULL;
  if (value) return g_strdup(value);
  if (call == CALL_ENV) fail(error, "the environment variable %s is not set where runner was started", args[0]);
  else fail(error, "'bindir' may name variables of the environment only, not {{%s}}", template_call_name(call));
  return NULL;
}

/* NULL without an error: none was given. */
static char *bindir_of(const Node *self, GError **error) {
  if (!self) return NULL;
  const Text *bindir = self->lasting_bindir.raw ? &self->lasting_bindir : &self->server->bindir;
  return text_render(bindir, environment_only, NULL, NULL, error);
}

char *program_path(const Node *self, const char *name, GError **error) {
  const Engine *engine = self ? self->engine : NULL;
  GError *problem = NULL;
  g_autofree char *bindir = bindir_of(self, &problem);
  if (problem) {
    g_propagate_error(error, problem);
    return NULL;
  }
  char *path = search(engine, bindir, name);
  if (!path && bindir) path = search(engine, NULL, name);   /* a bindir holds the engine's programs, not every tool */
  if (path) return path;
  g_autofree char *where = places(engine, bindir);
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "program '%s' was not found (looked in %s)", name, where);
  return NULL;
}

char *program_resolve(const Node *self, const char *word, GError **error) {
  return strchr(word, '/') ? g_strdup(word) : program_path(self, word, error);
}

char *program_search_path(const Node *self) {
  const char *path = g_getenv("PATH");
  if (!path || !*path) path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const char *first = self->engine->need.n > 0 ? self->engine->need.v[0].s : NULL;
  g_autofree char *found = first ? program_path(self, first, NULL) : NULL;
  if (!found) return g_strdup(path);
  g_autofree char *dir = g_path_get_dirname(found);
  return g_strconcat(dir, ":", path, NULL);
}

char *server_program(const Server *server, const char *name) {
  g_autofree char *bindir = text_render(&server->bindir, environment_only, NULL, NULL, NULL);
  return search(server->engine, bindir, name);
}

char *programs_missing(const Test *test) {
  for (guint i = 0; i < test->n_servers; i++) {
    const Server *server = &test->servers[i];
    g_autoptr(GError) error = NULL;
    g_autofree char *bindir = text_render(&server->bindir, environment_only, NULL, NULL, &error);
    if (server->external) continue;
    if (error) return g_strdup_printf("server '%s': %s", server->name.s, error->message);
    for (guint j = 0; j < server->engine->need.n; j++) {
      const char *name = server->engine->need.v[j].s;
      g_autofree char *found = strchr(name, '/') ? (executable(name) ? g_strdup(name) : NULL)
                                                 : search(server->engine, bindir, name);
      if (found) continue;
      g_autofree char *where = places(server->engine, bindir);
      return g_strdup_printf("program '%s' of engine %s was not found (looked in %s)", name, server->engine->name,
                             where);
    }
  }
  for (guint i = 0; i < test->needs.programs.n; i++) {
    const char *name = test->needs.programs.v[i].s;
    g_autofree char *found = strchr(name, '/') ? NULL : in_path(name);
    if (!found && !executable(name))
      return g_strdup_printf("program '%s' was not found%s", name, strchr(name, '/') ? "" : " in PATH");
  }
  return NULL;
}
