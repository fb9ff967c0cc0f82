/* tree.h - all that descends from a process, found in /proc, frozen, thawed and killed as a whole.
 *
 * Groups and sessions do not hold what a server starts (each PostgreSQL backend has a session of its own), so trees are
 * walked: /proc/PID/task/TID/children, and for orphans that the worker adopted, the owner's marker in their environment
 * (RUNNER_SERVER=run/test/name), else a working directory below the owner's.
 */
#ifndef RUNNER_TREE_H
#define RUNNER_TREE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include "runner/loop.h"

typedef struct TreeProcess {
  pid_t pid, parent;
  guint64 start_time;
  char state;                    /* as /proc/PID/stat has it; zombies (Z) are left out of every list */
  char command[64];              /* "postgres: walwriter", cut, control characters replaced */
} TreeProcess;

/* Descendants of root (root itself first, when it lives), an array of TreeProcess. */
GArray *tree_list(pid_t root);
/* Orphans adopted by us: our living children that are not in known_pids (pid_t; NULL: none known), each with all below
 * it, whose owner is `marker` (NULL: any owner or none).  dir: the owner's directory, by which those are known whose
 * environment has no marker (may be NULL). */
GArray *tree_orphans(const GArray *known_pids, const char *marker, const char *dir);
/* Whether there is anybody at all, dying ones included: the kernel's word, where lists that are made by reading /proc can
 * miss who forks and ends meanwhile. */
bool tree_has_children(void);
/* The value of RUNNER_SERVER in its environment, newly allocated, or NULL. */
char *tree_marker(pid_t pid);
/* Signals each process of the list that is still the same one. */
void tree_signal(const GArray *list, int signo);
/* The same for one process.  false: it is gone. */
bool tree_signal_one(pid_t pid, guint64 start_time, int signo);
/* SIGKILL (and SIGCONT) again and again to all that `list_now` gives (a new array, owned by the caller), until it gives
 * nothing: fork storms end.  false: the deadline came first, or the fiber was cancelled.  From a fiber. */
typedef GArray *(*TreeLister)(gpointer data);
bool tree_kill(TreeLister list_now, gpointer data, Deadline deadline);
/* The same without a loop, for the last moments of a process: becomes the subreaper, kills all our descendants but the
 * children named in spare (and what is below those), and reaps them.  false: the time ran out. */
bool tree_kill_descendants(gint64 within_microseconds, const pid_t *spare, guint n_spare);
/* Whether pid is root or descends from it. */
bool tree_contains(pid_t root, pid_t pid);
/* What the kernel tells of one process; false: there is none, or it is a zombie. */
bool tree_look(pid_t pid, TreeProcess *process);
/* Clock ticks from boot to its start; zombies have one too. 0: no such process. */
guint64 process_start_time(pid_t pid);

#endif
