/* Ports: free ones that nobody else gets, fixed ones that are waited for, and who listens. */
#include "runner/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/process.h"
#include "runner/state_dir.h"
#include "runner/tree.h"

static char *dir;

static int bound(int family, const char *address, int port, bool reuse) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((guint16)port)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((guint16)port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){reuse}, sizeof(int));
  if (family == AF_INET && strcmp(address, "127.0.0.1") == 0) in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (family == AF_INET6 && strcmp(address, "::1") == 0) in6.sin6_addr = in6addr_loopback;
  struct sockaddr *to = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
  if (bind(fd, to, family == AF_INET ? sizeof in : sizeof in6) == 0) return fd;
  close(fd);
  return -1;
}

static int listening_at(int family, const char *address, int port) {
  int fd = bound(family, address, port, true);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(listen(fd, 1), ==, 0);
  return fd;
}

static void test_take(void) {
  Ports *ports = ports_new(), *others = ports_new();
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  int low = 0;
  g_autofree char *range = NULL;
  g_assert_true(g_file_get_contents("/proc/sys/net/ipv4/ip_local_port_range", &range, NULL, NULL));
  g_assert_cmpint(sscanf(range, "%d", &low), ==, 1);
  for (int i = 0; i < 200; i++) {
    int port = ports_take(i % 2 ? ports : others, i % 3 > 0, &error);
    g_assert_no_error(error);
    g_assert_true(g_hash_table_add(seen, GINT_TO_POINTER(port)));
    g_assert_cmpint(port, >=, 1024);
    if (low > 21000) g_assert_cmpint(port, <, low);
  }
  ports_free(ports);
  ports_free(others);
}

/* A held port takes a server that binds as servers do, and nobody who asks whether it is free. */
static void test_held(void) {
  Ports *ports = ports_new();
  int port = ports_take(ports, true, NULL), unheld = ports_take(ports, false, NULL);
  g_assert_cmpint(bound(AF_INET, "127.0.0.1", port, false), ==, -1);
  int server = listening_at(AF_INET, "127.0.0.1", port);
  g_assert_cmpint(bound(AF_INET, "127.0.0.1", port, false), ==, -1);
  close(server);
  g_assert_cmpint(bound(AF_INET, "127.0.0.1", port, false), ==, -1);
  int any = listening_at(AF_INET, "any", port);
  close(any);
  int exclusive = bound(AF_INET, "127.0.0.1", unheld, false);
  g_assert_cmpint(exclusive, >=, 0);
  close(exclusive);
  ports_free(ports);
  exclusive = bound(AF_INET, "127.0.0.1", port, false);
  g_assert_cmpint(exclusive, >=, 0);
  close(exclusive);
}

/* ---- Fixed ports */

static void test_fixed(void) {
  Ports *ports = ports_new(), *others = ports_new();
  g_autoptr(GError) error = NULL;
  int port = ports_take(ports, false, NULL);
  g_assert_true(ports_fixed(ports, port, DEADLINE_NONE, &error));
  g_assert_false(ports_fixed(others, port, DEADLINE_NONE, &error));
  g_autofree char *taken = g_strdup_printf("port %d is taken by another run", port);
  g_assert_cmpstr(error->message, ==, taken);
  g_clear_error(&error);
  ports_free(ports);
  g_assert_true(ports_fixed(others, port, DEADLINE_NONE, &error));
  g_assert_true(ports_fixed(others, port, DEADLINE_NONE, &error));
  g_assert_false(ports_fixed(others, 70000, DEADLINE_NONE, &error));
  g_assert_cmpstr(error->message, ==, "port 70000 is not between 1 and 65535");
  ports_free(others);
}

static void test_fixed_stranger(void) {
  Ports *ports = ports_new();
  g_autoptr(GError) error = NULL;
  int port = ports_take(ports, false, NULL);
  ports_free(ports);
  ports = ports_new();
  int server = listening_at(AF_INET, "any", port);
  g_assert_false(ports_fixed(ports, port, DEADLINE_NONE, &error));
  g_autofree char *text = g_strdup_printf("port %d is taken: pid %d (test_ports) listens there", port, getpid());
  g_assert_cmpstr(error->message, ==, text);
  g_clear_error(&error);
  close(server);
  g_assert_true(ports_fixed(ports, port, DEADLINE_NONE, &error));
  ports_free(ports);
}

static struct { Ports *ports, *others; int port; } two;

static void give_back_later(gpointer data) {
  wait_until(deadline_after(50000));
  g_clear_pointer(&two.ports, ports_free);
}

static void waits_for_lock(gpointer data) {
  g_autoptr(GError) error = NULL;
  two.port = ports_take(two.ports, false, NULL);
  g_assert_false(ports_fixed(two.others, two.port, deadline_after(20000), &error));
  g_clear_error(&error);
  fiber_spawn_detached("give back", give_back_later, NULL);
  g_assert_true(ports_fixed(two.others, two.port, deadline_after(10 * G_USEC_PER_SEC), &error));
  g_assert_null(two.ports);
}

static void test_waits(void) {
  two.ports = ports_new();
  two.others = ports_new();
  loop_new();
  fiber_spawn_detached("test", waits_for_lock, NULL);
  loop_run();
  loop_free();
  ports_free(two.others);
}

/* ---- Who listens */

static int owner_of(int port, pid_t candidate, bool *listening, char **stranger) {
  g_autoptr(GArray) list = tree_list(candidate);
  return port_owner(port, list, listening, stranger);
}

static void test_owner(void) {
  Ports *ports = ports_new();
  int port = ports_take(ports, true, NULL);
  bool listening = true;
  g_autofree char *stranger = NULL, *us = g_strdup_printf("pid %d (test_ports)", getpid());
  g_assert_cmpint(owner_of(port, getpid(), &listening, NULL), ==, 0);
  g_assert_false(listening);       /* held is not listened on */
  int server = listening_at(AF_INET, "127.0.0.1", port);
  g_assert_cmpint(owner_of(port, getpid(), &listening, &stranger), ==, getpid());
  g_assert_true(listening);
  g_assert_null(stranger);
  g_assert_cmpint(port_owner(port, NULL, &listening, &stranger), ==, 0);
  g_assert_true(listening);
  g_assert_cmpstr(stranger, ==, us);
  close(server);
  static const struct {
    int family;
    const char *address;
  } others[] = {{AF_INET, "any"}, {AF_INET6, "any"}, {AF_INET6, "::1"}};
  for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
    server = bound(others[i].family, others[i].address, port, true);
    if (server < 0) continue;      /* no IPv6 here */
    g_assert_cmpint(listen(server, 1), ==, 0);
    g_assert_cmpint(owner_of(port, getpid(), &listening, NULL), ==, getpid());
    close(server);
  }
  ports_free(ports);
}

/* Where a stranger has the nearer address, connections go to him, though we listen too. */
static void test_nearest(void) {
  Ports *ports = ports_new();
  int port = ports_take(ports, false, NULL), fds[2];
  bool listening;
  char byte;
  int ours = bound(AF_INET6, "::1", port, true);
  ports_free(ports);
  if (ours < 0) return g_test_skip("no IPv6 here");
  g_assert_cmpint(listen(ours, 1), ==, 0);
  g_assert_cmpint(pipe(fds), ==, 0);
  pid_t stranger = fork();
  if (stranger == 0) {
    close(ours);
    listening_at(AF_INET, "127.0.0.1", port);
    g_assert_cmpint(write(fds[1], "x", 1), ==, 1);
    while (pause() < 0) continue;
  }
  g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
  g_autoptr(GArray) list = tree_list(getpid()), theirs = tree_list(stranger);
  g_array_remove_range(list, 1, list->len - 1);
  g_assert_cmpint(port_owner(port, list, &listening, NULL), ==, 0);
  g_assert_true(listening);
  g_assert_cmpint(port_owner(port, theirs, &listening, NULL), ==, stranger);
  kill(stranger, SIGKILL);
  waitpid(stranger, NULL, 0);
  close(ours);
}

/* ---- The directory */

static void test_state_dir(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *path = state_dir(&error), *expected = g_build_filename(dir, "runner", NULL);
  struct stat st;
  g_assert_cmpstr(path, ==, expected);
  g_assert_cmpint(stat(path, &st), ==, 0);
  g_assert_cmpint(st.st_mode & 07777, ==, 0700);
  g_autofree char *link = g_build_filename(path, "link", NULL), *file = g_build_filename(path, "file", NULL);
  g_autofree char *link_error = g_strdup_printf("'%s' is a symbolic link: refused", link);
  g_autofree char *file_error = g_strdup_printf("'%s' is not a directory", file);
  g_assert_cmpint(symlink(dir, link), ==, 0);
  g_assert_null(state_dir_below("link", &error));
  g_assert_cmpstr(error->message, ==, link_error);
  g_clear_error(&error);
  g_assert_true(g_file_set_contents(file, "", 0, NULL));
  g_assert_null(state_dir_below("file", &error));
  g_assert_cmpstr(error->message, ==, file_error);
  g_clear_error(&error);
  unlink(link);
  unlink(file);
  if (geteuid() != 0) return;
  g_autofree char *theirs = state_dir_below("theirs", NULL);
  g_assert_cmpint(chown(theirs, 65534, 65534), ==, 0);
  g_autofree char *theirs_error = g_strdup_printf("directory '%s' belongs to user 65534: refused", theirs);
  g_assert_null(state_dir_below("theirs", &error));
  g_assert_cmpstr(error->message, ==, theirs_error);
  rmdir(theirs);
}

static void test_state_dir_fallback(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *tmp_name = g_strdup_printf("runner-%u", (unsigned)geteuid());
  g_autofree char *expected = g_build_filename(dir, tmp_name, NULL);
  g_setenv("TMPDIR", dir, TRUE);
  g_setenv("XDG_RUNTIME_DIR", "/no/such/directory", TRUE);
  g_autofree char *path = state_dir(&error);
  g_assert_cmpstr(path, ==, expected);
  g_setenv("XDG_RUNTIME_DIR", dir, TRUE);
  g_unsetenv("TMPDIR");
  rmdir(path);
}

/* Many processes take at once and compare: no port twice. */
static void test_many(void) {
  int fds[2];
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  g_assert_cmpint(pipe(fds), ==, 0);
  for (int i = 0; i < 16; i++)
    if (fork() == 0) {
      Ports *ports = ports_new();
      for (int j = 0; j < 20; j++) {
        int port = ports_take(ports, j % 2 == 0, NULL);
        if (write(fds[1], &port, sizeof port) != sizeof port) _exit(1);
      }
      while (pause() < 0) continue;
    }
  for (int i = 0; i < 16 * 20; i++) {
    int port;
    g_assert_cmpint(read(fds[0], &port, sizeof port), ==, sizeof port);
    g_assert_cmpint(port, >, 0);
    g_assert_true(g_hash_table_add(seen, GINT_TO_POINTER(port)));
  }
  g_assert_true(tree_kill_descendants(5 * G_USEC_PER_SEC, NULL, 0));
  close(fds[0]);
  close(fds[1]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  dir = g_dir_make_tmp("runner-test-XXXXXX", NULL);
  g_setenv("XDG_RUNTIME_DIR", dir, TRUE);
  g_test_add_func("/ports/free ones, each once", test_take);
  g_test_add_func("/ports/a held port", test_held);
  g_test_add_func("/ports/sixteen runs at once", test_many);
  g_test_add_func("/ports/fixed", test_fixed);
  g_test_add_func("/ports/fixed, and a stranger listens", test_fixed_stranger);
  g_test_add_func("/ports/fixed, waits for another run", test_waits);
  g_test_add_func("/ports/who listens", test_owner);
  g_test_add_func("/ports/the nearest listener counts", test_nearest);
  g_test_add_func("/ports/a directory of our own", test_state_dir);
  g_test_add_func("/ports/a directory of our own, elsewhere", test_state_dir_fallback);
  int failed = g_test_run();
  g_autofree char *locks = g_build_filename(dir, "runner", "ports", NULL),
                  *runner = g_build_filename(dir, "runner", NULL);
  unlink(locks);
  g_assert_true(rmdir(runner) == 0 && rmdir(dir) == 0);
  g_free(dir);
  return failed;
}
