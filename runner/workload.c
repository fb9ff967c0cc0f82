/* The test's side of a workload: its process and its log. */
#include "runner/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/dirs.h"
#include "runner/process.h"

#define END_LIMIT (20 * G_USEC_PER_SEC)

void workload_free(gpointer data) {
  Workload *workload = data;
  if (workload->fd >= 0) close(workload->fd);
  if (workload->control >= 0) close(workload->control);
  g_ptr_array_unref(workload->nodes);
  g_array_unref(workload->writes);
  g_hash_table_unref(workload->errors);
  g_free(workload->last_trouble);
  g_free(workload->path);
  g_free(workload);
}

Workload *workload_find(Cluster *cluster, const char *name) {
  for (guint i = cluster->workloads->len; i-- > 0;) {
    Workload *workload = g_ptr_array_index(cluster->workloads, i);
    if (strcmp(workload->step->name.s, name) == 0) return workload;
  }
  return NULL;
}

static Workload *workload_new(Cluster *cluster, const WorkloadStep *step, GPtrArray *nodes) {
  Workload *workload = g_new0(Workload, 1);
  g_autofree char *safe = dirs_safe_name(step->name.s);
  workload->cluster = cluster;
  workload->step = step;
  workload->nodes = g_ptr_array_ref(nodes);
  workload->path = g_strdup_printf("%s/workload-%u-%s.log", cluster->dir, cluster->workloads->len + 1, safe);
  workload->fd = workload->control = -1;
  workload->writes = g_array_new(FALSE, FALSE, sizeof(Write));
  workload->errors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_ptr_array_add(cluster->workloads, workload);
  return workload;
}

bool workload_begin(Cluster *cluster, const WorkloadStep *step, GPtrArray *nodes, Outcome *outcome) {
  Workload *workload = workload_new(cluster, step, nodes);
  GError *error = NULL;
  int ends[2];
  workload->fd = open(workload->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_EXCL, 0644);
  if (workload->fd < 0) return outcome_error(outcome, "create '%s': %s", workload->path, g_strerror(errno));
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return outcome_error(outcome, "make a socket pair: %s", g_strerror(errno));
  workload->began = g_get_monotonic_time();
  workload->worker = getpid();
  workload->control = ends[1];
  workload->process = process_fork(workload_process, workload, &error);
  workload->control = ends[0];
  close(ends[1]);
  if (!workload->process) return outcome_take_error(outcome, error);
  g_ptr_array_add(cluster->helpers, workload->process);
  return true;
}

/* ---- Its log */

static guint server_index(const Workload *workload, const char *name) {
  for (guint i = 0; i < workload->nodes->len; i++)
    if (strcmp(((Node *)g_ptr_array_index(workload->nodes, i))->name, name) == 0) return i;
  return 0;
}

static void count_error(Workload *workload, const char *text) {
  guint64 *count = g_hash_table_lookup(workload->errors, text);
  if (!count) g_hash_table_insert(workload->errors, g_strdup(text), count = g_new0(guint64, 1));
  ++*count;
}

static void take_line(Workload *workload, char *line) {
  g_auto(GStrv) words = g_strsplit(line, " ", 6);
  if (g_strv_length(words) < 5) return;
  Write write = {g_ascii_strtoull(words[1], NULL, 10), g_ascii_strtoll(words[2], NULL, 10),
                 g_ascii_strtoll(words[3], NULL, 10), words[0][0], server_index(workload, words[4])};
  switch (write.outcome) {
  case 'A': workload->acknowledged++; break;
  case 'F': workload->failed++; break;
  case 'U': workload->unknown++; break;
  case 'X': workload->writers_ended++; G_GNUC_FALLTHROUGH;
  default:
    g_free(workload->last_trouble);
    workload->last_trouble = g_strdup_printf("%s: %s", words[4], words[5] ? words[5] : "");
    return;
  }
  if (write.outcome != 'A' && words[5]) count_error(workload, words[5]);
  g_array_append_val(workload->writes, write);
}

bool workload_catch_up(Workload *workload, Outcome *outcome) {
  enum { CHUNK = 256 * 1024 };
  g_autofree char *bytes = g_malloc(CHUNK + 1);
  for (;;) {
    ssize_t n = pread(workload->fd, bytes, CHUNK, workload->read_to);
    if (n < 0) return outcome_error(outcome, "read '%s': %s", workload->path, g_strerror(errno));
    bytes[n] = '\0';
    char *at = bytes;
    for (char *end; (end = strchr(at, '\n')); at = end + 1) {
      *end = '\0';
      take_line(workload, at);
    }
    if (at == bytes) return true;
    workload->read_to += at - bytes;
    wait_turn();
  }
}

/* ---- Its end */

static void order_end(Workload *workload) {
  workload->ended = g_get_monotonic_time();
  send(workload->control, "e", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool workload_end(Workload *workload, Outcome *outcome) {
  if (!workload->ended) {
    if (workload->process->exited) {
      workload->ended = workload->process->exited_at;
      g_autofree char *how = exit_text(workload->process->status);
      return outcome_error(outcome, "the process of workload '%s' %s", workload->step->name.s, how);
    }
    order_end(workload);
  }
  WaitResult result = process_wait(workload->process, deadline_in(END_LIMIT));
  if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  if (result == WAIT_TIMEOUT)
    return outcome_error(outcome, "the process of workload '%s' did not end in time", workload->step->name.s);
  if (workload->process->status != 0) {
    g_autofree char *how = exit_text(workload->process->status);
    return outcome_error(outcome, "the process of workload '%s' %s", workload->step->name.s, how);
  }
  return workload_catch_up(workload, outcome);
}

void workloads_end_all(Cluster *cluster) {
  for (guint i = 0; i < cluster->workloads->len; i++) {
    Workload *workload = g_ptr_array_index(cluster->workloads, i);
    if (!workload->process || workload->process->exited) continue;
    process_signal(workload->process, SIGKILL);
    process_wait(workload->process, deadline_after(G_USEC_PER_SEC));
  }
}

void workloads_tell(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->workloads->len; i++) {
    Workload *workload = g_ptr_array_index(cluster->workloads, i);
    g_auto(Outcome) nothing = {0};
    g_autofree char *told = g_strdup_printf("workload '%s':", workload->step->name.s);
    if (outcome->headline && strstr(outcome->headline, told)) continue;
    if (workload->ended || !workload->process || !workload_catch_up(workload, &nothing)) continue;
    g_autofree char *story = workload_story(workload);
    outcome_addf(outcome, "  workload '%s' was under way:", workload->step->name.s);
    outcome_add(outcome, story);
  }
}
