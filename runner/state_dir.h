/* state_dir.h - the one place where the runs of a user on this machine meet: port locks, the registry.
 *
 * $XDG_RUNTIME_DIR/runner when that directory is ours, else runner-UID below the temporary directory.  Nobody else can
 * write there: it is 0700, a directory and not a link, and belongs to us, or it is refused.
 */
#ifndef RUNNER_STATE_DIR_H
#define RUNNER_STATE_DIR_H

#include <glib.h>

/* Made when it is missing.  Newly allocated; NULL with error set. */
char *state_dir(GError **error);
/* A directory of that name within it, made and verified in the same way. */
char *state_dir_below(const char *name, GError **error);

#endif
