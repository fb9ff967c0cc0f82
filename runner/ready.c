/* Readiness: asked for, with a short growing pause, while watching for the server's exit; what answers must be the server's
 * own listener. */
#include "runner/node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/debug.h"
#include "runner/http.h"
#include "runner/session.h"
#include "runner/step.h"
#include "runner/tree.h"

#define FIRST_PAUSE 1000
#define LONGEST_PAUSE 20000
#define LAST_TRY (1 * G_USEC_PER_SEC)

typedef enum Answer { ANSWER_YES, ANSWER_NOT_YET, ANSWER_NEVER } Answer;

/* What the last try saw, for the message. */
typedef struct Asking {
  Node *node;
  const Ready *ready;
  Deadline limit;
  char *last;
  guint64 looked_to;             /* log: where the search goes on */
} Asking;

static void saw(Asking *asking, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void saw(Asking *asking, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_free(asking->last);
  asking->last = g_strdup_vprintf(format, args);
  va_end(args);
}

/* A server that refuses this user or this database in its own words is there: a definition may have left the engine's default
 * user no way in. One that is starting, stopping or full is not (PostgreSQL 57P03 and class 53; MySQL 1040, 1047, 1053), and
 * numbers from 2000 are the client library's own. */
static bool refused_by_server(DbKind kind, const DbOutcome *said) {
  if (said->status != DB_ERROR || !said->sqlstate) return false;
  if (kind == DB_POSTGRESQL) {
    static const char *const not_there[] = {"08", "53", "57", "58", "XX"};
    for (guint i = 0; i < G_N_ELEMENTS(not_there); i++)
      if (g_str_has_prefix(said->sqlstate, not_there[i])) return false;
    return true;
  }
  return ((said->code >= 1000 && said->code < 2000) || said->code >= 3000) && said->code != 1040 &&
         said->code != 1047 && said->code != 1053;
}

static Answer ask_session(Asking *asking, Outcome *outcome) {
  Scope scope = {.cluster = asking->node->cluster, .roles = {.self = asking->node}};
  DbOutcome said = {0};
  Session *session = session_open(&scope, asking->node, NULL, asking->limit, &said, outcome);
  Answer answer = session ? ANSWER_YES : outcome->kind != OUTCOME_OK ? ANSWER_NEVER : ANSWER_NOT_YET;
  DbKind kind = asking->node->engine->client == CLIENT_POSTGRESQL ? DB_POSTGRESQL : DB_MYSQL;
  if (!session && refused_by_server(kind, &said)) answer = ANSWER_YES;
  if (session) {
    g_free(asking->node->version);
    asking->node->version = g_strdup(db_server_version(session->db));
  }
  if (!session && said.text) saw(asking, "%s", said.text);
  session_free(session);
  db_outcome_clear(&said);
  return answer;
}

/* A probe of a port nobody listens on can be answered by itself: both ends are the same address then. */
static bool connected_to_itself(int fd) {
  struct sockaddr_in here = {0}, there = {0};
  socklen_t len = sizeof here, len2 = sizeof there;
  return getsockname(fd, (struct sockaddr *)&here, &len) == 0 &&
         getpeername(fd, (struct sockaddr *)&there, &len2) == 0 && here.sin_port == there.sin_port &&
         here.sin_addr.s_addr == there.sin_addr.s_addr;
}

static Answer ask_tcp(Asking *asking, int port) {
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    saw(asking, "make a socket: %s", g_strerror(errno));
    return ANSWER_NOT_YET;
  }
  int problem = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
  if (problem == EINPROGRESS && wait_fd(fd, POLLOUT, NULL, asking->limit) == WAIT_READY) {
    socklen_t len = sizeof problem;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len);
  }
  bool itself = problem == 0 && connected_to_itself(fd);
  close(fd);
  if (problem == 0 && !itself) return ANSWER_YES;
  saw(asking, "connect to 127.0.0.1:%d: %s", port, itself ? "nobody listens" : g_strerror(problem));
  return ANSWER_NOT_YET;
}

static Answer ask_http(Asking *asking, const char *url) {
  g_auto(HttpAnswer) answer = {0};
  if (http_get(url, asking->limit, &answer) != WAIT_READY) {
    saw(asking, "%s did not answer", url);
    return ANSWER_NOT_YET;
  }
  long wanted = asking->ready->status > 0 ? asking->ready->status : 200;
  if (answer.status == wanted) return ANSWER_YES;
  if (answer.problem) saw(asking, "%s", answer.problem);
  else saw(asking, "HTTP status %ld, not %ld", answer.status, wanted);
  return ANSWER_NOT_YET;
}

static Answer ask_log(Asking *asking, Outcome *outcome) {
  Scope scope = {.cluster = asking->node->cluster, .roles = {.self = asking->node}};
  g_autoptr(Pattern) made = NULL;
  GError *error = NULL;
  const Pattern *pattern = scope_pattern(&scope, &asking->ready->log, PATTERN_LINES, &made, &error);
  if (!pattern) {
    outcome_take_error(outcome, error);
    return ANSWER_NEVER;
  }
  const char *why = NULL;
  PatternResult found =
      output_find(asking->node->output, pattern, asking->looked_to, false, false, &asking->looked_to, NULL, &why);
  if (found == PATTERN_YES) return ANSWER_YES;
  if (found == PATTERN_UNDECIDED) {
    outcome_error(outcome, "pattern /%s/ could not be decided: %s", pattern_text(pattern), why);
    return ANSWER_NEVER;
  }
  saw(asking, "no line of its output matches /%s/ yet", pattern_text(pattern));
  return ANSWER_NOT_YET;
}

/* The port whose listener must be the server's own; 0: nothing to check. */
static int port_to_own(const Asking *asking, int tcp_port) {
  switch (asking->ready->kind) {
  case READY_TCP: return tcp_port;
  case READY_SESSION: case READY_HTTP: return asking->node->port;
  default: return 0;
  }
}

/* The listener may belong to what the server started (an agent's database), orphans included. */
static Answer check_owner(Asking *asking, int port, Outcome *outcome) {
  Node *node = asking->node;
  if (port == 0 || node->server->external) return ANSWER_YES;
  g_autoptr(GArray) tree = tree_list(node->process->pid);
  g_autoptr(GArray) orphans = node_orphans(node);
  g_array_append_vals(tree, orphans->data, orphans->len);
  bool listening = false;
  g_autofree char *stranger = NULL;
  if (port_owner(port, tree, &listening, &stranger) != 0) return ANSWER_YES;
  if (!listening)
    return asking->ready->kind == READY_HTTP ? ANSWER_YES : ANSWER_NOT_YET; /* http: a url of another port */
  outcome_error(outcome, "what answers on port %d of server '%s' is not that server: the listener belongs to %s", port,
                node->name, stranger ? stranger : "another process");
  return ANSWER_NEVER;
}

static Answer ask(Asking *asking, Outcome *outcome) {
  Scope scope = {.cluster = asking->node->cluster, .roles = {.self = asking->node}};
  GError *error = NULL;
  int tcp_port = asking->node->port;
  g_autofree char *text = NULL;
  const Text *wanted = asking->ready->kind == READY_HTTP  ? &asking->ready->url
                       : asking->ready->kind == READY_TCP ? &asking->ready->port
                                                          : NULL;
  if (wanted && wanted->raw) {
    text = scope_render(&scope, wanted, NULL, &error);
    if (!text) {
      outcome_take_error(outcome, error);
      return ANSWER_NEVER;
    }
    if (asking->ready->kind == READY_TCP) tcp_port = atoi(text);
  }
  Answer answer = ANSWER_YES;
  switch (asking->ready->kind) {
  case READY_SESSION: answer = ask_session(asking, outcome); break;
  case READY_TCP: answer = ask_tcp(asking, tcp_port); break;
  case READY_HTTP: answer = ask_http(asking, text); break;
  case READY_LOG: answer = ask_log(asking, outcome); break;
  case READY_NONE: case READY_UNSET: break;
  }
  return answer == ANSWER_YES ? check_owner(asking, port_to_own(asking, tcp_port), outcome) : answer;
}

/* A server that says nothing of readiness is ready when it listens, if it has a client; else as soon as it runs. */
static const Ready *ready_of(const Node *node) {
  static const Ready session = {.kind = READY_SESSION}, none = {.kind = READY_NONE};
  if (node->server->ready.kind != READY_UNSET) return &node->server->ready;
  if (node->engine->ready.kind != READY_UNSET) return &node->engine->ready;
  return node->engine->client != CLIENT_NONE ? &session : &none;
}

static void tell_ready(Node *node) {
  if (node->state == NODE_STARTING) node->state = NODE_READY;
  event_begin(node->cluster->log, "ready");
  event_text(node->cluster->log, "server", node->name);
  event_int(node->cluster->log, "us", g_get_monotonic_time() - node->spawned_at);
  event_text(node->cluster->log, "version", node->version);
  event_end(node->cluster->log);
  cond_wake(&node->changed);
}

static bool give_up(Asking *asking, WaitResult result, Outcome *outcome) {
  Node *node = asking->node;
  if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  if (node->process && node->process->exited) {
    g_autofree char *end = exit_text(node->process->status), *blame = debug_blame(node);
    if (blame) outcome_fail(outcome, "%s before it was ready", blame);
    else outcome_fail(outcome, "server '%s' %s before it was ready", node->name, end);
  } else {
    outcome_fail(outcome, "server '%s' was not ready in time (%.1f s after its start); the last try: %s", node->name,
                 (double)(g_get_monotonic_time() - node->spawned_at) / G_USEC_PER_SEC,
                 asking->last ? asking->last : "no answer");
  }
  g_autofree char *story = node_last_lines(node, 20);
  outcome_add(outcome, story);
  return false;
}

static bool ask_until(Asking *asking, Outcome *outcome) {
  Node *node = asking->node;
  Process *process = node->process;
  Deadline end = asking->limit;
  for (gint64 pause = FIRST_PAUSE;; pause = MIN(pause * 2, LONGEST_PAUSE)) {
    if (process && process->exited) return give_up(asking, WAIT_READY, outcome);
    bool last = deadline_passed(end);
    if (last) asking->limit = deadline_in(LAST_TRY);   /* so that a slow machine has looked at the end, too */
    Answer answer = ask(asking, outcome);
    if (answer == ANSWER_YES && process && process->exited)
      continue; /* it answered and ended: who awaits it tells of that */
    if (answer == ANSWER_YES) return true;
    if (answer == ANSWER_NEVER) return false;
    if (fiber_cancelled()) return outcome_cancel(outcome);
    if (last) return give_up(asking, WAIT_TIMEOUT, outcome);
    Deadline next = deadline_first(end, deadline_after(pause));
    WaitResult result = process ? wait_cond(&process->changed, next) : wait_until(next);
    if (result == WAIT_CANCELLED) return outcome_cancel(outcome);
  }
}

bool node_wait_ready(Node *node, Deadline deadline, Outcome *outcome) {
  if (node->state == NODE_READY) return true;
  if (!node_running(node) && !node->watched) return outcome_fail(outcome, "server '%s' is not running", node->name);
  Asking asking = {.node = node, .ready = ready_of(node), .limit = deadline, .looked_to = node->run_began_at};
  node->awaited++;
  bool good = ask_until(&asking, outcome);
  if (!good && outcome->kind == OUTCOME_FAILED && node->process && node->process->exited) node->exit_explained = true;
  node->awaited--;
  if (good) tell_ready(node);
  g_free(asking.last);
  return good;
}
