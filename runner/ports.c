/* Ports: a lock against other runners of ours, a bound socket against everybody else. */
#include "runner/ports.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/autoclose.h"
#include "runner/fail.h"
#include "runner/state_dir.h"
#include "runner/tree.h"

#define FIRST_PORT 20000
#define LAST_PORT 32767
#define ENOUGH_PORTS 1000        /* fewer than that are no range to work with */
#define LOCK_PAUSE_USEC 10000

struct Ports {
  int lock_fd;                   /* the common file: byte N locked (OFD lock) is port N taken; -1: not opened yet */
  GHashTable *taken;             /* port -> holding socket + 1, 0: only locked */
  GRand *random;                 /* each one's own: forked workers share GLib's common generator */
};

typedef struct PortRange { int first, last; } PortRange;

/* ---- The range */

static bool read_ephemeral(int *low, int *high) {
  g_autofree char *text = NULL;
  return g_file_get_contents("/proc/sys/net/ipv4/ip_local_port_range", &text, NULL, NULL) &&
         sscanf(text, "%d %d", low, high) == 2;
}

static PortRange port_range(void) {
  int low = 32768, high = 60999;
  read_ephemeral(&low, &high);
  PortRange usual = {FIRST_PORT, MIN(LAST_PORT, low - 1)}, below = {1024, low - 1}, above = {high + 1, 65535};
  if (usual.last - usual.first >= ENOUGH_PORTS) return usual;
  if (below.last - below.first >= ENOUGH_PORTS) return below;
  return above;
}

/* ---- Locks */

Ports *ports_new(void) {
  Ports *ports = g_new0(Ports, 1);
  ports->lock_fd = -1;
  ports->taken = g_hash_table_new(NULL, NULL);
  ports->random = g_rand_new();
  return ports;
}

void ports_seed(Ports *ports, guint32 seed) { g_rand_set_seed(ports->random, seed); }

void ports_free(Ports *ports) {
  GHashTableIter iter;
  gpointer value;
  if (!ports) return;
  g_hash_table_iter_init(&iter, ports->taken);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    if (GPOINTER_TO_INT(value) > 0) close(GPOINTER_TO_INT(value) - 1);
  g_hash_table_unref(ports->taken);
  g_rand_free(ports->random);
  if (ports->lock_fd >= 0) close(ports->lock_fd);
  g_free(ports);
}

static bool open_locks(Ports *ports, GError **error) {
  if (ports->lock_fd >= 0) return true;
  g_autofree char *dir = state_dir(error);
  if (!dir) return false;
  g_autofree char *path = g_build_filename(dir, "ports", NULL);
  ports->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  return ports->lock_fd >= 0 || fail_errno(error, "open '%s'", path);
}

/* false with errno set; EAGAIN: another runner has it. */
static bool set_lock(Ports *ports, int port, short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = port, .l_len = 1};
  return fcntl(ports->lock_fd, F_OFD_SETLK, &lock) == 0;
}

static void keep(Ports *ports, int port, int fd) {
  g_hash_table_insert(ports->taken, GINT_TO_POINTER(port), GINT_TO_POINTER(fd + 1));
}

/* ---- Free ports */

/* A socket bound to the port, exclusively at first, so that nobody has it; then open for a server to bind on top. */
static int bind_and_hold(int port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((guint16)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) == 0)
    return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static bool try_port(Ports *ports, int port, bool hold) {
  if (g_hash_table_contains(ports->taken, GINT_TO_POINTER(port))) return errno = EADDRINUSE, false;
  if (!set_lock(ports, port, F_WRLCK)) return false;
  int fd = bind_and_hold(port);
  if (fd < 0) {
    int number = errno;
    set_lock(ports, port, F_UNLCK);
    errno = number;
    return false;
  }
  if (!hold) close(fd);
  keep(ports, port, hold ? fd : -1);
  return true;
}

int ports_take(Ports *ports, bool hold, GError **error) {
  PortRange range = port_range();
  if (range.last < range.first) return fail(error, "no port is outside the range of ephemeral ports"), 0;
  if (!open_locks(ports, error)) return 0;
  guint n = (guint)(range.last - range.first + 1), start = g_rand_int(ports->random) % n;
  for (guint i = 0; i < n; i++) {
    int port = range.first + (int)((start + i) % n);
    if (try_port(ports, port, hold)) return port;
    if (errno != EADDRINUSE && errno != EAGAIN && errno != EACCES) return fail_errno(error, "bind to port %d", port), 0;
  }
  return fail(error, "no port from %d to %d is free", range.first, range.last), 0;
}

/* ---- Fixed ports */

static bool wait_for_lock(Ports *ports, int port, Deadline deadline, GError **error) {
  while (!set_lock(ports, port, F_WRLCK)) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno(error, "lock port %d", port);
    if (!fiber_self() || deadline_passed(deadline)) return fail(error, "port %d is taken by another run", port);
    /* Another process gives it back without a word to us. */
    if (wait_until(deadline_first(deadline, deadline_after(LOCK_PAUSE_USEC))) == WAIT_CANCELLED)
      return fail(error, "port %d: gave up waiting for another run", port);
  }
  return true;
}

bool ports_fixed(Ports *ports, int port, Deadline deadline, GError **error) {
  bool listening;
  g_autofree char *stranger = NULL;
  if (port < 1 || port > 65535) return fail(error, "port %d is not between 1 and 65535", port);
  if (g_hash_table_contains(ports->taken, GINT_TO_POINTER(port))) return true;
  if (!open_locks(ports, error) || !wait_for_lock(ports, port, deadline, error)) return false;
  port_owner(port, NULL, &listening, &stranger);
  if (listening) {
    set_lock(ports, port, F_UNLCK);
    return fail(error, "port %d is taken: %s listens there", port,
                stranger ? stranger : "a program that cannot be seen");
  }
  keep(ports, port, -1);
  return true;
}

/* ---- Who listens */

typedef enum Nearness { NEAR_LOOPBACK, NEAR_ANY, NEAR_ANY6, NEAR_LOOPBACK6, NEAR_NOT } Nearness;

typedef struct Listener { Nearness near; guint64 inode; } Listener;

/* n 1: IPv4, 4: IPv6; words as the kernel has them in memory. */
static Nearness nearness(int n, const guint32 *words) {
  if (n == 1) return ntohl(words[0]) == INADDR_LOOPBACK ? NEAR_LOOPBACK : words[0] == 0 ? NEAR_ANY : NEAR_NOT;
  if (n != 4 || words[0] || words[1]) return NEAR_NOT;
  if (ntohl(words[2]) == 0xffff)
    return ntohl(words[3]) == INADDR_LOOPBACK ? NEAR_LOOPBACK : words[3] == 0 ? NEAR_ANY : NEAR_NOT;
  if (words[2]) return NEAR_NOT;
  return words[3] == 0 ? NEAR_ANY6 : ntohl(words[3]) == 1 ? NEAR_LOOPBACK6 : NEAR_NOT;
}

/* /proc/net/tcp holds every connection there is: reading it takes 10 ms where the machine has thousands. So it is for
 * kernels without sock_diag(7). */
static void read_listeners(const char *path, int port, GArray *listeners) {
  FILE *file = fopen(path, "re");
  char line[512], address[64];
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    unsigned its_port, state;
    unsigned long long inode;
    guint32 words[4] = {0};
    if (sscanf(line, " %*d: %63[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %llu", address, &its_port,
               &state, &inode) != 4)
      continue;
    int n = sscanf(address, "%8x%8x%8x%8x", &words[0], &words[1], &words[2], &words[3]);
    Listener listener = {nearness(n, words), inode};
    if (state == TCP_LISTEN && (int)its_port == port && listener.near != NEAR_NOT)
      g_array_append_val(listeners, listener);
  }
  fclose(file);
}

/* One datagram of the answer. 1: there is more, 0: that was the end, -1: the kernel refused. */
static int take_answer(const char *bytes, size_t len, int port, GArray *listeners) {
  for (const struct nlmsghdr *header = (const void *)bytes; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
    if (header->nlmsg_type == NLMSG_DONE) return 0;
    if (header->nlmsg_type == NLMSG_ERROR) return -1;
    const struct inet_diag_msg *found = NLMSG_DATA(header);
    Listener listener = {nearness(found->idiag_family == AF_INET ? 1 : 4, found->id.idiag_src), found->idiag_inode};
    if (ntohs(found->id.idiag_sport) == port && listener.near != NEAR_NOT) g_array_append_val(listeners, listener);
  }
  return 1;
}

static bool ask_listeners(int family, int port, GArray *listeners) {
  struct { struct nlmsghdr header; struct inet_diag_req_v2 body; } request = {
    .header = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
    .body = {.sdiag_family = (guint8)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_LISTEN},
  };
  union { char bytes[32768]; struct nlmsghdr align; } answer;
  autoclose fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  int more = fd >= 0 && send(fd, &request, sizeof request, 0) == sizeof request ? 1 : -1;
  while (more == 1) {
    ssize_t len = recv(fd, answer.bytes, sizeof answer.bytes, 0);
    more = len > 0 ? take_answer(answer.bytes, (size_t)len, port, listeners) : -1;
  }
  return more == 0;
}

static void add_listeners(int family, const char *path, int port, GArray *listeners) {
  guint before = listeners->len;
  if (ask_listeners(family, port, listeners)) return;
  g_array_set_size(listeners, before);
  read_listeners(path, port, listeners);
}

/* The listeners of the port that are nearest to 127.0.0.1: the others get nothing. */
static GArray *nearest_listeners(int port) {
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Listener));
  GArray *nearest = g_array_new(FALSE, FALSE, sizeof(Listener));
  Nearness best = NEAR_NOT;
  add_listeners(AF_INET, "/proc/net/tcp", port, all);
  add_listeners(AF_INET6, "/proc/net/tcp6", port, all);
  for (guint i = 0; i < all->len; i++) best = MIN(best, g_array_index(all, Listener, i).near);
  for (guint i = 0; i < all->len; i++)
    if (g_array_index(all, Listener, i).near == best) g_array_append_val(nearest, g_array_index(all, Listener, i));
  return nearest;
}

static bool has_socket(pid_t pid, const GArray *listeners) {
  char path[64], target[64];
  g_snprintf(path, sizeof path, "/proc/%d/fd", pid);
  DIR *fds = opendir(path);
  bool found = false;
  if (!fds) return false;
  for (struct dirent *entry; !found && (entry = readdir(fds));) {
    ssize_t len = readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);
    unsigned long long inode;
    if (len <= 0) continue;
    target[len] = '\0';
    if (sscanf(target, "socket:[%llu]", &inode) != 1) continue;
    for (guint i = 0; !found && i < listeners->len; i++) found = g_array_index(listeners, Listener, i).inode == inode;
  }
  closedir(fds);
  return found;
}

static char *find_stranger(const GArray *listeners) {
  DIR *all = opendir("/proc");
  char *text = NULL;
  if (!all) return NULL;
  for (struct dirent *entry; !text && (entry = readdir(all));) {
    pid_t pid = (pid_t)atoi(entry->d_name);
    g_autofree char *path = g_strdup_printf("/proc/%d/comm", pid), *name = NULL;
    if (pid > 0 && has_socket(pid, listeners) && g_file_get_contents(path, &name, NULL, NULL))
      text = g_strdup_printf("pid %d (%s)", pid, g_strchomp(name));
  }
  closedir(all);
  return text;
}

int port_owner(int port, const GArray *candidates, bool *listening, char **stranger) {
  g_autoptr(GArray) listeners = nearest_listeners(port);
  *listening = listeners->len > 0;
  if (stranger) *stranger = NULL;
  if (!*listening) return 0;
  for (guint i = 0; candidates && i < candidates->len; i++) {
    pid_t pid = g_array_index(candidates, TreeProcess, i).pid;
    if (has_socket(pid, listeners)) return pid;
  }
  if (stranger) *stranger = find_stranger(listeners);
  return 0;
}
