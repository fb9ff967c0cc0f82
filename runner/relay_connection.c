/* See relay_connection.h.  Runs in the relay's process only. */
#include "runner/relay_connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (128 * 1024)
#define QUEUE_MOST (64 * 1024 * 1024)       /* of one direction of a delayed connection: then the sender waits */
#define BUFFER_OF_WIRE (256 * 1024)         /* what a slow line takes on before it is said to be full */
#define PIECES_PER_SECOND 200               /* of a slow line, so that it flows and does not come in bursts */
#define SMALLEST_PIECE 512

typedef enum ChunkKind { CHUNK_BYTES, CHUNK_FIN, CHUNK_RST } ChunkKind;

struct Chunk {
  Chunk *next;
  gint64 due;
  ChunkKind kind;
  guint32 size, sent;
  char bytes[];
};

static struct {
  int epoll;
  GRand *rand;
  guint n_chunks;                /* in all queues */
  Connection *dead;
  char buffer[READ_SIZE];
} connections;

void connections_begin(int epoll, guint64 seed) {
  connections.epoll = epoll;
  connections.rand = g_rand_new_with_seed((guint32)(seed ^ (seed >> 32)));
}

bool connections_waiting(void) { return connections.n_chunks > 0; }

/* ---- Sockets */

void source_watch(Source *source, guint32 interest) {
  if (source->fd < 0 || source->interest == interest) return;
  struct epoll_event event = {.events = interest, .data.ptr = source};
  int act = interest == 0 ? EPOLL_CTL_DEL : source->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(connections.epoll, act, source->fd, &event) == 0) source->interest = interest;
}

void reset_socket(int fd) {
  struct linger abort = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(fd);
}

static void end_close(End *end, bool reset) {
  if (end->source.fd < 0) return;
  source_watch(&end->source, 0);
  if (reset) reset_socket(end->source.fd);
  else close(end->source.fd);
  end->source.fd = -1;
}

/* ---- Queues */

static void flow_clear(Flow *flow) {
  for (Chunk *chunk = flow->first, *next; chunk; chunk = next) {
    next = chunk->next;
    g_free(chunk);
    connections.n_chunks--;
  }
  flow->first = flow->last = NULL;
  flow->held = 0;
}

/* A wire gives its bytes one after the other, then each takes its time; none may overtake those before it. */
static gint64 due_at(Connection *connection, int way, gsize size) {
  Shape *shape = &connection->wire->shapes[way];
  Flow *flow = &connection->flows[way];
  if (shape->latency == 0 && shape->jitter == 0 && shape->bandwidth == 0) return flow->last_due = 0;
  gint64 now = g_get_monotonic_time();
  if (shape->bandwidth > 0) {
    shape->free_at = MAX(shape->free_at, now) + (gint64)((double)size * G_USEC_PER_SEC / (double)shape->bandwidth);
    now = shape->free_at;
  }
  gint64 jitter = shape->jitter > 0
                      ? (gint64)g_rand_double_range(connections.rand, (double)-shape->jitter, (double)shape->jitter)
                      : 0;
  return flow->last_due = MAX(flow->last_due, now + MAX(shape->latency + jitter, 0));
}

static void flow_add(Connection *connection, int way, ChunkKind kind, const char *bytes, gsize size) {
  Flow *flow = &connection->flows[way];
  Chunk *chunk = g_malloc(sizeof *chunk + size);
  *chunk = (Chunk){.kind = kind, .size = (guint32)size, .due = due_at(connection, way, size)};
  if (size > 0) memcpy(chunk->bytes, bytes, size);
  if (flow->last) flow->last->next = chunk;
  else flow->first = chunk;
  flow->last = chunk;
  flow->held += size;
  connections.n_chunks++;
}

static void flow_drop_first(Flow *flow) {
  Chunk *chunk = flow->first;
  flow->first = chunk->next;
  if (!flow->first) flow->last = NULL;
  g_free(chunk);
  connections.n_chunks--;
}

/* How many bytes may wait: at rest those of one read that the other side did not take. */
static gsize room(const Connection *connection, int way) {
  const Shape *shape = &connection->wire->shapes[way];
  if (shape->bandwidth > 0)
    return MIN(QUEUE_MOST,
               BUFFER_OF_WIRE + (gsize)((double)shape->bandwidth * (double)shape->latency / G_USEC_PER_SEC));
  return shape->latency > 0 || shape->jitter > 0 ? QUEUE_MOST : 1;
}

static gsize piece(const Connection *connection, int way) {
  gint64 bandwidth = connection->wire->shapes[way].bandwidth;
  return bandwidth > 0 ? (gsize)CLAMP(bandwidth / PIECES_PER_SECOND, SMALLEST_PIECE, READ_SIZE) : READ_SIZE;
}

/* ---- A connection's life */

static bool dark(const Connection *connection) { return connection->wire->dark[0] || connection->wire->dark[1]; }

/* What is waited for follows from where it stands; nothing else decides it. */
static void connection_watch(Connection *connection) {
  guint32 interest[2] = {0, 0};
  if (connection->state == CONNECTION_CONNECTING) interest[1] = EPOLLOUT;
  for (int way = 0; connection->state == CONNECTION_OPEN && way < 2; way++) {
    Flow *flow = &connection->flows[way];
    if (connection->wire->dark[way]) continue;
    if (!flow->ended && flow->held < room(connection, way)) interest[way] |= EPOLLIN;
    if (flow->full) interest[!way] |= EPOLLOUT;
  }
  for (int i = 0; i < 2; i++) source_watch(&connection->ends[i].source, interest[i]);
}

static void connection_end(Connection *connection, bool reset) {
  if (connection->state == CONNECTION_DEAD) return;
  for (int i = 0; i < 2; i++) {
    end_close(&connection->ends[i], reset);
    flow_clear(&connection->flows[i]);
  }
  if (connection->before) connection->before->next = connection->next;
  else connection->wire->connections = connection->next;
  if (connection->next) connection->next->before = connection->before;
  connection->state = CONNECTION_DEAD;
  connection->next = connections.dead;
  connections.dead = connection;
}

void connection_reset(Connection *connection) { connection_end(connection, true); }

void connections_sweep(void) {
  for (Connection *connection = connections.dead, *next; connection; connection = next) {
    next = connection->next;
    g_free(connection);
  }
  connections.dead = NULL;
}

/* One side is gone: the other is told, unless the news would have to go through the dark. */
static void connection_broken(Connection *connection) {
  if (dark(connection)) connection->state = CONNECTION_STALLED;
  else connection_reset(connection);
}

static void tune(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void connection_connect(Connection *connection) {
  Wire *wire = connection->wire;
  int fd = socket(wire->target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    connection_reset(connection);
    return;
  }
  tune(fd);
  connection->ends[1].source.fd = fd;
  connection->state = CONNECTION_OPEN;
  if (connect(fd, (struct sockaddr *)&wire->target, wire->target_size) == 0) return;
  if (errno == EINPROGRESS) connection->state = CONNECTION_CONNECTING;
  else connection_reset(connection);
}

/* It was to be connected while it was dark: who has given up by now would not have got through. */
static void connect_late(Connection *connection) {
  struct pollfd end = {.fd = connection->ends[0].source.fd, .events = POLLRDHUP};
  if (poll(&end, 1, 0) > 0) connection_reset(connection);
  else connection_connect(connection);
}

void connection_new(Wire *wire, int fd) {
  Connection *connection = g_new0(Connection, 1);
  *connection = (Connection){.wire = wire, .next = wire->connections, .state = CONNECTION_WAITING};
  if (wire->connections) wire->connections->before = connection;
  wire->connections = connection;
  for (int i = 0; i < 2; i++) connection->ends[i] = (End){{SOURCE_END, i == 0 ? fd : -1, 0}, connection, i};
  tune(fd);
  if (!dark(connection)) connection_connect(connection);
  if (connection->state != CONNECTION_DEAD) connection_watch(connection);
}

static void connected(Connection *connection) {
  int number = 0;
  socklen_t size = sizeof number;
  getsockopt(connection->ends[1].source.fd, SOL_SOCKET, SO_ERROR, &number, &size);
  if (number != 0) connection_broken(connection);
  else connection->state = CONNECTION_OPEN;
}

/* ---- Passing on */

/* true: the first chunk is done with. */
static bool deliver(Connection *connection, int way) {
  Flow *flow = &connection->flows[way];
  Chunk *chunk = flow->first;
  int fd = connection->ends[!way].source.fd;
  if (chunk->kind == CHUNK_RST) {
    connection_broken(connection);
    return false;
  }
  if (chunk->kind == CHUNK_FIN) {
    shutdown(fd, SHUT_WR);
    flow->delivered = true;
    return true;
  }
  ssize_t n = send(fd, chunk->bytes + chunk->sent, chunk->size - chunk->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) {
    flow->full = errno == EAGAIN || errno == EINTR;
    if (!flow->full) connection_broken(connection);
    return false;
  }
  chunk->sent += (guint32)n;
  flow->held -= (gsize)n;
  return chunk->sent == chunk->size;
}

static void flow_flush(Connection *connection, int way, gint64 now) {
  Flow *flow = &connection->flows[way];
  while (connection->state == CONNECTION_OPEN && flow->first && !flow->full && !connection->wire->dark[way] &&
         flow->first->due <= now)
    if (deliver(connection, way)) flow_drop_first(flow);
  if (connection->state == CONNECTION_OPEN && connection->flows[0].delivered && connection->flows[1].delivered)
    connection_end(connection, false);
}

/* At rest the bytes never see a queue. */
static gsize pass_on(Connection *connection, int way, const char *bytes, gsize size) {
  const Shape *shape = &connection->wire->shapes[way];
  if (connection->flows[way].first || shape->latency > 0 || shape->jitter > 0 || shape->bandwidth > 0) return 0;
  ssize_t n = send(connection->ends[!way].source.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) connection_broken(connection);
  return n < 0 ? 0 : (gsize)n;
}

static void take(Connection *connection, int way) {
  Flow *flow = &connection->flows[way];
  ssize_t n = recv(connection->ends[way].source.fd, connections.buffer, piece(connection, way), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    flow->ended = true;
    flow_add(connection, way, n == 0 ? CHUNK_FIN : CHUNK_RST, NULL, 0);
  } else {
    gsize passed = pass_on(connection, way, connections.buffer, (gsize)n);
    if (connection->state == CONNECTION_OPEN && passed < (gsize)n)
      flow_add(connection, way, CHUNK_BYTES, connections.buffer + passed, (gsize)n - passed);
  }
  if (flow->first) flow_flush(connection, way, g_get_monotonic_time());
}

void connection_event(End *end, guint32 events) {
  Connection *connection = end->connection;
  guint32 interest = end->source.interest;
  if (connection->state == CONNECTION_CONNECTING) connected(connection);
  if (connection->state == CONNECTION_OPEN && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && (interest & EPOLLOUT)) {
    connection->flows[!end->way].full = false;
    flow_flush(connection, !end->way, g_get_monotonic_time());
  }
  if (connection->state == CONNECTION_OPEN && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) && (interest & EPOLLIN))
    take(connection, end->way);
  if (connection->state != CONNECTION_DEAD) connection_watch(connection);
}

gint64 connection_flush(Connection *connection, gint64 now) {
  gint64 next = G_MAXINT64;
  for (int way = 0; connection->state == CONNECTION_OPEN && way < 2; way++) {
    Flow *flow = &connection->flows[way];
    if (!flow->first || flow->full || connection->wire->dark[way]) continue;
    flow_flush(connection, way, now);
    if (connection->state == CONNECTION_OPEN && flow->first && !flow->full) next = MIN(next, flow->first->due);
  }
  if (connection->state != CONNECTION_DEAD) connection_watch(connection);
  return next;
}

void connection_changed(Connection *connection, int way, bool released) {
  Flow *flow = &connection->flows[way];
  for (Chunk *chunk = flow->first; released && chunk; chunk = chunk->next) chunk->due = 0;
  if (released) flow->last_due = 0;
  if (!dark(connection) && connection->state == CONNECTION_STALLED) connection_reset(connection);
  else if (!dark(connection) && connection->state == CONNECTION_WAITING) connect_late(connection);
  flow_flush(connection, way, g_get_monotonic_time());
  if (connection->state != CONNECTION_DEAD) connection_watch(connection);
}

/* What the other side does not take is not held back by us. */
guint64 connection_held(const Connection *connection) {
  guint64 held = 0;
  for (int way = 0; way < 2; way++)
    if (!connection->flows[way].full || connection->wire->dark[way]) held += connection->flows[way].held;
  return held;
}
