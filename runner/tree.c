/* Process trees from /proc.  What is read there may be gone a moment later, so everything here is told again before it
 * is acted upon: a signal goes through a pidfd whose process has shown the expected start time after it was opened. */
#include "runner/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/process.h"

#define ENVIRONMENT_MAX (256 * 1024)
#define CHILDREN_MAX (256 * 1024)
#define BURST_USEC 4000          /* how long tree_kill() goes on before the loop has its turn */

/* ---- One process */

/* Reads a file of /proc whole, up to max - 1 bytes, NUL-terminated; -1 when there is none. */
static ssize_t read_proc(pid_t pid, const char *name, char *buffer, gsize max) {
  char path[64];
  g_snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  gsize len = 0;
  for (ssize_t n; len < max - 1 && (n = read(fd, buffer + len, max - 1 - len)) > 0;) len += (gsize)n;
  close(fd);
  buffer[len] = '\0';
  return (ssize_t)len;
}

/* Its line in /proc/PID/stat. */
typedef struct Stat {
  TreeProcess process;
  unsigned flags;                /* PF_* of the kernel */
  long threads;
} Stat;

#define PF_EXITING 0x4

/* The name in parentheses may hold anything, so the fields are counted from the last one. */
static bool read_stat(pid_t pid, Stat *stat) {
  char text[1024];
  if (read_proc(pid, "stat", text, sizeof text) <= 0) return false;
  char *open = strchr(text, '('), *close = strrchr(text, ')');
  TreeProcess *process = &stat->process;
  unsigned long long start;
  if (!open || !close ||
      sscanf(close + 1, " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
             &process->state, &process->parent, &stat->flags, &stat->threads, &start) != 5)
    return false;
  *close = '\0';
  process->pid = pid;
  process->start_time = start;
  g_strlcpy(process->command, open + 1, sizeof process->command);
  return true;
}

/* A first thread that has ended is a zombie as long as the others run. */
static bool alive(const Stat *stat) {
  return (stat->process.state != 'Z' && stat->process.state != 'X') || stat->threads > 1;
}

/* Its command line, which servers set to tell their processes apart, rather than the 15 bytes of its name. */
static void read_command(TreeProcess *process) {
  char text[sizeof process->command];
  ssize_t len = read_proc(process->pid, "cmdline", text, sizeof text);
  while (len > 0 && (text[len - 1] == '\0' || text[len - 1] == ' ')) len--;
  if (len <= 0) len = 0;
  else memcpy(process->command, text, (gsize)len), process->command[len] = '\0';
  for (gssize i = 0; i < len; i++)
    if (process->command[i] == '\0') process->command[i] = ' ';
  for (char *c = process->command; *c; c++)
    if (g_ascii_iscntrl(*c)) *c = '?';
}

bool tree_look(pid_t pid, TreeProcess *process) {
  Stat stat;
  if (!read_stat(pid, &stat) || !alive(&stat)) return false;
  *process = stat.process;
  read_command(process);
  return true;
}

guint64 process_start_time(pid_t pid) {
  Stat stat;
  return read_stat(pid, &stat) ? stat.process.start_time : 0;
}

char *tree_marker(pid_t pid) {
  static const char name[] = "RUNNER_SERVER=";
  g_autofree char *text = g_malloc(ENVIRONMENT_MAX);
  ssize_t len = read_proc(pid, "environ", text, ENVIRONMENT_MAX);
  for (char *at = text; len > 0 && at < text + len; at += strlen(at) + 1)
    if (g_str_has_prefix(at, name)) return g_strdup(at + strlen(name));
  return NULL;
}

/* ---- Trees */

static void add_children_of_thread(pid_t pid, const char *thread, GArray *pids) {
  g_autofree char *text = g_malloc(CHILDREN_MAX);
  char name[64];
  g_snprintf(name, sizeof name, "task/%s/children", thread);
  if (read_proc(pid, name, text, CHILDREN_MAX) <= 0) return;
  for (char *at = text, *end;; at = end) {
    pid_t child = (pid_t)strtol(at, &end, 10);
    if (end == at) return;
    g_array_append_val(pids, child);
  }
}

static void add_children(pid_t pid, GArray *pids) {
  char path[64];
  g_snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *threads = opendir(path);
  if (!threads) return;
  for (struct dirent *entry; (entry = readdir(threads));)
    if (g_ascii_isdigit(entry->d_name[0])) add_children_of_thread(pid, entry->d_name, pids);
  closedir(threads);
}

/* Kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent. */
static void add_children_by_parent(pid_t pid, GArray *pids) {
  DIR *all = opendir("/proc");
  if (!all) return;
  for (struct dirent *entry; (entry = readdir(all));) {
    Stat stat;
    pid_t child = (pid_t)atoi(entry->d_name);
    if (child > 0 && read_stat(child, &stat) && stat.process.parent == pid) g_array_append_val(pids, child);
  }
  closedir(all);
}

static GArray *children_of(pid_t pid) {
  static int has_children_file = -1;
  GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
  if (has_children_file < 0) has_children_file = access("/proc/thread-self/children", R_OK) == 0;
  if (has_children_file) add_children(pid, pids);
  else add_children_by_parent(pid, pids);
  return pids;
}

static bool listed(const GArray *list, pid_t pid) {
  for (guint i = 0; i < list->len; i++)
    if (g_array_index(list, TreeProcess, i).pid == pid) return true;
  return false;
}

/* Appends the living process and all below it.  A zombie has no children: they have a new parent. */
static void add_tree(GArray *list, pid_t root) {
  TreeProcess process;
  guint next = list->len;
  if (listed(list, root) || !tree_look(root, &process)) return;
  g_array_append_val(list, process);
  for (; next < list->len; next++) {
    g_autoptr(GArray) children = children_of(g_array_index(list, TreeProcess, next).pid);
    for (guint i = 0; i < children->len; i++) {
      pid_t child = g_array_index(children, pid_t, i);
      if (!listed(list, child) && tree_look(child, &process)) g_array_append_val(list, process);
    }
  }
}

static GArray *list_new(void) { return g_array_new(FALSE, FALSE, sizeof(TreeProcess)); }

GArray *tree_list(pid_t root) {
  GArray *list = list_new();
  add_tree(list, root);
  return list;
}

static bool works_below(pid_t pid, const char *dir) {
  char path[64], cwd[PATH_MAX];
  g_snprintf(path, sizeof path, "/proc/%d/cwd", pid);
  ssize_t len = readlink(path, cwd, sizeof cwd - 1);
  if (len < 0) return false;
  cwd[len] = '\0';
  gsize n = strlen(dir);
  return strncmp(cwd, dir, n) == 0 && (cwd[n] == '/' || cwd[n] == '\0');
}

static bool owned_by(pid_t pid, const char *marker, const char *dir) {
  if (!marker) return true;
  g_autofree char *its = tree_marker(pid);
  if (!its && dir && works_below(pid, dir)) return true;
  /* There is none for a moment while a process execs. */
  for (int tries = 0; !its && tries < 2; tries++) {
    sched_yield();
    its = tree_marker(pid);
  }
  return its && strcmp(its, marker) == 0;
}

static bool has_pid(const GArray *pids, pid_t pid) {
  for (guint i = 0; pids && i < pids->len; i++)
    if (g_array_index(pids, pid_t, i) == pid) return true;
  return false;
}

GArray *tree_orphans(const GArray *known_pids, const char *marker, const char *dir) {
  GArray *list = list_new();
  g_autoptr(GArray) children = children_of(getpid());
  for (guint i = 0; i < children->len; i++) {
    pid_t child = g_array_index(children, pid_t, i);
    if (!has_pid(known_pids, child) && owned_by(child, marker, dir)) add_tree(list, child);
  }
  return list;
}

bool tree_has_children(void) {
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

bool tree_contains(pid_t root, pid_t pid) {
  Stat stat;
  for (int steps = 0; pid > 0 && steps < 1000; steps++) {
    if (pid == root) return true;
    if (!read_stat(pid, &stat)) return false;
    pid = stat.process.parent;
  }
  return false;
}

/* ---- Signals */

bool tree_signal_one(pid_t pid, guint64 start_time, int signo) {
  Stat stat;
  int fd = pidfd_open(pid, 0);
  if (fd < 0) return false;
  bool same = read_stat(pid, &stat) && alive(&stat) && stat.process.start_time == start_time;
  bool sent = same && pidfd_send_signal(fd, signo, NULL, 0) == 0;
  close(fd);
  return sent;
}

void tree_signal(const GArray *list, int signo) {
  for (guint i = 0; i < list->len; i++) {
    const TreeProcess *process = &g_array_index(list, TreeProcess, i);
    tree_signal_one(process->pid, process->start_time, signo);
  }
}

static void kill_list(const GArray *list) {
  for (guint i = 0; i < list->len; i++) {
    const TreeProcess *process = &g_array_index(list, TreeProcess, i);
    tree_signal_one(process->pid, process->start_time, SIGKILL);
    if (process->state == 'T') tree_signal_one(process->pid, process->start_time, SIGCONT);
  }
}

/* A process without memory has no marker any more, and its children are not yet ours. */
static bool somebody_dies(void) {
  g_autoptr(GArray) children = children_of(getpid());
  for (guint i = 0; i < children->len; i++) {
    Stat stat;
    if (read_stat(g_array_index(children, pid_t, i), &stat) && (!alive(&stat) || stat.flags & PF_EXITING)) return true;
  }
  return false;
}

/* A storm forks faster than a loop turns, so as long as there are new faces the hunt goes on at once, for a burst.  An
 * empty list is the end only when nobody died while it was made: who did may have had a child that is not in it. */
static bool kill_burst(TreeLister list_now, gpointer data) {
  gint64 end = g_get_monotonic_time() + BURST_USEC;
  do {
    reaper_turn();
    g_autoptr(GArray) list = list_now(data);
    if (list->len == 0 && !somebody_dies()) return true;
    kill_list(list);
  } while (g_get_monotonic_time() < end);
  return false;
}

bool tree_kill(TreeLister list_now, gpointer data, Deadline deadline) {
  while (!kill_burst(list_now, data)) {
    if (deadline_passed(deadline)) return false;
    if (wait_until(deadline_after(1000)) == WAIT_CANCELLED) return false;
  }
  return true;
}

/* ---- The end of a process */

static bool spared(const pid_t *spare, guint n_spare, pid_t pid) {
  for (guint i = 0; i < n_spare; i++)
    if (spare[i] == pid) return true;
  return false;
}

/* Our own children are still ours while they are not reaped, so their pids can be used as they are: it is the fastest
 * way, and a storm is a race.  Returns how many there were, dead ones included, as their children are ours only then.
 */
static guint kill_children(const pid_t *spare, guint n_spare) {
  g_autoptr(GArray) children = children_of(getpid());
  guint n = 0;
  for (guint i = 0; i < children->len; i++) {
    pid_t child = g_array_index(children, pid_t, i);
    if (spared(spare, n_spare, child)) continue;
    kill(child, SIGKILL);
    g_array_index(children, pid_t, n++) = child;
  }
  for (guint i = 0; i < n; i++) {
    g_autoptr(GArray) below = tree_list(g_array_index(children, pid_t, i));
    kill_list(below);
    waitpid(g_array_index(children, pid_t, i), NULL, WNOHANG);
  }
  return n;
}

bool tree_kill_descendants(gint64 within_microseconds, const pid_t *spare, guint n_spare) {
  gint64 end = g_get_monotonic_time() + within_microseconds;
  const struct timespec a_while = {0, 1000000};
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  while (kill_children(spare, n_spare) > 0) {
    if (g_get_monotonic_time() >= end) return false;
    sigtimedwait(&child, NULL, &a_while);
  }
  return true;
}
