/* Trees: everything that a server starts is found and ended, however it hides. */
#include "runner/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/environment.h"
#include "runner/process.h"

static void in_loop(void (*fn)(gpointer data)) {
  loop_new();
  reaper_begin();
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  loop_free();
}

static Process *start(const char *marker, const char *cwd, const char *const *options) {
  g_autofree char *program = g_test_build_filename(G_TEST_BUILT, "misbehave", NULL);
  const char *argv[16] = {program};
  for (guint i = 0; options[i]; i++) argv[i + 1] = options[i];
  g_auto(GStrv) env = environment_new("/", marker);
  g_autoptr(GError) error = NULL;
  Process *process = process_spawn(
      &(Spawn){.argv = argv, .envp = (const char *const *)env, .cwd = cwd, .in = -1, .out = -1, .err = -1}, &error);
  g_assert_no_error(error);
  return process;
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void wait_for_length(GArray *(*list_now)(gpointer data), gpointer data, guint len) {
  for (gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;;) {
    g_autoptr(GArray) list = list_now(data);
    if (list->len == len) return;
    if (g_get_monotonic_time() > end) g_error("%u processes instead of %u", list->len, len);
    wait_until(deadline_after(1000));
  }
}

static GArray *list_process(gpointer data) { return tree_list(((Process *)data)->pid); }

static GArray *list_ours(gpointer data) { return tree_orphans(NULL, data, NULL); }

static GArray *list_all(gpointer data) { return tree_orphans(NULL, NULL, NULL); }

static void finds_and_kills(gpointer data) {
  Process *server = start("r/t/a", "/", OPTIONS("--never", "--setsid-child", "--leave-child", "100000"));
  wait_for_length(list_process, server, 3);
  g_autoptr(GArray) tree = tree_list(server->pid);
  const TreeProcess *root = &g_array_index(tree, TreeProcess, 0), *child = &g_array_index(tree, TreeProcess, 1);
  g_assert_cmpint(root->pid, ==, server->pid);
  g_assert_cmpuint(root->start_time, ==, server->start_time);
  g_assert_cmpint(root->parent, ==, getpid());
  g_assert_cmpint(child->parent, ==, server->pid);
  g_assert_nonnull(strstr(root->command, "misbehave"));
  g_assert_true(tree_contains(server->pid, child->pid));
  g_assert_true(tree_contains(getpid(), child->pid));
  g_assert_false(tree_contains(child->pid, server->pid));
  g_autofree char *marker = tree_marker(child->pid);
  g_assert_cmpstr(marker, ==, "r/t/a");
  g_assert_true(tree_kill(list_process, server, deadline_after(5 * G_USEC_PER_SEC)));
  g_assert_cmpint(process_wait(server, deadline_after(5 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_cmpint(WTERMSIG(server->status), ==, SIGKILL);
  process_free(server);
  g_assert_true(tree_kill(list_all, NULL, deadline_after(5 * G_USEC_PER_SEC)));
}

static void test_finds(void) { in_loop(finds_and_kills); }

static GArray *list_of_a_or_in(gpointer dir) { return tree_orphans(NULL, "r/t/a", dir); }

/* Two daemons, both adopted by us: each orphan is known by its marker, or by where it works. */
static void tells_owners(gpointer data) {
  g_autofree char *dir = g_dir_make_tmp("runner-test-XXXXXX", NULL);
  Process *a = start("r/t/a", "/", OPTIONS("--daemonise", "--never")),
          *b = start("r/t/b", "/", OPTIONS("--daemonise", "--never"));
  Process *nameless = start(NULL, dir, OPTIONS("--daemonise", "--never"));
  process_wait(a, DEADLINE_NONE);
  process_wait(b, DEADLINE_NONE);
  process_wait(nameless, DEADLINE_NONE);
  wait_for_length(list_all, NULL, 3);
  wait_for_length(list_ours, (gpointer) "r/t/a", 1);
  wait_for_length(list_ours, (gpointer) "r/t/b", 1);
  wait_for_length(list_ours, (gpointer) "r/t", 0);
  wait_for_length(list_of_a_or_in, dir, 2);
  g_autoptr(GArray) by_place = tree_orphans(NULL, "r/t/c", dir);
  g_assert_cmpuint(by_place->len, ==, 1);
  g_autofree char *elsewhere = g_strconcat(dir, "-more", NULL), *shorter = g_strndup(dir, strlen(dir) - 1);
  g_autoptr(GArray) none = tree_orphans(NULL, "r/t/c", elsewhere);
  g_autoptr(GArray) none_either = tree_orphans(NULL, "r/t/c", shorter);
  g_assert_cmpuint(none->len + none_either->len, ==, 0);
  g_autoptr(GArray) known = g_array_new(FALSE, FALSE, sizeof(pid_t));
  g_array_append_val(known, g_array_index(by_place, TreeProcess, 0).pid);
  g_autoptr(GArray) unknown = tree_orphans(known, NULL, NULL);
  g_assert_cmpuint(unknown->len, ==, 2);
  /* Only a's are killed. */
  g_assert_true(tree_kill(list_ours, (gpointer) "r/t/a", deadline_after(5 * G_USEC_PER_SEC)));
  wait_for_length(list_all, NULL, 2);
  g_assert_true(tree_kill(list_all, NULL, deadline_after(5 * G_USEC_PER_SEC)));
  process_free(a);
  process_free(b);
  process_free(nameless);
  rmdir(dir);
}

static void test_owners(void) { in_loop(tells_owners); }

static void signals_only_the_same(gpointer data) {
  Process *server = start(NULL, "/", OPTIONS("--never", "--deaf"));
  TreeProcess look;
  g_assert_true(tree_look(server->pid, &look));
  g_assert_false(tree_signal_one(server->pid, server->start_time + 1, SIGKILL));
  g_assert_true(tree_signal_one(server->pid, server->start_time, SIGSTOP));
  for (look.state = 'R'; look.state != 'T'; wait_turn()) g_assert_true(tree_look(server->pid, &look));
  /* A stopped one is killed like any other. */
  g_assert_true(tree_kill(list_process, server, deadline_after(5 * G_USEC_PER_SEC)));
  g_assert_cmpint(process_wait(server, deadline_after(5 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_false(tree_signal_one(server->pid, server->start_time, 0));
  g_assert_false(tree_look(server->pid, &look));
  process_free(server);
}

static void test_same(void) { in_loop(signals_only_the_same); }

/* How far the machine's pids have come, as the storm takes one after the other. */
static int last_pid(void) {
  g_autofree char *text = NULL;
  g_assert_true(g_file_get_contents("/proc/loadavg", &text, NULL, NULL));
  return atoi(strrchr(text, ' '));
}

/* The storm has begun; 0: the pids began anew meanwhile. */
static int wait_for_forks(int least) {
  int before = last_pid();
  for (gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;;) {
    int forks = last_pid() - before;
    if (forks < 0 || forks > least) return MAX(forks, 0);
    if (g_get_monotonic_time() > end) g_error("%d forks in 10 s", forks);
    wait_turn();
  }
}

static void turn_for(gint64 microseconds) {
  for (gint64 end = g_get_monotonic_time() + microseconds; g_get_monotonic_time() < end;) wait_turn();
}

static void ends_storm(gpointer data) {
  Process *server = start("r/t/storm", "/", OPTIONS("--never", "--fork-storm", "60000"));
  int forks = wait_for_forks(20);
  gint64 began = g_get_monotonic_time();
  g_assert_true(tree_kill(list_ours, (gpointer) "r/t/storm", deadline_after(10 * G_USEC_PER_SEC)));
  g_test_message("about %d forks, over in %" G_GINT64_FORMAT " us", forks, g_get_monotonic_time() - began);
  turn_for(50000);
  g_autoptr(GArray) left = tree_orphans(NULL, NULL, NULL);
  g_assert_cmpuint(left->len, ==, 0);
  process_free(server);
}

static void test_storm(void) {
  for (int i = 0; i < 10; i++) in_loop(ends_storm);
}

/* ---- The last moments of a worker */

static void fork_tree(int depth, int ready_fd) {
  for (int i = 0; i < 2; i++)
    if (fork() == 0) {
      setsid();
      signal(SIGTERM, SIG_IGN);
      if (depth > 0) fork_tree(depth - 1, ready_fd);
      /* Some leave their children orphaned. */
      if (i == 1 && depth == 1) _exit(0);
      g_assert_cmpint(write(ready_fd, "x", 1), ==, 1);
      while (pause() < 0) continue;
    }
}

static void storm(int ready_fd) {
  if (fork() > 0) return;
  g_assert_cmpint(write(ready_fd, "s", 1), ==, 1);
  for (;;) {
    pid_t pid = fork();
    if (pid > 0) _exit(0);
    if (pid == 0) setsid();
  }
}

/* Exits with 0 when all was killed in time, the spared child alone being left. */
static int die_cleanly(int (*before)(int ready_fd)) {
  int fds[2];
  g_assert_cmpint(pipe(fds), ==, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t spare = fork();
  if (spare == 0)
    while (pause() < 0) continue;
  for (int ready = before(fds[1]); ready > 0; ready--) {
    char byte;
    g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
  }
  gint64 began = g_get_monotonic_time();
  bool done = tree_kill_descendants(250000, &spare, 1);
  gint64 took = g_get_monotonic_time() - began;
  g_autoptr(GArray) left = tree_list(getpid());
  if (!done || took > 260000 || left->len != 2 || process_start_time(spare) == 0) {
    fprintf(stderr, "# %s, %d ms, %u left\n", done ? "done" : "not done", (int)(took / 1000), left->len);
    return 1;
  }
  done = tree_kill_descendants(250000, NULL, 0);
  return done && waitpid(-1, NULL, 0) == -1 ? 0 : 2;
}

static int with_tree(int ready_fd) {
  fork_tree(3, ready_fd);
  return 26;                     /* 30 processes, of which 4 leave their children */
}

static int with_storm(int ready_fd) {
  storm(ready_fd);
  return 1;
}

static void in_worker(int (*before)(int ready_fd)) {
  int status;
  pid_t worker = fork();
  if (worker == 0) _exit(die_cleanly(before));
  g_assert_cmpint(waitpid(worker, &status, 0), ==, worker);
  g_assert_cmpint(status, ==, 0);
}

static void test_descendants(void) { in_worker(with_tree); }

static void test_descendants_storm(void) {
  for (int i = 0; i < 10; i++) in_worker(with_storm);
}

static void test_nothing(void) {
  g_autoptr(GArray) nobody = tree_list(0x7ffffff0);
  g_assert_cmpuint(nobody->len, ==, 0);
  g_assert_null(tree_marker(0x7ffffff0));
  g_assert_cmpuint(process_start_time(0x7ffffff0), ==, 0);
  g_assert_false(tree_contains(1, 0x7ffffff0));
  g_assert_true(tree_contains(1, getpid()) || getppid() == 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/tree/finds all below a process, kills all of it", test_finds);
  g_test_add_func("/tree/tells whose an orphan is", test_owners);
  g_test_add_func("/tree/signals only the same process", test_same);
  g_test_add_func("/tree/a fork storm ends", test_storm);
  g_test_add_func("/tree/the last moments: a deep tree", test_descendants);
  g_test_add_func("/tree/the last moments: a fork storm", test_descendants_storm);
  g_test_add_func("/tree/nobody there", test_nothing);
  return g_test_run();
}
