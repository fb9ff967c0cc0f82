/* relay.h - a process that stands between servers: what one sends to the other goes through it, and can be disturbed.
 *
 * One relay serves all links of a test: a process forked from the worker with a loop of its own, so that its timing
 * does not depend on what the test does, and so that it dies with the worker.  (One process for 200 links costs 1 MB
 * and one fork; a process each would cost 200 of both and an order to each of them, and no link would be faster: a
 * link at rest costs system calls, and those are the same.)  Bytes are read and written: splice(2) was measured and
 * saves nothing (0.29 to 0.34 ms of a processor for each MB, as before).  Each link listens at a port of 127.0.0.1
 * and connects to its target anew for each connection that it accepts.  Ports are the caller's, held by SO_REUSEADDR
 * (ports.h) while the relay listens on top.
 *
 * "Forward" is from the one who connects to the target.  What orders do, to connections that are open and to new ones:
 *   cut        open ones are reset (RST on both sides), new ones refused, until it is healed
 *   reset      open ones are reset, those that wait to be accepted too; new ones are let through
 *   blackhole  connections stay, nothing is read or passed on in that direction, until it is healed; a new one is
 *              accepted (the kernel does that) and nothing else happens to it.  An end that goes away meanwhile is
 *              not told of.  Nothing is lost: what was sent arrives after the healing.  TCP's own acknowledgements go
 *              on: only what the programs say to each other stops, so keepalive and TCP_USER_TIMEOUT notice nothing.
 *   delay      latency, jitter (evenly from -jitter to +jitter) and bandwidth of that direction, in place of those
 *              before; order is kept, nothing is lost, ends of connections are delayed as data is.  Bandwidth is
 *              shared by all connections of the link
 *   heal       ends all of that in that direction; what was held back goes out at once, in order; ends a cut
 * An order is in force when relay_order() returns: typically after 0.1 ms.
 *
 * Not for: loss, duplication, reordering of packets, which TCP hides from its users anyway.
 */
#ifndef RUNNER_RELAY_H
#define RUNNER_RELAY_H

#include "runner/credentials.h"
#include "runner/process.h"
#include "yamldef/definition.h"

typedef struct Relay Relay;

typedef struct RelayLink {
  int port;                      /* where it listens, on 127.0.0.1 */
  const char *host;              /* the target: a numeric address */
  int target_port;
} RelayLink;

typedef struct RelayOrder {
  guint link;                    /* its index */
  LinkDeed deed;
  LinkWay way;                   /* cut and reset: always both */
  gint64 latency, jitter;        /* delay: microseconds; 0: none */
  gint64 bandwidth;              /* delay: bytes a second; 0: not limited */
} RelayOrder;

/* What the relay finds when it is asked. */
typedef struct RelayStatus {
  bool listening;
  bool dark[2];                  /* forward, backward: a blackhole */
  bool shaped[2];                /* latency, jitter or bandwidth */
  guint open;                    /* connections */
  guint64 held;                  /* bytes that it holds back on purpose */
} RelayStatus;

/* From a fiber, and so are all below.  Listens at all ports when it returns; NULL with error set otherwise.  as: who the
 * process runs as, NULL: who we are. */
Relay *relay_start(const RelayLink *links, guint n_links, const Credentials *as, guint64 seed, GError **error);
/* All of them are in force, in this order, when it returns true.  Several fibers may order at once. */
bool relay_order(Relay *relay, const RelayOrder *orders, guint n_orders, Deadline deadline, GError **error);
/* Fills status[n_links]. */
bool relay_ask(Relay *relay, RelayStatus *status, Deadline deadline, GError **error);
/* To wait for: it does not end before relay_end() unless it crashed or was killed. */
Process *relay_process(Relay *relay);
/* Ends it, and its connections with it.  NULL is allowed. */
void relay_end(Relay *relay);

#endif
