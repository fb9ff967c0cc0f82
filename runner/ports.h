/* ports.h - free TCP ports on 127.0.0.1, held for the life of a test.
 *
 * Ports come from below the ephemeral range (a probe of a port inside it can connect to itself).  Each is bound
 * exclusively, which proves it free, then kept bound with SO_REUSEADDR and never listened on: servers bind on top, no
 * other process gets it.  A fixed port is locked by a file per port (flock, in a directory of the user's own) and must
 * have no listener; `ports_fixed` waits for the lock of another runner up to the deadline.
 */
#ifndef RUNNER_PORTS_H
#define RUNNER_PORTS_H

#include "runner/loop.h"

typedef struct Ports Ports;

Ports *ports_new(void);
void ports_free(Ports *ports);                   /* gives all back */
/* A free port; hold false: locked by file only, for servers that bind exclusively. 0 with error set. */
int ports_take(Ports *ports, bool hold, GError **error);
/* Claims this very port for the test (twice by the same test is allowed). Error: names the port and, when it can be found, the
 * program and pid that listens there. */
bool ports_fixed(Ports *ports, int port, Deadline deadline, GError **error);

/* Who listens: the pid among `candidates` (array of TreeProcess) that owns the listening socket of the port on loopback or
 * any address, 0 when none of them does. *listening: whether anybody does. *stranger (may be NULL): "pid 123 (nginx)" of
 * another owner, newly allocated, when it can be found. */
int port_owner(int port, const GArray *candidates, bool *listening, char **stranger);

#endif
