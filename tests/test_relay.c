/* A relay between two ends of ours: each fault on open and on new connections, order, completeness, many links. */
#include "runner/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "runner/ports.h"

#define MS 1000
#define IN_FORCE (5 * MS)        /* an order acts on open connections so soon */
#define LONG (10 * G_USEC_PER_SEC)
#define QUIET (60 * MS)          /* nothing comes for so long: it would have come in less than one */

/* A relay whose links all lead to one listener of ours. */
typedef struct Stage {
  Ports *ports;
  Relay *relay;
  int listener, target;
  guint n;
  RelayLink *links;
} Stage;

static int socket_at(int port, bool listening) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons((guint16)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listening) {
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    g_assert_cmpint(listen(fd, 1000), ==, 0);
  } else if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
    g_assert_cmpint(errno, ==, EINPROGRESS);
  }
  return fd;
}

static void stage_open(Stage *stage, guint n) {
  g_autoptr(GError) error = NULL;
  *stage = (Stage){.ports = ports_new(), .n = n, .links = g_new0(RelayLink, n)};
  stage->target = ports_take(stage->ports, true, &error);
  for (guint i = 0; i < n; i++) {
    stage->links[i] = (RelayLink){ports_take(stage->ports, true, &error), "127.0.0.1", stage->target};
    g_assert_no_error(error);
  }
  stage->listener = socket_at(stage->target, true);
  stage->relay = relay_start(stage->links, n, NULL, 1, &error);
  g_assert_no_error(error);
}

static void stage_close(Stage *stage) {
  relay_end(stage->relay);
  close(stage->listener);
  ports_free(stage->ports);
  g_free(stage->links);
}

static void order(Stage *stage, RelayOrder one) {
  g_autoptr(GError) error = NULL;
  relay_order(stage->relay, &one, 1, deadline_after(LONG), &error);
  g_assert_no_error(error);
}

static RelayStatus status_of(Stage *stage) {
  g_autoptr(GError) error = NULL;
  RelayStatus status;
  relay_ask(stage->relay, &status, deadline_after(LONG), &error);
  g_assert_no_error(error);
  return status;
}

/* ---- Ends of a connection */

static int accepted(Stage *stage) {
  g_assert_cmpint(wait_fd(stage->listener, POLLIN, NULL, deadline_after(LONG)), ==, WAIT_READY);
  int fd = accept4(stage->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
  g_assert_cmpint(fd, >=, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void say(int fd, const char *text) {
  g_assert_cmpint(send(fd, text, strlen(text), MSG_NOSIGNAL), ==, (gssize)strlen(text));
}

/* What the end has to read within that time: "text", "(end)", "(reset)", "(nothing)". */
static char *heard(int fd, gint64 within) {
  char text[256];
  if (wait_fd(fd, POLLIN, NULL, deadline_after(within)) != WAIT_READY) return g_strdup("(nothing)");
  ssize_t n = recv(fd, text, sizeof text, 0);
  if (n < 0)
    return g_strdup_printf(errno == ECONNRESET     ? "(reset)"
                           : errno == ECONNREFUSED ? "(refused)"
                                                   : "(%s)",
                           g_strerror(errno));
  return n == 0 ? g_strdup("(end)") : g_strndup(text, (gsize)n);
}

#define HEARS(fd, within, expected)                              \
  do {                                                           \
    g_autofree char *got = heard(fd, within);                    \
    g_assert_cmpstr(got, ==, expected);                          \
  } while (0)

typedef struct Talk { int client, server; } Talk;

static Talk talk_new(Stage *stage, guint link) {
  Talk talk = {.client = socket_at(stage->links[link].port, false)};
  talk.server = accepted(stage);
  say(talk.client, "hello");
  HEARS(talk.server, LONG, "hello");
  say(talk.server, "welcome");
  HEARS(talk.client, LONG, "welcome");
  return talk;
}

static void talk_end(Talk *talk) {
  close(talk->client);
  close(talk->server);
}

static void in_loop(void (*fn)(gpointer data)) {
  loop_new();
  reaper_begin();
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  loop_free();
}

/* ---- Faults */

/* Both sides of an open connection see it within 5 ms of the order's beginning: at the first attempt at which the machine did
 * not keep us waiting. */
static void reset_both(Stage *stage, LinkDeed deed) {
  gint64 took = IN_FORCE;
  for (int i = 0; i < 20 && took >= IN_FORCE; i++) {
    order(stage, (RelayOrder){.deed = LINK_HEAL});
    Talk talk = talk_new(stage, 0);
    gint64 began = g_get_monotonic_time();
    order(stage, (RelayOrder){.deed = deed});
    HEARS(talk.client, LONG, "(reset)");
    HEARS(talk.server, LONG, "(reset)");
    took = g_get_monotonic_time() - began;
    talk_end(&talk);
  }
  g_test_message("in force after %" G_GINT64_FORMAT " us", took);
  g_assert_cmpint(took, <, IN_FORCE);
}

static void cut(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  reset_both(&stage, LINK_CUT);
  g_assert_false(status_of(&stage).listening);
  int refused = socket_at(stage.links[0].port, false);
  HEARS(refused, LONG, "(refused)");
  close(refused);
  order(&stage, (RelayOrder){.deed = LINK_HEAL});
  g_assert_true(status_of(&stage).listening);
  Talk talk = talk_new(&stage, 0);
  talk_end(&talk);
  stage_close(&stage);
}

static void reset(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  reset_both(&stage, LINK_RESET);
  g_assert_true(status_of(&stage).listening);
  Talk talk = talk_new(&stage, 0);   /* without any healing */
  talk_end(&talk);
  stage_close(&stage);
}

static void blackhole(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  order(&stage, (RelayOrder){.deed = LINK_BLACKHOLE});
  say(talk.client, "into the ");
  say(talk.client, "dark");
  say(talk.server, "and back");
  HEARS(talk.server, QUIET, "(nothing)");
  HEARS(talk.client, 0, "(nothing)");
  int late = socket_at(stage.links[0].port, false);     /* a new one is as dark */
  say(late, "too early");
  HEARS(stage.listener, QUIET, "(nothing)");
  int given_up = socket_at(stage.links[0].port, false);
  say(given_up, "never mind");
  close(given_up);
  g_assert_cmpuint(status_of(&stage).open, ==, 3);
  order(&stage, (RelayOrder){.deed = LINK_HEAL});
  HEARS(talk.server, LONG, "into the dark");
  HEARS(talk.client, LONG, "and back");
  int its_server = accepted(&stage);
  HEARS(its_server, LONG, "too early");
  HEARS(stage.listener, QUIET, "(nothing)");
  g_assert_cmpuint(status_of(&stage).open, ==, 2);
  close(its_server);
  close(late);
  talk_end(&talk);
  stage_close(&stage);
}

static void blackhole_one_way(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  order(&stage, (RelayOrder){.deed = LINK_BLACKHOLE, .way = WAY_FORWARD});
  say(talk.client, "request");
  say(talk.server, "answer");
  HEARS(talk.client, LONG, "answer");
  HEARS(talk.server, QUIET, "(nothing)");
  order(&stage, (RelayOrder){.deed = LINK_BLACKHOLE, .way = WAY_BACKWARD});
  order(&stage, (RelayOrder){.deed = LINK_HEAL, .way = WAY_FORWARD});
  HEARS(talk.server, LONG, "request");
  say(talk.server, "another");
  HEARS(talk.client, QUIET, "(nothing)");
  order(&stage, (RelayOrder){.deed = LINK_HEAL});
  HEARS(talk.client, LONG, "another");
  talk_end(&talk);
  stage_close(&stage);
}

/* An end that goes away in the dark is not told of, and costs nothing while it is dark; afterwards it is. */
static void dies_in_the_dark(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  order(&stage, (RelayOrder){.deed = LINK_BLACKHOLE, .way = WAY_BACKWARD});
  struct linger abort = {.l_onoff = 1};
  setsockopt(talk.server, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(talk.server);
  say(talk.client, "anybody?");
  HEARS(talk.client, QUIET, "(nothing)");
  order(&stage, (RelayOrder){.deed = LINK_HEAL});
  HEARS(talk.client, LONG, "(reset)");
  close(talk.client);
  stage_close(&stage);
}

static void delay(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  order(&stage, (RelayOrder){.deed = LINK_DELAY, .latency = 50 * MS});
  gint64 began = g_get_monotonic_time();
  say(talk.client, "ping");
  HEARS(talk.server, LONG, "ping");
  gint64 there = g_get_monotonic_time();
  say(talk.server, "pong");
  HEARS(talk.client, LONG, "pong");
  gint64 back = g_get_monotonic_time();
  g_test_message("50 ms there: %.2f ms, and back: %.2f ms", (double)(there - began) / MS, (double)(back - there) / MS);
  g_assert_cmpint(there - began, >=, 50 * MS);
  g_assert_cmpint(back - there, >=, 50 * MS);
  order(&stage, (RelayOrder){.deed = LINK_DELAY, .latency = 500 * MS});
  say(talk.client, "last words");
  shutdown(talk.client, SHUT_WR);           /* the end does not overtake them */
  HEARS(talk.server, 20 * MS, "(nothing)");
  HEARS(talk.server, LONG, "last words");
  HEARS(talk.server, LONG, "(end)");
  order(&stage, (RelayOrder){.deed = LINK_DELAY, .way = WAY_BACKWARD, .latency = 30 * G_USEC_PER_SEC});
  say(talk.server, "held back");
  HEARS(talk.client, QUIET, "(nothing)");
  g_assert_cmpuint(status_of(&stage).held, ==, strlen("held back"));
  order(&stage, (RelayOrder){.deed = LINK_HEAL});
  HEARS(talk.client, LONG, "held back");
  g_assert_cmpuint(status_of(&stage).held, ==, 0);
  talk_end(&talk);
  stage_close(&stage);
}

static void bandwidth(gpointer data) {
  Stage stage;
  char bytes[4096] = {0};
  gsize sent = 0, got = 0, total = 200000;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  order(&stage, (RelayOrder){.deed = LINK_DELAY, .bandwidth = 1000000});
  gint64 began = g_get_monotonic_time();
  while (got < total) {
    short revents;
    if (sent < total) {
      ssize_t n = send(talk.client, bytes, MIN(sizeof bytes, total - sent), MSG_NOSIGNAL);
      if (n > 0) sent += (gsize)n;
    }
    wait_fd(talk.server, POLLIN, &revents, deadline_after(sent < total ? 0 : LONG));
    ssize_t n = recv(talk.server, bytes, sizeof bytes, 0);
    if (n > 0) got += (gsize)n;
  }
  double took = (double)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
  g_test_message("200 kB at 1 MB/s took %.3f s", took);
  g_assert_cmpfloat(took, >, 0.18);
  g_assert_cmpfloat(took, <, 2);
  talk_end(&talk);
  stage_close(&stage);
}

/* ---- Order and completeness */

/* Numbers, so that what is lost or out of place shows at once. */
typedef struct Stream { int fd; guint64 total, done; bool wrong; } Stream;

static void send_stream(gpointer data) {
  Stream *stream = data;
  guint64 words[8192];
  while (stream->done < stream->total) {
    gsize size = (gsize)MIN(sizeof words, stream->total - stream->done), offset = stream->done % sizeof(guint64);
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
      words[i] = (stream->done / sizeof(guint64) + i) * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15);
    ssize_t n = send(stream->fd, (char *)words + offset, size - offset, MSG_NOSIGNAL);
    if (n > 0) stream->done += (guint64)n;
    else if (errno != EAGAIN || wait_fd(stream->fd, POLLOUT, NULL, deadline_after(LONG)) != WAIT_READY) break;
  }
  shutdown(stream->fd, SHUT_WR);
}

static void take_stream(gpointer data) {
  Stream *stream = data;
  g_autofree char *bytes = g_malloc(256 * 1024);
  for (;;) {
    gsize offset = stream->done % sizeof(guint64);
    ssize_t n = recv(stream->fd, bytes + offset, 256 * 1024 - offset, 0);
    if (n == 0) return;
    if (n < 0 && (errno != EAGAIN || wait_fd(stream->fd, POLLIN, NULL, deadline_after(LONG)) != WAIT_READY)) return;
    for (gsize i = offset; n > 0 && i < offset + (gsize)n; i++) {
      guint64 word = ((stream->done - offset + i) / sizeof(guint64)) * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15);
      stream->wrong = stream->wrong || ((char *)&word)[i % sizeof word] != bytes[i];
    }
    if (n > 0) stream->done += (guint64)n;
  }
}

static void pass_streams(Talk *talk, guint64 total, void (*meanwhile)(Stage *stage), Stage *stage) {
  Stream streams[4] = {{talk->client, total, 0, false},
                       {talk->server, total, 0, false},
                       {talk->server, total / 4, 0, false},
                       {talk->client, total / 4, 0, false}};
  Fiber *fibers[4];
  for (int i = 0; i < 4; i++) fibers[i] = fiber_spawn("stream", i % 2 == 0 ? send_stream : take_stream, &streams[i]);
  if (meanwhile) meanwhile(stage);
  for (int i = 0; i < 4; i++)
    g_assert_cmpint(fiber_join(fibers[i], deadline_after(120 * G_USEC_PER_SEC)), ==, WAIT_READY);
  for (int i = 1; i < 4; i += 2) {
    g_assert_cmpuint(streams[i].done, ==, streams[i].total);
    g_assert_false(streams[i].wrong);
  }
}

static void disturb_often(Stage *stage) {
  static const RelayOrder orders[] = {
      {.deed = LINK_BLACKHOLE, .way = WAY_FORWARD},  {.deed = LINK_DELAY, .latency = 20 * MS, .jitter = 15 * MS},
      {.deed = LINK_BLACKHOLE, .way = WAY_BACKWARD}, {.deed = LINK_HEAL},
      {.deed = LINK_DELAY, .way = WAY_FORWARD, .jitter = 3 * MS, .bandwidth = 500 * 1000 * 1000},
      {.deed = LINK_BLACKHOLE},                      {.deed = LINK_HEAL, .way = WAY_FORWARD},
      {.deed = LINK_DELAY, .latency = 1 * MS},       {.deed = LINK_HEAL},
  };
  for (guint i = 0; i < 3 * G_N_ELEMENTS(orders); i++) {
    order(stage, orders[i % G_N_ELEMENTS(orders)]);
    wait_until(deadline_after(7 * MS));
  }
}

/* A GiB there, a quarter back, through all that keeps connections: nothing is lost, nothing out of place. */
static void complete(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  pass_streams(&talk, G_GUINT64_CONSTANT(1) << 30, disturb_often, &stage);
  g_assert_cmpuint(status_of(&stage).open, ==, 0);
  talk_end(&talk);
  stage_close(&stage);
}

static void two_hundred(gpointer data) {
  Stage stage;
  Talk talks[200];
  RelayOrder orders[200];
  g_autoptr(GError) error = NULL;
  stage_open(&stage, 200);
  for (guint i = 0; i < 200; i++) talks[i] = talk_new(&stage, i);
  for (guint i = 0; i < 200; i++) orders[i] = (RelayOrder){.link = i, .deed = i % 2 ? LINK_CUT : LINK_BLACKHOLE};
  gint64 began = g_get_monotonic_time();
  relay_order(stage.relay, orders, 200, deadline_after(LONG), &error);
  g_assert_no_error(error);
  g_test_message("200 links disturbed after %" G_GINT64_FORMAT " us", g_get_monotonic_time() - began);
  for (guint i = 0; i < 200; i++) {
    if (i % 2 == 0) say(talks[i].client, "x");
    HEARS(talks[i].client, i % 2 ? LONG : 0, i % 2 ? "(reset)" : "(nothing)");
  }
  for (guint i = 0; i < 200; i++) orders[i].deed = LINK_HEAL;
  relay_order(stage.relay, orders, 200, deadline_after(LONG), &error);
  g_assert_no_error(error);
  for (guint i = 0; i < 200; i++) {
    if (i % 2 == 0) HEARS(talks[i].server, LONG, "x");
    talk_end(&talks[i]);
  }
  for (guint i = 0; i < 200; i++) talks[i] = talk_new(&stage, i);
  for (guint i = 0; i < 200; i++) talk_end(&talks[i]);
  stage_close(&stage);
}

/* ---- Ends, and what goes wrong */

static void passes_ends_on(gpointer data) {
  Stage stage;
  stage_open(&stage, 1);
  Talk talk = talk_new(&stage, 0);
  shutdown(talk.client, SHUT_WR);
  HEARS(talk.server, LONG, "(end)");
  say(talk.server, "still here");
  HEARS(talk.client, LONG, "still here");
  close(talk.server);
  HEARS(talk.client, LONG, "(end)");
  close(talk.client);
  talk = talk_new(&stage, 0);
  struct linger abort = {.l_onoff = 1};
  setsockopt(talk.client, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  close(talk.client);
  HEARS(talk.server, LONG, "(reset)");
  close(talk.server);
  close(stage.listener);                       /* nobody listens: who connects is reset */
  int client = socket_at(stage.links[0].port, false);
  HEARS(client, LONG, "(reset)");
  close(client);
  stage.listener = socket_at(stage.target, true);
  stage_close(&stage);
}

static void port_is_taken(gpointer data) {
  g_autoptr(GError) error = NULL;
  Ports *ports = ports_new();
  int port = ports_take(ports, true, &error), other = socket_at(port, true);
  RelayLink link = {port, "127.0.0.1", 1};
  g_autofree char *expected = g_strdup_printf("listen at port %d for a link: Address already in use", port);
  g_assert_null(relay_start(&link, 1, NULL, 1, &error));
  g_assert_cmpstr(error->message, ==, expected);
  close(other);
  ports_free(ports);
}

static void is_killed(gpointer data) {
  Stage stage;
  g_autoptr(GError) error = NULL;
  RelayOrder one = {.deed = LINK_CUT};
  stage_open(&stage, 1);
  process_signal(relay_process(stage.relay), SIGKILL);
  g_assert_cmpint(process_wait(relay_process(stage.relay), deadline_after(LONG)), ==, WAIT_READY);
  g_assert_false(relay_order(stage.relay, &one, 1, deadline_after(LONG), &error));
  g_assert_cmpstr(error->message, ==, "the relay of the test's links has ended");
  stage_close(&stage);
}

static void test(gconstpointer fn) { in_loop((void (*)(gpointer))(gsize)fn); }

int main(int argc, char **argv) {
  static const struct { const char *name; void (*fn)(gpointer);
  } tests[] = {
      {"/relay/cut", cut},
      {"/relay/reset", reset},
      {"/relay/blackhole", blackhole},
      {"/relay/blackhole one way", blackhole_one_way},
      {"/relay/an end dies in the dark", dies_in_the_dark},
      {"/relay/delay", delay},
      {"/relay/bandwidth", bandwidth},
      {"/relay/ends are passed on", passes_ends_on},
      {"/relay/200 links", two_hundred},
      {"/relay/a GiB is complete", complete},
      {"/relay/a port is taken", port_is_taken},
      {"/relay/killed", is_killed},
  };
  signal(SIGPIPE, SIG_IGN);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add_data_func(tests[i].name, (gconstpointer)(gsize)tests[i].fn, test);
  return g_test_run();
}
