/* debug_listener.h - a debugger's listener and the one server or backend that it debugs.
 *
 * For debuggers that speak over a socket they are given, the listening is done here, on 127.0.0.1: the debugger begins when a
 * client has connected.  All waits are for fibers, have no limit, and can be cancelled.
 */
#ifndef RUNNER_DEBUG_LISTENER_H
#define RUNNER_DEBUG_LISTENER_H

#include "runner/credentials.h"
#include "runner/debugger.h"
#include "runner/process.h"

/* A socket that listens on 127.0.0.1; -1 with error. */
int debug_listen(int port, GError **error);
/* The next client; -1: cancelled, or `gone` (may be NULL) has exited.  Whoever speaks to a debugger runs what he likes, so
 * only root, ourselves and the server's user are let in, as dlv does of its own. */
int debug_accept(int listener, const Credentials *user, Process *gone);
/* Waits until somebody of `of`'s tree listens on the port. false: `of` has exited, or cancelled. */
bool debug_wait_listening(Process *of, int port);
/* The process that the listener has started: the first below it that runs another program. 0: the listener has exited, or
 * cancelled. */
pid_t debug_wait_inferior(Process *listener);
/* Waits until somebody traces pid. false: `listener` has exited, or cancelled. */
bool debug_wait_traced(Process *listener, pid_t pid);
/* Carries bytes between two sockets until both ends are done; closes both. */
void debug_relay(int a, int b);
/* Connects to 127.0.0.1, as seen by the other side from this user; -1 with error. */
int debug_connect(int port, const Credentials *user, GError **error);
/* SIGTERM, by which debuggers detach from what they were attached to, and after a grace SIGKILL; waits. */
void debug_end_listener(Process *listener);
/* Whether a client is connected to this port of 127.0.0.1. */
bool debug_attended(int port);

#endif
