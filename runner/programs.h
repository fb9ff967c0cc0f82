/* programs.h - where an engine's programs are: the server's bindir, then the engine's search path, then PATH.
 *
 * A bindir may name a variable of the environment the run was started in, and nothing else that only a run knows: programs are
 * looked for before there are servers.  A search entry is a directory, a glob (the highest version that matches wins: 17 before 9.6), or the word PATH.
 */
#ifndef RUNNER_PROGRAMS_H
#define RUNNER_PROGRAMS_H

#include "runner/node.h"

/* Full path, newly allocated. self NULL: PATH alone. Error: says where it was looked for. */
char *program_path(const Node *self, const char *name, GError **error);
/* The same for a command's first word: a word with a slash stays as it is. */
char *program_resolve(const Node *self, const char *word, GError **error);
/* PATH for what a server starts: the directory of its programs first. */
char *program_search_path(const Node *self);
/* The same before there is a test under way; NULL: not there. */
char *server_program(const Server *server, const char *name);
/* The first of a test's programs (its engines', its own) that is not there, in words; NULL: all is there. */
char *programs_missing(const Test *test);

#endif
