/* misbehave - a server that does, on request, what servers do when things go wrong.
 *
 * It listens on 127.0.0.1 and answers one line to whatever it is sent.  Each option adds one misbehaviour; they
 * combine. It says "misbehave: ready on port N" once it listens, and "misbehave: stopping" when it obeys SIGTERM.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/* It is to end when it is told to: a look for leaks at its exit can take longer than a server's grace, or not end at all. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

#define MAX_TIMED 32
#define MAX_CLIENTS 64

typedef enum Act { ACT_LISTEN, ACT_DIE, ACT_PRINT } Act;

typedef struct Timed {
  int64_t at;                    /* milliseconds */
  Act act;
  const char *text;
} Timed;

static struct {
  int port;                      /* -1: does not listen, 0: any */
  int late;
  bool never, die_before, die_at_ready, deaf, daemonise, double_fork, setsid_child, hang, no_newline;
  int status, by_signal, stop_status, http;
  int leave_child, fork_storm;   /* milliseconds, 0: not asked */
  long long flood;               /* bytes still to write */
} wish = {.port = -1};

static Timed timed[MAX_TIMED];
static int n_timed;
static struct pollfd polled[2 + MAX_CLIENTS];  /* signals, listener, clients */
static int n_polled = 2;
static bool ready;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say_bytes(const char *bytes, size_t len) {
  while (len > 0) {
    ssize_t n = write(STDOUT_FILENO, bytes, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) err(74, "write");
    bytes += n;
    len -= (size_t)n;
  }
}

static void say(const char *text) { say_bytes(text, strlen(text)); }

static void say_line(const char *text) {
  say(text);
  if (!wish.no_newline) say("\n");
}

static void later(int64_t ms, Act act, const char *text) {
  if (n_timed == MAX_TIMED) errx(64, "too many timed options");
  timed[n_timed++] = (Timed){now_ms() + ms, act, text};
}

static _Noreturn void die(void) {
  if (wish.by_signal) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    signal(wish.by_signal, SIG_DFL);
    kill(getpid(), wish.by_signal);
    pause();
  }
  exit(wish.status);
}

static void cat(const char *path) {
  FILE *file = fopen(path, "re");
  if (!file) err(66, "%s", path);
  char buffer[4096];
  size_t n;
  while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) say_bytes(buffer, n);
  fclose(file);
}

/* ---- Children */

static pid_t must_fork(void) {
  pid_t pid = fork();
  if (pid < 0) err(71, "fork");
  return pid;
}

static _Noreturn void sleep_ms(int ms) {
  struct timespec length = {ms / 1000, (long)(ms % 1000) * 1000000};
  while (nanosleep(&length, &length) < 0) continue;
  _exit(0);
}

static _Noreturn void sleep_for_ever(void) {
  for (;;) pause();
}

/* Each process lives just long enough to have a child in a session of its own. */
static _Noreturn void storm(int ms) {
  int64_t end = now_ms() + ms;
  while (now_ms() < end) {
    pid_t pid = fork();
    if (pid > 0) _exit(0);
    if (pid == 0) setsid();
  }
  _exit(0);
}

/* When the first process has ended, the one in the background is all there is. */
static void daemonise(void) {
  pid_t middle = must_fork();
  if (middle > 0) {
    waitpid(middle, NULL, 0);
    _exit(0);
  }
  setsid();
  if (must_fork() > 0) _exit(0);
}

static void begin_children(void) {
  if (wish.double_fork) {
    pid_t middle = must_fork();
    if (middle == 0) {
      if (must_fork() == 0) sleep_for_ever();
      _exit(0);
    }
    waitpid(middle, NULL, 0);
  }
  if (wish.setsid_child && must_fork() == 0) {
    setsid();
    sleep_for_ever();
  }
  if (wish.leave_child && must_fork() == 0) sleep_ms(wish.leave_child);
  if (wish.fork_storm && must_fork() == 0) storm(wish.fork_storm);
}

/* ---- Serving */

static void listen_now(void) {
  if (wish.die_before) die();
  char text[64] = "misbehave: ready";
  if (wish.port >= 0) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)wish.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) err(69, "bind to port %d", wish.port);
    if (listen(fd, 64) < 0) err(69, "listen on port %d", wish.port);
    getsockname(fd, (struct sockaddr *)&address, &len);
    polled[1].fd = fd;
    snprintf(text, sizeof text, "misbehave: ready on port %d", ntohs(address.sin_port));
  }
  say_line(text);
  ready = true;
  if (wish.die_at_ready) die();
}

static void accept_client(void) {
  int fd = accept4(polled[1].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (n_polled == 2 + MAX_CLIENTS) close(fd);
  else polled[n_polled++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void drop_client(int i) {
  close(polled[i].fd);
  polled[i] = polled[--n_polled];
}

static void serve_client(int i) {
  char buffer[4096], answer[128] = "hello from misbehave\n";
  ssize_t n = read(polled[i].fd, buffer, sizeof buffer);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    drop_client(i);
    return;
  }
  if (wish.hang) return;
  if (wish.http)
    snprintf(answer, sizeof answer, "HTTP/1.1 %d Said\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
             wish.http);
  if (send(polled[i].fd, answer, strlen(answer), MSG_NOSIGNAL) < 0 || wish.http) drop_client(i);
}

static void flood_some(void) {
  static char block[65536];
  if (!block[0])
    for (size_t i = 0; i < sizeof block; i++) block[i] = i % 64 == 63 && !wish.no_newline ? '\n' : (char)('0' + i % 64);
  size_t n = wish.flood < (long long)sizeof block ? (size_t)wish.flood : sizeof block;
  say_bytes(block, n);
  wish.flood -= (long long)n;
  if (wish.flood == 0) say("\nmisbehave: flood over\n");
}

/* Does what is due and returns the milliseconds until the next, -1 when nothing is. */
static int do_timed(void) {
  int64_t next = -1;
  for (int i = 0; i < n_timed; i++) {
    int64_t left = timed[i].at - now_ms();
    if (left > 0) {
      if (next < 0 || left < next) next = left;
      continue;
    }
    Timed due = timed[i];
    timed[i--] = timed[--n_timed];
    if (due.act == ACT_DIE) die();
    if (due.act == ACT_PRINT) say_line(due.text);
    if (due.act == ACT_LISTEN) listen_now();
  }
  return (int)next;
}

static void serve(void) {
  for (;;) {
    int pause_ms = do_timed();
    if (wish.flood > 0 && ready) {
      flood_some();
      pause_ms = 0;
    }
    if (poll(polled, (nfds_t)n_polled, pause_ms) <= 0) continue;
    if (polled[0].revents) {
      say_line("misbehave: stopping");
      exit(wish.stop_status);
    }
    if (polled[1].revents) accept_client();
    for (int i = n_polled - 1; i >= 2; i--)
      if (polled[i].revents) serve_client(i);
  }
}

static void begin_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  polled[0] = (struct pollfd){.fd = -1, .events = POLLIN};
  polled[1] = (struct pollfd){.fd = -1, .events = POLLIN};
  if (wish.deaf) {
    signal(SIGTERM, SIG_IGN);
    return;
  }
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  polled[0].fd = signalfd(-1, &set, SFD_CLOEXEC);
}

/* ---- Options */

enum {
  O_PORT = 256,
  O_LATE,
  O_NEVER,
  O_DIE_BEFORE,
  O_DIE_AT_READY,
  O_DIE_AFTER,
  O_STATUS,
  O_BY_SIGNAL,
  O_DEAF,
  O_STOP_STATUS,
  O_DAEMONISE,
  O_DOUBLE_FORK,
  O_SETSID_CHILD,
  O_LEAVE_CHILD,
  O_FLOOD,
  O_NO_NEWLINE,
  O_NUL,
  O_BAD_UTF8,
  O_PRINT,
  O_PRINT_AFTER,
  O_HANG,
  O_FORK_STORM,
  O_ENV,
  O_CAT,
  O_HTTP,
  O_HELP
};

static const struct option options[] = {
  {"port", required_argument, NULL, O_PORT},               /* N: listens there; 0: on any port */
  {"late", required_argument, NULL, O_LATE},               /* MS: listens only then */
  {"never", no_argument, NULL, O_NEVER},                   /* lives and never listens */
  {"die-before", no_argument, NULL, O_DIE_BEFORE},         /* ends instead of listening */
  {"die-at-ready", no_argument, NULL, O_DIE_AT_READY},     /* ends as soon as it listens */
  {"die-after", required_argument, NULL, O_DIE_AFTER},     /* MS: ends then */
  {"status", required_argument, NULL, O_STATUS},           /* N: how it ends */
  {"by-signal", required_argument, NULL, O_BY_SIGNAL},     /* N: ends by this signal */
  {"deaf", no_argument, NULL, O_DEAF},                     /* ignores SIGTERM */
  {"stop-status", required_argument, NULL, O_STOP_STATUS}, /* N: how it ends at SIGTERM */
  {"daemonise", no_argument, NULL, O_DAEMONISE},           /* goes into the background, the first process ends */
  {"double-fork", no_argument, NULL, O_DOUBLE_FORK},       /* leaves a helper whose parent is gone */
  {"setsid-child", no_argument, NULL, O_SETSID_CHILD},     /* has a child in a session of its own with the log open */
  {"leave-child", required_argument, NULL, O_LEAVE_CHILD}, /* MS: has a child that lives so long, with the log open */
  {"flood", required_argument, NULL, O_FLOOD},             /* BYTES to stdout, once ready */
  {"no-newline", no_argument, NULL, O_NO_NEWLINE},         /* what is printed has no line ends */
  {"nul", no_argument, NULL, O_NUL},                       /* prints a NUL byte within a line */
  {"bad-utf8", no_argument, NULL, O_BAD_UTF8},             /* prints a line that is not UTF-8 */
  {"print", required_argument, NULL, O_PRINT},             /* TEXT, at once */
  {"print-after", required_argument, NULL, O_PRINT_AFTER}, /* MS TEXT (two arguments) */
  {"hang", no_argument, NULL, O_HANG},                     /* accepts and never answers */
  {"fork-storm", required_argument, NULL, O_FORK_STORM},   /* MS: fork, setsid, exit, as fast as it can */
  {"env", required_argument, NULL, O_ENV},                 /* NAME: prints its value, or that it is not set */
  {"cat", required_argument, NULL, O_CAT},                 /* FILE: prints it */
  {"http", required_argument, NULL, O_HTTP},               /* STATUS: answers as a web server */
  {"help", no_argument, NULL, O_HELP},
  {NULL, 0, NULL, 0},
};

static _Noreturn void usage(int status) {
  fprintf(status ? stderr : stdout, "usage: misbehave [option]...\n");
  for (const struct option *option = options; option->name; option++)
    fprintf(status ? stderr : stdout, "  --%s%s\n", option->name, option->has_arg ? " VALUE" : "");
  exit(status);
}

static int number(const char *text) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  if (errno || end == text || *end || value < 0 || value > INT32_MAX) errx(64, "not a number: '%s'", text);
  return (int)value;
}

static void say_env(const char *name) {
  const char *value = getenv(name);
  say(name);
  say(value ? "=" : " is not set");
  say_line(value ? value : "");
}

/* What is said at once, in the order of the options. */
static bool spoken(int option, char **argv) {
  switch (option) {
  case O_NUL: say_bytes("nul: before\0after\n", 18); return true;
  case O_BAD_UTF8: say_bytes("bad utf-8: \xff\xc3( end\n", 19); return true;
  case O_PRINT: say_line(optarg); return true;
  case O_ENV: say_env(optarg); return true;
  case O_CAT: cat(optarg); return true;
  case O_PRINT_AFTER:
    if (!argv[optind]) errx(64, "--print-after wants MS and TEXT");
    later(number(optarg), ACT_PRINT, argv[optind++]);
    return true;
  default: return false;
  }
}

static void take(int option) {
  switch (option) {
  case O_PORT: wish.port = number(optarg); break;
  case O_LATE: wish.late = number(optarg); break;
  case O_NEVER: wish.never = true; break;
  case O_DIE_BEFORE: wish.die_before = true; break;
  case O_DIE_AT_READY: wish.die_at_ready = true; break;
  case O_DIE_AFTER: later(number(optarg), ACT_DIE, NULL); break;
  case O_STATUS: wish.status = number(optarg); break;
  case O_BY_SIGNAL: wish.by_signal = number(optarg); break;
  case O_DEAF: wish.deaf = true; break;
  case O_STOP_STATUS: wish.stop_status = number(optarg); break;
  case O_DAEMONISE: wish.daemonise = true; break;
  case O_DOUBLE_FORK: wish.double_fork = true; break;
  case O_SETSID_CHILD: wish.setsid_child = true; break;
  case O_LEAVE_CHILD: wish.leave_child = number(optarg); break;
  case O_FLOOD: wish.flood = strtoll(optarg, NULL, 10); break;
  case O_NO_NEWLINE: wish.no_newline = true; break;
  case O_HANG: wish.hang = true; break;
  case O_FORK_STORM: wish.fork_storm = number(optarg); break;
  case O_HTTP: wish.http = number(optarg); break;
  default: usage(option == O_HELP ? 0 : 64);
  }
}

int main(int argc, char **argv) {
  for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;)
    if (!spoken(option, argv)) take(option);
  if (optind < argc) usage(64);
  signal(SIGSEGV, SIG_DFL);            /* to die of it as asked, under a sanitizer too */
  if (wish.daemonise) daemonise();
  begin_children();
  begin_signals();
  if (!wish.never) later(wish.late, ACT_LISTEN, NULL);
  serve();
}
