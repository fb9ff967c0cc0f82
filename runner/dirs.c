/* Making and writing beneath a root.  Each name of a path is opened by itself with O_NOFOLLOW, relative to the
 * directory before it, so that no rename can lead out. */
#include "runner/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/autoclose.h"
#include "runner/fail.h"

#define PARENT_MODE 0750

/* ---- Places */

/* Whether the user can pass: asked of the kernel in the user's name, as modes alone do not tell (ACLs). */
static bool passable(const char *path, const Credentials *user) {
  int status;
  pid_t pid = fork();
  if (pid == 0) _exit(credentials_apply(user) && access(path, X_OK) == 0 ? 0 : 1);
  if (pid < 0) return false;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

char *dirs_tmp(const Credentials *user, GError **error) {
  const char *tmp = g_getenv("TMPDIR");
  if (!tmp || !*tmp) tmp = "/tmp";
  if (!g_path_is_absolute(tmp)) return fail(error, "TMPDIR '%s' is not an absolute path", tmp), NULL;
  char *resolved = realpath(tmp, NULL);
  g_autofree char *path = g_strdup(resolved);
  free(resolved);
  if (!path) return fail_errno(error, "resolve temporary directory '%s'", tmp), NULL;
  if (!g_file_test(path, G_FILE_TEST_IS_DIR))
    return fail(error, "temporary directory '%s' is not a directory", tmp), NULL;
  if (user->drop && !passable(path, user))
    return fail(error, "temporary directory '%s' cannot be reached by user '%s': set TMPDIR", path, user->name), NULL;
  return g_steal_pointer(&path);
}

static bool own(int fd, const char *name, const Credentials *user, GError **error) {
  if (!user || !user->drop || fchown(fd, user->uid, user->gid) == 0) return true;
  return fail_errno(error, "give '%s' to user '%s'", name, user->name);
}

/* mkdir -p with modes that no umask changes. */
static bool make_base(const char *base, GError **error) {
  g_autofree char *path = g_strdup(base);
  for (char *slash = path + 1;; slash++) {
    slash = strchrnul(slash, '/');
    char was = *slash;
    *slash = '\0';
    if (mkdir(path, 0755) == 0 ? chmod(path, 0755) < 0 : errno != EEXIST)
      return fail_errno(error, "make directory '%s'", path);
    *slash = was;
    if (!was) return true;
  }
}

char *dirs_make_unique(const char *base, const char *prefix, const Credentials *user, GError **error) {
  if (!make_base(base, error)) return NULL;
  g_autofree char *path = g_strdup_printf("%s/%s-XXXXXX", base, prefix);
  if (!mkdtemp(path)) return fail_errno(error, "make a directory in '%s'", base), NULL;
  autoclose fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0 && own(fd, path, user, error)) return g_steal_pointer(&path);
  if (fd < 0) fail_errno(error, "open directory '%s'", path);
  rmdir(path);
  return NULL;
}

/* The flag on the parent has its directories spread, from a place that their name's hash gives: a name never used
 * before gives one that was not used just now. */
void dirs_make_apart(const char *parent, const char *name) {
  int flags;
  autoclose fd = open(parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return;
  flags |= FS_TOPDIR_FL;
  if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0) return;
  g_autofree char *id = g_uuid_string_random(), *new_name = g_strconcat(".new-", id, NULL);
  if (mkdirat(fd, new_name, 0700) < 0) return;
  if (renameat2(fd, new_name, fd, name, RENAME_NOREPLACE) < 0) unlinkat(fd, new_name, AT_REMOVEDIR);
}

/* ---- Walking beneath a root */

static bool check_relative(const char *relative, GError **error) {
  if (*relative == '/') return fail(error, "'%s' is an absolute path: it must be relative to its directory", relative);
  g_auto(GStrv) names = g_strsplit(relative, "/", -1);
  for (guint i = 0; names[i]; i++)
    if (strcmp(names[i], "..") == 0) return fail(error, "'%s' leads out of its directory", relative);
  return true;
}

static bool is_link(int dir, const char *name) {
  struct stat st;
  return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

/* Opens a directory within another, made first when it is missing.  -1 with error set. */
static int enter(int dir, const char *name, const char *relative, const Credentials *user, GError **error) {
  bool made = mkdirat(dir, name, PARENT_MODE) == 0;
  if (!made && errno != EEXIST) return fail_errno(error, "make directory '%s' of '%s'", name, relative), -1;
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && is_link(dir, name)) return fail(error, "'%s' of '%s' is a symbolic link: refused", name, relative), -1;
  if (fd < 0) return fail_errno(error, "open directory '%s' of '%s'", name, relative), -1;
  if (!made || (fchmod(fd, PARENT_MODE) == 0 && own(fd, name, user, error))) return fd;
  if (error && !*error) fail_errno(error, "set the mode of directory '%s' of '%s'", name, relative);
  close(fd);
  return -1;
}

/* The directory root/relative, or with leaf the one above its last name, which goes into *leaf (within relative). */
static int walk(const char *root, const char *relative, const Credentials *user, const char **leaf, GError **error) {
  if (!check_relative(relative, error)) return -1;
  int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return fail_errno(error, "open directory '%s'", root), -1;
  const char *last = leaf ? strrchr(relative, '/') : NULL;
  if (leaf) *leaf = last ? last + 1 : relative;
  g_autofree char *parents = leaf ? g_strndup(relative, last ? (gsize)(last - relative) : 0) : g_strdup(relative);
  g_auto(GStrv) names = g_strsplit(parents, "/", -1);
  for (guint i = 0; names[i] && dir >= 0; i++) {
    if (!*names[i] || strcmp(names[i], ".") == 0) continue;
    int below = enter(dir, names[i], relative, user, error);
    close(dir);
    dir = below;
  }
  return dir;
}

char *dirs_make(const char *root, const char *relative, int mode, const Credentials *user, GError **error) {
  autoclose dir = walk(root, relative, user, NULL, error);
  if (dir < 0) return NULL;
  g_autofree char *path = *relative ? g_build_filename(root, relative, NULL) : g_strdup(root);
  if (!own(dir, path, user, error)) return NULL;
  if (fchmod(dir, (mode_t)mode) < 0) return fail_errno(error, "set the mode of directory '%s'", path), NULL;
  return g_steal_pointer(&path);
}

/* ---- Writing */

static bool write_all(int fd, const char *bytes, gsize len) {
  while (len > 0) {
    ssize_t n = write(fd, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    len -= (gsize)n;
  }
  return true;
}

/* What is there under that name: its mode, -1 when nothing is.  A link would lead out, a FIFO would block. */
static bool look_at_file(int dir, const char *name, const char *relative, int *mode, GError **error) {
  struct stat st;
  *mode = -1;
  if (!*name || strcmp(name, ".") == 0) return fail(error, "'%s' does not name a file", relative);
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || fail_errno(error, "look at '%s'", relative);
  if (S_ISLNK(st.st_mode)) return fail(error, "'%s' is a symbolic link: refused", relative);
  if (!S_ISREG(st.st_mode)) return fail(error, "'%s' is there and is not a regular file", relative);
  *mode = (int)(st.st_mode & 07777);
  return true;
}

/* Owner first: a change of owner clears the set-id bits. */
static bool finish_file(int fd, const char *relative, const char *bytes, gsize len, int mode, const Credentials *user,
                        GError **error) {
  if (!write_all(fd, bytes, len)) return fail_errno(error, "write '%s'", relative);
  if (!own(fd, relative, user, error)) return false;
  return fchmod(fd, (mode_t)mode) == 0 || fail_errno(error, "set the mode of '%s'", relative);
}

static bool append_file(int dir, const char *name, const char *relative, const char *bytes, gsize len, int old_mode,
                        int mode, const Credentials *user, GError **error) {
  /* Who is not root must give himself the right to write a read-only file of his. */
  if (old_mode >= 0 && !(old_mode & S_IWUSR) && geteuid() != 0) fchmodat(dir, name, (mode_t)old_mode | S_IWUSR, 0);
  autoclose fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(error, "open '%s' for appending", relative);
  return finish_file(fd, relative, bytes, len, mode, user, error);
}

static bool replace_file(int dir, const char *name, const char *relative, const char *bytes, gsize len, int mode,
                         const Credentials *user, GError **error) {
  g_autofree char *temporary = g_strdup_printf(".new-%08x%08x", g_random_int(), (guint)getpid());
  autoclose fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(error, "make a file beside '%s'", relative);
  bool done = finish_file(fd, relative, bytes, len, mode, user, error);
  if (done && renameat(dir, temporary, dir, name) < 0) done = fail_errno(error, "replace '%s'", relative);
  if (!done) unlinkat(dir, temporary, 0);
  return done;
}

bool dirs_write(const char *root, const char *relative, const char *bytes, gsize len, int mode, bool append,
                const Credentials *user, GError **error) {
  const char *name;
  int old_mode;
  autoclose dir = walk(root, relative, user, &name, error);
  if (dir < 0 || !look_at_file(dir, name, relative, &old_mode, error)) return false;
  if (mode < 0) mode = old_mode >= 0 ? old_mode : 0644;
  if (append) return append_file(dir, name, relative, bytes, len, old_mode, mode, user, error);
  return replace_file(dir, name, relative, bytes, len, mode, user, error);
}

/* ---- Names */

#define NAME_MAX_LEN 40

char *dirs_safe_name(const char *text) {
  GString *name = g_string_new(NULL);
  for (; *text && name->len < NAME_MAX_LEN; text++) {
    bool plain = g_ascii_isalnum(*text) || *text == '_' || *text == '.';
    if (plain && (*text != '.' || name->len > 0)) g_string_append_c(name, *text);
    else if (name->len > 0 && name->str[name->len - 1] != '-') g_string_append_c(name, '-');
  }
  while (name->len > 0 && name->str[name->len - 1] == '-') g_string_truncate(name, name->len - 1);
  if (name->len == 0) g_string_append(name, "unnamed");
  return g_string_free(name, FALSE);
}
