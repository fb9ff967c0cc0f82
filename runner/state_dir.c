/* A private directory below a place that others can write to (/tmp), so what is found there is not believed. */
#include "runner/state_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/fail.h"

static bool ours(const char *path, struct stat *st) {
  return lstat(path, st) == 0 && S_ISDIR(st->st_mode) && st->st_uid == geteuid();
}

/* Once it is ours and 0700 nobody else can change that. */
static bool make_private(const char *path, GError **error) {
  struct stat st;
  if (mkdir(path, 0700) < 0 && errno != EEXIST) return fail_errno(error, "make directory '%s'", path);
  if (lstat(path, &st) < 0) return fail_errno(error, "look at directory '%s'", path);
  if (S_ISLNK(st.st_mode)) return fail(error, "'%s' is a symbolic link: refused", path);
  if (!S_ISDIR(st.st_mode)) return fail(error, "'%s' is not a directory", path);
  if (st.st_uid != geteuid())
    return fail(error, "directory '%s' belongs to user %u: refused", path, (unsigned)st.st_uid);
  if ((st.st_mode & 07777) != 0700 && chmod(path, 0700) < 0)
    return fail_errno(error, "make directory '%s' private", path);
  return true;
}

char *state_dir(GError **error) {
  const char *runtime = g_getenv("XDG_RUNTIME_DIR");
  struct stat st;
  g_autofree char *path = NULL;
  /* Under sudo it may be another user's: then it is not for us. */
  if (runtime && g_path_is_absolute(runtime) && ours(runtime, &st)) {
    path = g_build_filename(runtime, "runner", NULL);
  } else {
    const char *tmp = g_getenv("TMPDIR");
    g_autofree char *name = g_strdup_printf("runner-%u", (unsigned)geteuid());
    path = g_build_filename(tmp && g_path_is_absolute(tmp) ? tmp : "/tmp", name, NULL);
  }
  return make_private(path, error) ? g_steal_pointer(&path) : NULL;
}

char *state_dir_below(const char *name, GError **error) {
  g_autofree char *parent = state_dir(error);
  if (!parent) return NULL;
  g_autofree char *path = g_build_filename(parent, name, NULL);
  return make_private(path, error) ? g_steal_pointer(&path) : NULL;
}
