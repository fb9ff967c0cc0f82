#include "dbclient/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct Cursor { const char *at, *end; } Cursor;

static bool at_line_comment(const Cursor *c) {
  if (*c->at == '#')
    return true;
  /* In MySQL two dashes begin a comment only before a blank. */
  return c->end - c->at >= 2 && memcmp(c->at, "--", 2) == 0 && (c->end - c->at == 2 || g_ascii_isspace(c->at[2]));
}

/* Blanks and comments, but not those that MySQL executes: a name hidden in one of these is none that we allow. */
static void skip_blank(Cursor *c) {
  while (c->at < c->end) {
    if (g_ascii_isspace(*c->at)) {
      c->at++;
    } else if (at_line_comment(c)) {
      const char *newline = memchr(c->at, '\n', (gsize)(c->end - c->at));
      c->at = newline != NULL ? newline + 1 : c->end;
    } else if (c->end - c->at >= 4 && memcmp(c->at, "/*", 2) == 0 && c->at[2] != '!' && c->at[2] != 'M') {
      const char *close = memmem(c->at + 2, (gsize)(c->end - c->at - 2), "*/", 2);
      c->at = close != NULL ? close + 2 : c->end;
    } else {
      return;
    }
  }
}

static bool take_word(Cursor *c, const char *word) {
  gsize len = strlen(word);
  if ((gsize)(c->end - c->at) < len || g_ascii_strncasecmp(c->at, word, len) != 0)
    return false;
  const char *next = c->at + len;
  if (next < c->end && (g_ascii_isalnum(*next) || *next == '_' || *next == '$'))
    return false;
  c->at = next;
  skip_blank(c);
  return true;
}

static char unescaped(char c) {
  switch (c) {
  case '0': return '\0';
  case 'b': return '\b';
  case 'n': return '\n';
  case 'r': return '\r';
  case 't': return '\t';
  case 'Z': return '\032';
  default: return c;
  }
}

/* A quoted string as MySQL reads it by default: backslashes escape, a doubled quote stands for itself. */
static char *take_string(Cursor *c) {
  if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
    return NULL;
  char quote = *c->at++;
  g_autoptr(GString) text = g_string_new(NULL);
  for (; c->at < c->end; c->at++) {
    if (*c->at == '\\' && c->at + 1 < c->end) {
      g_string_append_c(text, unescaped(*++c->at));
    } else if (*c->at == quote && c->at + 1 < c->end && c->at[1] == quote) {
      g_string_append_c(text, *c->at++);
    } else if (*c->at == quote) {
      bool whole = memchr(text->str, '\0', text->len) == NULL;
      return whole ? g_strdup(text->str) : NULL;
    } else {
      g_string_append_c(text, *c->at);
    }
  }
  return NULL;
}

char *infile_named(const char *sql, gsize len) {
  Cursor c = {sql, sql + len};
  skip_blank(&c);
  if (!take_word(&c, "LOAD") || !(take_word(&c, "DATA") || take_word(&c, "XML")))
    return NULL;
  if (!take_word(&c, "LOW_PRIORITY"))
    take_word(&c, "CONCURRENT");
  if (!take_word(&c, "LOCAL") || !take_word(&c, "INFILE"))
    return NULL;
  return take_string(&c);
}

/* The part of an absolute name below dir, or NULL. */
static const char *below(const char *name, const char *dir) {
  gsize len = strlen(dir);
  while (len > 1 && dir[len - 1] == '/')
    len--;
  if (strncmp(name, dir, len) != 0 || name[len] != '/')
    return NULL;
  while (name[len] == '/')
    len++;
  return name + len;
}

static int open_beneath(const char *dir, const char *name) {
  int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir_fd < 0)
    return -1;
  /* O_NONBLOCK: a FIFO must not hold us up before it is found to be none of ours. */
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
  int saved = errno;
  close(dir_fd);
  errno = saved;
  return fd;
}

int infile_open(const char *name, const char *const *dirs, GError **error) {
  int last = g_path_is_absolute(name) ? EXDEV : ENOENT;
  for (const char *const *dir = dirs; dir != NULL && *dir != NULL; dir++) {
    const char *relative = g_path_is_absolute(name) ? below(name, *dir) : name;
    if (relative == NULL)
      continue;
    int fd = open_beneath(*dir, relative);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
      return fd;
    last = fd >= 0 ? EINVAL : errno;
    if (fd >= 0)
      close(fd);
    if (last != ENOENT && last != ENOTDIR)
      break;
  }
  const char *why = last == EXDEV    ? "it lies outside the directories that are allowed"
                    : last == EINVAL ? "it is not a regular file"
                                     : g_strerror(last);
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(last), "open '%s' for LOAD DATA LOCAL: %s", name, why);
  return -1;
}
