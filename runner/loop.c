/* The loop: poll() below, with sd-event's own descriptor (timer, signals, watches) as its first, coroutines above.  A fiber
 * switches to the loop to wait and the loop switches to a fiber that is due; fibers never switch to each other, so the
 * order of things is the order of the ready queue.
 *
 * What fibers wait for is not registered with epoll: that would be two more system calls for each wait, and libraries
 * close and open descriptors between waits, of which epoll would know nothing.  poll() is told anew each time. */
#include "runner/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>
#include "runner/coroutine.h"

/* Deep enough for libpq, OpenSSL and JSON under the sanitizers; untouched pages cost nothing. */
#define STACK_SIZE (1024 * 1024)
#define POOLED_STACKS 16

struct Fiber {
  const char *name;
  void (*fn)(gpointer data);
  gpointer data;
  Coroutine coroutine;
  char *stack;                     /* with a guard page below */
  bool queued, finished, detached, cancelled, waiting;
  guint shields;
  guint place;                     /* among loop.fds and loop.watchers, while it waits for a descriptor; else 0 */
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
  Coroutine coroutine;
  bool stirred;                    /* sd-event may have something to do that its descriptor does not show */
  GArray *fds;                     /* struct pollfd: sd-event's, then those that fibers wait for */
  GPtrArray *watchers;             /* the fibers to them, NULL at 0 */
  GQueue ready, timed;
  Fiber *running;
  guint n_fibers;
  char *pool[POOLED_STACKS];
  guint n_pool;
  bool quit;
  gint64 longest_turn;
  GPtrArray *signals;
} loop;

static struct { double scale; guint holds; gint64 held_since, held_total; bool no_limits; } test_clock = {.scale = 1.0};

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
  if (microseconds < 0 || test_clock.no_limits) return DEADLINE_NONE;
  return clock_now() + (gint64)((double)microseconds * test_clock.scale);
}

Deadline deadline_first(Deadline a, Deadline b) {
  if (a == DEADLINE_NONE) return b;
  return b == DEADLINE_NONE ? a : MIN(a, b);
}

bool deadline_passed(Deadline deadline) { return deadline != DEADLINE_NONE && clock_now() >= deadline; }

void clock_set_scale(double scale) { test_clock.scale = scale; }

void clock_limits(bool count) { test_clock.no_limits = !count; }

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
  loop.stirred = true;
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
  loop.fds = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
  loop.watchers = g_ptr_array_new();
  struct pollfd own = {.fd = sd_event_get_fd(loop.event), .events = POLLIN};
  must(own.fd, "make an event loop");
  g_array_append_val(loop.fds, own);
  g_ptr_array_add(loop.watchers, NULL);
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
  g_array_unref(loop.fds);
  g_ptr_array_unref(loop.watchers);
  drop_pool();
  memset(&loop, 0, sizeof loop);
}

/* sd-event refuses use after a fork, its unref included, so the child lets the parent's go by forgetting it; what is
 * lost is a few pages that were the parent's. */
static typeof(loop) forgotten __attribute__((used));   /* in sight of the leak sanitizer: the parent's are no leaks */

void loop_forget(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  forgotten = loop;
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

/* Wakes the fibers whose descriptors are ready; says whether sd-event's is. */
static bool look_at_descriptors(bool wait) {
  struct pollfd *fds = (struct pollfd *)(gpointer)loop.fds->data;
  int n = poll(fds, loop.fds->len, wait ? -1 : 0);
  if (n < 0 && errno != EINTR) die("wait for descriptors", errno);
  if (n <= 0) return false;
  for (guint i = 1; i < loop.fds->len; i++) {
    Fiber *fiber = g_ptr_array_index(loop.watchers, i);
    if (fds[i].revents == 0) continue;
    if (!fiber->queued) fiber->revents = fds[i].revents;
    wake(fiber, WAIT_READY);
  }
  return fds[0].revents != 0;
}

/* sd-event dispatches one source at a time, and may have read more than that from the kernel. */
static void turn_sd_event(void) {
  loop.stirred = false;
  int dispatched = sd_event_run(loop.event, 0);
  must(dispatched, "run the event loop");
  if (dispatched > 0) loop.stirred = true;
}

void loop_run(void) {
  while (!loop.quit && loop.n_fibers > 0) {
    for (guint due = loop.ready.length; due > 0 && !loop.quit; due--) resume(g_queue_pop_head(&loop.ready));
    if (loop.quit || loop.n_fibers == 0) break;
    if (loop.stirred) turn_sd_event();
    if (look_at_descriptors(loop.ready.length == 0 && !loop.stirred)) turn_sd_event();
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

static void fiber_main(gpointer data) {
  Fiber *fiber = data;
  fiber->fn(fiber->data);
  fiber->finished = true;
  coroutine_leave(&fiber->coroutine, &loop.coroutine);
}

static Fiber *fiber_new(const char *name, void (*fn)(gpointer data), gpointer data, bool detached) {
  Fiber *fiber = g_new0(Fiber, 1);
  fiber->name = name;
  fiber->fn = fn;
  fiber->data = data;
  fiber->detached = detached;
  fiber->timed.data = fiber;
  fiber->stack = stack_new();
  coroutine_make(&fiber->coroutine, fiber->stack + 4096, STACK_SIZE - 4096, fiber_main, fiber);
  loop.n_fibers++;
  make_ready(fiber);
  return fiber;
}

Fiber *fiber_spawn(const char *name, void (*fn)(gpointer data), gpointer data) {
  return fiber_new(name, fn, data, false);
}

void fiber_spawn_detached(const char *name, void (*fn)(gpointer data), gpointer data) {
  fiber_new(name, fn, data, true);
}

static void resume(Fiber *fiber) {
  fiber->queued = false;
  gint64 began = g_get_monotonic_time();
  loop.running = fiber;
  coroutine_switch(&loop.coroutine, &fiber->coroutine);
  loop.running = NULL;
  note_turn(began);
  if (!fiber->finished) return;
  loop.n_fibers--;
  stack_free(fiber->stack);
  fiber->stack = NULL;
  cond_wake(&fiber->ended);
  if (fiber->detached) g_free(fiber);
}

static void switch_to_loop(Fiber *fiber) { coroutine_switch(&fiber->coroutine, &loop.coroutine); }

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
  g_free(fiber);
  return WAIT_READY;
}

void fiber_stop(Fiber *fiber) {
  fiber_cancel(fiber);
  fiber_shield();
  fiber_join(fiber, DEADLINE_NONE);
  fiber_unshield();
}

void fiber_detach(Fiber *fiber) {
  if (fiber->finished) g_free(fiber);
  else fiber->detached = true;
}

/* ---- Waiting */

static void watch_descriptor(Fiber *fiber, int fd, short events) {
  struct pollfd entry = {.fd = fd, .events = events};
  fiber->place = loop.fds->len;
  g_array_append_val(loop.fds, entry);
  g_ptr_array_add(loop.watchers, fiber);
}

/* The last one takes its place. */
static void unwatch_descriptor(Fiber *fiber) {
  guint place = fiber->place;
  g_array_remove_index_fast(loop.fds, place);
  g_ptr_array_remove_index_fast(loop.watchers, place);
  if (place < loop.watchers->len) ((Fiber *)g_ptr_array_index(loop.watchers, place))->place = place;
  fiber->place = 0;
}

WaitResult wait_any(int fd, short events, short *revents, guint n_conds, Cond *const *conds, Deadline deadline) {
  Fiber *self = loop.running;
  g_assert(self != NULL);
  if (revents) *revents = 0;
  if (fiber_cancelled()) return WAIT_CANCELLED;
  self->revents = 0;
  self->deadline = deadline;
  if (fd >= 0) watch_descriptor(self, fd, events);
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
  if (fd >= 0) unwatch_descriptor(self);
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
