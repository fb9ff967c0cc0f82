/* Children: what they start with, how they end, and what is said of it. */
#include "runner/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/environment.h"
#include "runner/tree.h"

static void in_loop(void (*fn)(gpointer data)) {
  loop_new();
  reaper_begin();
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  loop_free();
}

/* A spawned shell whose output is kept in a file. */
static char *shell_says(const char *script, const char *cwd, const Credentials *as, int *status) {
  g_autofree char *path = NULL;
  char *text;
  g_auto(GStrv) env = environment_new("/home/of/it", "run/test/server");
  int fd = g_file_open_tmp("runner-test-XXXXXX", &path, NULL);
  const char *argv[] = {"/bin/sh", "-c", script, NULL};
  Spawn spawn = {.argv = argv, .envp = (const char *const *)env, .cwd = cwd, .in = -1, .out = fd, .err = fd, .as = as};
  g_autoptr(GError) error = NULL;
  Process *process = process_spawn(&spawn, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(process->start_time, >, 0);
  g_assert_cmpint(process_wait(process, deadline_after(10 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_false(process_signal(process, SIGTERM));
  if (status) *status = process->status;
  process_free(process);
  close(fd);
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  unlink(path);
  return text;
}

static void starts_clean(gpointer data) {
  /* The caller's signals, descriptors and mask are not the child's. */
  int leaked = open("/dev/null", O_RDONLY);
  signal(SIGPIPE, SIG_IGN);
  umask(077);
  g_autofree char *fds = shell_says("echo /proc/self/fd/*; umask; pwd; ulimit -n", "/usr", NULL, NULL);
  /* 3 is the directory that the shell reads: with a descriptor of ours in its place there would be a 4. */
  g_assert_cmpstr(fds, ==, "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n0022\n/usr\n4096\n");
  g_autofree char *env = shell_says("env | sort", "/", NULL, NULL);
  g_auto(GStrv) lines = g_strsplit(env, "\n", -1);
  g_assert_cmpstr(lines[0], ==, "HOME=/home/of/it");
  g_assert_cmpstr(lines[1], ==, "LC_ALL=C");
  g_assert_true(g_str_has_prefix(lines[2], "PATH=/"));
  g_assert_cmpstr(lines[3], ==, "PWD=/");
  g_assert_cmpstr(lines[4], ==, "RUNNER_SERVER=run/test/server");
  g_assert_cmpstr(lines[5], ==, "TZ=UTC");
  g_assert_cmpstr(lines[6], ==, "");
  g_autofree char *signals =
      shell_says("grep -E 'Sig(Blk|Ign)' /proc/self/status; cut -d' ' -f1,6 /proc/$$/stat | tr ' ' '\\n' | "
                 "uniq | wc -l",
                 "/", NULL, NULL);
  g_assert_cmpstr(signals, ==, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n1\n");
  signal(SIGPIPE, SIG_DFL);
  umask(022);
  close(leaked);
}

static void test_clean(void) { in_loop(starts_clean); }

static void assert_spawn_error(const Spawn *spawn, const char *message) {
  g_autoptr(GError) error = NULL;
  g_assert_null(process_spawn(spawn, &error));
  g_assert_cmpstr(error->message, ==, message);
}

static void says_why_not(gpointer data) {
  const char *missing[] = {"/no/such/program", NULL}, *sh[] = {"/bin/sh", NULL}, *dir[] = {"/tmp", NULL},
             *env[] = {NULL};
  assert_spawn_error(&(Spawn){.argv = missing, .envp = env, .in = -1, .out = 1, .err = 2},
                     "run '/no/such/program': No such file or directory");
  assert_spawn_error(&(Spawn){.argv = dir, .envp = env, .in = -1, .out = 1, .err = 2}, "run '/tmp': Permission denied");
  assert_spawn_error(&(Spawn){.argv = sh, .envp = env, .cwd = "/no/where", .in = -1, .out = 1, .err = 2},
                     "run '/bin/sh': change to directory '/no/where': No such file or directory");
  assert_spawn_error(&(Spawn){.argv = sh, .envp = env, .in = 999, .out = 1, .err = 2},
                     "run '/bin/sh': prepare its descriptors: Bad file descriptor");
  /* Those that got no further than their report are on their way out. */
  Deadline limit = deadline_after(5 * G_USEC_PER_SEC);
  pid_t left;
  while ((left = waitpid(-1, NULL, WNOHANG)) >= 0 && !deadline_passed(limit)) wait_until(deadline_after(1000));
  g_assert_cmpint(left, ==, -1);
  g_assert_cmpint(errno, ==, ECHILD);
}

static void test_why_not(void) { in_loop(says_why_not); }

static void tells_exits(gpointer data) {
  static const struct { const char *script, *text; } cases[] = {
    {"exit 0", "exited with status 0"},
    {"exit 7", "exited with status 7"},
    {"kill -TERM $$", "was killed by signal 15 (SIGTERM)"},
    {"kill -KILL $$", "was killed by signal 9 (SIGKILL)"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    int status;
    g_autofree char *said = shell_says(cases[i].script, "/", NULL, &status), *text = exit_text(status);
    g_assert_cmpstr(text, ==, cases[i].text);
    g_assert_cmpstr(said, ==, "");
  }
  g_autofree char *dumped = exit_text(SIGSEGV | 0x80);
  g_assert_cmpstr(dumped, ==, "was killed by signal 11 (SIGSEGV, core dumped)");
}

static void test_exits(void) { in_loop(tells_exits); }

static Process *spawn_sh(const char *script) {
  const char *argv[] = {"/bin/sh", "-c", script, NULL}, *env[] = {"PATH=/usr/bin:/bin", NULL};
  g_autoptr(GError) error = NULL;
  Process *process = process_spawn(&(Spawn){.argv = argv, .envp = env, .in = -1, .out = -1, .err = -1}, &error);
  g_assert_no_error(error);
  return process;
}

static void waits_and_signals(gpointer data) {
  Process *process = spawn_sh("exec sleep 1000");
  g_assert_cmpint(process_wait(process, deadline_after(20000)), ==, WAIT_TIMEOUT);
  g_assert_true(process_signal(process, SIGTERM));
  g_assert_cmpint(process_wait(process, DEADLINE_NONE), ==, WAIT_READY);
  g_assert_cmpint(WTERMSIG(process->status), ==, SIGTERM);
  g_assert_cmpint(g_get_monotonic_time() - process->exited_at, <, G_USEC_PER_SEC);
  process_free(process);
  /* Freed while it runs: killed, and reaped when the loop comes to it. */
  process = spawn_sh("exec sleep 1000");
  pid_t pid = process->pid;
  process_free(process);
  while (process_start_time(pid)) wait_until(deadline_after(1000));
}

static void test_waits(void) { in_loop(waits_and_signals); }

/* The orphan of a child becomes ours, and is reaped without having been known. */
static void reaps_orphans(gpointer data) {
  Process *process = spawn_sh("sleep 1000 & exit 0");
  g_assert_cmpint(process_wait(process, DEADLINE_NONE), ==, WAIT_READY);
  process_free(process);
  g_autoptr(GArray) orphans = tree_orphans(NULL, NULL, NULL);
  g_assert_cmpuint(orphans->len, ==, 1);
  pid_t pid = g_array_index(orphans, TreeProcess, 0).pid;
  tree_signal(orphans, SIGKILL);
  while (process_start_time(pid)) wait_until(deadline_after(1000));
}

static void test_orphans(void) { in_loop(reaps_orphans); }

static void many_at_once(gpointer data) {
  Process *processes[100];
  for (guint i = 0; i < G_N_ELEMENTS(processes); i++) processes[i] = spawn_sh("exit 3");
  for (guint i = 0; i < G_N_ELEMENTS(processes); i++) {
    g_assert_cmpint(process_wait(processes[i], DEADLINE_NONE), ==, WAIT_READY);
    g_assert_cmpint(WEXITSTATUS(processes[i]->status), ==, 3);
    process_free(processes[i]);
  }
}

static void test_many(void) { in_loop(many_at_once); }

/* ---- Dying with the parent */

/* As another user where we may: it is the change of user that clears PDEATHSIG. */
static void spawn_and_tell(gpointer data) {
  const char *argv[] = {"/bin/sleep", "1000", NULL}, *env[] = {NULL};
  Credentials user;
  g_assert_true(credentials_find(&user, NULL, NULL));
  Process *process =
      process_spawn(&(Spawn){.argv = argv, .envp = env, .in = -1, .out = -1, .err = -1, .as = &user}, NULL);
  g_assert_cmpint(write(GPOINTER_TO_INT(data), &process->pid, sizeof process->pid), ==, sizeof process->pid);
  wait_until(DEADLINE_NONE);
}

static void test_dies_with_parent(void) {
  int fds[2];
  pid_t server;
  g_assert_cmpint(pipe(fds), ==, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t worker = fork();
  if (worker == 0) {
    loop_new();
    reaper_begin();
    fiber_spawn_detached("worker", spawn_and_tell, GINT_TO_POINTER(fds[1]));
    loop_run();
    _exit(0);
  }
  g_assert_cmpint(read(fds[0], &server, sizeof server), ==, sizeof server);
  g_assert_cmpuint(process_start_time(server), >, 0);
  kill(worker, SIGKILL);
  g_assert_cmpint(waitpid(worker, NULL, 0), ==, worker);
  /* Its orphan is adopted by us, so that this wait ends when it is dead. */
  int status;
  g_assert_cmpint(waitpid(server, &status, 0), ==, server);
  g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
  close(fds[0]);
  close(fds[1]);
}

/* ---- Another user */

static void runs_as(gpointer data) {
  Credentials user;
  g_autoptr(GError) error = NULL;
  g_assert_true(credentials_find(&user, "nobody", &error));
  g_autofree char *who =
      shell_says("id -un; id -Gn; cat /proc/$$/status | grep -c 'Uid:.*65534.*65534.*65534.*65534'", "/", &user, NULL);
  g_assert_cmpstr(who, ==, "nobody\nnogroup\n1\n");
  const char *argv[] = {"/bin/sh", NULL}, *env[] = {NULL};
  assert_spawn_error(&(Spawn){.argv = argv, .envp = env, .cwd = "/root", .in = -1, .out = 1, .err = 2, .as = &user},
                     "run '/bin/sh': change to directory '/root': Permission denied");
}

static void test_user(void) {
  if (geteuid() != 0) return g_test_skip("only root can change to another user");
  in_loop(runs_as);
}

static void test_find_user(void) {
  Credentials user;
  g_autoptr(GError) error = NULL;
  g_assert_false(credentials_find(&user, "no-such-user", &error));
  g_assert_cmpstr(error->message, ==, "there is no user 'no-such-user'");
  if (geteuid() != 0) return;
  g_unsetenv("SUDO_UID");
  g_assert_true(credentials_find(&user, NULL, NULL));
  g_assert_true(user.drop);
  g_assert_true(g_str_equal(user.name, "postgres") || g_str_equal(user.name, "nobody"));
  g_setenv("SUDO_UID", "65534", TRUE);
  g_assert_true(credentials_find(&user, NULL, NULL));
  g_assert_cmpuint(user.uid, ==, 65534);
  g_unsetenv("SUDO_UID");
  g_assert_true(credentials_find(&user, "root", NULL));
  g_assert_false(user.drop);
}

/* ---- Work in a child */

static int say_and_return(int report_fd, gpointer data) {
  if (write(report_fd, data, strlen(data)) < 0) return 1;
  return 42;
}

static int say_much(int report_fd, gpointer data) {
  static char much[1024 * 1024];
  memset(much, 'x', sizeof much);
  return write(report_fd, much, sizeof much) == sizeof much ? 0 : 1;
}

static int never_return(int report_fd, gpointer data) {
  while (pause() < 0) continue;
  return 0;
}

static int kill_itself(int report_fd, gpointer data) { return raise(SIGKILL); }

static int count_descriptors(int report_fd, gpointer data) {
  for (int fd = 4; fd < 64; fd++)
    if (fcntl(fd, F_GETFD) >= 0) return fd;
  return report_fd;
}

static void works_in_child(gpointer data) {
  g_autofree char *report = NULL, *much = NULL;
  g_assert_cmpint(process_call(say_and_return, (gpointer) "what went wrong", DEADLINE_NONE, &report), ==, 42);
  g_assert_cmpstr(report, ==, "what went wrong");
  g_assert_cmpint(process_call(say_much, NULL, DEADLINE_NONE, &much), ==, 0);
  g_assert_cmpuint(strlen(much), ==, 4096);
  g_assert_cmpint(process_call(never_return, NULL, deadline_after(20000), NULL), ==, -1);
  g_assert_cmpint(process_call(kill_itself, NULL, DEADLINE_NONE, NULL), ==, -1);
  g_assert_cmpint(process_call(count_descriptors, NULL, DEADLINE_NONE, NULL), ==, 3);
  g_autoptr(GArray) left = tree_orphans(NULL, NULL, NULL);
  g_assert_cmpuint(left->len, ==, 0);
}

static void test_child_call(void) { in_loop(works_in_child); }

/* ---- Nothing left to work with */

static void without_descriptors(gpointer data) {
  const char *argv[] = {"/bin/true", NULL}, *env[] = {NULL};
  struct rlimit limit, none;
  g_autofree char *report = NULL;
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  none = limit;
  int spare = dup(0);
  none.rlim_cur = (rlim_t)spare;
  setrlimit(RLIMIT_NOFILE, &none);
  close(spare);
  int last = dup(0);
  assert_spawn_error(&(Spawn){.argv = argv, .envp = env, .in = -1, .out = -1, .err = -1},
                     "run '/bin/true': make a pipe: Too many open files");
  g_assert_cmpint(process_call(say_and_return, (gpointer) "x", DEADLINE_NONE, &report), ==, -1);
  g_assert_cmpstr(report, ==, "no process for it: Too many open files");
  if (last >= 0) close(last);
  setrlimit(RLIMIT_NOFILE, &limit);
  g_autoptr(GArray) left = tree_orphans(NULL, NULL, NULL);
  g_assert_cmpuint(left->len, ==, 0);
}

static void test_without_descriptors(void) { in_loop(without_descriptors); }

/* ---- Words */

static void test_signal_words(void) {
  g_assert_cmpint(signal_number("INT"), ==, SIGINT);
  g_assert_cmpint(signal_number("SIGINT"), ==, SIGINT);
  g_assert_cmpint(signal_number("kill"), ==, SIGKILL);
  g_assert_cmpint(signal_number("15"), ==, SIGTERM);
  g_assert_cmpint(signal_number("SIGRTMIN+2"), ==, SIGRTMIN + 2);
  g_assert_cmpint(signal_number("0"), ==, 0);
  g_assert_cmpint(signal_number("65"), ==, 0);
  g_assert_cmpint(signal_number("SIGNOTHING"), ==, 0);
  g_assert_cmpint(signal_number(""), ==, 0);
  g_assert_cmpstr(signal_name(SIGHUP), ==, "SIGHUP");
  g_assert_cmpstr(signal_name(SIGRTMIN + 3), ==, "SIGRTMIN+3");
}

static void test_environment(void) {
  g_setenv("PGHOST", "elsewhere", TRUE);
  g_auto(GStrv) env = environment_new("/h", "r/t/s");
  environment_set(&env, "LC_ALL", "C.UTF-8");
  environment_set(&env, "MORE", "1");
  environment_set(&env, "TZ", NULL);
  environment_set(&env, "RUNNER_SERVER", "forged");
  g_assert_null(g_environ_getenv(env, "PGHOST"));
  g_assert_null(g_environ_getenv(env, "TZ"));
  g_assert_cmpstr(g_environ_getenv(env, "HOME"), ==, "/h");
  g_assert_cmpstr(g_environ_getenv(env, "LC_ALL"), ==, "C.UTF-8");
  g_assert_cmpstr(g_environ_getenv(env, "MORE"), ==, "1");
  g_assert_cmpuint(g_strv_length(env), ==, 5);
  g_assert_cmpstr(g_environ_getenv(env, "RUNNER_SERVER"), ==, "r/t/s");
  g_unsetenv("PGHOST");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/process/starts with nothing inherited", test_clean);
  g_test_add_func("/process/says why it could not be started", test_why_not);
  g_test_add_func("/process/tells how it ended", test_exits);
  g_test_add_func("/process/waits, signals, frees", test_waits);
  g_test_add_func("/process/adopted orphans are reaped", test_orphans);
  g_test_add_func("/process/a hundred exits at once", test_many);
  g_test_add_func("/process/dies with its parent", test_dies_with_parent);
  g_test_add_func("/process/runs as another user", test_user);
  g_test_add_func("/process/finds the user", test_find_user);
  g_test_add_func("/process/work in a child", test_child_call);
  g_test_add_func("/process/no descriptors left", test_without_descriptors);
  g_test_add_func("/process/words for signals", test_signal_words);
  g_test_add_func("/process/environment from an allow-list", test_environment);
  return g_test_run();
}
