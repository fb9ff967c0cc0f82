/* registry.h - what runs, written down where the next start finds it when everything of ours was killed.
 *
 * One file per run in $XDG_RUNTIME_DIR/runner (else a 0700 directory of the user's below the temporary directory): the runner's
 * pid, start time and boot id, the run's directory, and a line for each process that was spawned.  Held by flock while the
 * runner lives; each worker appends with O_APPEND.  A file that nobody holds is a run that was killed: registry_sweep() ends what
 * is left of it (by pid + start time + boot id, by the run's marker in the environment, by a working directory below the run's)
 * and removes the file.
 */
#ifndef RUNNER_REGISTRY_H
#define RUNNER_REGISTRY_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* Begins this run's file. run_id goes into RUNNER_SERVER markers. false: no registry (read-only home): error says so, the run goes on. */
bool registry_begin(const char *run_id, const char *run_dir, GError **error);
void registry_add(pid_t pid, guint64 start_time, const char *label);    /* cheap: one write */
void registry_end(void);                                                /* removes the file */

typedef struct RegistrySweep {
  guint runs, processes;         /* dead runs found, processes ended */
  GPtrArray *directories;        /* of those runs, still there: named to the user */
} RegistrySweep;
/* Never touches what a living runner holds. */
RegistrySweep *registry_sweep(GError **error);
void registry_sweep_free(RegistrySweep *sweep);

#endif
