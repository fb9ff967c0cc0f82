/* needs.h - what a test says it needs, and whether it is there: programs, files, an engine's version, root. */
#ifndef RUNNER_NEEDS_H
#define RUNNER_NEEDS_H

#include "runner/credentials.h"
#include "yamldef/definition.h"

/* The first need that is not there, in words for the skip; NULL: all are. From a fiber: a version is asked of the program itself
 * (PROGRAM --version). */
char *needs_missing(const Test *test, const Credentials *user);

/* Pure: whether "15.20" is ">= 15", "< 17", "= 15.20" or "15" (the same up to the parts that are named). false with *bad set: the wish is
 * not one. */
bool version_holds(const char *version, const char *wish, bool *bad);

#endif
