#include "runner/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "runner/autoclose.h"
#include "runner/fail.h"

int beneath_open(const char *root, const char *relative, int flags) {
  autoclose dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return -1;
  struct open_how how = {.flags = (guint64)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK)),
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return (int)syscall(SYS_openat2, dir, *relative ? relative : ".", &how, sizeof how);
}

bool beneath_is_glob(const char *relative) { return strpbrk(relative, "*?[") != NULL; }

char *beneath_path(int fd) {
  g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
  return g_file_read_link(name, NULL);
}

static bool refuse(const char *relative, GError **error) {
  return fail(error, "'%s' leads out of its directory", relative);
}

/* What nobody may look at is not absent. */
static bool is_there(const char *root, const char *relative, bool *there, GError **error) {
  autoclose fd = beneath_open(root, relative, O_PATH | O_NOFOLLOW);
  *there = fd >= 0;
  if (fd >= 0 || errno == ENOENT || errno == ENOTDIR) return true;
  return errno == EXDEV ? refuse(relative, error) : fail_errno(error, "look at '%s'", relative);
}

static int by_name(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in root/at that match go behind `at`, one path each. */
static bool add_names(const char *root, const char *at, const char *pattern, GPtrArray *out, GError **error) {
  int fd = beneath_open(root, at, O_RDONLY | O_DIRECTORY);
  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR ||
           (errno == EXDEV ? refuse(at, error) : fail_errno(error, "read directory '%s'", at));
  DIR *dir = fdopendir(fd);
  if (!dir) return close(fd), fail_errno(error, "read directory '%s'", at);
  for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || fnmatch(pattern, name, FNM_PERIOD) != 0) continue;
    g_ptr_array_add(out, *at ? g_strdup_printf("%s/%s", at, name) : g_strdup(name));
  }
  closedir(dir);
  return true;
}

static bool add_one(const char *root, const char *at, const char *name, GPtrArray *out, GError **error) {
  g_autofree char *path = *at ? g_strdup_printf("%s/%s", at, name) : g_strdup(name);
  bool there;
  if (!is_there(root, path, &there, error)) return false;
  if (there) g_ptr_array_add(out, g_steal_pointer(&path));
  return true;
}

GPtrArray *beneath_glob(const char *root, const char *relative, GError **error) {
  g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) legs = g_strsplit(relative, "/", -1);
  g_ptr_array_add(found, g_strdup(""));
  for (guint i = 0; legs[i]; i++) {
    g_autoptr(GPtrArray) next = g_ptr_array_new_with_free_func(g_free);
    for (guint k = 0; *legs[i] && k < found->len; k++) {
      const char *at = found->pdata[k];
      if (!(beneath_is_glob(legs[i]) ? add_names(root, at, legs[i], next, error)
                                     : add_one(root, at, legs[i], next, error)))
        return NULL;
    }
    if (!*legs[i]) continue;
    g_ptr_array_unref(found);
    found = g_steal_pointer(&next);
  }
  g_ptr_array_sort(found, by_name);
  return g_steal_pointer(&found);
}
