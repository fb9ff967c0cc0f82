/* ports.h - free TCP ports on 127.0.0.1, held for the life of a test.
 *
 * Ports come from below the ephemeral range (a probe of a port inside it can connect to itself).  Each is locked across
 * the user's runners (one byte of a common file, state_dir.h), bound exclusively, which proves it free, and then kept
 * bound with SO_REUSEADDR and never listened on: servers bind on top, no other process gets it.  A fixed port is locked
 * in the same way and must have no listener.
 */
#ifndef RUNNER_PORTS_H
#define RUNNER_PORTS_H

#include "runner/loop.h"

typedef struct Ports Ports;

Ports *ports_new(void);
/* The same seed draws the same ports, as long as they are free. */
void ports_seed(Ports *ports, guint32 seed);
void ports_free(Ports *ports);                   /* gives all back; NULL is allowed */
/* A free port; hold false: locked only, for servers that bind exclusively.  0 with error set. */
int ports_take(Ports *ports, bool hold, GError **error);
/* Claims this very port for the test (twice by the same test is allowed).  Waits for another runner's lock up to the
 * deadline, in a fiber; elsewhere it tries once.  Error: names the port and, when it can be found, the program and pid
 * that listens there. */
bool ports_fixed(Ports *ports, int port, Deadline deadline, GError **error);

/* Who gets the connections made to 127.0.0.1 at this port: the pid among `candidates` (array of TreeProcess) that owns
 * the listening socket, 0 when none of them does.  Of several the closest counts: 127.0.0.1, then any address, then
 * ::1.  *listening: whether anybody does.  *stranger (may be NULL): "pid 123 (nginx)" of another owner, newly
 * allocated, NULL when it cannot be found. */
int port_owner(int port, const GArray *candidates, bool *listening, char **stranger);

#endif
