/* fail.h - how the functions of runner/ say that something failed.
 *
 * Messages name the act and the object in lower case ("open 'x' for reading"); callers add theirs in front with
 * g_prefix_error(), and cmd/ prints the whole once.  Both return false, so that a caller can end with `return
 * fail(...)`.
 */
#ifndef RUNNER_FAIL_H
#define RUNNER_FAIL_H

#include <glib.h>
#include <stdbool.h>

#define RUNNER_ERROR (runner_error_quark())
GQuark runner_error_quark(void);

/* The error's code is 0. */
bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Adds ": " and what errno means; the error's code is errno. */
bool fail_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
