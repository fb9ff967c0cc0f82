/* relay_connection.h - connections of a relay: two sockets, and what is on its way from each to the other.
 *
 * At rest what was read is written at once; only what the other side does not take is kept, and then nothing more is read.
 * With a latency or a bandwidth each piece waits in a queue until it is due.  The ends of a connection (FIN, RST) stand in
 * the same queue, so that they come when and where they would.
 */
#ifndef RUNNER_RELAY_CONNECTION_H
#define RUNNER_RELAY_CONNECTION_H

#include <netinet/in.h>
#include "runner/relay.h"

typedef enum SourceKind { SOURCE_CONTROL, SOURCE_TIMER, SOURCE_LISTENER, SOURCE_END } SourceKind;

/* A descriptor in the epoll set; its address is what an event tells. */
typedef struct Source {
  SourceKind kind;
  int fd;                        /* -1: none */
  guint32 interest;              /* 0: not in the set, so that a dead peer does not wake us again and again */
} Source;

typedef struct Shape {
  gint64 latency, jitter, bandwidth;
  gint64 free_at;                /* when the wire has sent what it was given so far */
} Shape;

typedef struct Connection Connection;

/* A way is 0, forward, or 1, backward. */
typedef struct Wire {
  Source listener;
  int port;
  struct sockaddr_storage target;
  socklen_t target_size;
  bool dark[2];
  Shape shapes[2];
  Connection *connections;
} Wire;

typedef struct Chunk Chunk;
typedef struct Flow {
  Chunk *first, *last;
  gsize held;                    /* bytes in the queue */
  gint64 last_due;
  bool ended;                    /* nothing more will be read: the end of it stands in the queue */
  bool delivered;                /* the other side was told */
  bool full;                     /* the other side takes no more for now */
} Flow;

typedef struct End { Source source; Connection *connection; int way; } End;

/* ends[0] was accepted, ends[1] leads to the target; what is read from ends[w] goes through flows[w]. */
struct Connection {
  Wire *wire;
  Connection *next, *before;
  End ends[2];
  Flow flows[2];
  enum { CONNECTION_WAITING, CONNECTION_CONNECTING, CONNECTION_OPEN, CONNECTION_STALLED, CONNECTION_DEAD } state;
};

void connections_begin(int epoll, guint64 seed);
void source_watch(Source *source, guint32 interest);

/* Takes fd over; connects it to the wire's target, unless the wire is dark. */
void connection_new(Wire *wire, int fd);
void connection_event(End *end, guint32 events);
/* RST to both sides. */
void connection_reset(Connection *connection);
/* After the wire's darkness or shape has changed. released: what waits is due now. */
void connection_changed(Connection *connection, int way, bool released);
/* What is due by now goes out; when the next piece of any connection is due, G_MAXINT64: none is. */
gint64 connection_flush(Connection *connection, gint64 now);
guint64 connection_held(const Connection *connection);
/* Whether anything waits anywhere, so that connection_flush() is worth calling. */
bool connections_waiting(void);
/* Frees those that ended: once no event of this turn can speak of them any more. */
void connections_sweep(void);
/* RST, at once and for good. */
void reset_socket(int fd);

#endif
