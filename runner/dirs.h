/* dirs.h - a test's directories: made beneath one root, owned by the test's user, written beneath only, removed whole.
 *
 * Every path that a definition gives is walked from the root name by name, never through a symbolic link: "..",
 * absolute paths and links are refused with a message, and a server that swaps a directory for a link meanwhile gains
 * nothing. The root itself is ours and is trusted.
 */
#ifndef RUNNER_DIRS_H
#define RUNNER_DIRS_H

#include "runner/credentials.h"
#include "runner/loop.h"

/* The directory below which runs are kept: $TMPDIR or /tmp, links resolved; checked to be a directory that the user can
 * pass.  Newly allocated.  Forks and waits for a moment: for start-up. */
char *dirs_tmp(const Credentials *user, GError **error);
/* Makes base/PREFIX-XXXXXX, 0700 and owned by the user; what is missing of base is made 0755.  Newly allocated. */
char *dirs_make_unique(const char *base, const char *prefix, const Credentials *user, GError **error);
/* Makes parent/name, where nothing has that name, so that ext4 places it far from what else is there.  Without a journal
 * ext4 looks at each file removed in the last minutes when it seeks a place for a new one nearby: after some tests
 * that is half a millisecond for each of a server's thousand files.  Best effort: dirs_make() follows for mode and owner. */
void dirs_make_apart(const char *parent, const char *name);
/* Makes root/relative with all parents (0750, owned by the user); one that exists gets this mode and owner too.  "" is
 * root itself.  Newly allocated full path. */
char *dirs_make(const char *root, const char *relative, int mode, const Credentials *user, GError **error);
/* Writes bytes to root/relative: parents made, owned by the user.  Replacing is atomic, and works for a read-only file.
 * append: to the end, made when it is missing.  mode -1: 0644, or as it was. */
bool dirs_write(const char *root, const char *relative, const char *bytes, gsize len, int mode, bool append,
                const Credentials *user, GError **error);
/* Copies the tree from -> to (reflink, else copy_file_range; modes kept; owned by the user; sparse files stay sparse;
 * links copied as links, sockets left out) in a child process, as the loop must not block.  `to` may be there already
 * and is added to.  From a fiber. */
bool dirs_copy(const char *from, const char *to, const Credentials *user, Deadline deadline, GError **error);
/* Removes the tree: follows no link, stays on one file system; nothing there is fine.  In a child process, from a
 * fiber. */
bool dirs_remove(const char *path, Deadline deadline, GError **error);
/* The same, blocking, for processes without a loop. */
bool dirs_remove_now(const char *path, GError **error);
/* A file name made of any text: letters, digits, '.', '_' and '-', at most 40, not beginning with '.' or '-'. */
char *dirs_safe_name(const char *text);

#endif
