/* test_broken.c - each definition of tests/broken says exactly what is wrong with it, and where.
 *
 * NAME.yaml beside NAME.expected; other files there are what those include.  To see what one says now:
 *   (cd tests/broken && PROGRAM NAME.yaml)
 */
#include "yamldef/definition.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

static char *problems_of(const char *path) {
  g_autoptr(Definition) definition = definition_load(path, ".");
  GString *all = g_string_new(NULL);
  for (guint i = 0; i < definition_n_problems(definition); i++) {
    g_autofree char *text = problem_text(definition_problem(definition, i));
    g_string_append(all, text);
  }
  return g_string_free(all, FALSE);
}

static void says_exactly(gconstpointer data) {
  const char *path = data;
  g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".yaml"));
  g_autofree char *expected_path = g_strconcat(stem, ".expected", NULL), *expected = NULL;
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_get_contents(expected_path, &expected, NULL, &error));
  g_assert_cmpstr(expected, !=, "");
  g_autofree char *got = problems_of(path);
  g_assert_cmpstr(got, ==, expected);
}

/* A folder that lost its files must not pass. */
static void all_are_there(gconstpointer data) { g_assert_cmpuint(GPOINTER_TO_UINT(data), >=, 100); }

static int by_name(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *definitions_here(void) {
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  GDir *dir = g_dir_open(".", 0, NULL);
  g_assert_nonnull(dir);
  for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir))
    if (g_str_has_suffix(name, ".yaml"))
      g_ptr_array_add(names, g_strdup(name));
  g_dir_close(dir);
  g_ptr_array_sort(names, by_name);
  return names;
}

int main(int argc, char **argv) {
  if (argc == 2 && g_str_has_suffix(argv[1], ".yaml")) {
    g_autofree char *said = problems_of(argv[1]);
    fputs(said, stdout);
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  g_unsetenv("TESTGENDIR");
  g_assert_cmpint(g_chdir("tests/broken"), ==, 0);
  g_autoptr(GPtrArray) names = definitions_here();
  g_test_add_data_func("/broken/all-are-there", GUINT_TO_POINTER(names->len), all_are_there);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_strdup_printf("/broken/%s", (const char *)names->pdata[i]);
    g_test_add_data_func(path, names->pdata[i], says_exactly);
  }
  return g_test_run();
}
