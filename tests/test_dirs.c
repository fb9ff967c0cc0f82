/* Directories: made for the test's user, written beneath only, copied and removed whole. */
#include "runner/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/un.h>
#include <unistd.h>
#include "runner/process.h"

static char *root;
static Credentials user;

static char *below(const char *relative) { return g_build_filename(root, relative, NULL); }

static void assert_mode(const char *relative, mode_t mode) {
  g_autofree char *path = below(relative);
  struct stat st;
  g_assert_cmpint(lstat(path, &st), ==, 0);
  g_assert_cmpint(st.st_mode & 07777, ==, mode);
  g_assert_cmpuint(st.st_uid, ==, user.uid);
  g_assert_cmpuint(st.st_gid, ==, user.gid);
}

static void assert_content(const char *relative, const char *content) {
  g_autofree char *path = below(relative), *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, content);
}

static void put(const char *relative, const char *text, int mode, bool append) {
  g_autoptr(GError) error = NULL;
  dirs_write(root, relative, text, strlen(text), mode, append, &user, &error);
  g_assert_no_error(error);
}

static void assert_refused(const char *relative, const char *message) {
  g_autoptr(GError) error = NULL;
  g_assert_false(dirs_write(root, relative, "x", 1, -1, false, &user, &error));
  g_assert_cmpstr(error->message, ==, message);
  g_clear_error(&error);
  g_assert_false(dirs_write(root, relative, "x", 1, -1, true, &user, &error));
  g_assert_cmpstr(error->message, ==, message);
}

static void test_make(void) {
  g_autoptr(GError) error = NULL;
  mode_t old = umask(077);
  g_autofree char *data = dirs_make(root, "server/deep/data", 0700, &user, &error),
                  *expected = below("server/deep/data");
  g_assert_no_error(error);
  g_assert_cmpstr(data, ==, expected);
  assert_mode("server", 0750);
  assert_mode("server/deep", 0750);
  assert_mode("server/deep/data", 0700);
  g_autofree char *again = dirs_make(root, "server/./deep//data/", 0711, &user, &error);
  g_assert_no_error(error);
  assert_mode("server/deep/data", 0711);
  g_autofree char *itself = dirs_make(root, "", 0755, &user, &error);
  g_assert_cmpstr(itself, ==, root);
  assert_mode("", 0755);
  g_assert_null(dirs_make(root, "server/../../x", 0700, &user, &error));
  g_assert_cmpstr(error->message, ==, "'server/../../x' leads out of its directory");
  umask(old);
}

static void test_write(void) {
  mode_t old = umask(077);
  put("w/conf.d/a.conf", "one\n", -1, false);
  assert_mode("w/conf.d/a.conf", 0644);
  assert_mode("w/conf.d", 0750);
  put("w/conf.d/a.conf", "two\n", -1, true);
  assert_content("w/conf.d/a.conf", "one\ntwo\n");
  put("w/conf.d/a.conf", "three\n", 0550, false);
  assert_content("w/conf.d/a.conf", "three\n");
  assert_mode("w/conf.d/a.conf", 0550);
  put("w/conf.d/a.conf", "four\n", -1, true);
  assert_content("w/conf.d/a.conf", "three\nfour\n");
  assert_mode("w/conf.d/a.conf", 0550);
  put("w/conf.d/a.conf", "five\n", -1, false);
  assert_content("w/conf.d/a.conf", "five\n");
  assert_mode("w/conf.d/a.conf", 0550);
  put("w/new", "", 0600, true);
  assert_mode("w/new", 0600);
  /* Nothing but the file is left beside it. */
  g_autofree char *path = below("w/conf.d");
  g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
  g_assert_cmpstr(g_dir_read_name(entries), ==, "a.conf");
  g_assert_null(g_dir_read_name(entries));
  umask(old);
}

static void test_refused(void) {
  g_autofree char *outside = g_dir_make_tmp("runner-test-XXXXXX", NULL), *link = below("link"),
                  *file_link = below("flink");
  g_autofree char *fifo = below("fifo"), *target = g_build_filename(outside, "target", NULL);
  g_autofree char *long_name = g_strnfill(300, 'n'),
                  *long_error = g_strdup_printf("make a file beside '%s'", long_name);
  g_assert_cmpint(symlink(outside, link), ==, 0);
  g_assert_cmpint(symlink(target, file_link), ==, 0);
  g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
  assert_refused("../x", "'../x' leads out of its directory");
  assert_refused("a/../../x", "'a/../../x' leads out of its directory");
  assert_refused("/etc/passwd", "'/etc/passwd' is an absolute path: it must be relative to its directory");
  assert_refused("link/x", "'link' of 'link/x' is a symbolic link: refused");
  assert_refused("link/sub/x", "'link' of 'link/sub/x' is a symbolic link: refused");
  assert_refused("link", "'link' is a symbolic link: refused");
  assert_refused("flink", "'flink' is a symbolic link: refused");
  assert_refused("fifo", "'fifo' is there and is not a regular file");
  assert_refused("fifo/x", "open directory 'fifo' of 'fifo/x': Not a directory");
  assert_refused("", "'' does not name a file");
  assert_refused("sub/", "'sub/' does not name a file");
  g_assert_false(g_file_test(target, G_FILE_TEST_EXISTS));
  g_autoptr(GError) error = NULL;
  g_assert_false(dirs_write(root, long_name, "x", 1, -1, false, &user, &error));
  g_assert_cmpint(error->code, ==, ENAMETOOLONG);
  unlink(link);
  unlink(file_link);
  unlink(fifo);
  rmdir(outside);
}

static void test_unique(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *base = below("made/base");
  g_autofree char *one = dirs_make_unique(base, "run", &user, &error),
                  *two = dirs_make_unique(base, "run", &user, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(one, !=, two);
  g_autofree char *prefix = g_strconcat(base, "/run-", NULL);
  g_assert_true(g_str_has_prefix(one, prefix));
  struct stat st;
  g_assert_cmpint(stat(one, &st), ==, 0);
  g_assert_cmpint(st.st_mode & 07777, ==, 0700);
  g_assert_cmpuint(st.st_uid, ==, user.uid);
  g_assert_cmpint(stat(base, &st), ==, 0);
  g_assert_cmpint(st.st_mode & 07777, ==, 0755);
}

static bool spreads(const char *dir) {
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), flags = 0;
  bool flag = ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL);
  close(fd);
  return flag;
}

/* Made under its own name, nothing else left beside it; what is there already, whatever it is, stays. */
static void test_apart(void) {
  g_autoptr(GError) error = NULL;
  struct statfs fs;
  g_autofree char *dir = dirs_make(root, "apart", 0700, &user, &error);
  g_assert_no_error(error);
  g_assert_true(dirs_write(dir, "file", "x", 1, -1, false, &user, &error));
  g_autofree char *full = dirs_make(dir, "full/within", 0700, &user, &error);
  dirs_make_apart(dir, "server");
  dirs_make_apart(dir, "file");
  dirs_make_apart(dir, "full");
  g_assert_cmpint(statfs(dir, &fs), ==, 0);
  g_assert_true(spreads(dir) || fs.f_type != EXT4_SUPER_MAGIC);
  guint n = 0;
  GDir *entries = g_dir_open(dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(entries)); n++)
    g_assert_true(strcmp(name, "file") == 0 || strcmp(name, "full") == 0 || strcmp(name, "server") == 0);
  g_dir_close(entries);
  g_assert_cmpuint(n, ==, spreads(dir) ? 3 : 2);
  assert_content("apart/file", "x");
  g_assert_true(g_file_test(full, G_FILE_TEST_IS_DIR));
  g_free(dirs_make(dir, "server", 0710, &user, &error));
  g_assert_no_error(error);
  assert_mode("apart/server", 0710);
  dirs_make_apart("/nonexistent", "server");
}

static void assert_tmp(const char *tmp, const char *path, const char *message) {
  g_autoptr(GError) error = NULL;
  g_setenv("TMPDIR", tmp, TRUE);
  g_autofree char *found = dirs_tmp(&user, &error);
  g_unsetenv("TMPDIR");
  g_assert_cmpstr(found, ==, path);
  g_assert_cmpstr(error ? error->message : NULL, ==, message);
}

static void test_tmp(void) {
  g_autofree char *link = below("tmp-link"), *file = below("tmp-file"), *hidden = below("hidden"),
                  *sub = below("hidden/sub");
  g_autofree char *file_error = g_strdup_printf("temporary directory '%s' is not a directory", file);
  g_autofree char *hidden_error =
      g_strdup_printf("temporary directory '%s' cannot be reached by user '%s': set TMPDIR", sub, user.name);
  g_assert_cmpint(symlink("/tmp", link), ==, 0);
  put("tmp-file", "", -1, false);
  assert_tmp("/tmp", "/tmp", NULL);
  assert_tmp("", "/tmp", NULL);
  assert_tmp(link, "/tmp", NULL);
  assert_tmp(file, NULL, file_error);
  assert_tmp("relative", NULL, "TMPDIR 'relative' is not an absolute path");
  assert_tmp("/no/where", NULL, "resolve temporary directory '/no/where': No such file or directory");
  if (!user.drop) return;
  g_assert_cmpint(mkdir(hidden, 0700) | mkdir(sub, 0755), ==, 0);
  assert_tmp(sub, NULL, hidden_error);
}

/* ---- Trees */

static void in_loop(void (*fn)(gpointer data)) {
  loop_new();
  reaper_begin();
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  loop_free();
}

static void make_sparse(const char *relative) {
  g_autofree char *path = below(relative);
  int fd = open(path, O_WRONLY | O_CREAT, 0640);
  g_assert_cmpint(pwrite(fd, "begin", 5, 0), ==, 5);
  g_assert_cmpint(pwrite(fd, "end", 3, 64 * 1024 * 1024), ==, 3);
  close(fd);
}

static void make_socket(const char *relative) {
  g_autofree char *path = below(relative);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  close(fd);
}

static void copies(gpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *from = below("from"), *to = below("to"), *link = below("from/link"), *exe = below("from/sub/exe");
  g_autofree char *copied_link = below("to/link"), *sparse = below("to/sparse"), *socket_path = below("to/socket");
  struct stat st;
  put("from/sub/empty", "", 0600, false);
  put("from/sub/exe", "#!/bin/sh\n", 0755, false);
  put("from/read-only", "r\n", 0440, false);
  g_autofree char *closed = dirs_make(root, "from/closed", 0500, &user, NULL);
  make_sparse("from/sparse");
  make_socket("from/socket");
  g_assert_cmpint(symlink("/no/where", link), ==, 0);
  dirs_copy(from, to, &user, DEADLINE_NONE, &error);
  g_assert_no_error(error);
  assert_content("to/sub/exe", "#!/bin/sh\n");
  assert_mode("to/sub/exe", 0755);
  assert_mode("to/sub/empty", 0600);
  assert_mode("to/read-only", 0440);
  assert_mode("to/closed", 0500);
  assert_mode("to", 0750);
  g_autofree char *target = g_file_read_link(copied_link, NULL);
  g_assert_cmpstr(target, ==, "/no/where");
  g_assert_false(g_file_test(socket_path, G_FILE_TEST_EXISTS));
  g_assert_cmpint(stat(sparse, &st), ==, 0);
  g_assert_cmpint(st.st_size, ==, 64 * 1024 * 1024 + 3);
  g_assert_cmpint(st.st_blocks * 512, <, 1024 * 1024);
  int fd = open(sparse, O_RDONLY);
  char bytes[4] = "";
  g_assert_cmpint(pread(fd, bytes, 3, 64 * 1024 * 1024), ==, 3);
  g_assert_cmpstr(bytes, ==, "end");
  close(fd);
  /* On top of what is there. */
  dirs_copy(from, to, &user, DEADLINE_NONE, &error);
  g_assert_no_error(error);
}

static void test_copy(void) { in_loop(copies); }

static void copies_not(gpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *missing = below("missing"), *to = below("nowhere"), *odd = below("odd"), *fifo = below("odd/fifo");
  g_autofree char *missing_error =
      g_strdup_printf("copy '%s' to '%s': open directory '%s': No such file or directory", missing, to, missing);
  g_autofree char *odd_error =
      g_strdup_printf("copy '%s' to '%s': 'fifo' is neither a file, a directory nor a link", odd, to);
  g_assert_false(dirs_copy(missing, to, &user, DEADLINE_NONE, &error));
  g_assert_cmpstr(error->message, ==, missing_error);
  g_clear_error(&error);
  g_free(dirs_make(root, "odd", 0700, &user, NULL));
  g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
  g_assert_false(dirs_copy(odd, to, &user, DEADLINE_NONE, &error));
  g_assert_cmpstr(error->message, ==, odd_error);
}

/* So many files that the time is over long before they are copied. */
static void copies_too_slowly(gpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *from = dirs_make(root, "many", 0700, &user, NULL), *to = below("few");
  g_autofree char *message = g_strdup_printf("copy '%s' to '%s': the time ran out", from, to);
  int dir = open(from, O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 3000; i++) {
    g_autofree char *name = g_strdup_printf("%d", i);
    close(openat(dir, name, O_WRONLY | O_CREAT, 0600));
  }
  close(dir);
  g_assert_false(dirs_copy(from, to, &user, deadline_after(0), &error));
  g_assert_cmpstr(error->message, ==, message);
}

static void test_copy_slow(void) { in_loop(copies_too_slowly); }


static void test_copy_not(void) { in_loop(copies_not); }

static void removes(gpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *outside = g_dir_make_tmp("runner-test-XXXXXX", NULL),
                  *kept = g_build_filename(outside, "kept", NULL);
  g_autofree char *tree = below("tree"), *link = below("tree/a/link"), *closed = below("tree/closed"),
                  *single = below("single");
  g_assert_true(g_file_set_contents(kept, "", 0, NULL));
  put("tree/a/b/c/file", "", 0400, false);
  put("tree/closed/file", "", 0400, false);
  put("single", "", -1, false);
  g_assert_cmpint(chmod(closed, 0), ==, 0);
  g_assert_cmpint(symlink(outside, link), ==, 0);
  dirs_remove(tree, DEADLINE_NONE, &error);
  g_assert_no_error(error);
  g_assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
  dirs_remove(tree, DEADLINE_NONE, &error);
  g_assert_no_error(error);
  dirs_remove_now(single, &error);
  g_assert_no_error(error);
  g_assert_false(g_file_test(single, G_FILE_TEST_EXISTS));
  g_assert_false(dirs_remove_now("/", &error));
  g_assert_cmpstr(error->message, ==, "remove '/': not a directory below another");
  g_clear_error(&error);
  g_assert_false(dirs_remove_now("relative", &error));
  g_assert_cmpstr(error->message, ==, "remove 'relative': not a directory below another");
  unlink(kept);
  rmdir(outside);
}

static void test_remove(void) { in_loop(removes); }

/* Deeper than a process has descriptors. */
static void test_remove_deep(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *deep = below("deep");
  int dir = open(root, O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 3000; i++) {
    const char *name = i == 0 ? "deep" : "d";
    g_assert_cmpint(mkdirat(dir, name, 0700), ==, 0);
    int next = openat(dir, name, O_RDONLY | O_DIRECTORY);
    close(dir);
    dir = next;
  }
  close(dir);
  dirs_remove_now(deep, &error);
  g_assert_no_error(error);
  g_assert_false(g_file_test(deep, G_FILE_TEST_EXISTS));
}

static void test_names(void) {
  static const struct { const char *text, *name; } cases[] = {
    {"a standby serves what the primary committed", "a-standby-serves-what-the-primary-commit"},
    {"../../etc/passwd", "etc-passwd"},
    {"mode=async [x]", "mode-async-x"},
    {"v1.2_b", "v1.2_b"},
    {"\xc3\xa9t\xc3\xa9", "t"},
    {".hidden", "hidden"},
    {"---", "unnamed"},
    {"", "unnamed"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = dirs_safe_name(cases[i].text);
    g_assert_cmpstr(name, ==, cases[i].name);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_assert_true(credentials_find(&user, NULL, NULL));
  g_unsetenv("TMPDIR");
  root = dirs_make_unique("/tmp", "runner-test", &user, NULL);
  g_test_add_func("/dirs/made with parents, modes and owner", test_make);
  g_test_add_func("/dirs/written, replaced, added to", test_write);
  g_test_add_func("/dirs/what leads out is refused", test_refused);
  g_test_add_func("/dirs/unique", test_unique);
  g_test_add_func("/dirs/made apart", test_apart);
  g_test_add_func("/dirs/the temporary directory", test_tmp);
  g_test_add_func("/dirs/copied", test_copy);
  g_test_add_func("/dirs/not copied", test_copy_not);
  g_test_add_func("/dirs/not copied in time", test_copy_slow);
  g_test_add_func("/dirs/removed", test_remove);
  g_test_add_func("/dirs/removed, however deep", test_remove_deep);
  g_test_add_func("/dirs/names", test_names);
  int failed = g_test_run();
  g_assert_true(dirs_remove_now(root, NULL));
  g_free(root);
  return failed;
}
