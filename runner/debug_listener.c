#include "runner/debug_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/fail.h"
#include "runner/ports.h"
#include "runner/tree.h"

#define FIRST_PAUSE 1000
#define LONGEST_PAUSE 100000
#define END_GRACE (1 * G_USEC_PER_SEC)
#define TCP_ESTABLISHED_STATE 1

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int debug_listen(int port, GError **error) {
  struct sockaddr_in at = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0 &&
      bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4) == 0)
    return fd;
  fail_errno(error, "listen on 127.0.0.1:%d for a debugger", port);
  if (fd >= 0) close(fd);
  return -1;
}

/* One line of /proc/net/tcp, proc_net_tcp. */
typedef struct TcpLine { unsigned local, remote, state, uid; } TcpLine;

/* Whether some connection of this machine is `wanted` (state and both ports, 0: any); its owner goes into *uid. */
static bool find_tcp(const TcpLine *wanted, unsigned *uid) {
  FILE *file = fopen("/proc/net/tcp", "re");
  char line[512];
  bool found = false;
  while (file && !found && fgets(line, sizeof line, file)) {
    TcpLine its;
    if (sscanf(line, " %*d: %*8[0-9A-Fa-f]:%x %*8[0-9A-Fa-f]:%x %x %*s %*s %*s %u", &its.local, &its.remote, &its.state,
               &its.uid) != 4)
      continue;
    found = its.local == wanted->local && its.state == wanted->state &&
            (wanted->remote == 0 || its.remote == wanted->remote);
    if (found) *uid = its.uid;
  }
  if (file) fclose(file);
  return found;
}

static bool may_debug(int fd, const Credentials *user) {
  struct sockaddr_in here, there;
  socklen_t len = sizeof here, len2 = sizeof there;
  unsigned uid;
  if (getsockname(fd, (struct sockaddr *)&here, &len) < 0 || getpeername(fd, (struct sockaddr *)&there, &len2) < 0)
    return false;
  TcpLine its_end = {.local = ntohs(there.sin_port), .remote = ntohs(here.sin_port), .state = TCP_ESTABLISHED_STATE};
  return find_tcp(&its_end, &uid) && (uid == 0 || uid == geteuid() || (user && uid == user->uid));
}

int debug_accept(int listener, const Credentials *user, Process *gone) {
  for (;;) {
    Cond *changed = gone ? &gone->changed : NULL;
    if (gone && gone->exited) return -1;
    if (wait_any(listener, POLLIN, NULL, gone ? 1 : 0, &changed, DEADLINE_NONE) == WAIT_CANCELLED) return -1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && may_debug(fd, user)) return fd;
    if (fd >= 0) close(fd);
  }
}

/* A socket belongs to the file system's user of the moment in which it was made. */
static int socket_of(const Credentials *user) {
  if (!user || !user->drop) return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int us = setfsuid(user->uid), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setfsuid((uid_t)us);
  return fd;
}

int debug_connect(int port, const Credentials *user, GError **error) {
  struct sockaddr_in to = loopback(port);
  int fd = socket_of(user);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  fail_errno(error, "connect to the debugger on 127.0.0.1:%d", port);
  if (fd >= 0) close(fd);
  return -1;
}

/* ---- Waiting for what no event tells */

typedef bool (*Look)(Process *listener, gpointer data);

static bool look_until(Process *listener, Look look, gpointer data) {
  for (gint64 pause = FIRST_PAUSE;; pause = MIN(pause * 2, LONGEST_PAUSE)) {
    if (look(listener, data)) return true;
    if (listener->exited) return false;
    if (wait_cond(&listener->changed, deadline_after(pause)) == WAIT_CANCELLED) return false;
  }
}

static bool listens(Process *listener, gpointer data) {
  g_autoptr(GArray) tree = tree_list(listener->pid);
  bool listening = false;
  return port_owner(*(int *)data, tree, &listening, NULL) != 0;
}

bool debug_wait_listening(Process *of, int port) { return look_until(of, listens, &port); }

static char *exe_of(pid_t pid) {
  g_autofree char *path = g_strdup_printf("/proc/%d/exe", (int)pid);
  return g_file_read_link(path, NULL);
}

static bool has_inferior(Process *listener, gpointer data) {
  g_autofree char *own = exe_of(listener->pid);
  g_autoptr(GArray) tree = tree_list(listener->pid);
  for (guint i = 1; i < tree->len; i++) {
    pid_t pid = g_array_index(tree, TreeProcess, i).pid;
    g_autofree char *its = exe_of(pid);
    if (!its || !own || strcmp(its, own) == 0) continue;
    *(pid_t *)data = pid;
    return true;
  }
  return false;
}

pid_t debug_wait_inferior(Process *listener) {
  pid_t pid = 0;
  return look_until(listener, has_inferior, &pid) ? pid : 0;
}

static bool traced(Process *listener, gpointer data) {
  g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)*(pid_t *)data), *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL)) return false;
  const char *line = strstr(text, "\nTracerPid:");
  return line && atoi(line + strlen("\nTracerPid:")) != 0;
}

bool debug_wait_traced(Process *listener, pid_t pid) { return look_until(listener, traced, &pid); }

bool debug_attended(int port) {
  TcpLine client = {.local = (unsigned)port, .state = TCP_ESTABLISHED_STATE};
  unsigned uid;
  return find_tcp(&client, &uid);
}

/* ---- Relaying, for debuggers that only listen themselves */

static bool write_all(int fd, const char *bytes, gsize len) {
  while (len > 0) {
    ssize_t n = send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      if (wait_fd(fd, POLLOUT, NULL, DEADLINE_NONE) == WAIT_CANCELLED) return false;
      continue;
    }
    if (n <= 0) return false;
    bytes += n;
    len -= (gsize)n;
  }
  return true;
}

typedef struct Pump { int from, to; } Pump;

static void pump(gpointer data) {
  const Pump *way = data;
  char bytes[16 * 1024];
  for (;;) {
    if (wait_fd(way->from, POLLIN, NULL, DEADLINE_NONE) == WAIT_CANCELLED) return;
    ssize_t n = recv(way->from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0 || !write_all(way->to, bytes, (gsize)n)) break;
  }
  shutdown(way->to, SHUT_WR);
}

void debug_relay(int a, int b) {
  Pump back = {b, a}, forth = {a, b};
  Fiber *fiber = fiber_spawn("debugger to client", pump, &back);
  pump(&forth);
  if (fiber_cancelled()) fiber_stop(fiber);
  else if (fiber_join(fiber, DEADLINE_NONE) != WAIT_READY) fiber_stop(fiber);
  close(a);
  close(b);
}

/* ---- The end */

void debug_end_listener(Process *listener) {
  if (listener->exited) return;
  fiber_shield();
  process_signal(listener, SIGTERM);
  process_signal(listener, SIGCONT);
  if (process_wait(listener, deadline_after(END_GRACE)) != WAIT_READY) {
    process_signal(listener, SIGKILL);
    process_wait(listener, deadline_after(END_GRACE));
  }
  fiber_unshield();
}
