#include "cmd/inputs.h"
#include "cmd/options.h"
#include "yamldef/problem.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Inputs {
  GPtrArray *definitions;
  GHashTable *seen;              /* "device:inode" */
  char *cwd;
} Inputs;

static void load_file(Inputs *inputs, const char *path, const struct stat *info) {
  char *key = g_strdup_printf("%lu:%lu", (gulong)info->st_dev, (gulong)info->st_ino);
  if (g_hash_table_add(inputs->seen, key)) g_ptr_array_add(inputs->definitions, definition_load(path, inputs->cwd));
}

static int is_definition(const struct dirent *entry) {
  const char *dot = strrchr(entry->d_name, '.');
  return entry->d_name[0] != '.' && dot && (g_str_equal(dot, ".yaml") || g_str_equal(dot, ".yml"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static bool fail_errno(GError **error, const char *act, const char *path) {
  int saved = errno;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "%s '%s': %s", act, path, g_strerror(saved));
  return false;
}

static bool load_directory(Inputs *inputs, const char *name, GError **error) {
  struct dirent **entries;
  int n = scandir(name, &entries, is_definition, by_bytes);
  if (n < 0) return fail_errno(error, "read the directory", name);
  bool any = false;
  for (int i = 0; i < n; i++) {
    struct stat info;
    g_autofree char *path = g_str_has_suffix(name, "/") ? g_strconcat(name, entries[i]->d_name, NULL)
                                                         : g_strconcat(name, "/", entries[i]->d_name, NULL);
    free(entries[i]);
    if (stat(path, &info) != 0 || S_ISDIR(info.st_mode)) continue;
    load_file(inputs, path, &info);
    any = true;
  }
  free(entries);
  if (!any)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "the directory '%s' has no definitions (*.yaml, *.yml)", name);
  return any;
}

/* A word that is no file may have been meant as a command. */
static bool fail_missing(const char *name, GError **error) {
  guint n;
  const Subcommand *table = command_table(&n);
  g_autofree const char **words = g_new(const char *, n);
  for (guint i = 0; i < n; i++) words[i] = table[i].name;
  const char *near = nearest_word(name, words, n);
  fail_errno(error, "open", name);
  if (error && command_find(name)) g_prefix_error(error, "the command stands before its options: ");
  else if (error && near) {
    g_autofree char *first = (*error)->message;
    (*error)->message = g_strdup_printf("%s; did you mean 'runner %s'?", first, near);
  }
  return false;
}

static bool load_name(Inputs *inputs, const char *name, GError **error) {
  struct stat info;
  if (stat(name, &info) != 0) return errno == ENOENT ? fail_missing(name, error) : fail_errno(error, "open", name);
  if (S_ISDIR(info.st_mode)) return load_directory(inputs, name, error);
  if (access(name, R_OK) != 0) return fail_errno(error, "open", name);
  load_file(inputs, name, &info);
  return true;
}

static void free_definition(gpointer definition) { definition_free(definition); }

GPtrArray *inputs_load(char *const *names, GError **error) {
  g_autofree char *cwd = g_get_current_dir();
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GPtrArray) definitions = g_ptr_array_new_with_free_func(free_definition);
  Inputs inputs = {definitions, seen, cwd};
  for (; *names; names++)
    if (!load_name(&inputs, *names, error)) return NULL;
  return g_steal_pointer(&definitions);
}

guint inputs_problems(const GPtrArray *definitions, bool warnings, guint *n_warnings, GString *out) {
  guint n_errors = 0;
  *n_warnings = 0;
  for (guint d = 0; d < definitions->len; d++) {
    const Definition *definition = definitions->pdata[d];
    n_errors += definition_n_errors(definition);
    for (guint i = 0; i < definition_n_problems(definition); i++) {
      const Problem *problem = definition_problem(definition, i);
      if (problem->warning) ++*n_warnings;
      if (problem->warning && !warnings) continue;
      g_autofree char *text = problem_text(problem);
      g_string_append(out, text);
    }
  }
  return n_errors;
}
