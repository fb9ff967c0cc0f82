/* A coroutine begins by setcontext() and is switched by _setjmp() and _longjmp(), which keep to user space, where
 * swapcontext() asks the kernel for the signal mask each time.  The address sanitizer takes a jump to another stack for
 * an error in some versions, so under it swapcontext() it is, with the sanitizer told of each switch.
 *
 * A checked longjmp() (-D_FORTIFY_SOURCE) refuses to jump to another stack, so that check is off here. */
#undef _FORTIFY_SOURCE
#include "runner/coroutine.h"

#include <signal.h>
#include <stdlib.h>

static Coroutine *came_from, *went_to;

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>

static void departing(void **fake_stack, const Coroutine *to) {
  __sanitizer_start_switch_fiber(fake_stack, to->bottom, to->size);
}

static void arrived(void) {
  __sanitizer_finish_switch_fiber(went_to->fake_stack, &came_from->bottom, &came_from->size);
}

static void go(Coroutine *from, Coroutine *to) {
  sigprocmask(SIG_SETMASK, NULL, &to->first.uc_sigmask);
  swapcontext(&from->first, &to->first);
}

#else

static void departing(void **fake_stack, const Coroutine *to) {}
static void arrived(void) {}

/* It begins with the mask of the moment, not with that of when it was made. */
G_NORETURN static void begin(Coroutine *coroutine) {
  coroutine->begun = true;
  sigprocmask(SIG_SETMASK, NULL, &coroutine->first.uc_sigmask);
  setcontext(&coroutine->first);
  abort();
}

static void go(Coroutine *from, Coroutine *to) {
  from->begun = true;
  if (_setjmp(from->at) != 0) return;
  if (to->begun) _longjmp(to->at, 1);
  begin(to);
}
#endif

/* makecontext() passes int arguments only, so what to run is found by where we are. */
static void trampoline(void) {
  arrived();
  went_to->fn(went_to->data);
  abort();
}

void coroutine_make(Coroutine *coroutine, void *stack, size_t size, void (*fn)(gpointer data), gpointer data) {
  *coroutine = (Coroutine){.fn = fn, .data = data, .bottom = stack, .size = size};
  getcontext(&coroutine->first);
  coroutine->first.uc_stack.ss_sp = stack;
  coroutine->first.uc_stack.ss_size = size;
  coroutine->first.uc_link = NULL;
  makecontext(&coroutine->first, trampoline, 0);
}

void coroutine_switch(Coroutine *from, Coroutine *to) {
  came_from = from;
  went_to = to;
  departing(&from->fake_stack, to);
  go(from, to);
  arrived();
}

void coroutine_leave(Coroutine *from, Coroutine *to) {
  came_from = from;
  went_to = to;
  departing(NULL, to);
  go(from, to);
  abort();
}
