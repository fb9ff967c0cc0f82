/* memory_dir.h - a run's files in memory, where there is plenty of it.
 *
 * Test servers write without fsync what nobody will read again, so a disk gives nothing and takes most of a short test: a
 * PostgreSQL directory is a thousand small files.  Unless $TMPDIR says where files go, a run's are below /dev/shm when that
 * is a tmpfs that programs may be run from and has room.  What is to be looked at later is copied to the disk.
 */
#ifndef RUNNER_MEMORY_DIR_H
#define RUNNER_MEMORY_DIR_H

#include <glib.h>
#include <stdbool.h>

/* NULL: files go to the disk. */
const char *memory_dir(void);
/* Bytes that a run may still take: what the tmpfs has, at most half of the memory that is available. */
guint64 memory_dir_room(void);

#endif
