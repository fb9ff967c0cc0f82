#include "runner/leak_check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/lsan_interface.h>
#include <string.h>

/* A worker is forked from within a fiber of the runner, so the stack that the sanitizer knows is that fiber's; what the
 * runner holds is reached from its first stack. */
static bool first_stack(void **low, size_t *size) {
  pthread_attr_t attr;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) return false;
  bool known = pthread_attr_getstack(&attr, low, size) == 0;
  pthread_attr_destroy(&attr);
  return known;
}

bool leak_check(void) {
  void *low;
  size_t size;
  if (first_stack(&low, &size)) __lsan_register_root_region(low, size);
  return __lsan_do_recoverable_leak_check() != 0;
}
#else
bool leak_check(void) { return false; }
#endif
