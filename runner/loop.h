/* loop.h - the one event loop of a process, and the fibers that wait on it.
 *
 * A process enters its loop once (loop_run).  What takes time is written as a fiber: a function with a stack of its own
 * that reads from top to bottom and says what it waits for.  While it waits, the loop runs the others.  Loops never
 * nest, there is one thread, and nothing but the loop itself ever blocks in the kernel.  (sd-event lies beneath: epoll,
 * microsecond timers, signals, inotify.)
 *
 *   static void ask(gpointer data) {
 *     Deadline limit = deadline_in(5 * G_USEC_PER_SEC);
 *     if (wait_fd(fd, POLLIN, NULL, limit) == WAIT_READY) ...
 *   }
 *   fiber_spawn("ask", ask, data);
 *
 * Cancelling: fiber_cancel() makes the wait that a fiber is in, and each later one, return WAIT_CANCELLED at once; the
 * fiber is to give back what it took and return.  Nothing is unwound behind its back.  What must be waited for even so
 * (a server's exit while stopping) is put between fiber_shield() and fiber_unshield().
 *
 * Clock: deadlines are on the test's clock, which is CLOCK_MONOTONIC less the time it was held (clock_hold: a debugger
 * is attached).  While it is held no deadline comes.
 *
 * After a fork the child must not touch the parent's loop: it calls loop_forget() and, if it wants one, loop_new().
 */
#ifndef RUNNER_LOOP_H
#define RUNNER_LOOP_H

#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <stdbool.h>

typedef gint64 Deadline;                 /* microseconds on the test's clock; DEADLINE_NONE: never */
#define DEADLINE_NONE ((Deadline)-1)

typedef enum WaitResult { WAIT_READY, WAIT_TIMEOUT, WAIT_CANCELLED } WaitResult;

typedef struct Fiber Fiber;

/* ---- The loop */

void loop_new(void); /* aborts when the process cannot have one (no descriptors): the message says so */
void loop_free(void);
void loop_forget(void);                  /* in a child after fork: drops the parent's loop without touching it */
/* Runs until loop_quit() or until no fiber is left. */
void loop_run(void);
void loop_quit(void);

/* Signals as events: calls fn in the loop (not in a signal handler); blocks the signal for the process.  Lasts as long
 * as the loop. */
void loop_on_signal(int signo, void (*fn)(const struct signalfd_siginfo *info, gpointer data), gpointer data);
/* Readiness as events, for what lives as long as the loop; the token ends it. */
typedef struct Watch Watch;
Watch *loop_watch(int fd, short events, void (*fn)(int fd, short revents, gpointer data), gpointer data);
void watch_free(Watch *watch);
/* The longest that one turn of the loop has held everything else up since the last call, microseconds. */
gint64 loop_longest_turn(void);

/* ---- The clock */

gint64 clock_now(void);                  /* the test's clock, microseconds */
Deadline deadline_in(gint64 microseconds);   /* a limit: scaled by --timeout-scale; negative: DEADLINE_NONE */
Deadline deadline_after(gint64 microseconds);  /* not scaled: pauses, sampling */
Deadline deadline_first(Deadline a, Deadline b);
bool deadline_passed(Deadline deadline);
void clock_set_scale(double scale);
void clock_hold(void);                   /* counts: each hold wants a release */
void clock_release(void);
/* Whether limits count, as they do from the beginning. While they do not, deadline_in() gives DEADLINE_NONE: a debugger
 * is in play, and who sits at it has all the time there is. Pauses (deadline_after) go on, so what asks again asks on,
 * and what must end even so ends. */
void clock_limits(bool count);

/* ---- Fibers.  All below may be called from a fiber only, unless it says otherwise. */

/* Starts a fiber (from anywhere); it runs for the first time in the loop's next turn.  The handle is valid until
 * fiber_join() or fiber_detach(), exactly one of which must be called. */
Fiber *fiber_spawn(const char *name, void (*fn)(gpointer data), gpointer data);
/* The same, and nobody will join it. */
void fiber_spawn_detached(const char *name, void (*fn)(gpointer data), gpointer data);
void fiber_cancel(Fiber *fiber);         /* from anywhere; does not wait */
bool fiber_finished(const Fiber *fiber);
/* Waits for its end and frees the handle.  WAIT_TIMEOUT or WAIT_CANCELLED: it still runs, the handle stays valid. */
WaitResult fiber_join(Fiber *fiber, Deadline deadline);
/* Cancels it and waits for its end, whatever happens to the caller. */
void fiber_stop(Fiber *fiber);
void fiber_detach(Fiber *fiber);
Fiber *fiber_self(void);                 /* NULL outside of fibers */
bool fiber_cancelled(void);              /* this fiber was cancelled (and is not shielded) */
void fiber_shield(void);
void fiber_unshield(void);

/* ---- Waiting */

/* A thing that fibers wait for: an exit, more output, the end of another fiber. Embed it; zero is a valid start.
 * cond_wake() wakes all that wait now; they look again at what they wanted. */
typedef struct Cond { GList *waiters; } Cond;
void cond_wake(Cond *cond);              /* from anywhere */

WaitResult wait_fd(int fd, short events, short *revents, Deadline deadline);
WaitResult wait_until(Deadline deadline);      /* WAIT_TIMEOUT when it has come */
WaitResult wait_cond(Cond *cond, Deadline deadline);
/* Several at once: WAIT_READY when fd is (fd -1: none) or any of the conds was woken. *revents 0: a cond it was. */
WaitResult wait_any(int fd, short events, short *revents, guint n_conds, Cond *const *conds, Deadline deadline);
/* Lets others run, then goes on. */
void wait_turn(void);

#endif
