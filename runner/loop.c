/* The loop: sd-event below, ucontext stacks above.  A fiber switches to the loop to wait and the loop switches to a
 * fiber that is due; fibers never switch to each other, so the order of things is the order of the ready queue. */
#include "runner/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define SANITIZER_START(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define SANITIZER_FINISH(save, bottom, size) __sanitizer_finish_switch_fiber(save, bottom, size)
#else
#define SANITIZER_START(save, bottom, size) ((void)(save))
#define SANITIZER_FINISH(save, bottom, size) ((void)(save))
#endif

/* Deep enough for libpq, OpenSSL and JSON under the sanitizers; untouched pages cost nothing. */
#define STACK_SIZE (1024 * 1024)
#define POOLED_STACKS 16

struct Fiber {
  const char *name;
  void (*fn)(gpointer data);
  gpointer data;
  ucontext_t context;
  char *stack;                     /* with a guard page below */
  void *sanitizer_stack;
  bool queued, finished, detached, cancelled, waiting;
  guint shields;
  sd_event_source *io;             /* kept over waits, off between them: its descriptor may be closed and come back */
  Deadline deadline;               /* of the wait it is in */
  Cond *const *conds;
  guint n_conds;
  WaitResult result;
  short revents;
  GList timed;                     /* its place among those that wait with a deadline */
  Cond ended;
};

struct Watch {
  sd_event_source *source;
  void (*fn)(int fd, short revents, gpointer data);
  gpointer data;
};

typedef struct SignalWatch {
  void (*fn)(const struct signalfd_siginfo *info, gpointer data);
  gpointer data;
} SignalWatch;

static struct {
  sd_event *event;
  sd_event_source *timer;          /* one for all deadlines; may fire early, never late */
  gint64 timer_at;                 /* CLOCK_MONOTONIC it is armed for, 0: off */
  ucontext_t context;
  void *sanitizer_stack;
  const void *bottom;              /* the loop's own stack, for the sanitizer */
  size_t size;
  GQueue ready, timed;
  Fiber *running;
  guint n_fibers;
  char *pool[POOLED_STACKS];
  guint n_pool;
  bool quit;
  gint64 longest_turn;
  GPtrArray *signals;
} loop;

static struct { double scale; guint holds; gint64 held_since, held_total; } test_clock = {.scale = 1.0};

G_NORETURN static void die(const char *what, int error) {
  g_printerr("runner: %s: %s\n", what, g_strerror(error));
  _exit(3);
}

static void must(int result, const char *what) {
  if (result < 0) die(what, -result);
}

/* ---- The clock */

gint64 clock_now(void) {
  gint64 now = test_clock.holds > 0 ? test_clock.held_since : g_get_monotonic_time();
  return now - test_clock.held_total;
}

Deadline deadline_after(gint64 microseconds) { return microseconds < 0 ? DEADLINE_NONE : clock_now() + microseconds; }

Deadline deadline_in(gint64 microseconds) {
  return microseconds < 0 ? DEADLINE_NONE : clock_now() + (gint64)((double)microseconds * test_clock.scale);
}

Deadline deadline_first(Deadline a, Deadline b) {
  if (a == DEADLINE_NONE) return b;
  return b == DEADLINE_NONE ? a : MIN(a, b);
}

bool deadline_passed(Deadline deadline) { return deadline != DEADLINE_NONE && clock_now() >= deadline; }

void clock_set_scale(double scale) { test_clock.scale = scale; }

static void arm(Deadline deadline);

void clock_hold(void) {
  if (test_clock.holds++ == 0) test_clock.held_since = g_get_monotonic_time();
}

void clock_release(void) {
  g_return_if_fail(test_clock.holds > 0);
  if (--test_clock.holds > 0) return;
  test_clock.held_total += g_get_monotonic_time() - test_clock.held_since;
  loop.timer_at = 0;
  for (GList *l = loop.timed.head; l; l = l->next) arm(((Fiber *)l->data)->deadline);
}

/* ---- Waking */

static void make_ready(Fiber *fiber) {
  if (fiber->queued || fiber->finished) return;
  fiber->queued = true;
  g_queue_push_tail(&loop.ready, fiber);
}

static void wake(Fiber *fiber, WaitResult result) {
  if (!fiber->waiting || fiber->queued) return;
  fiber->result = result;
  make_ready(fiber);
}

void cond_wake(Cond *cond) {
  for (GList *l = cond->waiters; l; l = l->next) wake(l->data, WAIT_READY);
}

/* Deadlines far ahead are moved with every statement, so the timer is only ever armed for an earlier time; when it
 * fires and nobody is due, it is armed for whoever is next. */
static void arm(Deadline deadline) {
  if (test_clock.holds > 0) return;
  gint64 at = deadline + test_clock.held_total;
  if (loop.timer_at != 0 && loop.timer_at <= at) return;
  loop.timer_at = MAX(at, 1);
  must(sd_event_source_set_time(loop.timer, (uint64_t)loop.timer_at), "set a timer");
  must(sd_event_source_set_enabled(loop.timer, SD_EVENT_ONESHOT), "arm a timer");
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data) {
  loop.timer_at = 0;
  if (test_clock.holds > 0) return 0;
  gint64 now = clock_now();
  Deadline next = DEADLINE_NONE;
  for (GList *l = loop.timed.head; l; l = l->next) {
    Fiber *fiber = l->data;
    if (fiber->deadline <= now) wake(fiber, WAIT_TIMEOUT);
    else next = deadline_first(next, fiber->deadline);
  }
  if (next != DEADLINE_NONE) arm(next);
  return 0;
}

/* ---- The loop */

void loop_new(void) {
  g_return_if_fail(loop.event == NULL);
  must(sd_event_new(&loop.event), "make an event loop");
  must(sd_event_add_time(loop.event, &loop.timer, CLOCK_MONOTONIC, 0, 1, on_timer, NULL), "make a timer");
  must(sd_event_source_set_enabled(loop.timer, SD_EVENT_OFF), "make a timer");
  loop.signals = g_ptr_array_new_with_free_func(g_free);
  loop.quit = false;
  loop.timer_at = 0;
}

static void drop_pool(void) {
  while (loop.n_pool > 0) munmap(loop.pool[--loop.n_pool], STACK_SIZE);
}

void loop_free(void) {
  g_return_if_fail(loop.n_fibers == 0);
  sd_event_source_unref(loop.timer);
  sd_event_unref(loop.event);
  g_ptr_array_unref(loop.signals);
  drop_pool();
  memset(&loop, 0, sizeof loop);
}

/* sd-event refuses use after a fork, its unref included, so the child lets the parent's go by forgetting it; what is
 * lost is a few pages that were the parent's. */
void loop_forget(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  memset(&loop, 0, sizeof loop);
  test_clock.holds = 0;
  test_clock.held_total = 0;
}

static void note_turn(gint64 began) {
  gint64 took = g_get_monotonic_time() - began;
  if (took > loop.longest_turn) loop.longest_turn = took;
}

gint64 loop_longest_turn(void) {
  gint64 longest = loop.longest_turn;
  loop.longest_turn = 0;
  return longest;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data) {
  SignalWatch *watch = data;
  gint64 began = g_get_monotonic_time();
  watch->fn(info, watch->data);
  note_turn(began);
  return 0;
}

void loop_on_signal(int signo, void (*fn)(const struct signalfd_siginfo *info, gpointer data), gpointer data) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signo);
  sigprocmask(SIG_BLOCK, &set, NULL);
  SignalWatch *watch = g_new0(SignalWatch, 1);
  watch->fn = fn;
  watch->data = data;
  g_ptr_array_add(loop.signals, watch);
  must(sd_event_add_signal(loop.event, NULL, signo, on_signal, watch), "watch a signal");
}

/* The values of POLLIN and EPOLLIN and their like are the same on Linux. */
static int on_watch(sd_event_source *source, int fd, uint32_t revents, void *data) {
  Watch *watch = data;
  gint64 began = g_get_monotonic_time();
  watch->fn(fd, (short)revents, watch->data);
  note_turn(began);
  return 0;
}

Watch *loop_watch(int fd, short events, void (*fn)(int fd, short revents, gpointer data), gpointer data) {
  Watch *watch = g_new0(Watch, 1);
  watch->fn = fn;
  watch->data = data;
  must(sd_event_add_io(loop.event, &watch->source, fd, (uint32_t)events, on_watch, watch), "watch a descriptor");
  return watch;
}

void watch_free(Watch *watch) {
  if (!watch) return;
  sd_event_source_disable_unref(watch->source);
  g_free(watch);
}

void loop_quit(void) { loop.quit = true; }

static void resume(Fiber *fiber);

void loop_run(void) {
  while (!loop.quit && loop.n_fibers > 0) {
    for (guint due = loop.ready.length; due > 0 && !loop.quit; due--) resume(g_queue_pop_head(&loop.ready));
    if (loop.quit || loop.n_fibers == 0) break;
    must(sd_event_run(loop.event, loop.ready.length > 0 ? 0 : UINT64_MAX), "run the event loop");
  }
}

/* ---- Fibers */

static char *stack_new(void) {
  if (loop.n_pool > 0) return loop.pool[--loop.n_pool];
  char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE) < 0) die("make a stack", errno);
  return stack;
}

static void stack_free(char *stack) {
  if (loop.n_pool < POOLED_STACKS) loop.pool[loop.n_pool++] = stack;
  else munmap(stack, STACK_SIZE);
}

static void fiber_main(unsigned high, unsigned low) {
  Fiber *fiber = (Fiber *)(((guintptr)high << 32) | (guintptr)low);
  SANITIZER_FINISH(NULL, &loop.bottom, &loop.size);
  fiber->fn(fiber->data);
  fiber->finished = true;
  SANITIZER_START(NULL, loop.bottom, loop.size);
  setcontext(&loop.context);
}

static Fiber *fiber_new(const char *name, void (*fn)(gpointer data), gpointer data, bool detached) {
  Fiber *fiber = g_new0(Fiber, 1);
  fiber->name = name;
  fiber->fn = fn;
  fiber->data = data;
  fiber->detached = detached;
  fiber->timed.data = fiber;
  fiber->stack = stack_new();
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack + 4096;
  fiber->context.uc_stack.ss_size = STACK_SIZE - 4096;
  fiber->context.uc_link = NULL;
  guintptr self = (guintptr)fiber;
  makecontext(&fiber->context, (void (*)(void))fiber_main, 2, (unsigned)(self >> 32), (unsigned)(self & 0xffffffffu));
  loop.n_fibers++;
  make_ready(fiber);
  return fiber;
}

Fiber *fiber_spawn(const char *name, void (*fn)(gpointer data), gpointer data) { return fiber_new(name, fn, data, false); }

void fiber_spawn_detached(const char *name, void (*fn)(gpointer data), gpointer data) { fiber_new(name, fn, data, true); }

static void fiber_free(Fiber *fiber) {
  sd_event_source_disable_unref(fiber->io);
  g_free(fiber);
}

static void resume(Fiber *fiber) {
  fiber->queued = false;
  gint64 began = g_get_monotonic_time();
  loop.running = fiber;
  SANITIZER_START(&loop.sanitizer_stack, fiber->stack + 4096, STACK_SIZE - 4096);
  swapcontext(&loop.context, &fiber->context);
  SANITIZER_FINISH(loop.sanitizer_stack, NULL, NULL);
  loop.running = NULL;
  note_turn(began);
  if (!fiber->finished) return;
  loop.n_fibers--;
  stack_free(fiber->stack);
  fiber->stack = NULL;
  cond_wake(&fiber->ended);
  if (fiber->detached) fiber_free(fiber);
}

static void switch_to_loop(Fiber *fiber) {
  SANITIZER_START(&fiber->sanitizer_stack, loop.bottom, loop.size);
  swapcontext(&fiber->context, &loop.context);
  SANITIZER_FINISH(fiber->sanitizer_stack, &loop.bottom, &loop.size);
}

Fiber *fiber_self(void) { return loop.running; }

bool fiber_cancelled(void) { return loop.running && loop.running->cancelled && loop.running->shields == 0; }

void fiber_shield(void) { loop.running->shields++; }

void fiber_unshield(void) { loop.running->shields--; }

void fiber_cancel(Fiber *fiber) {
  fiber->cancelled = true;
  if (fiber->shields == 0) wake(fiber, WAIT_CANCELLED);
}

bool fiber_finished(const Fiber *fiber) { return fiber->finished; }

WaitResult fiber_join(Fiber *fiber, Deadline deadline) {
  while (!fiber->finished) {
    WaitResult result = wait_cond(&fiber->ended, deadline);
    if (result != WAIT_READY && !fiber->finished) return result;
  }
  fiber_free(fiber);
  return WAIT_READY;
}

void fiber_stop(Fiber *fiber) {
  fiber_cancel(fiber);
  fiber_shield();
  fiber_join(fiber, DEADLINE_NONE);
  fiber_unshield();
}

void fiber_detach(Fiber *fiber) {
  if (fiber->finished) fiber_free(fiber);
  else fiber->detached = true;
}

/* ---- Waiting */

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data) {
  Fiber *fiber = data;
  if (fiber->waiting && !fiber->queued) fiber->revents = (short)revents;
  wake(fiber, WAIT_READY);
  return 0;
}

static void watch_io(Fiber *fiber, int fd, short events) {
  if (!fiber->io) {
    must(sd_event_add_io(loop.event, &fiber->io, fd, (uint32_t)events, on_io, fiber), "wait for a descriptor");
  } else {
    if (sd_event_source_get_io_fd(fiber->io) != fd) must(sd_event_source_set_io_fd(fiber->io, fd), "wait for a descriptor");
    must(sd_event_source_set_io_events(fiber->io, (uint32_t)events), "wait for a descriptor");
  }
  must(sd_event_source_set_enabled(fiber->io, SD_EVENT_ONESHOT), "wait for a descriptor");
}

WaitResult wait_any(int fd, short events, short *revents, guint n_conds, Cond *const *conds, Deadline deadline) {
  Fiber *self = loop.running;
  g_assert(self != NULL);
  if (revents) *revents = 0;
  if (fiber_cancelled()) return WAIT_CANCELLED;
  self->revents = 0;
  self->deadline = deadline;
  if (fd >= 0) watch_io(self, fd, events);
  for (guint i = 0; i < n_conds; i++) conds[i]->waiters = g_list_append(conds[i]->waiters, self);
  if (deadline != DEADLINE_NONE) {
    g_queue_push_tail_link(&loop.timed, &self->timed);
    arm(deadline);
  }
  self->waiting = true;
  switch_to_loop(self);
  self->waiting = false;
  if (deadline != DEADLINE_NONE) g_queue_unlink(&loop.timed, &self->timed);
  for (guint i = 0; i < n_conds; i++) conds[i]->waiters = g_list_remove(conds[i]->waiters, self);
  if (fd >= 0) sd_event_source_set_enabled(self->io, SD_EVENT_OFF);
  if (revents) *revents = self->revents;
  return fiber_cancelled() ? WAIT_CANCELLED : self->result;
}

WaitResult wait_fd(int fd, short events, short *revents, Deadline deadline) {
  return wait_any(fd, events, revents, 0, NULL, deadline);
}

WaitResult wait_cond(Cond *cond, Deadline deadline) { return wait_any(-1, 0, NULL, 1, &cond, deadline); }

WaitResult wait_until(Deadline deadline) { return wait_any(-1, 0, NULL, 0, NULL, deadline); }

void wait_turn(void) {
  Fiber *self = loop.running;
  make_ready(self);
  switch_to_loop(self);
}
