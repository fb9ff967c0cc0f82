/* A context begins by setcontext() and is switched by _setjmp() and _longjmp(), which keep to user space, where
 * swapcontext() asks the kernel for the signal mask each time.  The address sanitizer takes a jump to another stack for
 * an error in some versions, so under it swapcontext() it is, with the sanitizer told of each switch.
 *
 * A checked longjmp() (-D_FORTIFY_SOURCE) refuses to jump to another stack, so that check is off here. */
#undef _FORTIFY_SOURCE
#include "runner/context.h"

#include <signal.h>
#include <stdlib.h>

static Context *came_from, *went_to;

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>

static void departing(void **fake_stack, const Context *to) {
  __sanitizer_start_switch_fiber(fake_stack, to->bottom, to->size);
}

static void arrived(void) {
  __sanitizer_finish_switch_fiber(went_to->fake_stack, &came_from->bottom, &came_from->size);
}

static void go(Context *from, Context *to) {
  sigprocmask(SIG_SETMASK, NULL, &to->first.uc_sigmask);
  swapcontext(&from->first, &to->first);
}

#else

static void departing(void **fake_stack, const Context *to) {}
static void arrived(void) {}

/* It begins with the mask of the moment, not with that of when it was made. */
G_NORETURN static void begin(Context *context) {
  context->begun = true;
  sigprocmask(SIG_SETMASK, NULL, &context->first.uc_sigmask);
  setcontext(&context->first);
  abort();
}

static void go(Context *from, Context *to) {
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

void context_make(Context *context, void *stack, size_t size, void (*fn)(gpointer data), gpointer data) {
  *context = (Context){.fn = fn, .data = data, .bottom = stack, .size = size};
  getcontext(&context->first);
  context->first.uc_stack.ss_sp = stack;
  context->first.uc_stack.ss_size = size;
  context->first.uc_link = NULL;
  makecontext(&context->first, trampoline, 0);
}

void context_switch(Context *from, Context *to) {
  came_from = from;
  went_to = to;
  departing(&from->fake_stack, to);
  go(from, to);
  arrived();
}

void context_leave(Context *from, Context *to) {
  came_from = from;
  went_to = to;
  departing(NULL, to);
  go(from, to);
  abort();
}
