#include "dbclient/child_call.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the kernel may take to end a killed child before it is left to whoever reaps. */
#define KILL_WITHIN (100 * 1000)

static void in_child(bool (*function)(gpointer data), gpointer data, pid_t parent, int answer) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == parent && function(data))
    eventfd_write(answer, 1);
  _exit(0);
}

static void end_child(int pidfd, const DbLoop *loop, gint64 deadline) {
  short ready;
  if (loop->wait(pidfd, POLLIN, &ready, deadline, loop->data) != DB_WAIT_READY) {
    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    loop->wait(pidfd, POLLIN, &ready, loop->now(loop->data) + KILL_WITHIN, loop->data);
  }
  siginfo_t info;
  waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);   /* ECHILD: the host was faster */
  close(pidfd);
}

bool child_call(bool (*function)(gpointer data), gpointer data, const DbLoop *loop, gint64 deadline) {
  int answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (answer < 0)
    return false;
  pid_t parent = getpid(), child = fork();
  if (child == 0)
    in_child(function, data, parent, answer);
  int pidfd = child > 0 ? pidfd_open(child, 0) : -1;
  if (pidfd >= 0)
    end_child(pidfd, loop, deadline);
  eventfd_t said = 0;
  bool done = eventfd_read(answer, &said) == 0 && said == 1;
  close(answer);
  return done;
}
