/* Process trees from /proc.  What is read there may be gone a moment later, so everything here is told again before it
 * is acted upon: a signal goes through a pidfd whose process has shown the expected start time after it was opened. */
#include "runner/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* The name in parentheses may hold anything, so the fields are counted from the last one. */
static bool read_stat(pid_t pid, TreeProcess *process) {
  char text[1024];
  if (read_proc(pid, "stat", text, sizeof text) <= 0) return false;
  char *open = strchr(text, '('), *close = strrchr(text, ')');
  unsigned long long start;
  if (!open || !close || sscanf(close + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                                &process->state, &process->parent, &start) != 3)
    return false;
  *close = '\0';
  process->pid = pid;
  process->start_time = start;
  g_strlcpy(process->command, open + 1, sizeof process->command);
  return true;
}

static bool alive(const TreeProcess *process) { return process->state != 'Z' && process->state != 'X'; }

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
  if (!read_stat(pid, process) || !alive(process)) return false;
  read_command(process);
  return true;
}

guint64 process_start_time(pid_t pid) {
  TreeProcess process;
  return read_stat(pid, &process) ? process.start_time : 0;
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
    TreeProcess process;
    pid_t child = (pid_t)atoi(entry->d_name);
    if (child > 0 && read_stat(child, &process) && process.parent == pid) g_array_append_val(pids, child);
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
  if (its) return strcmp(its, marker) == 0;
  return dir && works_below(pid, dir);
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

bool tree_contains(pid_t root, pid_t pid) {
  TreeProcess process;
  for (int steps = 0; pid > 0 && steps < 1000; steps++) {
    if (pid == root) return true;
    if (!read_stat(pid, &process)) return false;
    pid = process.parent;
  }
  return false;
}

/* ---- Signals */

bool tree_signal_one(pid_t pid, guint64 start_time, int signo) {
  TreeProcess process;
  int fd = pidfd_open(pid, 0);
  if (fd < 0) return false;
  bool same = read_stat(pid, &process) && alive(&process) && process.start_time == start_time;
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

/* A storm forks faster than a loop turns, so as long as there are new faces the hunt goes on at once, for a burst. */
static guint kill_burst(TreeLister list_now, gpointer data) {
  gint64 end = g_get_monotonic_time() + BURST_USEC;
  guint left;
  do {
    g_autoptr(GArray) list = list_now(data);
    left = list->len;
    kill_list(list);
    reaper_turn();
  } while (left > 0 && g_get_monotonic_time() < end);
  return left;
}

bool tree_kill(TreeLister list_now, gpointer data, Deadline deadline) {
  while (kill_burst(list_now, data) > 0) {
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
 * way, and a storm is a race.  Returns how many are left, dead ones that are not reaped included. */
static guint kill_children(const pid_t *spare, guint n_spare) {
  g_autoptr(GArray) children = children_of(getpid());
  guint left = 0;
  for (guint i = 0; i < children->len; i++) {
    pid_t child = g_array_index(children, pid_t, i);
    if (spared(spare, n_spare, child)) continue;
    left++;
    kill(child, SIGKILL);
  }
  for (guint i = 0; i < children->len; i++) {
    pid_t child = g_array_index(children, pid_t, i);
    if (spared(spare, n_spare, child)) continue;
    g_autoptr(GArray) below = tree_list(child);
    kill_list(below);
    if (waitpid(child, NULL, WNOHANG) == child) left--;
  }
  return left;
}

bool tree_kill_descendants(gint64 within_microseconds, const pid_t *spare, guint n_spare) {
  gint64 end = g_get_monotonic_time() + within_microseconds;
  const struct timespec a_while = {0, 1000000};
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (;;) {
    guint left = kill_children(spare, n_spare);
    /* What just died may have left us its children, so only an empty second look is the end. */
    if (left == 0 && kill_children(spare, n_spare) == 0) return true;
    if (g_get_monotonic_time() >= end) return false;
    if (left > 0) sigtimedwait(&child, NULL, &a_while);
  }
}
