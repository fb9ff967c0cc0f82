/* What a link at rest costs: round trips and bulk through a relay beside the same without one, turn and turn about, so that
 * a busy machine disturbs both alike.  Medians of the rounds. */
#include "runner/relay.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/ports.h"

#define ROUNDS 9
#define TRIPS 5000
#define PAUSED_TRIPS 300
#define BULK (256 * 1024 * 1024)
#define PACED_RATE (100 * 1000 * 1000)   /* bytes a second: more than a server's WAL under load */
#define PACED (50 * 1000 * 1000)

static struct sockaddr_in address(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((guint16)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void all_of(int fd, char *bytes, gsize size, bool out) {
  for (gsize done = 0; done < size;) {
    ssize_t n = out ? send(fd, bytes + done, size - done, MSG_NOSIGNAL) : recv(fd, bytes + done, size - done, 0);
    if (n <= 0) exit(1);
    done += (gsize)n;
  }
}

/* Answers each request of 8 bytes (how many are to be swallowed first; 0: none) with 8. */
static void serve(int fd) {
  static char bytes[256 * 1024];
  guint64 size;
  while (recv(fd, &size, sizeof size, MSG_WAITALL) == sizeof size) {
    for (guint64 left = size; left > 0;) {
      ssize_t n = recv(fd, bytes, MIN(sizeof bytes, left), 0);
      if (n <= 0) return;
      left -= (guint64)n;
    }
    all_of(fd, (char *)&size, sizeof size, true);
  }
}

static pid_t start_server(int port) {
  int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = address(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 8) != 0) exit(1);
  pid_t pid = fork();
  for (int i = 0; pid == 0; i++) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept(listener, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      serve(fd);
      _exit(0);
    }
    close(fd);
  }
  close(listener);
  return pid;
}

static int connect_to(int port) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = address(port);
  if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) exit(1);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void trip(int fd) {
  guint64 nothing = 0;
  all_of(fd, (char *)&nothing, sizeof nothing, true);
  all_of(fd, (char *)&nothing, sizeof nothing, false);
}

/* Microseconds a round trip, one after the other. */
static double trips(int fd) {
  gint64 began = g_get_monotonic_time();
  for (int i = 0; i < TRIPS; i++) trip(fd);
  return (double)(g_get_monotonic_time() - began) / TRIPS;
}

/* The same with a pause between: everybody has gone to sleep, as between statements. */
static double paused_trips(int fd) {
  gint64 took = 0;
  for (int i = 0; i < PAUSED_TRIPS; i++) {
    g_usleep(300);
    gint64 began = g_get_monotonic_time();
    trip(fd);
    took += g_get_monotonic_time() - began;
  }
  return (double)took / PAUSED_TRIPS;
}

static void feed(int fd, guint64 total, gint64 rate) {
  static char bytes[256 * 1024];
  gint64 began = g_get_monotonic_time();
  all_of(fd, (char *)&total, sizeof total, true);
  for (guint64 sent = 0; sent < total; sent += MIN(sizeof bytes, total - sent)) {
    all_of(fd, bytes, MIN(sizeof bytes, total - sent), true);
    gint64 ahead = rate > 0 ? (gint64)sent * G_USEC_PER_SEC / rate - (g_get_monotonic_time() - began) : 0;
    if (ahead > 0) g_usleep((gulong)ahead);
  }
  all_of(fd, (char *)&total, sizeof total, false);
}

/* MB a second. */
static double bulk(int fd) {
  gint64 began = g_get_monotonic_time();
  feed(fd, BULK, 0);
  return (double)BULK / (double)(g_get_monotonic_time() - began);
}

static double paced(int fd) {
  gint64 began = g_get_monotonic_time();
  feed(fd, PACED, PACED_RATE);
  return (double)PACED / (double)(g_get_monotonic_time() - began);
}

static int by_size(gconstpointer a, gconstpointer b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* What the relay itself has used of a processor, microseconds: on a busy machine the rest is waiting for one. */
static double used(Relay *relay) {
  g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", (int)relay_process(relay)->pid), *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtod(text, NULL) / 1000 : 0;
}

/* each: how many of what is measured a round has, for the processor's time. */
static void compare(const char *what, const char *unit, double (*measure)(int fd), int direct, int linked, Relay *relay,
                    double each) {
  double a[ROUNDS], b[ROUNDS], before = used(relay);
  for (int i = 0; i < ROUNDS; i++) {
    a[i] = measure(direct);
    b[i] = measure(linked);
  }
  double own = (used(relay) - before) / ROUNDS / each;
  qsort(a, ROUNDS, sizeof *a, by_size);
  qsort(b, ROUNDS, sizeof *b, by_size);
  g_print("%-30s direct %7.1f %s, through a link %7.1f %s, ratio %.3f; the relay's own work %.1f us\n", what,
          a[ROUNDS / 2], unit, b[ROUNDS / 2], unit, b[ROUNDS / 2] / a[ROUNDS / 2], own);
}

static void bench(gpointer data) {
  g_autoptr(GError) error = NULL;
  Ports *ports = ports_new();
  int target = ports_take(ports, true, &error), port = ports_take(ports, true, &error);
  RelayLink link = {port, "127.0.0.1", target};
  pid_t server = start_server(target);
  Relay *relay = relay_start(&link, 1, NULL, 1, &error);
  if (!relay) g_error("%s", error->message);
  int direct = connect_to(target), linked = connect_to(port);
  compare("round trip", "us", trips, direct, linked, relay, TRIPS);
  compare("round trip, each after a pause", "us", paused_trips, direct, linked, relay, PAUSED_TRIPS);
  compare("100 MB/s are asked for", "MB/s", paced, direct, linked, relay, PACED / 1e6);
  compare("as much as goes", "MB/s", bulk, direct, linked, relay, BULK / 1e6);
  close(direct);
  close(linked);
  relay_end(relay);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  ports_free(ports);
}

int main(void) {
  loop_new();
  reaper_begin();
  fiber_spawn_detached("bench", bench, NULL);
  loop_run();
  loop_free();
  return 0;
}
