/* child_call.h - runs one blocking function in a short-lived child process, with a bound.
 *
 * For library calls that have no non-blocking form (libpq's PQcancel).  The child runs the function and ends with
 * _exit(): no atexit handler, no flush of our output.  It dies with its parent, and is killed when the deadline comes.
 * The host program may reap children it does not know; the answer does not depend on the exit status.
 */
#ifndef DBCLIENT_CHILD_CALL_H
#define DBCLIENT_CHILD_CALL_H

#include "dbclient/dbclient.h"

/* True when the function ran to its end in time and returned true. */
bool child_call(bool (*function)(gpointer data), gpointer data, const DbLoop *loop, gint64 deadline);

#endif
