/* support_servers.h - throw-away PostgreSQL and MariaDB servers, certificates and a loop by poll(), for tests.
 *
 * Header only, since each C file in tests/ is a program.  Servers listen on loopback, die with the test, and live
 * below one directory that support_remove() takes away.
 */
#ifndef TESTS_SUPPORT_SERVERS_H
#define TESTS_SUPPORT_SERVERS_H

#include "dbclient/dbclient.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPPORT_PG_BIN "/usr/lib/postgresql/15/bin"

typedef struct SupportServer {
  DbKind kind;
  char *dir, *data;
  int port;
  pid_t pid;
} SupportServer;

static inline gint64 support_now(gpointer data) { return g_get_monotonic_time(); }

static inline DbReadiness support_poll(int fd, short events, short *revents, gint64 deadline, gpointer data) {
  struct pollfd poll_fd = {.fd = fd, .events = events};
  gint64 left = deadline < 0 ? -1 : MAX(0, deadline - g_get_monotonic_time() + 999) / 1000;
  int ready = poll(&poll_fd, 1, (int)left);
  *revents = poll_fd.revents;
  return ready > 0 ? DB_WAIT_READY : DB_WAIT_TIMEOUT;
}

static const DbLoop support_loop = {support_poll, support_now, NULL};

static inline int support_socket(int *port) {
  for (int tries = 0; tries < 1000; tries++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *port = g_random_int_range(20000, 32000);
    address.sin_port = htons((uint16_t)*port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0)
      return fd;
    close(fd);
  }
  g_error("no free port");
}

static inline int support_free_port(void) {
  int port;
  close(support_socket(&port));
  return port;
}

/* Runs a command to its end, as `user` when we are root and one is named; stdin from a file. */
static inline pid_t support_spawn(const char *user, const char *log, const char *input, const char *const *argv) {
  struct passwd *who = user != NULL && getuid() == 0 ? getpwnam(user) : NULL;
  pid_t parent = getpid(), pid = fork();
  if (pid != 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), in = open(input != NULL ? input : "/dev/null", O_RDONLY);
  dup2(in, 0);
  dup2(out, 1);
  dup2(out, 2);
  if (chdir("/") != 0 || getppid() != parent ||
      (who != NULL && (setgroups(0, NULL) != 0 || setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)))
    _exit(126);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  char *environment[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "TZ=UTC", NULL};
  execve(argv[0], (char *const *)(guintptr)argv, environment);
  _exit(127);
}

static inline void support_run(const char *user, const char *log, const char *input, const char *const *argv) {
  int status;
  pid_t pid = support_spawn(user, log, input, argv);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  if (status != 0) {
    g_autofree char *text = NULL;
    g_file_get_contents(log, &text, NULL, NULL);
    g_error("%s failed: %s", argv[0], text);
  }
}

static inline void support_own(const char *path, const char *user) {
  struct passwd *who = getuid() == 0 ? getpwnam(user) : NULL;
  if (who != NULL)
    g_assert_cmpint(chown(path, who->pw_uid, who->pw_gid), ==, 0);
}

static inline char *support_make_root(void) {
  char *root = g_dir_make_tmp("dbclient-XXXXXX", NULL);
  g_assert_nonnull(root);
  g_assert_cmpint(chmod(root, 0755), ==, 0);
  return root;
}

static inline void support_remove(char *root) {
  g_autofree char *log = g_strdup("/dev/null");
  support_run(NULL, log, NULL, (const char *const[]){"/bin/rm", "-rf", root, NULL});
  g_free(root);
}

/* ca.crt, and srv.crt with srv.key for `name` (not for 127.0.0.1); pg.key is the same key, owned as PostgreSQL wants.
 */
static inline void support_certificates(const char *root, const char *name) {
  g_autofree char *script = g_strdup_printf(
      "set -e; cd %s; for c in ca other; do openssl req -x509 -newkey rsa:2048 -nodes -keyout $c.key -out $c.crt -days "
      "3 "
      "-subj /CN=$c; done; openssl req -newkey rsa:2048 -nodes -keyout srv.key -out srv.csr -subj /CN=%s; "
      "echo subjectAltName=DNS:%s > ext; openssl x509 -req -in srv.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
      "-out srv.crt -days 3 -extfile ext; cp srv.key pg.key; chmod 600 pg.key; chmod 644 srv.key",
      root, name, name);
  g_autofree char *log = g_build_filename(root, "openssl.log", NULL);
  support_run(NULL, log, NULL, (const char *const[]){"/bin/sh", "-c", script, NULL});
  g_autofree char *key = g_build_filename(root, "pg.key", NULL);
  support_own(key, "postgres");
}

static inline void support_make_postgresql(SupportServer *server) {
  g_autofree char *log = g_build_filename(server->dir, "log", NULL);
  support_own(server->dir, "postgres");
  support_run("postgres", log, NULL,
              (const char *const[]){SUPPORT_PG_BIN "/initdb", "-D", server->data, "-U", "postgres", "-A", "trust", "-E",
                                    "UTF8", "--locale=C", "--no-sync", NULL});
}

static inline void support_make_mariadb(SupportServer *server) {
  g_autofree char *log = g_build_filename(server->dir, "log", NULL),
                  *input = g_build_filename(server->dir, "sql", NULL);
  g_autofree char *data = g_strconcat("--datadir=", server->data, NULL);
  g_autofree char *script = g_strdup_printf("(echo 'create database if not exists mysql;'; echo 'use mysql;'; echo "
                                            "'SET @auth_root_socket=NULL;'; cd /usr/share/mysql; "
                                            "cat mysql_system_tables.sql mysql_performance_tables.sql "
                                            "mysql_system_tables_data.sql | grep -v @current_hostname; "
                                            "echo 'create database if not exists test;') > %s",
                                            input);
  support_run(NULL, log, NULL, (const char *const[]){"/bin/sh", "-c", script, NULL});
  g_assert_cmpint(g_mkdir(server->data, 0755), ==, 0);
  support_run(NULL, log, input,
              (const char *const[]){"/usr/sbin/mariadbd", "--no-defaults", "--bootstrap", "--silent-startup", data,
                                    "--user=root", "--log-warnings=0",
                                    "--enforce-storage-engine=", "--max_allowed_packet=8M", "--net_buffer_length=16K",
                                    "--innodb-log-file-size=4M", NULL});
}

/* Data directory made, not started. */
static inline void support_make(SupportServer *server, DbKind kind, const char *root, const char *name) {
  *server = (SupportServer){.kind = kind, .dir = g_build_filename(root, name, NULL), .port = support_free_port()};
  server->data = g_build_filename(server->dir, "data", NULL);
  g_assert_cmpint(g_mkdir(server->dir, 0755), ==, 0);
  if (kind == DB_POSTGRESQL)
    support_make_postgresql(server);
  else
    support_make_mariadb(server);
}

static inline DbTarget support_target(const SupportServer *server) {
  return (DbTarget){.kind = server->kind, .host = "127.0.0.1", .port = server->port,
                    .user = server->kind == DB_POSTGRESQL ? "postgres" : "root",
                    .database = server->kind == DB_POSTGRESQL ? "postgres" : "test", .tls = DB_TLS_OFF};
}

/* Asks until it answers; a server that ends instead is an error with its log. */
static inline void support_await(const SupportServer *server) {
  DbTarget target = support_target(server);
  gint64 deadline = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
  for (;;) {
    DbOutcome outcome = {0};
    DbSession *session = db_open(&target, &support_loop, deadline, &outcome);
    db_outcome_clear(&outcome);
    db_close(session);
    if (session != NULL)
      return;
    if (waitpid(server->pid, NULL, WNOHANG) != 0 || g_get_monotonic_time() > deadline) {
      g_autofree char *log = g_build_filename(server->dir, "log", NULL), *text = NULL;
      g_file_get_contents(log, &text, NULL, NULL);
      g_error("the server in %s did not come up: %s", server->dir, text);
    }
    poll(NULL, 0, 10);
  }
}

static inline void support_start_postgresql(SupportServer *server, const char *certificates) {
  g_autofree char *log = g_build_filename(server->dir, "log", NULL), *port = g_strdup_printf("%d", server->port);
  g_autofree char *cert = g_strdup_printf("ssl_cert_file=%s/srv.crt", certificates);
  g_autofree char *key = g_strdup_printf("ssl_key_file=%s/pg.key", certificates);
  server->pid = support_spawn("postgres", log, NULL,
                              (const char *const[]){SUPPORT_PG_BIN "/postgres",
                                                    "-D",
                                                    server->data,
                                                    "-p",
                                                    port,
                                                    "-c",
                                                    "listen_addresses=127.0.0.1",
                                                    "-c",
                                                    "unix_socket_directories=",
                                                    "-c",
                                                    "fsync=off",
                                                    "-c",
                                                    "shared_buffers=8MB",
                                                    "-c",
                                                    "dynamic_shared_memory_type=mmap",
                                                    "-c",
                                                    certificates != NULL ? "ssl=on" : "ssl=off",
                                                    certificates != NULL ? "-c" : NULL,
                                                    cert,
                                                    "-c",
                                                    key,
                                                    NULL});
}

static inline void support_start_mariadb(SupportServer *server, const char *certificates) {
  g_autofree char *log = g_build_filename(server->dir, "log", NULL), *port = g_strdup_printf("--port=%d", server->port);
  g_autofree char *data = g_strconcat("--datadir=", server->data, NULL),
                  *pid = g_strdup_printf("--pid-file=%s/pid", server->dir);
  g_autofree char *sock = g_strdup_printf("--socket=%s/s", server->dir),
                  *tmp = g_strdup_printf("--tmpdir=%s", server->dir);
  g_autofree char *cert = g_strdup_printf("--ssl-cert=%s/srv.crt", certificates);
  g_autofree char *key = g_strdup_printf("--ssl-key=%s/srv.key", certificates);
  server->pid = support_spawn(NULL, log, NULL, (const char *const[]){
      "/usr/sbin/mariadbd", "--no-defaults", data, port, pid, sock, tmp, "--bind-address=127.0.0.1", "--user=root",
      "--skip-name-resolve", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--local-infile=1",
      "--plugin-load-add=auth_ed25519", "--max-allowed-packet=64M", certificates != NULL ? cert : NULL, key, NULL});
}

/* certificates: the directory with them for TLS, or NULL. */
static inline void support_start(SupportServer *server, const char *certificates) {
  if (server->kind == DB_POSTGRESQL)
    support_start_postgresql(server, certificates);
  else
    support_start_mariadb(server, certificates);
  support_await(server);
}

/* A killed PostgreSQL leaves a shared memory segment behind, named in line 7 of its pid file. */
static inline void support_remove_segment(const SupportServer *server) {
  g_autofree char *path = g_build_filename(server->data, "postmaster.pid", NULL), *text = NULL;
  if (server->kind != DB_POSTGRESQL || !g_file_get_contents(path, &text, NULL, NULL))
    return;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  int key, id;
  if (g_strv_length(lines) >= 7 && sscanf(lines[6], "%d %d", &key, &id) == 2)
    shmctl(id, IPC_RMID, NULL);
}

static inline void support_kill(SupportServer *server) {
  if (server->pid > 0) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    support_remove_segment(server);
  }
  server->pid = 0;
}

/* Ends a server in its own way (PostgreSQL leaves shared memory behind otherwise). */
static inline void support_stop(SupportServer *server) {
  if (server->pid > 0) {
    kill(server->pid, server->kind == DB_POSTGRESQL ? SIGQUIT : SIGKILL);
    waitpid(server->pid, NULL, 0);
  }
  g_free(server->dir);
  g_free(server->data);
  *server = (SupportServer){0};
}

#endif
