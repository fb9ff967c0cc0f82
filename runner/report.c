#include "runner/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const Report reports[] = {
  {"tap", "TAP, which prove and many CI systems read", report_tap},
  {"junit", "JUnit XML, which Jenkins, GitLab and others show", report_junit},
  {"jsonl", "the events themselves; runner report makes the others of it later", NULL},
};

const Report *report_table(guint *n) {
  *n = G_N_ELEMENTS(reports);
  return reports;
}

const Report *report_find(const char *name) {
  for (guint i = 0; i < G_N_ELEMENTS(reports); i++)
    if (g_str_equal(reports[i].name, name)) return &reports[i];
  return NULL;
}

static void unref_array(gpointer array) { g_ptr_array_unref(array); }

GPtrArray *report_by_file(const RunRecord *record) {
  GPtrArray *files = g_ptr_array_new_with_free_func(unref_array);
  g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < run_record_n_tests(record); i++) {
    TestRecord *test = run_record_test(record, i);
    GPtrArray *tests = g_hash_table_lookup(by_name, test->file);
    if (!tests) {
      tests = g_ptr_array_new();
      g_ptr_array_add(files, tests);
      g_hash_table_insert(by_name, test->file, tests);
    }
    g_ptr_array_add(tests, test);
  }
  return files;
}

static bool fail_errno(GError **error, const char *act, const char *path) {
  int saved = errno;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "%s '%s': %s", act, path, g_strerror(saved));
  return false;
}

static bool write_all(int fd, const char *bytes, gsize len) {
  while (len) {
    ssize_t n = write(fd, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    len -= (gsize)n;
  }
  return true;
}

/* Adds the newline that a crash may have left out, so that the next file's first line stays one. */
static bool copy_lines(int fd, const char *from, const char *path, GError **error) {
  char buffer[64 * 1024], last = '\n';
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0) return fail_errno(error, "open for reading", from);
  ssize_t n;
  while ((n = read(in, buffer, sizeof buffer)) > 0 && write_all(fd, buffer, (gsize)n)) last = buffer[n - 1];
  int saved = errno;
  close(in);
  errno = saved;
  if (n < 0) return fail_errno(error, "read", from);
  if (n > 0 || (last != '\n' && !write_all(fd, "\n", 1))) return fail_errno(error, "write", path);
  return true;
}

static bool write_report(int fd, const RunRecord *record, const Report *report, const ReportOptions *options,
                         const char *path, GError **error) {
  if (report->write) {
    g_autoptr(GString) text = g_string_new(NULL);
    report->write(record, options, text);
    return write_all(fd, text->str, text->len) || fail_errno(error, "write", path);
  }
  for (const char *const *events = options->events; events && *events; events++)
    if (!copy_lines(fd, *events, path, error)) return false;
  return true;
}

static mode_t default_mode(void) {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

static bool write_renamed(const RunRecord *record, const Report *report, const ReportOptions *options, const char *path,
                          GError **error) {
  g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return fail_errno(error, "write", path);
  bool written = write_report(fd, record, report, options, path, error);
  if (written && fchmod(fd, default_mode()) != 0) written = fail_errno(error, "write", path);
  if (close(fd) != 0 && written) written = fail_errno(error, "write", path);
  if (written && rename(temporary, path) != 0) written = fail_errno(error, "write", path);
  if (!written) unlink(temporary);
  return written;
}

static bool write_in_place(const RunRecord *record, const Report *report, const ReportOptions *options,
                           const char *path, GError **error) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return fail_errno(error, "open for writing", path);
  bool written = write_report(fd, record, report, options, path, error);
  if (close(fd) != 0 && written) written = fail_errno(error, "write", path);
  return written;
}

bool report_write_file(const RunRecord *record, const Report *report, const ReportOptions *options, const char *path,
                       GError **error) {
  if (g_str_equal(path, "-")) return write_report(STDOUT_FILENO, record, report, options, "stdout", error);
  struct stat info;
  bool exists = stat(path, &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    errno = EISDIR;
    return fail_errno(error, "write", path);
  }
  if (exists && !S_ISREG(info.st_mode)) return write_in_place(record, report, options, path, error);
  g_autofree char *resolved = exists ? realpath(path, NULL) : NULL;    /* a link stays one */
  return write_renamed(record, report, options, resolved ? resolved : path, error);
}
