#include "runner/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/environment.h"
#include "runner/programs.h"
#include "runner/tree.h"

#define OUTPUT_KEPT (16u * 1024 * 1024)

void command_result_clear(CommandResult *result) {
  g_free(result->out);
  g_free(result->err);
  memset(result, 0, sizeof *result);
}

/* "K=V" texts over what is there. */
static bool set_texts(char ***env, Scope *scope, const Texts *texts, GError **error) {
  for (guint i = 0; i < texts->n; i++) {
    g_autofree char *pair = scope_render(scope, &texts->v[i], NULL, error);
    if (!pair) return false;
    char *equals = strchr(pair, '=');
    if (!equals) {
      g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "environment entry '%s' is not NAME=VALUE", pair);
      return false;
    }
    *equals = '\0';
    environment_set(env, pair, equals + 1);
  }
  return true;
}

static bool set_pairs(char ***env, Scope *scope, const Pairs *pairs, GError **error) {
  for (guint i = 0; i < pairs->n; i++) {
    g_autofree char *value = scope_render(scope, &pairs->v[i].value, NULL, error);
    if (!value) return false;
    environment_set(env, pairs->v[i].key, value);
  }
  return true;
}

char **node_environment(Scope *scope, Node *node, const Texts *extra, GError **error) {
  if (!node) {
    g_autofree char *marker =
        g_strdup_printf("%s/%u/", scope->cluster->options->run_id, scope->cluster->planned->number);
    char **plain = environment_new(scope->cluster->dir, marker);
    const char *path = g_getenv("PATH");
    if (path) environment_set(&plain, "PATH", path);
    return plain;
  }
  Scope inner = *scope;
  inner.roles.self = node;
  g_auto(GStrv) env = environment_new(scope->home_as ? scope->home_as : node->home, node->marker);
  g_autofree char *path = program_search_path(node);
  environment_set(&env, "PATH", path);
  if (!set_pairs(&env, &inner, &node->engine->envs, error) || !set_pairs(&env, &inner, &node->server->envs, error))
    return NULL;
  if (extra && !set_texts(&env, &inner, extra, error)) return NULL;
  return g_steal_pointer(&env);
}

/* Scripts open /dev/stderr anew, so the file must be theirs. */
static int given_to_user(Scope *scope, int fd) {
  const Credentials *user = scope->cluster->options->user;
  if (fd >= 0 && user->drop && fchown(fd, user->uid, user->gid) < 0)
    g_debug("give a file to user %s: %s", user->name, g_strerror(errno));
  return fd;
}

/* A file nobody else can find, in the test's directory. */
static int scratch(Scope *scope, GError **error) {
  int fd = open(scope->cluster->dir, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
  if (fd >= 0) return given_to_user(scope, fd);
  g_autofree char *path = g_build_filename(scope->cluster->dir, ".scratch-XXXXXX", NULL);
  fd = g_mkstemp_full(path, O_RDWR | O_APPEND | O_CLOEXEC, 0600);
  if (fd >= 0) unlink(path);
  else
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "make a scratch file in '%s': %s",
                scope->cluster->dir, g_strerror(errno));
  return given_to_user(scope, fd);
}

static char *slurp(int fd, gsize *len) {
  struct stat st;
  gsize size = fstat(fd, &st) == 0 ? MIN((gsize)st.st_size, OUTPUT_KEPT) : 0;
  char *bytes = g_malloc(size + 1);
  ssize_t got = pread(fd, bytes, size, 0);
  *len = got > 0 ? (gsize)got : 0;
  bytes[*len] = '\0';
  return bytes;
}

static int input_file(Scope *scope, const CommandWords *words, GError **error) {
  if (!words->input) return -1;
  int fd = scratch(scope, error);
  if (fd < 0) return -2;
  for (gsize done = 0; done < words->input_len;) {
    ssize_t n = write(fd, words->input + done, words->input_len - done);
    if (n < 0) {
      g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "write a command's standard input: %s",
                  g_strerror(errno));
      close(fd);
      return -2;
    }
    done += (gsize)n;
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static Process *spawn_words(Scope *scope, Node *node, const CommandWords *words, int in, int out, int err,
                            GError **error) {
  Scope inner = *scope;
  if (node) inner.roles.self = node;
  g_autofree char *program = program_resolve(inner.roles.self, words->argv[0], error);
  if (!program) return NULL;
  g_auto(GStrv) env = words->env ? g_strdupv(words->env) : node_environment(scope, node, NULL, error);
  if (!env) return NULL;
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_ptr_array_add(argv, program);
  for (char **arg = words->argv + 1; *arg; arg++) g_ptr_array_add(argv, *arg);
  g_ptr_array_add(argv, NULL);
  Spawn spawn = {.argv = (const char *const *)argv->pdata, .envp = (const char *const *)env,
                 .cwd = words->cwd ? words->cwd : node ? node->dir : scope->cluster->dir,
                 .in = in, .out = out, .err = err, .as = scope->cluster->options->user};
  return process_spawn(&spawn, error);
}

static GArray *list_tree(gpointer data) { return tree_list(((Process *)data)->pid); }

/* Waits for its end; when that does not come, ends it and all below it. */
static bool wait_for_end(Process *process, const char *name, Deadline limit, bool *timed_out, Outcome *outcome) {
  WaitResult result = process_wait(process, limit);
  if (result == WAIT_READY) return true;
  *timed_out = result == WAIT_TIMEOUT;
  fiber_shield();
  tree_kill(list_tree, process, deadline_after(5 * G_USEC_PER_SEC));
  process_wait(process, deadline_after(5 * G_USEC_PER_SEC));
  fiber_unshield();
  if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  return outcome_error(outcome, "'%s' did not end in time and was killed", name);
}

bool command_run(Scope *scope, Node *node, const CommandWords *words, Deadline limit, CommandResult *result,
                 Outcome *outcome) {
  GError *error = NULL;
  int in = input_file(scope, words, &error);
  if (in == -2) return outcome_take_error(outcome, error);
  int out = scratch(scope, &error), err = out < 0 ? -1 : scratch(scope, &error);
  Process *process = err < 0 ? NULL : spawn_words(scope, node, words, in, out, err, &error);
  bool ended = process && wait_for_end(process, words->argv[0], limit, &result->timed_out, outcome);
  if (out >= 0 && err >= 0) {
    result->out = slurp(out, &result->out_len);
    result->err = slurp(err, &result->err_len);
  }
  if (process) result->status = process->status;
  if (in >= 0) close(in);
  if (out >= 0) close(out);
  if (err >= 0) close(err);
  process_free(process);
  return error ? outcome_take_error(outcome, error) : ended;
}

bool command_must(Scope *scope, Node *node, const CommandWords *words, const char *what, Deadline limit,
                  Outcome *outcome) {
  g_auto(CommandResult) result = {0};
  if (!command_run(scope, node, words, limit, &result, outcome)) {
    outcome_add(outcome, result.err);
    return false;
  }
  if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0) return true;
  g_autofree char *end = exit_text(result.status);
  g_autofree char *line = g_strjoinv(" ", words->argv);
  outcome_error(outcome, "%s: '%s' %s", what, words->argv[0], end);
  outcome_addf(outcome, "  command: %s", line);
  outcome_add(outcome, result.err);
  if (result.err_len == 0) outcome_add(outcome, result.out);
  return false;
}

bool command_must_texts(Scope *scope, Node *node, const Command *command, const char *base, char **env,
                        const char *what, Deadline limit, Outcome *outcome) {
  GError *error = NULL;
  g_auto(GStrv) argv = scope_render_all(scope, &command->argv, &error);
  if (!argv) return outcome_take_error(outcome, error);
  g_autofree char *cwd = command->cwd ? g_build_filename(base, command->cwd, NULL) : g_strdup(base);
  CommandWords words = {.argv = argv, .cwd = cwd, .env = env};
  return command_must(scope, node, &words, what, limit, outcome);
}

Process *command_leave(Scope *scope, Node *node, char **argv, const char *cwd, const char *path, Outcome *outcome) {
  GError *error = NULL;
  int out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) {
    outcome_error(outcome, "open '%s' for writing: %s", path, g_strerror(errno));
    return NULL;
  }
  given_to_user(scope, out);
  CommandWords words = {.argv = argv, .cwd = cwd};
  Process *process = spawn_words(scope, node, &words, -1, out, out, &error);
  close(out);
  if (!process) outcome_take_error(outcome, error);
  return process;
}
