/* read_file.c - see read_file.h. */
#include "yamldef/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BYTES = 64 * 1024 * 1024 };

static char *fail(GError **error, int code, const char *path, const char *cause) {
  g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(code), "read '%s': %s", path, cause);
  return NULL;
}

static char *read_all(int fd, const char *path, gsize size, gsize *len, GError **error) {
  g_autofree char *bytes = g_malloc(size + 1);
  gsize got = 0;
  while (got < size) {
    ssize_t n = read(fd, bytes + got, size - got);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail(error, errno, path, g_strerror(errno));
    if (n == 0)
      break;
    got += (gsize)n;
  }
  bytes[got] = '\0';
  *len = got;
  return g_steal_pointer(&bytes);
}

char *read_file(const char *path, gsize *len, GError **error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0)
    return fail(error, errno, path, g_strerror(errno));
  char *bytes = NULL;
  if (fstat(fd, &st) != 0)
    fail(error, errno, path, g_strerror(errno));
  else if (!S_ISREG(st.st_mode))
    fail(error, EINVAL, path, "not a regular file");
  else if (st.st_size > MAX_BYTES)
    fail(error, EFBIG, path, "bigger than 64 MiB");
  else
    bytes = read_all(fd, path, (gsize)st.st_size, len, error);
  close(fd);
  return bytes;
}
