/* debug.h - a server under a debugger: its listener, who is signalled, what a person is told.
 *
 * Three ways, by what the definition (`debug_port`, `debugger`) and the command line (--debug, --debug-attach) want:
 *   at start   the server is started by the debugger, and held at its entry until a client lets it go
 *   session    PostgreSQL's way for --debug: every session is a process of its own, so the server starts as usual and each
 *              session that a step opens waits until a client is attached to its backend
 *   attach     the server runs at once; a client that connects is attached to the backend of the newest session (PostgreSQL),
 *              else to the server
 * The listener is a child of the worker; the server is a child of the listener and followed by its pid (process_follow), so
 * that signals, pauses and stop ladders mean the server, never the debugger.  Listeners listen on 127.0.0.1 only.
 *
 * Whichever dies first: when the server is gone the listener is ended; when the listener was killed, the server is, and the
 * verdict says so; a listener that ends by itself (the client detached) leaves the server running.
 *
 * While any server of a test is debugged (or RUNNER_DEBUG asks for it) the test's limits do not count (clock_limits), until
 * the run is stopped.
 */
#ifndef RUNNER_DEBUG_H
#define RUNNER_DEBUG_H

#include "runner/node.h"

typedef struct Debug Debug;

/* NULL: this server is not debugged, or *outcome says why it cannot be. Takes its port. */
Debug *debug_new(Node *node, Outcome *outcome);
void debug_free(Debug *debug);                   /* after debug_end(); NULL is allowed */
/* Whether limits count for this test, from its beginning. */
bool debug_stops_clocks(const Cluster *cluster);

/* Starts the server in its way; `at start` waits for as long as it takes until the server's process is there. NULL with the
 * outcome. */
Process *debug_spawn(Node *node, const Spawn *spawn, Outcome *outcome);
/* --wrap: puts the command before the server's. */
bool debug_wrap(Node *node, GPtrArray *argv, GError **error);
/* A step has opened a session, and backend (a pid, for PostgreSQL) serves it: waits until a client is attached, where that
 * is the way. */
bool debug_session(Node *node, guint64 backend, Outcome *outcome);
/* Signals the server itself, also where a wrapper is the process that was started. false: it is gone. */
bool debug_signal(Node *node, int signo);
/* It was asked to end, but stands still under its debugger, and nobody will let it go on: nobody is connected, or the run is
 * being stopped.  While somebody is, he is told once that it waits for him. */
bool debug_hopeless(Node *node);
/* Whether the listener's end is still to be known before an unexplained exit is told (it will be, by node_judge_exit()). */
bool debug_judges_exit(const Node *node);
/* Why the server is gone, when that was its listener's death; newly allocated, NULL: it was not. */
char *debug_blame(const Node *node);
/* Before the server is asked to end: what is attached lets go of it and of its backends. From a fiber. */
void debug_detach(Node *node);
/* Ends all that listens for this server. From a fiber; when the server is gone. */
void debug_end(Node *node);

#endif
