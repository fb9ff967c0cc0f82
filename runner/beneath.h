/* beneath.h - looking at what is below a directory: a path is followed only as long as it stays there.
 *
 * Symbolic links are followed unless they lead out; the kernel sees to that (openat2, RESOLVE_BENEATH), so a link that is
 * swapped in meanwhile gains nothing.  Writing is dirs.h's.
 */
#ifndef RUNNER_BENEATH_H
#define RUNNER_BENEATH_H

#include <glib.h>
#include <stdbool.h>

/* Opens root/relative; flags as of open(2), O_CLOEXEC and O_NONBLOCK are added.  -1 with errno: EXDEV: it leads out. */
int beneath_open(const char *root, const char *relative, int flags);

/* Where an open directory is now; newly allocated. */
char *beneath_path(int fd);

/* The paths below root that match, sorted: `*`, `?` and `[...]` within names, as in a shell.  A path without these gives
 * itself when something is there, be it a link to nowhere.  NULL with error: a directory could not be read, or the path leads out. */
GPtrArray *beneath_glob(const char *root, const char *relative, GError **error);
bool beneath_is_glob(const char *relative);

#endif
