/* The worker's side of a relay: it starts the process, gives orders, and waits until they are in force. */
#include "runner/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/fail.h"
#include "runner/registry.h"
#include "runner/relay_private.h"

#define START_LIMIT (10 * G_USEC_PER_SEC)
#define NICE (-10)
#define END_LIMIT (2 * G_USEC_PER_SEC)

struct Relay {
  Process *process;
  int control;
  guint n_links;
  int *ports;
  guint32 number;                /* of the newest request */
  bool busy;                     /* a request is under way */
  Cond idle;
};

/* ---- The child */

typedef struct Birth {
  int control;
  const RelayLink *links;
  guint n_links;
  const Credentials *as;
  guint64 seed;
  pid_t parent;
} Birth;

/* Nothing but the control socket is inherited: what holds a port for a server in the worker must not be held here. */
static int keep_only(int fd) {
  int null = open("/dev/null", O_RDWR);
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
  if (null < 0 || high < 0) return -1;
  for (int i = 0; i < 3; i++) dup2(null, i);
  dup3(high, 3, O_CLOEXEC);
  close_range(4, ~0U, 0);
  return 3;
}

/* After the change of user, which clears PDEATHSIG. */
static int relay_main(gpointer data) {
  Birth *birth = data;
  struct rlimit limit;
  int control = keep_only(birth->control);
  if (control < 0 || chdir("/") < 0) return 126;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  setpriority(PRIO_PROCESS, 0, NICE);   /* where it may: what goes through should not wait for what the servers do */
  if (birth->as && !credentials_apply(birth->as)) return 126;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "relay");
  prctl(PR_SET_TIMERSLACK, 1UL);
  if (getppid() != birth->parent) return 126;
  return relay_serve(control, birth->links, birth->n_links, birth->seed);
}

/* ---- Orders and answers */

static bool no_answer(Relay *relay, WaitResult result, GError **error) {
  if (result == WAIT_TIMEOUT) return fail(error, "the relay of the test's links did not answer in time");
  if (result == WAIT_CANCELLED) return fail(error, "the wait for the relay of the test's links was cancelled");
  return fail(error, "the relay of the test's links has ended");
}

/* Answers to those who no longer wait for them are passed over. */
static bool take_answer(Relay *relay, RelayAnswer *answer, Deadline deadline, GError **error) {
  for (;;) {
    WaitResult result = wait_fd(relay->control, POLLIN, NULL, deadline);
    if (result != WAIT_READY) return no_answer(relay, result, error);
    ssize_t n = recv(relay->control, answer, sizeof *answer, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n < (ssize_t)offsetof(RelayAnswer, status)) return no_answer(relay, WAIT_READY, error);
    if (answer->number == relay->number) break;
  }
  if (answer->failed == 0) return true;
  errno = answer->failed;
  return fail_errno(error, "listen at port %d for a link", relay->ports[answer->link]);
}

static bool send_request(Relay *relay, RelayRequest *request, Deadline deadline, GError **error) {
  request->number = ++relay->number;
  gsize size = offsetof(RelayRequest, orders) + request->n_orders * sizeof(RelayOrder);
  while (send(relay->control, request, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno != EAGAIN) return no_answer(relay, WAIT_READY, error);
    WaitResult result = wait_fd(relay->control, POLLOUT, NULL, deadline);
    if (result != WAIT_READY) return no_answer(relay, result, error);
  }
  return true;
}

static bool begin(Relay *relay, Deadline deadline, GError **error) {
  while (relay->busy) {
    WaitResult result = wait_cond(&relay->idle, deadline);
    if (result != WAIT_READY) return no_answer(relay, result, error);
  }
  relay->busy = true;
  return true;
}

static void end(Relay *relay) {
  relay->busy = false;
  cond_wake(&relay->idle);
}

bool relay_order(Relay *relay, const RelayOrder *orders, guint n_orders, Deadline deadline, GError **error) {
  g_autofree RelayRequest *request = g_new0(RelayRequest, 1);
  g_autofree RelayAnswer *answer = g_new0(RelayAnswer, 1);
  bool good = true;
  if (!begin(relay, deadline, error)) return false;
  for (guint done = 0; good && done < n_orders; done += request->n_orders) {
    request->n_orders = MIN(n_orders - done, RELAY_BATCH);
    for (guint i = 0; i < request->n_orders; i++) request->orders[i] = orders[done + i];
    good = send_request(relay, request, deadline, error) && take_answer(relay, answer, deadline, error);
  }
  end(relay);
  return good;
}

bool relay_ask(Relay *relay, RelayStatus *status, Deadline deadline, GError **error) {
  g_autofree RelayRequest *request = g_new0(RelayRequest, 1);
  g_autofree RelayAnswer *answer = g_new0(RelayAnswer, 1);
  bool good = true;
  if (!begin(relay, deadline, error)) return false;
  for (; good && request->first < relay->n_links; request->first += answer->n_status) {
    good = send_request(relay, request, deadline, error) && take_answer(relay, answer, deadline, error);
    for (guint i = 0; good && i < answer->n_status; i++) status[request->first + i] = answer->status[i];
  }
  end(relay);
  return good;
}

/* ---- Beginning and end */

Process *relay_process(Relay *relay) { return relay->process; }

Relay *relay_start(const RelayLink *links, guint n_links, const Credentials *as, guint64 seed, GError **error) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
    return fail_errno(error, "make a socket for the relay"), NULL;
  Birth birth = {pair[1], links, n_links, as, seed, getpid()};
  Process *process = process_fork(relay_main, &birth, error);
  close(pair[1]);
  if (!process) {
    close(pair[0]);
    g_prefix_error(error, "start the relay of the test's links: ");
    return NULL;
  }
  registry_add(process->pid, process->start_time, "relay");
  Relay *relay = g_new0(Relay, 1);
  *relay = (Relay){.process = process, .control = pair[0], .n_links = n_links, .ports = g_new0(int, n_links)};
  for (guint i = 0; i < n_links; i++) relay->ports[i] = links[i].port;
  g_autofree RelayAnswer *answer = g_new0(RelayAnswer, 1);
  if (take_answer(relay, answer, deadline_in(START_LIMIT), error)) return relay;
  relay_end(relay);
  return NULL;
}

void relay_end(Relay *relay) {
  if (!relay) return;
  close(relay->control);
  fiber_shield();
  if (process_wait(relay->process, deadline_after(END_LIMIT)) != WAIT_READY) {
    process_signal(relay->process, SIGKILL);
    process_wait(relay->process, deadline_after(END_LIMIT));
  }
  fiber_unshield();
  process_free(relay->process);
  g_list_free(relay->idle.waiters);
  g_free(relay->ports);
  g_free(relay);
}
