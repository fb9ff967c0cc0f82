/* coroutine.h - coroutines: stacks of their own, and switching between them. What fibers (loop.h) are made of.
 *
 * Not for scheduling: who runs next is the caller's business. One thread. Signal masks are the process's, not the
 * coroutine's: a switch leaves the mask alone, which also spares two system calls.
 */
#ifndef RUNNER_COROUTINE_H
#define RUNNER_COROUTINE_H

#include <glib.h>
#include <setjmp.h>
#include <stdbool.h>
#include <ucontext.h>

/* The one that a process begins with needs no making: zero it. */
typedef struct Coroutine {
  ucontext_t first;              /* how it begins */
  jmp_buf at;                    /* where it stands once it has begun */
  bool begun;
  void (*fn)(gpointer data);
  gpointer data;
  void *fake_stack;              /* what the address sanitizer knows it by */
  const void *bottom;
  size_t size;
} Coroutine;

/* fn runs at the first switch to it; it must not return but end with coroutine_leave().  The stack stays the caller's. */
void coroutine_make(Coroutine *coroutine, void *stack, size_t size, void (*fn)(gpointer data), gpointer data);
/* Goes on in `to`; returns when something switches to `from` again. */
void coroutine_switch(Coroutine *from, Coroutine *to);
/* The same for a coroutine that is never run again: its stack may be freed by whoever runs next. */
G_NORETURN void coroutine_leave(Coroutine *from, Coroutine *to);

#endif
