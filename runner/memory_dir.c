#include "runner/memory_dir.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PLACE "/dev/shm"
#define PLENTY (G_GUINT64_CONSTANT(2) << 30)

/* /proc/meminfo, proc(5), in KiB. 0: not told. */
static guint64 available_memory(void) {
  g_autofree char *text = NULL;
  if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL)) return 0;
  const char *line = strstr(text, "MemAvailable:");
  return line ? g_ascii_strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024 : 0;
}

guint64 memory_dir_room(void) {
  struct statvfs place;
  if (statvfs(PLACE, &place) < 0) return 0;
  return MIN((guint64)place.f_bavail * place.f_frsize, available_memory() / 2);
}

const char *memory_dir(void) {
  const char *tmp = g_getenv("TMPDIR");
  struct statfs kind;
  struct statvfs place;
  if (tmp && *tmp) return NULL;
  if (statfs(PLACE, &kind) < 0 || kind.f_type != TMPFS_MAGIC || statvfs(PLACE, &place) < 0) return NULL;
  if ((place.f_flag & (ST_NOEXEC | ST_RDONLY)) || access(PLACE, W_OK | X_OK) < 0) return NULL;
  return memory_dir_room() >= PLENTY ? PLACE : NULL;
}
