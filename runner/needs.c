#include "runner/needs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "runner/environment.h"
#include "runner/process.h"
#include "runner/programs.h"

#define VERSION_LIMIT (10 * G_USEC_PER_SEC)

/* Numbers apart by dots; -1, 0 or 1. `parts` (NULL: all) gets how many the wish has. */
static int compare_versions(const char *a, const char *b) {
  while (*a || *b) {
    char *end_a, *end_b;
    long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10);
    if (end_b == b) return 0;      /* the wish names no more parts */
    if (x != y) return x < y ? -1 : 1;
    a = *end_a == '.' ? end_a + 1 : "";
    b = *end_b == '.' ? end_b + 1 : "";
  }
  return 0;
}

bool version_holds(const char *version, const char *wish, bool *bad) {
  static const struct { const char *sign; bool less, same, more; } signs[] = {
    {">=", false, true, true}, {"<=", true, true, false}, {"!=", true, false, true}, {"==", false, true, false},
    {">", false, false, true}, {"<", true, false, false}, {"=", false, true, false}, {"", false, true, false},
  };
  wish += strspn(wish, " ");
  for (guint i = 0; i < G_N_ELEMENTS(signs); i++) {
    if (!g_str_has_prefix(wish, signs[i].sign)) continue;
    wish += strlen(signs[i].sign);
    wish += strspn(wish, " ");
    *bad = !g_ascii_isdigit(*wish);
    int order = compare_versions(version, wish);
    return !*bad && (order < 0 ? signs[i].less : order > 0 ? signs[i].more : signs[i].same);
  }
  return false;
}

/* "postgres (PostgreSQL) 15.20 (Debian ...)", "mariadbd  Ver 10.11.19-MariaDB", "dolt version 1.83.2": the first number with a dot. */
static char *version_in(const char *text) {
  g_autoptr(GRegex) number = g_regex_new("[0-9]+(\\.[0-9]+)+", 0, 0, NULL);
  g_autoptr(GMatchInfo) match = NULL;
  return g_regex_match(number, text, 0, &match) ? g_match_info_fetch(match, 0) : NULL;
}

static char *version_of(const char *program, const Credentials *user) {
  g_auto(GStrv) env = environment_new("/", "-/0/");
  const char *argv[] = {program, "--version", NULL};
  int fd = memfd_create("version", MFD_CLOEXEC);
  if (fd < 0) return NULL;
  Spawn spawn = {
      .argv = argv, .envp = (const char *const *)env, .cwd = "/", .in = -1, .out = fd, .err = fd, .as = user};
  Process *process = process_spawn(&spawn, NULL);
  if (process) process_wait(process, deadline_in(VERSION_LIMIT));
  process_free(process);
  char text[512] = "";
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  close(fd);
  return n > 0 ? version_in(text) : NULL;
}

static char *version_missing(const Test *test, const Credentials *user) {
  const char *name = test->needs.versions_engine.raw, *wish = test->needs.version.raw;
  for (guint i = 0; name && i < test->n_servers; i++) {
    const Server *server = &test->servers[i];
    if (g_strcmp0(server->engine->name, name) != 0 || server->engine->need.n == 0) continue;
    g_autofree char *program = server_program(server, server->engine->need.v[0].s);
    g_autofree char *version = program ? version_of(program, user) : NULL;
    bool bad = false;
    if (version && version_holds(version, wish, &bad)) continue;
    if (bad) return g_strdup_printf("'%s' is no version to need: say for instance '>= 17'", wish);
    return g_strdup_printf("it needs %s %s, and server '%s' would be %s", name, wish, server->name.s,
                           version ? version : "of a version nobody knows");
  }
  return NULL;
}

char *needs_missing(const Test *test, const Credentials *user) {
  char *missing = programs_missing(test);
  for (guint i = 0; !missing && i < test->needs.files.n; i++) {
    const char *file = test->needs.files.v[i].s;
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) missing = g_strdup_printf("file '%s' does not exist", file);
  }
  if (!missing && test->needs.root && geteuid() != 0) missing = g_strdup("it needs root");
  return missing ? missing : version_missing(test, user);
}
