#include "runner/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/command.h"
#include "runner/dirs.h"
#include "runner/programs.h"

/* Part of the key: changes when what a template looks like changes. */
#define LAYOUT "1"
#define REMOVE_LIMIT (30 * G_USEC_PER_SEC)

static char *cache_base(const Cluster *cluster) {
  const char *xdg = g_getenv("XDG_CACHE_HOME"), *home = g_getenv("HOME");
  char *base = xdg && *xdg ? g_build_filename(xdg, "runner", NULL)
               : home && *home ? g_build_filename(home, ".cache", "runner", NULL) : g_strdup("");
  if (*base && g_mkdir_with_parents(base, 0700) == 0 && access(base, W_OK | X_OK) == 0) return base;
  g_free(base);
  return g_build_filename(cluster->options->run_dir, "cache", NULL);
}

static void add_text(GChecksum *sum, const char *text) {
  g_checksum_update(sum, (const guchar *)(text ? text : ""), (gssize)strlen(text ? text : "") + 1);
}

static bool add_program(GChecksum *sum, Node *node, const char *word, GError **error) {
  g_autofree char *path = program_resolve(node, word, error);
  struct stat st;
  if (!path) return false;
  add_text(sum, path);
  if (stat(path, &st) == 0) {
    g_autofree char *facts = g_strdup_printf("%lld %lld", (long long)st.st_size, (long long)st.st_mtime);
    add_text(sum, facts);
  }
  return true;
}

/* What a creation command sees of its environment may change what it makes. */
static void add_pairs(GChecksum *sum, const Pairs *pairs) {
  for (guint i = 0; i < pairs->n; i++) {
    add_text(sum, pairs->v[i].key);
    add_text(sum, pairs->v[i].value.raw);
  }
}

/* A server's own words may hold what differs from test to test (a port): they count as they will be given. */
static bool add_own_words(GChecksum *sum, Node *node, GError **error) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}, .dir_as = "", .home_as = ""};
  g_auto(GStrv) args = scope_render_all(&scope, &node->server->create_args, error);
  if (!args) return false;
  for (char **arg = args; *arg; arg++) add_text(sum, *arg);
  for (guint i = 0; i < node->server->envs.n; i++) {
    g_autofree char *value = scope_render(&scope, &node->server->envs.v[i].value, NULL, error);
    if (!value) return false;
    add_text(sum, node->server->envs.v[i].key);
    add_text(sum, value);
  }
  return true;
}

static char *cache_key(Node *node, GError **error) {
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autofree char *user = g_strdup_printf(LAYOUT " %u", (unsigned)node->cluster->options->user->uid);
  add_text(sum, user);
  for (guint i = 0; i < node->engine->create.n; i++) {
    const Command *command = &node->engine->create.v[i];
    if (!add_program(sum, node, command->argv.v[0].raw, error)) return NULL;
    for (guint j = 0; j < command->argv.n; j++) add_text(sum, command->argv.v[j].raw);
    add_text(sum, command->cwd);
  }
  for (guint i = 0; i < node->engine->create_stdin.n; i++) add_text(sum, node->engine->create_stdin.v[i].raw);
  add_pairs(sum, &node->engine->envs);
  if (!add_own_words(sum, node, error)) return NULL;
  return g_strdup(g_checksum_get_string(sum));
}

/* Runs `create` with the template directory standing for the server's own. */
static bool make_template(Node *node, const char *dir, Deadline limit, Outcome *outcome) {
  Scope scope = {.cluster = node->cluster, .roles = {.self = node}, .dir_as = dir, .home_as = dir};
  GError *error = NULL;
  g_auto(GStrv) env = node_environment(&scope, node, NULL, &error);
  g_auto(GStrv) inputs = env ? scope_render_all(&scope, &node->engine->create_stdin, &error) : NULL;
  if (!inputs) return outcome_take_error(outcome, error);
  g_autofree char *input = g_strjoinv("\n", inputs);
  for (guint i = 0; i < node->engine->create.n; i++) {
    const Command *command = &node->engine->create.v[i];
    g_auto(GStrv) argv = scope_render_all(&scope, &command->argv, &error);
    g_auto(GStrv) extra =
        argv && i == 0 ? scope_render_all(&scope, &node->server->create_args, &error) : g_new0(char *, 1);
    if (!argv || !extra) return outcome_take_error(outcome, error);
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    for (char **arg = argv; *arg; arg++) g_ptr_array_add(all, *arg);
    for (char **arg = extra; *arg; arg++) g_ptr_array_add(all, *arg);
    g_ptr_array_add(all, NULL);
    CommandWords words = {.argv = (char **)all->pdata,
                          .cwd = dir,
                          .env = env,
                          .input = *input ? input : NULL,
                          .input_len = strlen(input)};
    g_autofree char *what = g_strdup_printf("create server '%s'", node->name);
    if (!command_must(&scope, node, &words, what, limit, outcome)) return false;
  }
  return true;
}

/* Another runner, or another test of ours, may be making it: the lock's holder makes, the others then find it made. */
static int lock_key(const char *base, const char *key, Deadline limit, Outcome *outcome) {
  g_autofree char *path = g_strdup_printf("%s/%s.lock", base, key);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    outcome_error(outcome, "open '%s': %s", path, g_strerror(errno));
    return -1;
  }
  for (gint64 pause = 1000; flock(fd, LOCK_EX | LOCK_NB) < 0; pause = MIN(pause * 2, 50000)) {
    WaitResult result =
        errno == EWOULDBLOCK ? wait_until(deadline_first(limit, deadline_after(pause))) : WAIT_CANCELLED;
    if (result == WAIT_TIMEOUT && !deadline_passed(limit)) continue;
    close(fd);
    if (fiber_cancelled()) outcome_cancel(outcome);
    else outcome_error(outcome, "the lock '%s' was not free in time", path);
    return -1;
  }
  return fd;
}

static bool fill_cache(Node *node, const char *base, const char *made, Deadline limit, Outcome *outcome) {
  const Credentials *user = node->cluster->options->user;
  g_autofree char *prefix = g_strdup_printf("create-%s", node->name);
  g_autofree char *safe = dirs_safe_name(prefix);
  GError *error = NULL;
  g_autofree char *work = dirs_make_unique(node->cluster->dir, safe, user, &error);
  if (!work) return outcome_take_error(outcome, error);
  g_autofree char *half = g_strdup_printf("%s.%d", made, (int)getpid());
  bool good = make_template(node, work, limit, outcome);
  if (good) {
    g_autofree char *ours = dirs_make(base, strrchr(half, '/') + 1, 0700, NULL, &error);
    good = ours && dirs_copy(work, half, NULL, limit, &error);
    if (good && rename(half, made) < 0 && errno != EEXIST && errno != ENOTEMPTY)
      good = outcome_error(outcome, "rename '%s' to '%s': %s", half, made, g_strerror(errno));
    if (error) good = outcome_take_error(outcome, error);
  }
  dirs_remove(work, deadline_after(REMOVE_LIMIT), NULL);
  if (g_file_test(half, G_FILE_TEST_EXISTS)) dirs_remove(half, deadline_after(REMOVE_LIMIT), NULL);
  return good;
}

bool cache_create(Node *node, const char *to, Deadline limit, Outcome *outcome) {
  GError *error = NULL;
  g_autofree char *key = cache_key(node, &error);
  if (!key) return outcome_take_error(outcome, error);
  g_autofree char *base = cache_base(node->cluster);
  g_autofree char *made = g_build_filename(base, key, NULL);
  if (g_mkdir_with_parents(base, 0700) < 0) return outcome_error(outcome, "make '%s': %s", base, g_strerror(errno));
  if (!g_file_test(made, G_FILE_TEST_IS_DIR)) {
    int lock = lock_key(base, key, limit, outcome);
    if (lock < 0) return false;
    bool good = g_file_test(made, G_FILE_TEST_IS_DIR) || fill_cache(node, base, made, limit, outcome);
    close(lock);
    if (!good) return false;
  }
  if (!dirs_copy(made, to, node->cluster->options->user, limit, &error)) return outcome_take_error(outcome, error);
  return true;
}
