/* file: what is below a server's directory, looked at or changed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/autoclose.h"
#include "runner/beneath.h"
#include "runner/dirs.h"
#include "runner/fail.h"
#include "runner/step.h"
#include "runner/visible.h"

#define SHOWN 2000
#define SHOWN_NAMES 10
#define LARGEST (256u * 1024 * 1024)

typedef struct Where {
  Context *context;
  const FileStep *file;
  Node *node;
  const char *path; /* relative to the server's directory */
} Where;

const char *file_deed_text(const FileStep *file) {
  static const char *const words[] = {
      [FILE_LOOK] = "look at", [FILE_WRITE] = "write",       [FILE_APPEND] = "append to",   [FILE_REMOVE] = "remove",
      [FILE_COPY] = "copy to", [FILE_TRUNCATE] = "truncate", [FILE_MODE] = "permissions of"};
  return words[file_deed(file)];
}

static const Credentials *user_of(const Where *where) { return where->node->cluster->options->user; }

/* ---- Looking */

static bool not_one(const Where *where, const GPtrArray *found, Outcome *outcome) {
  if (found->len == 0 && beneath_is_glob(where->path))
    return outcome_fail(outcome, "nothing in the directory of '%s' matches '%s'", where->node->name, where->path);
  if (found->len == 0)
    return outcome_fail(outcome, "there is no '%s' in the directory of '%s'", where->path, where->node->name);
  outcome_fail(outcome, "%u files of '%s' match '%s', not one", found->len, where->node->name, where->path);
  for (guint i = 0; i < MIN(found->len, SHOWN_NAMES); i++) outcome_addf(outcome, "  %s", (char *)found->pdata[i]);
  if (found->len > SHOWN_NAMES) outcome_addf(outcome, "  ... and %u more", found->len - SHOWN_NAMES);
  return false;
}

static bool read_all(int fd, GByteArray *to, const char *path, GError **error) {
  struct stat st;
  if (fstat(fd, &st) < 0) return fail_errno(error, "look at '%s'", path);
  if (S_ISDIR(st.st_mode)) return fail(error, "'%s' is a directory", path);
  if (!S_ISREG(st.st_mode)) return fail(error, "'%s' is not a regular file", path);
  if (st.st_size > (off_t)LARGEST) return fail(error, "'%s' is longer than 256 MiB", path);
  guint8 piece[64 * 1024];
  ssize_t n;
  while ((n = read(fd, piece, sizeof piece)) > 0 && to->len <= LARGEST) g_byte_array_append(to, piece, (guint)n);
  return n == 0 || (n > 0 ? fail(error, "'%s' is longer than 256 MiB", path) : fail_errno(error, "read '%s'", path));
}

static void show(const char *what, const char *bytes, gsize len, Outcome *outcome) {
  g_autoptr(GString) text = g_string_new(NULL);
  visible_append(text, bytes, MIN(len, SHOWN), VISIBLE_LINE);
  outcome_addf(outcome, "  %s (%" G_GSIZE_FORMAT " bytes): %s%s", what, len, text->str, len > SHOWN ? " ..." : "");
}

static bool check_equals(const Where *where, const char *path, const GByteArray *got, Outcome *outcome) {
  const Text *wanted = &where->file->equals;
  if (!wanted->raw) return true;
  GError *error = NULL;
  gsize len = 0;
  g_autofree char *bytes = scope_render(&where->context->scope, wanted, &len, &error);
  if (!bytes) return outcome_take_error(outcome, error);
  if (len == got->len && memcmp(bytes, got->len ? (const void *)got->data : "", len) == 0) return true;
  outcome_fail(outcome, "'%s' of '%s' is not what it should be", path, where->node->name);
  outcome->at = wanted->at;
  show("expected", bytes, len, outcome);
  show("got", (const char *)got->data, got->len, outcome);
  return false;
}

static bool check_matches(const Where *where, const char *path, const GByteArray *got, Outcome *outcome) {
  const PatternTexts *wanted = &where->file->matches;
  for (guint i = 0; i < wanted->n; i++) {
    g_autoptr(Pattern) made = NULL;
    GError *error = NULL;
    const Pattern *pattern = scope_pattern(&where->context->scope, &wanted->v[i], PATTERN_BLOCK, &made, &error);
    if (!pattern) return outcome_take_error(outcome, error);
    const char *why = NULL, *bytes = got->len ? (const char *)got->data : "";
    PatternResult found = pattern_search(pattern, bytes, got->len, 0, NULL, NULL, &why);
    if (found == PATTERN_YES) continue;
    if (found == PATTERN_NO)
      outcome_fail(outcome, "'%s' of '%s' does not match /%s/", path, where->node->name, pattern_text(pattern));
    else outcome_error(outcome, "pattern /%s/ over '%s' could not be decided: %s", pattern_text(pattern), path, why);
    outcome->at = wanted->v[i].text.at;
    show("got", bytes, got->len, outcome);
    return false;
  }
  return true;
}

static bool look(const Where *where, Outcome *outcome) {
  GError *error = NULL;
  g_autoptr(GPtrArray) found = beneath_glob(where->node->dir, where->path, &error);
  if (!found) return outcome_take_error(outcome, error);
  if (where->file->absent)
    return found->len == 0 || outcome_fail(outcome, "'%s' of '%s' is there, and should not be", (char *)found->pdata[0],
                                           where->node->name);
  if (found->len != 1) return not_one(where, found, outcome);
  if (where->file->matches.n == 0 && !where->file->equals.raw) return true;
  const char *path = found->pdata[0];
  autoclose fd = beneath_open(where->node->dir, path, O_RDONLY);
  g_autoptr(GByteArray) got = g_byte_array_new();
  if (fd < 0 && errno == EXDEV)
    return outcome_error(outcome, "'%s' leads out of the directory of '%s'", path, where->node->name);
  if (fd < 0)
    return outcome_fail(outcome, "open '%s' of '%s' for reading: %s", path, where->node->name, g_strerror(errno));
  if (!read_all(fd, got, path, &error)) return outcome_take_error(outcome, error);
  return check_equals(where, path, got, outcome) && check_matches(where, path, got, outcome);
}

/* ---- Changing */

static bool write_text(const Where *where, const Text *text, bool append, GError **error) {
  gsize len = 0;
  g_autofree char *bytes = scope_render(&where->context->scope, text, &len, error);
  return bytes && dirs_write(where->node->dir, where->path, bytes, len, where->file->has_mode ? where->file->mode : -1,
                             append, user_of(where), error);
}

/* The directory above, so that what is removed is a name in it, whatever that leads to. */
static bool remove_it(const Where *where, GError **error) {
  g_autofree char *parent = g_path_get_dirname(where->path), *name = g_path_get_basename(where->path);
  autoclose dir = beneath_open(where->node->dir, parent, O_RDONLY | O_DIRECTORY);
  struct stat st;
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return fail(error, "'%s' does not name a file", where->path);
  if (dir < 0 && errno == EXDEV)
    return fail(error, "'%s' leads out of the directory of '%s'", where->path, where->node->name);
  if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno(error, "remove '%s' of '%s'", where->path, where->node->name);
  if (!S_ISDIR(st.st_mode))
    return unlinkat(dir, name, 0) == 0 || fail_errno(error, "remove '%s' of '%s'", where->path, where->node->name);
  g_autofree char *above = beneath_path(dir), *path = g_strdup_printf("%s/%s", above, name);
  return dirs_remove(path, where->context->limit, error);
}

static bool change_open_file(const Where *where, GError **error) {
  const FileStep *file = where->file;
  bool cut = file->has_truncate;
  autoclose fd = beneath_open(where->node->dir, where->path, cut ? O_WRONLY : O_RDONLY);
  if (fd >= 0 && (cut ? ftruncate(fd, file->truncate) : fchmod(fd, (mode_t)file->mode)) == 0) return true;
  if (errno == EXDEV) return fail(error, "'%s' leads out of the directory of '%s'", where->path, where->node->name);
  return fail_errno(error, "%s '%s' of '%s'", cut ? "truncate" : "set the permissions of", where->path,
                    where->node->name);
}

static bool copy_it(const Where *where, GError **error) {
  g_autofree char *from = scope_render(&where->context->scope, &where->file->copy_from, NULL, error);
  if (!from) return false;
  autoclose fd =
      *from == '/' ? open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : beneath_open(where->node->dir, from, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) return fail_errno(error, "copy '%s'", from);
  if (S_ISDIR(st.st_mode)) {
    g_autofree char *source = beneath_path(fd);
    g_autofree char *to = dirs_make(where->node->dir, where->path, (int)(st.st_mode & 07777), user_of(where), error);
    return to && dirs_copy(source, to, user_of(where), where->context->limit, error);
  }
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  if (!read_all(fd, bytes, from, error)) return false;
  return dirs_write(where->node->dir, where->path, bytes->len ? (const char *)bytes->data : "", bytes->len,
                    (int)(st.st_mode & 07777), false, user_of(where), error);
}

static bool change(const Where *where, GError **error) {
  switch (file_deed(where->file)) {
  case FILE_WRITE: return write_text(where, &where->file->write, false, error);
  case FILE_APPEND: return write_text(where, &where->file->append, true, error);
  case FILE_REMOVE: return remove_it(where, error);
  case FILE_COPY: return copy_it(where, error);
  default: return change_open_file(where, error);
  }
}

void step_file(Context *context, const Step *step, Outcome *outcome) {
  const FileStep *file = &step->file;
  GError *error = NULL;
  Node *node = context_node(context, &file->server, outcome);
  if (!node) return;
  g_autofree char *path = scope_render(&context->scope, &file->path, NULL, &error);
  if (!path) {
    outcome_take_error(outcome, error);
    return;
  }
  g_autofree char *dir = g_strconcat(node->dir, "/", NULL);
  const Where where = {context, file, node, g_str_has_prefix(path, dir) ? path + strlen(dir) : path};
  if (*where.path == '/')
    outcome_error(outcome, "'%s' is an absolute path: it must be below the directory of '%s'", path, node->name);
  else if (file_deed(file) == FILE_LOOK) look(&where, outcome);
  else if (!change(&where, &error)) outcome_take_error(outcome, error);
}
