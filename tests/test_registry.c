/* The registry: what a killed run left is ended, and nothing else. */
#include "runner/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/state_dir.h"
#include "runner/tree.h"

static char *dir, *runs;
static int test_pid;

/* Run ids of our own, as this test may run many times at once: a leading "%" stands for what makes them so. */
static char *own(const char *id) {
  return *id == '%' ? g_strdup_printf("%d-%s", test_pid, id + 1) : g_strdup(id);
}

static guint files_left(void) {
  g_autoptr(GDir) entries = g_dir_open(runs, 0, NULL);
  guint n = 0;
  while (entries && g_dir_read_name(entries)) n++;
  return n;
}

/* A process that lives until it is killed, with this marker in its environment (NULL: none). */
static pid_t sleeper(const char *marker) {
  g_autofree char *its = own(marker ? marker : ""), *pair = g_strconcat("RUNNER_SERVER=", its, NULL);
  char *env[] = {marker ? pair : NULL, NULL}, *argv[] = {(char[]){"sleep"}, (char[]){"1000"}, NULL};
  pid_t pid = fork();
  if (pid == 0) {
    execve("/bin/sleep", argv, env);
    _exit(127);
  }
  for (;;) {
    TreeProcess look;
    if (tree_look(pid, &look) && strcmp(look.command, "sleep 1000") == 0) return pid;
    sched_yield();
  }
}

static bool lives(pid_t pid) {
  TreeProcess look;
  return tree_look(pid, &look);
}

static void end(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* A runner in a process of its own that records one process, then waits to be killed. */
static pid_t runner(const char *run_id, const char *run_dir, pid_t recorded, guint64 start_time) {
  int fds[2];
  char byte;
  g_assert_cmpint(pipe(fds), ==, 0);
  pid_t pid = fork();
  if (pid == 0) {
    g_autoptr(GError) error = NULL;
    g_autofree char *id = own(run_id);
    registry_begin(id, run_dir, &error);
    g_assert_no_error(error);
    if (recorded) registry_add(recorded, start_time, "a server\nof mine");
    g_assert_cmpint(write(fds[1], "x", 1), ==, 1);
    while (pause() < 0) continue;
  }
  close(fds[1]);
  g_assert_cmpint(read(fds[0], &byte, 1), ==, 1);
  close(fds[0]);
  return pid;
}

static void assert_sweep(guint n_runs, guint n_processes, const char *directory) {
  g_autoptr(GError) error = NULL;
  RegistrySweep *sweep = registry_sweep(&error);
  g_assert_no_error(error);
  g_assert_cmpuint(sweep->runs, ==, n_runs);
  g_assert_cmpuint(sweep->processes, ==, n_processes);
  g_assert_cmpuint(sweep->directories->len, ==, directory ? 1 : 0);
  if (directory) g_assert_cmpstr(g_ptr_array_index(sweep->directories, 0), ==, directory);
  registry_sweep_free(sweep);
}

static void test_own(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *id = registry_run_id(), *other = registry_run_id();
  g_assert_cmpuint(strlen(id), ==, 16);
  g_assert_cmpstr(id, !=, other);
  registry_add(getpid(), 1, "nothing begun yet");
  g_assert_true(registry_begin(id, dir, &error));
  pid_t server = sleeper(NULL);
  registry_add(server, process_start_time(server), "sleep");
  g_assert_cmpuint(files_left(), ==, 1);
  assert_sweep(0, 0, NULL);
  registry_end();
  g_assert_cmpuint(files_left(), ==, 0);
  g_assert_true(lives(server));
  end(server);
}

/* While the runner lives nothing is touched; when it was killed, what it recorded is ended and its directory named. */
static void test_killed(void) {
  pid_t server = sleeper(NULL), marked = sleeper("%id1/test/server"), shell = sleeper(NULL);
  pid_t dead = runner("%id1", dir, server, process_start_time(server));
  assert_sweep(0, 0, NULL);
  g_assert_true(lives(server) && lives(marked));
  end(dead);
  assert_sweep(1, 2, dir);
  g_assert_false(lives(server) || lives(marked));
  g_assert_true(lives(shell));
  g_assert_cmpuint(files_left(), ==, 0);
  assert_sweep(0, 0, NULL);
  end(server);
  end(marked);
  end(shell);
}

/* A recorded pid that is somebody else's by now, an id that only begins alike, a process in the run's directory. */
static void test_innocent(void) {
  pid_t recycled = sleeper(NULL), alike = sleeper("%id22/test/server"), empty = sleeper("");
  g_assert_cmpint(chdir(dir), ==, 0);
  pid_t visitor = sleeper(NULL);
  g_assert_cmpint(chdir("/"), ==, 0);
  pid_t dead = runner("%id2", "/no/such/directory", recycled, process_start_time(recycled) + 1);
  end(dead);
  assert_sweep(1, 0, NULL);
  g_assert_true(lives(recycled) && lives(alike) && lives(empty) && lives(visitor));
  end(recycled);
  end(alike);
  end(empty);
  end(visitor);
}

/* PostgreSQL's processes have no environment that tells of them, but where they work and what they write to does. */
static pid_t worker_in_run(const char *run_dir, bool logs_there) {
  g_autofree char *log = g_build_filename(run_dir, "log", NULL);
  int saved = dup(2), fd = open(logs_there ? log : "/dev/null", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint(chdir(run_dir), ==, 0);
  dup2(fd, 2);
  pid_t pid = sleeper(NULL);
  dup2(saved, 2);
  g_assert_cmpint(chdir("/"), ==, 0);
  close(fd);
  close(saved);
  return pid;
}

static void test_without_marker(void) {
  g_autofree char *run_dir = g_build_filename(dir, "run", NULL), *near = g_build_filename(dir, "run2", NULL);
  g_autofree char *log = g_build_filename(run_dir, "log", NULL), *near_log = g_build_filename(near, "log", NULL);
  g_assert_cmpint(mkdir(run_dir, 0700) | mkdir(near, 0700), ==, 0);
  pid_t dead = runner("%id7", run_dir, 0, 0);
  pid_t backend = worker_in_run(run_dir, true), visitor = worker_in_run(run_dir, false),
        neighbour = worker_in_run(near, true);
  end(dead);
  assert_sweep(1, 1, run_dir);
  g_assert_false(lives(backend));
  g_assert_true(lives(visitor) && lives(neighbour));
  end(backend);
  end(visitor);
  end(neighbour);
  unlink(log);
  unlink(near_log);
  g_assert_cmpint(rmdir(run_dir) | rmdir(near), ==, 0);
}

static bool segment_exists(int id) {
  struct shmid_ds state;
  return shmctl(id, IPC_STAT, &state) == 0;
}

/* The segment of a killed server goes, that of a process nobody recorded stays. */
static void test_segments(void) {
  int theirs = shmget(IPC_PRIVATE, 56, IPC_CREAT | 0600), fds[2], id;
  g_assert_cmpint(theirs, >=, 0);
  g_assert_cmpint(pipe(fds), ==, 0);
  pid_t server = fork();
  if (server == 0) {
    id = shmget(IPC_PRIVATE, 56, IPC_CREAT | 0600);
    g_assert_cmpint(write(fds[1], &id, sizeof id), ==, sizeof id);
    while (pause() < 0) continue;
  }
  g_assert_cmpint(read(fds[0], &id, sizeof id), ==, sizeof id);
  end(runner("%id8", "/no/where", server, process_start_time(server)));
  g_assert_true(segment_exists(id));
  assert_sweep(1, 1, NULL);
  g_assert_false(segment_exists(id));
  g_assert_true(segment_exists(theirs));
  shmctl(theirs, IPC_RMID, NULL);
  end(server);
  close(fds[0]);
  close(fds[1]);
}

/* The same pid and start time after another boot are another process. */
static void test_other_boot(void) {
  pid_t server = sleeper("%id3/test/server");
  g_autofree char *path = g_build_filename(runs, "run-x3", NULL), *id = own("%id3");
  g_autofree char *text = g_strdup_printf("runner 1 1 1 another-boot %s %s\n%d %" G_GUINT64_FORMAT " sleep\n", id, dir,
                                          server, process_start_time(server));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  assert_sweep(1, 0, dir);
  g_assert_true(lives(server));
  end(server);
}

/* Files that are not ours, or were cut by a crash, kill nobody. */
static void test_broken(void) {
  pid_t server = sleeper(NULL);
  g_autofree char *boot = NULL, *path = g_build_filename(runs, "run-x", NULL),
                  *other = g_build_filename(runs, "notes", NULL);
  g_assert_true(g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL));
  g_autofree char *cut = g_strdup_printf("runner 1 1 1 %s id4 %s\n%d %" G_GUINT64_FORMAT, g_strchomp(boot), "/no/where",
                                         server, process_start_time(server));
  static const char *const texts[] = {
      "", "\n", "runner 2 1 1 b id d\n", "runner 1 1 1 b\n", "-1 0 x\n", "runner 1 1 1 b  d\n"};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
    assert_sweep(0, 0, NULL);
    g_assert_cmpuint(files_left(), ==, 0);
  }
  g_assert_true(g_file_set_contents(path, cut, -1, NULL));
  assert_sweep(1, 0, NULL);
  g_assert_true(g_file_set_contents(other, "mine", -1, NULL));
  assert_sweep(0, 0, NULL);
  g_assert_cmpuint(files_left(), ==, 1);
  unlink(other);
  g_assert_true(lives(server));
  end(server);
}

/* A worker records too, and does not hold the lock when the runner is dead. */
static void test_worker(void) {
  int fds[2];
  pid_t server = sleeper(NULL), pids[2];
  g_assert_cmpint(pipe(fds), ==, 0);
  pid_t dead = fork();
  if (dead == 0) {
    g_autofree char *id = own("%id5");
    g_assert_true(registry_begin(id, "/no/where", NULL));
    pids[0] = getpid();
    pids[1] = fork();
    if (pids[1] == 0) {
      int keep = dup2(fds[1], 3);
      close_range(4, ~0U, 0);
      registry_add(server, process_start_time(server), "server");
      registry_end();
      pids[1] = getpid();
      g_assert_cmpint(write(keep, pids, sizeof pids), ==, sizeof pids);
    }
    while (pause() < 0) continue;
  }
  g_assert_cmpint(read(fds[0], pids, sizeof pids), ==, sizeof pids);
  assert_sweep(0, 0, NULL);
  end(dead);
  assert_sweep(1, 1, NULL);
  g_assert_false(lives(server));
  end(server);
  end(pids[1]);
  close(fds[0]);
  close(fds[1]);
}

static void test_none(void) {
  g_autoptr(GError) error = NULL;
  g_autofree char *file = g_build_filename(dir, "file", NULL), *under = g_build_filename(file, "x", NULL);
  g_assert_true(g_file_set_contents(file, "", 0, NULL));
  g_unsetenv("XDG_RUNTIME_DIR");
  g_setenv("TMPDIR", under, TRUE);
  g_autofree char *text = g_strdup_printf("make directory '%s/runner-%u': Not a directory", under, (unsigned)geteuid());
  g_assert_false(registry_begin("id6", dir, &error));
  g_assert_cmpstr(error->message, ==, text);
  g_clear_error(&error);
  g_assert_null(registry_sweep(&error));
  g_assert_cmpstr(error->message, ==, text);
  registry_add(getpid(), 1, "goes nowhere");
  registry_end();
  g_unsetenv("TMPDIR");
  g_setenv("XDG_RUNTIME_DIR", dir, TRUE);
  unlink(file);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  test_pid = getpid();
  dir = g_dir_make_tmp("runner-test-XXXXXX", NULL);
  g_setenv("XDG_RUNTIME_DIR", dir, TRUE);
  runs = g_build_filename(dir, "runner", "runs", NULL);
  g_test_add_func("/registry/of a living run", test_own);
  g_test_add_func("/registry/of a killed run", test_killed);
  g_test_add_func("/registry/never an innocent", test_innocent);
  g_test_add_func("/registry/processes without a marker", test_without_marker);
  g_test_add_func("/registry/shared memory", test_segments);
  g_test_add_func("/registry/of another boot", test_other_boot);
  g_test_add_func("/registry/broken files", test_broken);
  g_test_add_func("/registry/workers", test_worker);
  g_test_add_func("/registry/no place for one", test_none);
  int failed = g_test_run();
  g_autofree char *runner_dir = g_path_get_dirname(runs);
  g_assert_true(rmdir(runs) == 0 && rmdir(runner_dir) == 0 && rmdir(dir) == 0);
  g_free(runs);
  g_free(dir);
  return failed;
}
