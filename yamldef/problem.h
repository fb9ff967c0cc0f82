/* problem.h - what is wrong or doubtful in a definition, collected.
 *
 * Loading goes on after an error, so that one run tells all of a file's.  A part of a file may be read several times
 * (once for each row of a matrix, each call of a procedure); the same complaint about the same place is kept once.
 */
#ifndef YAMLDEF_PROBLEM_H
#define YAMLDEF_PROBLEM_H

#include "yamldef/arena.h"
#include "yamldef/definition.h"

typedef struct Problems Problems;

/* Texts are copied into arena, which must outlive the list. */
Problems *problems_new(Arena *arena);
void problems_free(Problems *problems);

/* where and hint may be NULL. */
void problems_add(Problems *problems, bool warning, Place at, const char *where, const char *hint, const char *what);

/* By file and place, the main file first. */
void problems_sort(Problems *problems, const char *main_file);
guint problems_n(const Problems *problems);
guint problems_n_errors(const Problems *problems);
const Problem *problems_get(const Problems *problems, guint i);

/* The candidate most like `word`, or NULL when none is near enough to be what was meant. */
const char *nearest_word(const char *word, const char *const *candidates, guint n);

#endif
