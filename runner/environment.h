/* environment.h - the environment of a server: built from an allow-list, nothing inherited but PATH.
 *
 * What a person or a CI service has set (PG*, MYSQL_*, LANG, LD_PRELOAD, ...) must not change what a test sees, and a
 * server must not read the dot files of whoever runs it.  The result is a NULL-terminated list of NAME=VALUE, to be
 * freed with g_strfreev().
 */
#ifndef RUNNER_ENVIRONMENT_H
#define RUNNER_ENVIRONMENT_H

#include <glib.h>

/* PATH as ours (or a common default), HOME, LC_ALL=C, TZ=UTC and RUNNER_SERVER=marker, by which what the server leaves
 * behind is known to be its own (tree.h); marker NULL: without. */
char **environment_new(const char *home, const char *marker);
/* Sets or replaces one variable; value NULL removes it.  RUNNER_SERVER cannot be changed. */
void environment_set(char ***env, const char *key, const char *value);

#endif
