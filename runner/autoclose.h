/* autoclose.h - a descriptor that is closed when its scope ends: `autoclose fd = open(...)`; negative: nothing to
 * close. */
#ifndef RUNNER_AUTOCLOSE_H
#define RUNNER_AUTOCLOSE_H

#include <errno.h>
#include <unistd.h>

/* errno stays, as it is often told of afterwards. */
static inline void autoclose_end(const int *fd) {
  int number = errno;
  if (*fd >= 0) close(*fd);
  errno = number;
}

#define autoclose __attribute__((cleanup(autoclose_end))) int

#endif
