/* ipc.h - System V shared memory that a crashed server left: a PostgreSQL that was killed and never started again leaves one
 * segment for ever, and its directory, which knows the segment's number, is about to be removed.
 */
#ifndef RUNNER_IPC_H
#define RUNNER_IPC_H

#include <sys/types.h>

/* Notes a process of ours (or one that was seen below ours). */
void ipc_note(pid_t pid);
/* Removes the segments that noted processes made and nobody has attached, and forgets those processes. */
void ipc_remove_ours(void);

#endif
