/* command.h - a program run to its end: a definition's `run`, an engine's `create`, a recipe's pg_basebackup.
 *
 * As the test's user, with the environment of the server it belongs to (or the test's), stdin empty unless given, stdout and
 * stderr into unlinked files (a child that lives on can hold them; nobody waits for their end).
 */
#ifndef RUNNER_COMMAND_H
#define RUNNER_COMMAND_H

#include "runner/names.h"
#include "runner/process.h"

typedef struct CommandResult {
  int status;                    /* a wait status */
  char *out, *err;               /* at most 16 MiB each, NUL after them */
  gsize out_len, err_len;
  bool timed_out;                /* the limit came */
} CommandResult;
void command_result_clear(CommandResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandResult, command_result_clear)

typedef struct CommandWords {
  char **argv;                   /* argv[0] as written: it is looked up as the server's programs are */
  const char *cwd;
  const char *input;             /* stdin, NULL: empty */
  gsize input_len;
  char **env;                    /* NULL: of the node, or the test's */
} CommandWords;

/* false with the outcome: it could not be run, or the limit came (it is killed then, with all below it). */
bool command_run(Scope *scope, Node *node, const CommandWords *words, Deadline limit, CommandResult *result,
                 Outcome *outcome);
/* The same, and it must exit with 0: the outcome shows what it printed. */
bool command_must(Scope *scope, Node *node, const CommandWords *words, const char *what, Deadline limit,
                  Outcome *outcome);
/* A definition's command with its templates. */
bool command_must_texts(Scope *scope, Node *node, const Command *command, const char *base, char **env,
                        const char *what, Deadline limit, Outcome *outcome);
/* Begins it and goes on; output goes to `path`. */
Process *command_leave(Scope *scope, Node *node, char **argv, const char *cwd, const char *path, Outcome *outcome);
/* The environment of what a node runs. Free with g_strfreev(). NULL with error. */
char **node_environment(Scope *scope, Node *node, const Texts *extra, GError **error);

#endif
