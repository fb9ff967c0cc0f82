/* Whole trees: copied and removed by descriptors, in a child process where there is a loop. */
#include "runner/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/autoclose.h"
#include "runner/fail.h"
#include "runner/process.h"

#define COPY_CHUNK (1024 * 1024)
#define REMOVE_TRIES 50          /* against a dying server that still makes files */
#define DEPTH_MAX 100            /* each level holds two descriptors */

/* The entries of a directory, a newly opened one, so that fd may be used further; NULL with errno set. */
static DIR *open_entries(int fd) {
  int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = own < 0 ? NULL : fdopendir(own);
  if (!entries && own >= 0) close(own);
  return entries;
}

static struct dirent *next_entry(DIR *entries) {
  struct dirent *entry;
  do entry = readdir(entries);
  while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
  return entry;
}

/* ---- Copying */

static bool copy_range(int from, int to, off_t start, off_t end) {
  static bool no_copy_file_range;
  g_autofree char *buffer = NULL;
  while (start < end) {
    off_t in = start, out = start;
    ssize_t n = no_copy_file_range ? -1 : copy_file_range(from, &in, to, &out, (size_t)(end - start), 0);
    if (n == 0) return true;     /* it became shorter meanwhile */
    if (n < 0) {
      if (!no_copy_file_range && errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
        return false;
      no_copy_file_range = true;
      if (!buffer) buffer = g_malloc(COPY_CHUNK);
      n = pread(from, buffer, (size_t)MIN(end - start, COPY_CHUNK), start);
      if (n == 0) return true;
      if (n < 0 || pwrite(to, buffer, (size_t)n, start) != n) return false;
    }
    start += n;
  }
  return true;
}

/* Only where there is data; holes stay holes. */
static bool copy_data(int from, int to, off_t size) {
  static bool no_reflink;
  if (!no_reflink && ioctl(to, FICLONE, from) == 0) return true;
  no_reflink = true;
  if (size == 0) return true;
  if (ftruncate(to, size) < 0) return false;
  for (off_t start = 0; start < size;) {
    off_t data = lseek(from, start, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return true;
    if (data < 0) data = start;
    off_t hole = lseek(from, data, SEEK_HOLE);
    if (hole < 0) hole = size;
    if (!copy_range(from, to, data, MIN(hole, size))) return false;
    start = hole;
  }
  return true;
}

static bool finish_copy(int fd, const struct stat *st, const Credentials *user) {
  if (user && user->drop && fchown(fd, user->uid, user->gid) < 0) return false;
  return fchmod(fd, st->st_mode & 07777) == 0;
}

/* What was there under that name goes; it is not written through, as it may have other names. */
static int open_new(int dir, const char *name) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(dir, name, flags, 0600);
  if (fd >= 0 || errno != EEXIST || unlinkat(dir, name, 0) < 0) return fd;
  return openat(dir, name, flags, 0600);
}

static bool copy_file(int from_dir, int to_dir, const char *name, const Credentials *user, GError **error) {
  struct stat st;
  autoclose from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (from < 0 || fstat(from, &st) < 0) return fail_errno(error, "open '%s' for reading", name);
  autoclose to = open_new(to_dir, name);
  if (to < 0) return fail_errno(error, "open '%s' for writing", name);
  if (!copy_data(from, to, st.st_size)) return fail_errno(error, "copy '%s'", name);
  return finish_copy(to, &st, user) || fail_errno(error, "set owner and mode of '%s'", name);
}

static bool copy_link(int from_dir, int to_dir, const char *name, const Credentials *user, GError **error) {
  char target[4096];
  ssize_t len = readlinkat(from_dir, name, target, sizeof target - 1);
  if (len < 0) return fail_errno(error, "read link '%s'", name);
  target[len] = '\0';
  if (unlinkat(to_dir, name, 0) < 0 && errno != ENOENT) return fail_errno(error, "replace '%s'", name);
  if (symlinkat(target, to_dir, name) < 0) return fail_errno(error, "make link '%s'", name);
  if (user && user->drop && fchownat(to_dir, name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno(error, "set owner of '%s'", name);
  return true;
}

static bool copy_entries(int from, int to, const Credentials *user, int depth, GError **error);

static bool copy_directory(int from_dir, int to_dir, const char *name, const Credentials *user, int depth,
                           GError **error) {
  struct stat st;
  autoclose from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (from < 0 || fstat(from, &st) < 0) return fail_errno(error, "open directory '%s'", name);
  if (mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST) return fail_errno(error, "make directory '%s'", name);
  autoclose to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (to < 0) return fail_errno(error, "open directory '%s'", name);
  if (!copy_entries(from, to, user, depth, error)) return false;
  return finish_copy(to, &st, user) || fail_errno(error, "set owner and mode of '%s'", name);
}

static bool copy_entry(int from, int to, const char *name, const Credentials *user, int depth, GError **error) {
  struct stat st;
  if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(error, "look at '%s'", name);
  switch (st.st_mode & S_IFMT) {
  case S_IFREG: return copy_file(from, to, name, user, error);
  case S_IFDIR: return copy_directory(from, to, name, user, depth + 1, error);
  case S_IFLNK: return copy_link(from, to, name, user, error);
  case S_IFSOCK: return true;    /* the way to a process, which is not copied */
  default: return fail(error, "'%s' is neither a file, a directory nor a link", name);
  }
}

static bool copy_entries(int from, int to, const Credentials *user, int depth, GError **error) {
  if (depth > DEPTH_MAX) return fail(error, "more than %d directories deep", DEPTH_MAX);
  DIR *entries = open_entries(from);
  if (!entries) return fail_errno(error, "read directory");
  bool done = true;
  for (struct dirent *entry; done && (entry = next_entry(entries));)
    done = copy_entry(from, to, entry->d_name, user, depth, error);
  closedir(entries);
  return done;
}

static bool copy_now(const char *from, const char *to, const Credentials *user, GError **error) {
  struct stat st;
  autoclose from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (from_fd < 0 || fstat(from_fd, &st) < 0) return fail_errno(error, "open directory '%s'", from);
  if (mkdir(to, 0700) < 0 && errno != EEXIST) return fail_errno(error, "make directory '%s'", to);
  autoclose to_fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (to_fd < 0) return fail_errno(error, "open directory '%s'", to);
  if (!copy_entries(from_fd, to_fd, user, 0, error)) return false;
  return finish_copy(to_fd, &st, user) || fail_errno(error, "set owner and mode of '%s'", to);
}

/* ---- Removing */

typedef struct Removal {
  dev_t device;
  int top;                       /* the directory that is removed, -1 until it is open */
  guint moved;                   /* directories that were too deep and moved up to it */
} Removal;

static bool remove_entries(Removal *removal, int fd, int depth, GError **error);

/* Each level holds a descriptor, so what lies too deep is first moved to the top, where a later pass finds it. */
static bool move_up(Removal *removal, int dir, const char *name, GError **error) {
  g_autofree char *new_name = g_strdup_printf(".deep-%u-%d", ++removal->moved, getpid());
  return renameat(dir, name, removal->top, new_name) == 0 || fail_errno(error, "move directory '%s' up", name);
}

/* A directory without rights for its owner hides its contents from all but root: they are given first. */
static bool remove_directory(Removal *removal, int dir, const char *name, int depth, GError **error) {
  struct stat st;
  if (geteuid() != 0) fchmodat(dir, name, 0700, 0);
  if (depth == DEPTH_MAX) return move_up(removal, dir, name, error);
  autoclose fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT || fail_errno(error, "open directory '%s'", name);
  if (fstat(fd, &st) < 0) return fail_errno(error, "look at '%s'", name);
  if (st.st_dev != removal->device) return fail(error, "'%s' is another file system: left alone", name);
  if (depth == 0) removal->top = fd;
  for (int tries = 0;; tries++) {
    guint moved = removal->moved;
    if (!remove_entries(removal, fd, depth + 1, error)) return false;
    if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (removal->moved > moved) tries = 0;
    if (errno != ENOTEMPTY || tries == REMOVE_TRIES) return fail_errno(error, "remove directory '%s'", name);
  }
}

static bool remove_entries(Removal *removal, int fd, int depth, GError **error) {
  DIR *entries = open_entries(fd);
  if (!entries) return fail_errno(error, "read directory");
  bool done = true;
  for (struct dirent *entry; done && (entry = next_entry(entries));) {
    if (unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    if (errno == EISDIR) done = remove_directory(removal, fd, entry->d_name, depth, error);
    else done = fail_errno(error, "remove '%s'", entry->d_name);
  }
  closedir(entries);
  return done;
}

bool dirs_remove_now(const char *path, GError **error) {
  struct stat st;
  g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
  if (!g_path_is_absolute(path) || strcmp(parent, path) == 0)
    return fail(error, "remove '%s': not a directory below another", path);
  autoclose dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return errno == ENOENT || fail_errno(error, "remove '%s': open directory '%s'", path, parent);
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || fail_errno(error, "remove '%s'", path);
  if (!S_ISDIR(st.st_mode)) return unlinkat(dir, name, 0) == 0 || fail_errno(error, "remove '%s'", path);
  if (remove_directory(&(Removal){.device = st.st_dev, .top = -1}, dir, name, 0, error)) return true;
  g_prefix_error(error, "remove '%s': ", path);
  return false;
}

/* ---- In a child */

typedef struct TreeWork { const char *from, *to; const Credentials *user; } TreeWork;

static int report(int fd, bool done, const GError *failure) {
  if (!done && write(fd, failure->message, strlen(failure->message)) < 0) return 2;
  return done ? 0 : 1;
}

static int copy_child(int report_fd, gpointer data) {
  const TreeWork *work = data;
  g_autoptr(GError) failure = NULL;
  bool done = copy_now(work->from, work->to, work->user, &failure);
  return report(report_fd, done, failure);
}

static int remove_child(int report_fd, gpointer data) {
  const TreeWork *work = data;
  g_autoptr(GError) failure = NULL;
  bool done = dirs_remove_now(work->from, &failure);
  return report(report_fd, done, failure);
}

static const char *why_not(Deadline deadline) {
  return fiber_cancelled()           ? "it was cancelled"
         : deadline_passed(deadline) ? "the time ran out"
                                     : "its process was killed";
}

bool dirs_copy(const char *from, const char *to, const Credentials *user, Deadline deadline, GError **error) {
  TreeWork work = {from, to, user};
  g_autofree char *message = NULL;
  int status = process_call(copy_child, &work, deadline, &message);
  if (status == 0) return true;
  return fail(error, "copy '%s' to '%s': %s", from, to, *message ? message : why_not(deadline));
}

bool dirs_remove(const char *path, Deadline deadline, GError **error) {
  TreeWork work = {path, NULL, NULL};
  g_autofree char *message = NULL;
  int status = process_call(remove_child, &work, deadline, &message);
  if (status == 0) return true;
  if (status > 0) return fail(error, "%s", message);
  return fail(error, "remove '%s': %s", path, *message ? message : why_not(deadline));
}
