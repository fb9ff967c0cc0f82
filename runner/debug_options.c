#include "runner/debug_options.h"

#include <string.h>

#define FAIL(...) (g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__), false)

typedef struct Wish {
  char *server;                  /* "all": each */
  int port;                      /* 0: any free one */
  bool attach;
  char **wrap;                   /* NULL: a debugger is wanted */
  const char *written;
} Wish;

struct DebugOptions { GArray *wishes; };

static void wish_clear(gpointer data) {
  Wish *wish = data;
  g_free(wish->server);
  g_strfreev(wish->wrap);
}

/* A server's name may hold colons, so only digits behind the last one are a port. */
static bool take_server(DebugOptions *options, const char *text, bool attach, GError **error) {
  const char *option = attach ? "--debug-attach" : "--debug", *colon = strrchr(text, ':');
  guint64 port = 0;
  bool digits = colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
  if (digits && !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
    return FAIL("%s '%s': '%s' is no port", option, text, colon + 1);
  Wish wish = {.server = digits ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text),
               .port = (int)port,
               .attach = attach,
               .written = text};
  g_array_append_val(options->wishes, wish);
  if (!*wish.server) return FAIL("%s '%s': SERVER, SERVER:PORT or all is wanted", option, text);
  if (port && strcmp(wish.server, "all") == 0) return FAIL("%s '%s': all servers cannot have one port", option, text);
  return true;
}

static bool take_wrap(DebugOptions *options, const char *text, GError **error) {
  const char *equals = strchr(text, '=');
  g_autoptr(GError) why = NULL;
  if (!equals || equals == text || !equals[1]) return FAIL("--wrap '%s': SERVER=COMMAND is wanted", text);
  Wish wish = {.server = g_strndup(text, (gsize)(equals - text)), .written = text};
  if (!g_shell_parse_argv(equals + 1, NULL, &wish.wrap, &why)) {
    g_free(wish.server);
    return FAIL("--wrap '%s': %s", text, why->message);
  }
  g_array_append_val(options->wishes, wish);
  return true;
}

DebugOptions *debug_options_new(const char *const *debugs, const char *const *attaches, const char *const *wraps,
                                GError **error) {
  g_autoptr(DebugOptions) options = g_new0(DebugOptions, 1);
  options->wishes = g_array_new(FALSE, FALSE, sizeof(Wish));
  g_array_set_clear_func(options->wishes, wish_clear);
  for (; debugs && *debugs; debugs++)
    if (!take_server(options, *debugs, false, error)) return NULL;
  for (; attaches && *attaches; attaches++)
    if (!take_server(options, *attaches, true, error)) return NULL;
  for (; wraps && *wraps; wraps++)
    if (!take_wrap(options, *wraps, error)) return NULL;
  return g_steal_pointer(&options);
}

void debug_options_free(DebugOptions *options) {
  if (!options) return;
  g_array_unref(options->wishes);
  g_free(options);
}

static bool plan_has_server(const Plan *plan, const char *name) {
  for (guint i = 0; i < plan_n_tests(plan); i++) {
    const Test *test = plan_test(plan, i)->test;
    for (guint s = 0; s < test->n_servers; s++)
      if (test->servers[s].runs && !test->servers[s].external && strcmp(test->servers[s].name.s, name) == 0)
        return true;
  }
  return false;
}

const char *debug_options_unknown(const DebugOptions *options, const Plan *plan) {
  for (guint i = 0; i < options->wishes->len; i++) {
    const Wish *wish = &g_array_index(options->wishes, Wish, i);
    if (strcmp(wish->server, "all") != 0 && !plan_has_server(plan, wish->server)) return wish->server;
  }
  return NULL;
}

bool debug_options_interactive(const DebugOptions *options) {
  for (guint i = 0; options && i < options->wishes->len; i++)
    if (!g_array_index(options->wishes, Wish, i).wrap) return true;
  return false;
}

char *debug_options_again(const DebugOptions *options) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; options && i < options->wishes->len; i++) {
    const Wish *wish = &g_array_index(options->wishes, Wish, i);
    g_autofree char *quoted = g_shell_quote(wish->written);
    g_string_append_printf(text, " --%s %s", wish->wrap ? "wrap" : wish->attach ? "debug-attach" : "debug", quoted);
  }
  return g_string_free(text, FALSE);
}

/* The one that names it, else one for all. */
static const Wish *wish_for(const DebugOptions *options, const char *server, bool wrap) {
  const Wish *all = NULL;
  for (guint i = 0; options && i < options->wishes->len; i++) {
    const Wish *wish = &g_array_index(options->wishes, Wish, i);
    if ((wish->wrap != NULL) != wrap) continue;
    if (strcmp(wish->server, server) == 0) return wish;
    if (strcmp(wish->server, "all") == 0) all = wish;
  }
  return all;
}

bool debug_options_wants(const DebugOptions *options, const char *server, bool *attach, int *port) {
  const Wish *wish = wish_for(options, server, false);
  if (!wish) return false;
  *attach = wish->attach;
  *port = wish->port;
  return true;
}

const char *const *debug_options_wrap(const DebugOptions *options, const char *server) {
  const Wish *wish = wish_for(options, server, true);
  return wish ? (const char *const *)wish->wrap : NULL;
}

static bool says_yes(const char *name) {
  const char *value = g_getenv(name);
  return value && *value && strcmp(value, "0") != 0;
}

bool debug_environment(const Test *test) {
  return says_yes("RUNNER_DEBUG") || (test->dolt && g_getenv("DOLT_SQL_SERVER_TEST_DEBUG"));
}
