/* registry.h - what runs, written down where the next start finds it when everything of ours was killed.
 *
 * One file per run (state_dir.h): the runner's pid, start time and boot id, the run's directory, and a line for each
 * process that was spawned.  Held by flock while the runner lives; each worker appends with O_APPEND.  A file that
 * nobody holds is a run that was killed: registry_sweep() ends what is left of it and removes the file.
 *
 * What it ends is known for certain: a recorded pid whose start time and boot id are the recorded ones, with all below
 * it; a process that carries the run's id in RUNNER_SERVER; and, as PostgreSQL's processes wipe their environment, one
 * without any that was started after the run began, works below the run's directory and has its stderr in a file there.
 * A shell that someone left in a kept directory is none of these.  Shared memory that recorded processes made and
 * nobody has attached goes too.
 */
#ifndef RUNNER_REGISTRY_H
#define RUNNER_REGISTRY_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Begins this run's file.  RUNNER_SERVER markers begin with run_id and '/'; it is a file name, and no other run's, ever
 * (registry_run_id()).  false: no registry (a read-only home); the error says so, the run goes on. */
bool registry_begin(const char *run_id, const char *run_dir, GError **error);
/* Cheap: one write.  Works in forked workers too; nothing when there is no registry. */
void registry_add(pid_t pid, guint64 start_time, const char *label);
/* Removes the file.  Only in the process that began it; elsewhere nothing. */
void registry_end(void);
/* An id of 16 characters that no other run has.  Newly allocated. */
char *registry_run_id(void);

typedef struct RegistrySweep {
  guint runs, processes;         /* dead runs found, processes ended */
  GPtrArray *directories;        /* of those runs, still there: named to the user */
} RegistrySweep;
/* Never touches what a living runner holds.  Blocks until what it killed is gone, 2 s a run at most: for start-up. NULL
 * with error set when the registry cannot be read. */
RegistrySweep *registry_sweep(GError **error);
void registry_sweep_free(RegistrySweep *sweep);

#endif
