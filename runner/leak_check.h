/* leak_check.h - looks for leaked memory in a process that ends by _exit(), where the sanitizer would not look.
 *
 * Only in the asan variant; in others there is nothing to see.  What was inherited over the fork is not looked at, as
 * long as the process it came from still had a way to it.
 */
#ifndef RUNNER_LEAK_CHECK_H
#define RUNNER_LEAK_CHECK_H

#include <stdbool.h>

/* True: something leaked, and stderr tells what. */
bool leak_check(void);

#endif
