/* The registry.  A file is made under another name, locked and filled before it gets its own, so that no sweep ever
 * sees one of a living run without its lock. */
#include "runner/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runner/fail.h"
#include "runner/ipc.h"
#include "runner/state_dir.h"
#include "runner/tree.h"

#define SWEEP_USEC (2 * G_USEC_PER_SEC)
#define UNFINISHED_AGE_S 60

static struct {
  char *path;
  int fd;
  pid_t owner, opened_by;        /* who began it; whose descriptor fd is */
} registry = {.fd = -1};

/* ---- Writing */

static char *boot_id(void) {
  char *text = NULL;
  if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL)) return g_strdup("unknown");
  return g_strstrip(text);
}

char *registry_run_id(void) {
  guint32 random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random) random = (guint32)g_get_monotonic_time();
  return g_strdup_printf("%08x%08x", (guint32)g_get_real_time() ^ (guint32)getpid() << 16, random);
}

static bool write_line(int fd, const char *line) {
  gsize len = strlen(line);
  return write(fd, line, len) == (ssize_t)len;
}

static bool write_head(int fd, const char *run_id, const char *run_dir) {
  g_autofree char *boot = boot_id(), *dir = g_uri_escape_string(run_dir, "/", TRUE);
  g_autofree char *head = g_strdup_printf("runner 1 %d %" G_GUINT64_FORMAT " %s %s %s\n", getpid(),
                                          process_start_time(getpid()), boot, run_id, dir);
  return write_line(fd, head);
}

bool registry_begin(const char *run_id, const char *run_dir, GError **error) {
  g_autofree char *dir = state_dir_below("runs", error);
  if (!dir) return false;
  g_autofree char *path = g_strdup_printf("%s/run-%s", dir, run_id), *early = g_strdup_printf("%s/new-%s", dir, run_id);
  int fd = open(early, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(error, "make registry file '%s'", early);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !write_head(fd, run_id, run_dir) || rename(early, path) < 0) {
    fail_errno(error, "write registry file '%s'", early);
    unlink(early);
    close(fd);
    return false;
  }
  registry.path = g_steal_pointer(&path);
  registry.fd = fd;
  registry.owner = registry.opened_by = getpid();
  return true;
}

/* A worker has closed what it inherited, the lock must end with the runner, and so it opens the file for itself. */
static bool open_here(void) {
  if (!registry.path) return false;
  if (registry.opened_by == getpid()) return registry.fd >= 0;
  registry.fd = open(registry.path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
  registry.opened_by = getpid();
  return registry.fd >= 0;
}

void registry_add(pid_t pid, guint64 start_time, const char *label) {
  if (!open_here()) return;
  g_autofree char *plain = g_strdelimit(g_strdup(label), "\n\r", ' ');
  g_autofree char *line = g_strdup_printf("%d %" G_GUINT64_FORMAT " %s\n", pid, start_time, plain);
  write_line(registry.fd, line);
}

void registry_end(void) {
  if (!registry.path || registry.owner != getpid()) return;
  unlink(registry.path);
  close(registry.fd);
  g_clear_pointer(&registry.path, g_free);
  registry.fd = -1;
}

/* ---- Reading */

typedef struct Recorded { pid_t pid; guint64 start_time; } Recorded;

typedef struct Run {
  Recorded runner;
  char *boot, *id, *dir;
  GArray *processes;             /* of Recorded */
} Run;

static void run_free(Run *run) {
  g_free(run->boot);
  g_free(run->id);
  g_free(run->dir);
  g_array_unref(run->processes);
  g_free(run);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Run, run_free)

/* NULL when the head is not ours; a last line that was cut short by a crash is left out. */
static Run *parse_run(const char *text) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_auto(GStrv) head = g_strsplit(lines[0] ? lines[0] : "", " ", -1);
  if (g_strv_length(head) != 7 || strcmp(head[0], "runner") != 0 || strcmp(head[1], "1") != 0 || !*head[5]) return NULL;
  Run *run = g_new0(Run, 1);
  run->runner = (Recorded){atoi(head[2]), g_ascii_strtoull(head[3], NULL, 10)};
  run->boot = g_strdup(head[4]);
  run->id = g_strdup(head[5]);
  run->dir = g_uri_unescape_string(head[6], NULL);
  run->processes = g_array_new(FALSE, FALSE, sizeof(Recorded));
  for (guint i = 1; lines[i] && lines[i + 1]; i++) {
    Recorded process = {0};
    if (sscanf(lines[i], "%d %" G_GUINT64_FORMAT " ", &process.pid, &process.start_time) == 2 && process.pid > 1 &&
        process.start_time > 0)
      g_array_append_val(run->processes, process);
  }
  return run;
}

static char *read_all(int fd) {
  GString *text = g_string_new(NULL);
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) g_string_append_len(text, buffer, n);
  return g_string_free(text, FALSE);
}

/* ---- Ending what is left */

static bool carries(const char *marker, const Run *run) {
  gsize len = strlen(run->id);
  return strncmp(marker, run->id, len) == 0 && (marker[len] == '/' || marker[len] == '\0');
}

static bool leads_below(pid_t pid, const char *link, const char *dir) {
  char path[64], target[PATH_MAX];
  g_snprintf(path, sizeof path, "/proc/%d/%s", pid, link);
  ssize_t len = readlink(path, target, sizeof target - 1);
  gsize n = strlen(dir);
  if (len < 0 || n < 2) return false;
  target[len] = '\0';
  return strncmp(target, dir, n) == 0 && (target[n] == '/' || target[n] == '\0');
}

static bool belongs_to(pid_t pid, const Run *run) {
  g_autofree char *marker = tree_marker(pid);
  if (marker) return carries(marker, run);
  return run->dir && leads_below(pid, "cwd", run->dir) && leads_below(pid, "fd/2", run->dir) &&
         process_start_time(pid) >= run->runner.start_time;
}

static void add_new(GArray *list, const GArray *more) {
  for (guint i = 0; i < more->len; i++) {
    const TreeProcess *process = &g_array_index(more, TreeProcess, i);
    bool known = process->pid == getpid();
    for (guint j = 0; !known && j < list->len; j++) known = g_array_index(list, TreeProcess, j).pid == process->pid;
    if (!known) g_array_append_val(list, *process);
  }
}

static GArray *list_survivors(const Run *run) {
  GArray *list = g_array_new(FALSE, FALSE, sizeof(TreeProcess));
  for (guint i = 0; i < run->processes->len; i++) {
    Recorded recorded = g_array_index(run->processes, Recorded, i);
    if (process_start_time(recorded.pid) != recorded.start_time) continue;
    g_autoptr(GArray) tree = tree_list(recorded.pid);
    add_new(list, tree);
  }
  DIR *all = opendir("/proc");
  if (!all) return list;
  for (struct dirent *entry; (entry = readdir(all));) {
    pid_t pid = (pid_t)atoi(entry->d_name);
    if (pid <= 1 || !belongs_to(pid, run)) continue;
    g_autoptr(GArray) tree = tree_list(pid);
    add_new(list, tree);
  }
  closedir(all);
  return list;
}

/* Not our children, so their pidfds are what tells of their end. */
static void kill_and_wait(const GArray *list, gint64 end, GHashTable *ended) {
  g_autofree struct pollfd *gone = g_new0(struct pollfd, list->len);
  for (guint i = 0; i < list->len; i++) {
    const TreeProcess *process = &g_array_index(list, TreeProcess, i);
    gone[i] = (struct pollfd){.fd = pidfd_open(process->pid, 0), .events = POLLIN};
    if (tree_signal_one(process->pid, process->start_time, SIGKILL))
      g_hash_table_add(ended, GINT_TO_POINTER(process->pid));
  }
  for (guint i = 0; i < list->len; i++) {
    gint64 left = end - g_get_monotonic_time();
    if (gone[i].fd < 0) continue;
    if (left > 0) poll(&gone[i], 1, (int)(left / 1000) + 1);
    close(gone[i].fd);
  }
}

/* A pid that somebody else has by now may have made segments of his own. */
static void remove_segments(const Run *run) {
  for (guint i = 0; i < run->processes->len; i++) {
    Recorded recorded = g_array_index(run->processes, Recorded, i);
    guint64 start_time = process_start_time(recorded.pid);
    if (start_time == 0 || start_time == recorded.start_time) ipc_note(recorded.pid);
  }
  ipc_remove_ours();
}

static void end_run(const Run *run, RegistrySweep *sweep) {
  g_autoptr(GHashTable) ended = g_hash_table_new(NULL, NULL);
  /* The time is for dying: to look for them may take long on a busy machine. */
  for (gint64 end = 0; end == 0 || g_get_monotonic_time() < end;) {
    g_autoptr(GArray) list = list_survivors(run);
    if (list->len == 0) break;
    if (end == 0) end = g_get_monotonic_time() + SWEEP_USEC;
    kill_and_wait(list, end, ended);
  }
  sweep->processes += g_hash_table_size(ended);
  remove_segments(run);
}

/* A file whose lock we could get.  The runner itself is looked for all the same: a file system without locks must not
 * cost a living run its servers. */
static void sweep_run(const char *path, int fd, RegistrySweep *sweep) {
  g_autofree char *text = read_all(fd), *boot = boot_id();
  g_autoptr(Run) run = parse_run(text);
  if (run && strcmp(run->boot, boot) == 0) {
    TreeProcess runner;
    if (tree_look(run->runner.pid, &runner) && runner.start_time == run->runner.start_time) return;
    end_run(run, sweep);
  }
  if (run) sweep->runs++;
  if (run && run->dir && g_file_test(run->dir, G_FILE_TEST_IS_DIR))
    g_ptr_array_add(sweep->directories, g_strdup(run->dir));
  unlink(path);
}

static void sweep_file(const char *dir, const char *name, RegistrySweep *sweep) {
  g_autofree char *path = g_build_filename(dir, name, NULL);
  struct stat st;
  bool unfinished = g_str_has_prefix(name, "new-");
  if (!unfinished && !g_str_has_prefix(name, "run-")) return;
  int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0 && S_ISREG(st.st_mode)) {
    if (!unfinished) sweep_run(path, fd, sweep);
    else if (st.st_mtime + UNFINISHED_AGE_S < g_get_real_time() / G_USEC_PER_SEC) unlink(path);
  }
  close(fd);
}

RegistrySweep *registry_sweep(GError **error) {
  g_autofree char *dir = state_dir_below("runs", error);
  if (!dir) return NULL;
  DIR *files = opendir(dir);
  if (!files) return fail_errno(error, "read directory '%s'", dir), NULL;
  RegistrySweep *sweep = g_new0(RegistrySweep, 1);
  sweep->directories = g_ptr_array_new_with_free_func(g_free);
  for (struct dirent *entry; (entry = readdir(files));) sweep_file(dir, entry->d_name, sweep);
  closedir(files);
  return sweep;
}

void registry_sweep_free(RegistrySweep *sweep) {
  if (!sweep) return;
  g_ptr_array_unref(sweep->directories);
  g_free(sweep);
}
