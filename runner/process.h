/* process.h - children: spawned, signalled by pidfd, reaped in one place.
 *
 * A worker is the subreaper of all it starts.  One reaper, driven by SIGCHLD, peeks (WNOWAIT), looks the pid up, and
 * reaps by pid: a known child becomes a status in its Process, an adopted orphan is reaped and forgotten (tree.h tells
 * what still lives).  No signal is ever sent to a stored pid, only to a pidfd or to a pid + start time that was looked
 * up just before.
 *
 * A child starts in a session of its own, with an empty signal mask, default dispositions, descriptors 0 to 2 only, and
 * dies with its parent (PDEATHSIG, set after the change of user, the parent checked again).
 */
#ifndef RUNNER_PROCESS_H
#define RUNNER_PROCESS_H

#include <sys/types.h>
#include "runner/credentials.h"
#include "runner/loop.h"

typedef struct Process {
  pid_t pid;
  int pidfd;                     /* -1 when exited */
  guint64 start_time;            /* clock ticks after boot, as /proc tells: with the pid and the boot id an identity */
  bool exited;
  int status;                    /* a wait status, when exited */
  bool status_known;
  Watch *watch;                  /* of its pidfd, for one that is no child of ours */
  gint64 exited_at;              /* CLOCK_MONOTONIC microseconds */
  Cond changed;                  /* woken at its exit */
} Process;

typedef struct Spawn {
  const char *const *argv;       /* argv[0] is a path */
  const char *const *envp;       /* all of it: nothing is inherited */
  const char *cwd;
  int in, out, err;              /* -1: /dev/null; they stay the caller's */
  const Credentials *as;         /* NULL: who we are */
  bool foreground_group;         /* stays in the caller's session (a person's shell), default false */
} Spawn;

/* Once in a process that has children, after loop_new(): subreaper, SIGCHLD, the reaper. */
void reaper_begin(void);
/* What SIGCHLD does, at once: for who kills faster than the loop turns. */
void reaper_turn(void);

/* NULL with error set when it could not be begun ("run '/usr/bin/x': No such file or directory"); once this returns,
 * the exec has happened; in a fiber others have their turn until then. Recorded in the registry. */
Process *process_spawn(const Spawn *spawn, GError **error);
/* A child of our own program: fn runs in it with the parent's loop forgotten and default signals, and what it gives is
 * the exit status.  It does not die with us: fn sees to that. */
Process *process_fork(int (*fn)(gpointer data), gpointer data, GError **error);
/* Follows one that somebody else started (a debugger's listener its server); NULL with error: there is none. Its exit is
 * seen by its pidfd.  The status is the kernel's word for it where that is had (Linux 6.15, or it has become our child by
 * then); else status_known stays false and status 0.  From the loop's process; recorded in the registry. */
Process *process_follow(pid_t pid, GError **error);
/* Pids (pid_t) of those that were spawned or forked and have not exited: what is none of them was left by another. */
GArray *process_pids(void);
/* false: it has ended already */
bool process_signal(Process *process, int signo);
WaitResult process_wait(Process *process, Deadline deadline);
/* One that has not exited is killed, and reaped without being waited for.  NULL is allowed; nobody may be waiting. */
void process_free(Process *process);

/* Runs fn in a forked child (copying trees, whatever would block the loop) and gives its exit status: 0 to 255, -1 when
 * it was killed or could not be forked (*report says why), or when the wait was cancelled or ran out (the child is
 * killed then, and its end waited for).  fn has the caller's memory, but of its descriptors 0 to 2 only; what it writes
 * to report_fd is handed back in *report (may be NULL), newly allocated, at most 4 KiB.  From a fiber. */
int process_call(int (*fn)(int report_fd, gpointer data), gpointer data, Deadline deadline, char **report);

/* "exited with status 1", "was killed by signal 11 (SIGSEGV)", "... (SIGSEGV, core dumped)"; newly allocated. */
char *exit_text(int status);
/* INT, SIGINT, int or a number; 0 when there is no such signal. */
int signal_number(const char *name);
/* "SIGINT" for 2; static. */
const char *signal_name(int signo);

#endif
