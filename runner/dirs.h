/* dirs.h - a test's directories: made beneath one root, owned by the test's user, written beneath only, removed whole.
 *
 * Every path that a definition gives is opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): "..", absolute paths
 * and links are refused with a message.
 */
#ifndef RUNNER_DIRS_H
#define RUNNER_DIRS_H

#include "runner/credentials.h"
#include "runner/loop.h"

/* The directory below which runs are kept: $TMPDIR or /tmp, resolved; checked to be a directory, reachable by the user. */
char *dirs_tmp(const Credentials *user, GError **error);
/* Makes base/PREFIX-XXXXXX, 0755 up to it being passable by the user (the leaf 0700, owned by the user). Newly allocated. */
char *dirs_make_unique(const char *base, const char *prefix, const Credentials *user, GError **error);
/* Makes root/relative with all parents (0750, owned by the user). "" is root itself. Newly allocated full path. */
char *dirs_make(const char *root, const char *relative, int mode, const Credentials *user, GError **error);
/* Writes bytes to root/relative: parents made, owned by the user; append or replace (replacing a 0550 file works too). */
bool dirs_write(const char *root, const char *relative, const char *bytes, gsize len, int mode, bool append,
                const Credentials *user, GError **error);
/* Copies the tree from -> to (reflink, else copy_file_range; modes kept; owned by the user; sparse files stay sparse) in a child
 * process, as the loop must not block. Fiber only. */
bool dirs_copy(const char *from, const char *to, const Credentials *user, Deadline deadline, GError **error);
/* Removes the tree: fd-relative, follows no link, stays on one file system. In a child process, fiber only. */
bool dirs_remove(const char *path, Deadline deadline, GError **error);
/* The same, blocking, for processes without a loop. */
bool dirs_remove_now(const char *path, GError **error);
/* A file name made of any text: letters, digits, '.', '_' and '-', at most 40. */
char *dirs_safe_name(const char *text);

#endif
