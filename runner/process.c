/* Children.  A worker is small and has one thread, so a plain fork is fast and what runs between it and exec may be
 * ordinary system calls; the kind of each is noted, so that a failure can be told by name through the report pipe. */
#include "runner/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/fail.h"
#include "runner/registry.h"
#include "runner/tree.h"

#define OPEN_FILES 4096          /* what a server gets: the same everywhere, where the machine allows it */
#define REAP_AT_ONCE 256         /* then others have their turn: a fork storm must not hold the loop */
#define REPORT_MAX 4096

static struct {
  GHashTable *by_pid;            /* pid -> Process, of those not yet reaped */
} reaper;

/* ---- The reaper */

static void note_exit(Process *process, int status) {
  process->status = status;
  process->status_known = true;
  process->exited = true;
  process->exited_at = g_get_monotonic_time();
  g_clear_pointer(&process->watch, watch_free);
  close(process->pidfd);         /* whoever keeps the story of many exits keeps no descriptors */
  process->pidfd = -1;
  cond_wake(&process->changed);
}

void reaper_turn(void) {
  for (int i = 0; i < REAP_AT_ONCE; i++) {
    siginfo_t info = {0};
    int status;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) return;
    Process *process = reaper.by_pid ? g_hash_table_lookup(reaper.by_pid, GINT_TO_POINTER(info.si_pid)) : NULL;
    while (waitpid(info.si_pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!process) continue;
    g_hash_table_remove(reaper.by_pid, GINT_TO_POINTER(info.si_pid));
    note_exit(process, status);
  }
  raise(SIGCHLD);                /* signals merge, so the rest would get no other */
}

static void on_child(const struct signalfd_siginfo *info, gpointer data) { reaper_turn(); }

void reaper_begin(void) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  /* A fork brings its parent's table along: those are not our children. */
  g_clear_pointer(&reaper.by_pid, g_hash_table_unref);
  reaper.by_pid = g_hash_table_new(NULL, NULL);
  loop_on_signal(SIGCHLD, on_child, NULL);
}

/* NULL with errno set, and the child killed, when it could not be held. */
static Process *process_new(pid_t pid) {
  int pidfd = pidfd_open(pid, 0);
  if (pidfd < 0) {
    int number = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    errno = number;
    return NULL;
  }
  Process *process = g_new0(Process, 1);
  process->pid = pid;
  process->pidfd = pidfd;
  process->start_time = process_start_time(pid);
  g_hash_table_insert(reaper.by_pid, GINT_TO_POINTER(pid), process);
  return process;
}

/* ---- Spawning */

typedef enum Stage {
  STAGE_DESCRIPTORS, STAGE_USER, STAGE_PARENT, STAGE_DIRECTORY, STAGE_EXEC
} Stage;

static const char *const stage_text[] = {
    [STAGE_DESCRIPTORS] = "prepare its descriptors",
    [STAGE_USER] = "change to user",
    [STAGE_PARENT] = "tie it to its parent",
    [STAGE_DIRECTORY] = "change to directory",
};

typedef struct Report { int stage, number; } Report;

G_NORETURN static void give_up(int report_fd, Stage stage) {
  Report report = {stage, errno};
  ssize_t ignored = write(report_fd, &report, sizeof report);
  _exit(ignored == sizeof report ? 127 : 126);
}

/* The caller's three may be any numbers, 0 to 2 in another order too, so all are first moved out of the way. */
static int place_descriptors(const Spawn *spawn, int report_fd) {
  int wanted[3] = {spawn->in, spawn->out, spawn->err};
  report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 10);
  for (int i = 0; i < 3; i++) {
    int fd = wanted[i] >= 0 ? wanted[i] : open("/dev/null", (i == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
    wanted[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (wanted[i] < 0) give_up(report_fd, STAGE_DESCRIPTORS);
  }
  for (int i = 0; i < 3; i++)
    if (dup2(wanted[i], i) < 0) give_up(report_fd, STAGE_DESCRIPTORS);
  if (dup3(report_fd, 3, O_CLOEXEC) < 0) give_up(report_fd, STAGE_DESCRIPTORS);
  close_range(4, ~0U, 0);
  return 3;
}

/* The C library keeps two real-time signals to itself; make(1) for one passes them on ignored, so the kernel is asked. */
static void reset_signals(void) {
  sigset_t none;
  const struct { void *handler; unsigned long flags; void *restorer; guint64 mask; } initial = {0};
  for (int signo = 1; signo < NSIG; signo++) syscall(SYS_rt_sigaction, signo, &initial, NULL, sizeof initial.mask);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limits(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_CORE, &limit);
  }
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max = MIN(limit.rlim_max, OPEN_FILES);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* A change of user clears PDEATHSIG, so it comes after; a parent that died before cannot send it, so it is looked for.
 */
static void die_with(pid_t parent, int report_fd) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) give_up(report_fd, STAGE_PARENT);
  if (getppid() != parent) _exit(126);
}

G_NORETURN static void become(const Spawn *spawn, pid_t parent, int report_fd) {
  reset_signals();
  report_fd = place_descriptors(spawn, report_fd);
  if (!spawn->foreground_group) setsid();
  umask(022);
  set_limits();
  if (spawn->as && !credentials_apply(spawn->as)) give_up(report_fd, STAGE_USER);
  die_with(parent, report_fd);
  if (spawn->cwd && chdir(spawn->cwd) < 0) give_up(report_fd, STAGE_DIRECTORY);
  execve(spawn->argv[0], (char *const *)(guintptr)spawn->argv, (char *const *)(guintptr)spawn->envp);
  give_up(report_fd, STAGE_EXEC);
}

static Process *spawn_failed(const Spawn *spawn, const Report *report, GError **error) {
  const char *object = report->stage == STAGE_USER        ? spawn->as->name
                       : report->stage == STAGE_DIRECTORY ? spawn->cwd
                                                          : NULL;
  errno = report->number;
  if (report->stage == STAGE_EXEC) fail_errno(error, "run '%s'", spawn->argv[0]);
  else if (object) fail_errno(error, "run '%s': %s '%s'", spawn->argv[0], stage_text[report->stage], object);
  else fail_errno(error, "run '%s': %s", spawn->argv[0], stage_text[report->stage]);
  return NULL;
}

static ssize_t read_report(int fd, Report *report) {
  ssize_t n;
  do n = read(fd, report, sizeof *report);
  while (n < 0 && errno == EINTR);
  close(fd);
  return n;
}

/* On a busy machine it may take the child tens of milliseconds to get there. */
static void wait_for_exec(int fd) {
  if (!fiber_self()) return;
  fiber_shield();
  wait_fd(fd, POLLIN, NULL, DEADLINE_NONE);
  fiber_unshield();
}

Process *process_spawn(const Spawn *spawn, GError **error) {
  int fds[2];
  Report report;
  g_assert(reaper.by_pid != NULL);
  if (pipe2(fds, O_CLOEXEC) < 0) return fail_errno(error, "run '%s': make a pipe", spawn->argv[0]), NULL;
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) become(spawn, parent, fds[1]);
  int number = errno;
  close(fds[1]);
  if (pid < 0) {
    close(fds[0]);
    errno = number;
    return fail_errno(error, "run '%s': fork", spawn->argv[0]), NULL;
  }
  Process *process = process_new(pid);   /* known before it can end: the reaper forgets strangers */
  if (!process) {
    close(fds[0]);
    return fail_errno(error, "run '%s': open its pidfd", spawn->argv[0]), NULL;
  }
  wait_for_exec(fds[0]);
  if (read_report(fds[0], &report) == sizeof report) {
    process_free(process);
    return spawn_failed(spawn, &report, error);
  }
  g_autofree char *label = g_path_get_basename(spawn->argv[0]);
  registry_add(pid, process->start_time, label);
  return process;
}

Process *process_fork(int (*fn)(gpointer data), gpointer data, GError **error) {
  pid_t pid = fork();
  if (pid == 0) {
    loop_forget();
    reset_signals();
    _exit(fn(data));
  }
  if (pid < 0) return fail_errno(error, "fork"), NULL;
  Process *process = process_new(pid);
  return process ? process : (fail_errno(error, "open the pidfd of a child"), NULL);
}

/* ---- Somebody else's child */

/* linux/pidfd.h of Linux 6.15, for older headers. */
typedef struct PidfdInfo {
  guint64 mask, cgroupid;
  guint32 pid, tgid, ppid, ids[8];
  gint32 exit_code;
} PidfdInfo;
#define PIDFD_ASK_EXIT (1u << 3)
#define PIDFD_ASK _IOWR(0xFF, 11, PidfdInfo)

static bool ask_pidfd(int pidfd, int *status) {
  PidfdInfo info = {.mask = PIDFD_ASK_EXIT};
  if (ioctl(pidfd, PIDFD_ASK, &info) < 0 || !(info.mask & PIDFD_ASK_EXIT)) return false;
  *status = info.exit_code;
  return true;
}

/* The last field of a zombie's stat, proc(5). */
static bool ask_zombie(pid_t pid, guint64 start_time, int *status) {
  g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid), *stat = NULL;
  if (process_start_time(pid) != start_time || !g_file_get_contents(path, &stat, NULL, NULL)) return false;
  const char *rest = strrchr(stat, ')'), *last = strrchr(g_strchomp(stat), ' ');
  if (!rest || !last || !g_str_has_prefix(rest, ") Z")) return false;
  *status = atoi(last);
  return true;
}

/* Whose child it is may reap it at any moment: the kernel tells the one before, the other after. */
static void on_followed_exit(int fd, short revents, gpointer data) {
  Process *process = data;
  int status = 0;
  bool known = ask_pidfd(process->pidfd, &status) || ask_zombie(process->pid, process->start_time, &status) ||
               ask_pidfd(process->pidfd, &status);
  note_exit(process, status);
  process->status_known = known;
}

Process *process_follow(pid_t pid, GError **error) {
  Process *process = process_new(pid);
  if (!process) return fail_errno(error, "follow process %d", (int)pid), NULL;
  process->watch = loop_watch(process->pidfd, POLLIN, on_followed_exit, process);
  registry_add(pid, process->start_time, "debugged");
  return process;
}

GArray *process_pids(void) {
  GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, reaper.by_pid);
  while (g_hash_table_iter_next(&iter, &key, NULL)) {
    pid_t pid = GPOINTER_TO_INT(key);
    g_array_append_val(pids, pid);
  }
  return pids;
}

bool process_signal(Process *process, int signo) {
  return !process->exited && pidfd_send_signal(process->pidfd, signo, NULL, 0) == 0;
}

WaitResult process_wait(Process *process, Deadline deadline) {
  while (!process->exited) {
    WaitResult result = wait_cond(&process->changed, deadline);
    if (result != WAIT_READY && !process->exited) return result;
  }
  return WAIT_READY;
}

void process_free(Process *process) {
  if (!process) return;
  if (!process->exited) process_signal(process, SIGKILL);
  if (g_hash_table_lookup(reaper.by_pid, GINT_TO_POINTER(process->pid)) == process)
    g_hash_table_remove(reaper.by_pid, GINT_TO_POINTER(process->pid));
  watch_free(process->watch);
  if (process->pidfd >= 0) close(process->pidfd);
  g_free(process);
}

/* ---- Work that would block, in a child */

G_NORETURN static void child_work(int (*fn)(int report_fd, gpointer data), gpointer data, pid_t parent, int report_fd) {
  loop_forget();
  reset_signals();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  if (report_fd != 3) dup3(report_fd, 3, O_CLOEXEC);
  close_range(4, ~0U, 0);
  _exit(fn(3, data));
}

/* false at its end; what comes after the first REPORT_MAX bytes is read and dropped, so that the writer never blocks.
 */
static bool take_report(int fd, GString *report) {
  char bytes[4096];
  ssize_t n = read(fd, bytes, sizeof bytes);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  g_string_append_len(report, bytes, MIN(n, (ssize_t)(REPORT_MAX - report->len)));
  return true;
}

/* Whoever the child forked may hold the pipe, so its exit ends the wait, and not the pipe's. */
static void follow_child(Process *child, int fd, GString *report, Deadline deadline) {
  bool open = true;
  Cond *changed = &child->changed;
  while (!child->exited) {
    short revents;
    if (wait_any(open ? fd : -1, POLLIN, &revents, 1, &changed, deadline) != WAIT_READY && !child->exited) break;
    if (revents) open = take_report(fd, report);
  }
  while (open && child->exited && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) > 0)
    open = take_report(fd, report);
}

/* NULL with errno set; the reading end of the child's pipe goes into *fd. */
static Process *fork_work(int (*fn)(int report_fd, gpointer data), gpointer data, int *fd) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return NULL;
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) child_work(fn, data, parent, fds[1]);
  close(fds[1]);
  Process *child = pid < 0 ? NULL : process_new(pid);
  if (!child) return close(fds[0]), NULL;
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  *fd = fds[0];
  return child;
}

static void kill_and_wait(Process *child) {
  process_signal(child, SIGKILL);
  fiber_shield();
  process_wait(child, deadline_after(G_USEC_PER_SEC));
  fiber_unshield();
}

int process_call(int (*fn)(int report_fd, gpointer data), gpointer data, Deadline deadline, char **report) {
  int fd;
  if (report) *report = NULL;
  Process *child = fork_work(fn, data, &fd);
  if (!child && report) *report = g_strdup_printf("no process for it: %s", g_strerror(errno));
  if (!child) return -1;
  GString *text = g_string_new(NULL);
  follow_child(child, fd, text, deadline);
  close(fd);
  int result = child->exited && WIFEXITED(child->status) ? WEXITSTATUS(child->status) : -1;
  if (!child->exited) kill_and_wait(child);
  process_free(child);
  if (report) *report = g_string_free(text, FALSE);
  else g_string_free(text, TRUE);
  return result;
}
