/* The relay's process: listeners, orders, and the loop. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "runner/relay_connection.h"
#include "runner/relay_private.h"

#define EVENTS_AT_ONCE 16        /* then orders are looked for: what each event does takes 0.05 ms at most */
#define ACCEPTS_AT_ONCE 16

static struct {
  Source control, timer;
  Wire *wires;
  guint n_wires;
  int epoll;
  int spare; /* given up for a moment when there are no descriptors left, to turn a connection away */
  gint64 armed;                  /* when the timer goes off, G_MAXINT64: it does not */
} relay;

/* ---- Listeners */

static int listen_at(int port) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons((guint16)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (fd < 0) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, SOMAXCONN) == 0)
    return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static bool wire_open(Wire *wire) {
  if (wire->listener.fd >= 0) return true;
  wire->listener = (Source){SOURCE_LISTENER, listen_at(wire->port), 0};
  source_watch(&wire->listener, EPOLLIN);
  return wire->listener.fd >= 0;
}

/* Those that wait to be accepted are reset by the kernel. */
static void wire_close(Wire *wire) {
  if (wire->listener.fd < 0) return;
  source_watch(&wire->listener, 0);
  close(wire->listener.fd);
  wire->listener.fd = -1;
}

/* Without a descriptor for it a connection would wait, and wake us, for ever. */
static void turn_away(Wire *wire) {
  close(relay.spare);
  int fd = accept4(wire->listener.fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0) reset_socket(fd);
  relay.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int next_connection(Wire *wire) {
  int fd = accept4(wire->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE)) turn_away(wire);
  return fd;
}

static void on_connections(Wire *wire) {
  for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
    int fd = next_connection(wire);
    if (fd < 0) return;
    connection_new(wire, fd);
  }
}

/* ---- Orders */

static void wire_reset(Wire *wire) {
  for (int fd; wire->listener.fd >= 0 && (fd = next_connection(wire)) >= 0;) reset_socket(fd);
  while (wire->connections) connection_reset(wire->connections);
}

static void wire_changed(Wire *wire, int way, bool released) {
  for (Connection *connection = wire->connections, *next; connection; connection = next) {
    next = connection->next;
    connection_changed(connection, way, released);
  }
}

static void disturb(Wire *wire, const RelayOrder *order, int way) {
  switch (order->deed) {
  case LINK_BLACKHOLE: wire->dark[way] = true; break;
  case LINK_DELAY: wire->shapes[way] = (Shape){order->latency, order->jitter, order->bandwidth, 0}; break;
  case LINK_HEAL:
    wire->dark[way] = false;
    wire->shapes[way] = (Shape){0};
    break;
  case LINK_CUT: case LINK_RESET: return;
  }
  wire_changed(wire, way, order->deed == LINK_HEAL);
}

static bool obey(const RelayOrder *order) {
  Wire *wire = &relay.wires[order->link];
  if (order->deed == LINK_CUT) wire_close(wire);
  if (order->deed == LINK_CUT || order->deed == LINK_RESET) wire_reset(wire);
  if (order->way != WAY_BACKWARD) disturb(wire, order, 0);
  if (order->way != WAY_FORWARD) disturb(wire, order, 1);
  return order->deed != LINK_HEAL || wire_open(wire);
}

static RelayStatus status_of(const Wire *wire) {
  RelayStatus status = {0};
  int listens = 0;
  socklen_t size = sizeof listens;
  status.listening = wire->listener.fd >= 0 &&
                     getsockopt(wire->listener.fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
  for (int way = 0; way < 2; way++) {
    const Shape *shape = &wire->shapes[way];
    status.dark[way] = wire->dark[way];
    status.shaped[way] = shape->latency > 0 || shape->jitter > 0 || shape->bandwidth > 0;
  }
  for (const Connection *connection = wire->connections; connection; connection = connection->next) {
    status.open++;
    status.held += connection_held(connection);
  }
  return status;
}

/* false: the worker has gone. */
static bool on_control(void) {
  static RelayRequest request;
  static RelayAnswer answer;
  ssize_t n = recv(relay.control.fd, &request, sizeof request, MSG_DONTWAIT);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  answer = (RelayAnswer){.number = request.number};
  for (guint i = 0; answer.failed == 0 && i < request.n_orders; i++) {
    if (!obey(&request.orders[i])) answer.failed = errno;
    answer.link = request.orders[i].link;
  }
  for (guint i = request.first; request.n_orders == 0 && i < MIN(relay.n_wires, request.first + RELAY_BATCH); i++)
    answer.status[answer.n_status++] = status_of(&relay.wires[i]);
  gsize size = offsetof(RelayAnswer, status) + answer.n_status * sizeof(RelayStatus);
  return send(relay.control.fd, &answer, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* ---- The loop */

static void arm(gint64 due) {
  if (due == relay.armed) return;
  struct itimerspec at = {0};
  if (due != G_MAXINT64) {
    at.it_value.tv_sec = MAX(due, 1) / G_USEC_PER_SEC;
    at.it_value.tv_nsec = MAX(due, 1) % G_USEC_PER_SEC * 1000;
  }
  timerfd_settime(relay.timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
  relay.armed = due;
}

static void flush_due(void) {
  gint64 next = G_MAXINT64, now = g_get_monotonic_time();
  for (guint i = 0; connections_waiting() && i < relay.n_wires; i++) {
    for (Connection *connection = relay.wires[i].connections, *after; connection; connection = after) {
      after = connection->next;
      next = MIN(next, connection_flush(connection, now));
    }
  }
  arm(next);
}

static void on_timer(void) {
  guint64 times;
  if (read(relay.timer.fd, &times, sizeof times) == sizeof times) relay.armed = G_MAXINT64;
}

static bool on_event(Source *source, guint32 events) {
  switch (source->kind) {
  case SOURCE_CONTROL: return on_control();
  case SOURCE_TIMER: on_timer(); break;
  case SOURCE_LISTENER:
    if (source->fd >= 0) on_connections((Wire *)((char *)source - offsetof(Wire, listener)));
    break;
  case SOURCE_END: connection_event((End *)((char *)source - offsetof(End, source)), events); break;
  }
  return true;
}

static int serve(void) {
  struct epoll_event events[EVENTS_AT_ONCE];
  for (;;) {
    int n = epoll_wait(relay.epoll, events, EVENTS_AT_ONCE, -1);
    for (int i = 0; i < n; i++)
      if (!on_event(events[i].data.ptr, events[i].events)) return 0;
    if (connections_waiting() || relay.armed != G_MAXINT64) flush_due();
    connections_sweep();
    /* epoll's list is a queue, so orders that came meanwhile would wait behind what is ready again and again. */
    if (n == EVENTS_AT_ONCE && !on_control()) return 0;
  }
}

static bool set_target(Wire *wire, const RelayLink *link) {
  struct sockaddr_in *four = (struct sockaddr_in *)&wire->target;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&wire->target;
  if (inet_pton(AF_INET, link->host, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((guint16)link->target_port);
    wire->target_size = sizeof *four;
  } else if (inet_pton(AF_INET6, link->host, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((guint16)link->target_port);
    wire->target_size = sizeof *six;
  }
  errno = EADDRNOTAVAIL;
  return wire->target_size > 0;
}

int relay_serve(int control, const RelayLink *links, guint n_links, guint64 seed) {
  RelayAnswer answer = {0};
  relay.epoll = epoll_create1(EPOLL_CLOEXEC);
  relay.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  relay.control = (Source){SOURCE_CONTROL, control, 0};
  relay.timer = (Source){SOURCE_TIMER, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), 0};
  relay.armed = G_MAXINT64;
  relay.wires = g_new0(Wire, n_links);
  relay.n_wires = n_links;
  if (relay.epoll < 0 || relay.spare < 0 || relay.timer.fd < 0) return 126;
  connections_begin(relay.epoll, seed);
  source_watch(&relay.control, EPOLLIN);
  source_watch(&relay.timer, EPOLLIN);
  for (guint i = 0; answer.failed == 0 && i < n_links; i++) {
    Wire *wire = &relay.wires[i];
    wire->port = links[i].port;
    wire->listener.fd = -1;
    answer.link = i;
    if (!set_target(wire, &links[i]) || !wire_open(wire)) answer.failed = errno;
  }
  gsize size = offsetof(RelayAnswer, status);
  if (send(control, &answer, size, MSG_NOSIGNAL) != (ssize_t)size || answer.failed != 0) return 126;
  return serve();
}
