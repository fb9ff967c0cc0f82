/* Sessions with real PostgreSQL and MariaDB servers, and with servers that mean harm. */
#include "dbclient/postgresql_auth.h"
#include "dbclient/postgresql_error.h"
#include "tests/support_servers.h"

#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME "db.example"

static char *root;
static SupportServer pg, my, victim_pg, victim_my;   /* the first two with TLS, the others without, and killed */
static DbOutcome outcome;
static GString *seen;                                 /* "[a|b]\n1|NULL\n" */

static gint64 in_ms(gint64 ms) { return g_get_monotonic_time() + ms * 1000; }

/* -- asking -- */

static void see_columns(guint n, const char *const *names, gpointer data) {
  g_string_assign(seen, "[");
  for (guint i = 0; i < n; i++)
    g_string_append_printf(seen, "%s%s", i > 0 ? "|" : "", names[i]);
  g_string_append(seen, "]\n");
}

static bool see_row(guint n, const DbCell *cells, gpointer data) {
  for (guint i = 0; i < n; i++) {
    if (i > 0)
      g_string_append_c(seen, '|');
    if (cells[i].bytes == NULL) {
      g_string_append(seen, "NULL");
      continue;
    }
    g_assert_cmpint(cells[i].bytes[cells[i].len], ==, '\0');
    for (gsize k = 0; k < cells[i].len; k++)
      cells[i].bytes[k] == '\0' ? g_string_append(seen, "\\0") : g_string_append_c(seen, cells[i].bytes[k]);
  }
  g_string_append_c(seen, '\n');
  return true;
}

static const DbSink sink = {see_columns, see_row, NULL};

static void run_for(DbSession *session, const char *sql, gint64 deadline) {
  g_string_truncate(seen, 0);
  db_execute(session, sql, strlen(sql), false, 0, NULL, &sink, true, deadline, &outcome);
}

static void run(DbSession *session, const char *sql) { run_for(session, sql, in_ms(30000)); }

static void assert_ok(void) {
  g_assert_cmpstr(outcome.text, ==, NULL);
  g_assert_cmpint(outcome.status, ==, DB_OK);
}

static void assert_rows(DbSession *session, const char *sql, const char *expected) {
  run(session, sql);
  assert_ok();
  g_assert_cmpstr(seen->str, ==, expected);
}

static void done(DbSession *session, const char *sql) {
  run(session, sql);
  assert_ok();
}

static void assert_error(DbSession *session, const char *sql, const char *text) {
  run(session, sql);
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_cmpstr(outcome.text, ==, text);
}

static DbSession *opened(const DbTarget *target) {
  DbSession *session = db_open(target, &support_loop, in_ms(10000), &outcome);
  g_assert_cmpstr(outcome.text, ==, NULL);
  g_assert_nonnull(session);
  g_assert_true(db_usable(session));
  return session;
}

static void assert_not_opened(const DbTarget *target, const char *text) {
  g_assert_null(db_open(target, &support_loop, in_ms(10000), &outcome));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_cmpstr(outcome.text, ==, text);
}

static char *file_in_root(const char *name) { return g_build_filename(root, name, NULL); }

/* A test on a server's session. */
typedef struct Seat { DbSession *session; } Seat;

static bool servers_are_here(void) {
  static const char *const programs[] = {SUPPORT_PG_BIN "/initdb", "/usr/sbin/mariadbd", "/usr/bin/openssl"};
  for (guint i = 0; i < G_N_ELEMENTS(programs); i++) {
    if (access(programs[i], X_OK) == 0)
      continue;
    g_autofree char *reason = g_strdup_printf("%s is not installed", programs[i]);
    g_test_skip(reason);
    return false;
  }
  return true;
}

static void sit_down(Seat *seat, gconstpointer server) {
  if (root == NULL)
    return;
  DbTarget target = support_target(server);
  seat->session = opened(&target);
}

static void get_up(Seat *seat, gconstpointer server) {
  db_close(seat->session);
  db_outcome_clear(&outcome);
}

/* -- what both do -- */

static void values_arrive_as_text(Seat *seat, gconstpointer data) {
  assert_rows(seat->session, "SELECT 1 AS a, NULL AS b, '' AS c, 'größe' AS d", "[a|b|c|d]\n1|NULL||größe\n");
  g_assert_true(outcome.has_result);
  g_assert_cmpuint(outcome.rows, ==, 1);
}

static void an_empty_result_has_columns(Seat *seat, gconstpointer data) {
  assert_rows(seat->session, "SELECT 1 AS a WHERE 1 = 0", "[a]\n");
  g_assert_true(outcome.has_result);
  g_assert_cmpuint(outcome.rows, ==, 0);
}

static void changed_rows_are_counted(Seat *seat, gconstpointer data) {
  done(seat->session, "CREATE TEMPORARY TABLE c(i int)");
  g_assert_false(outcome.has_result);
  done(seat->session, "INSERT INTO c VALUES (1), (2), (3)");
  g_assert_cmpint(outcome.affected, ==, 3);
  done(seat->session, "UPDATE c SET i = 9 WHERE i > 1");
  g_assert_cmpint(outcome.affected, ==, 2);
  done(seat->session, "DELETE FROM c WHERE i = 77");
  g_assert_cmpint(outcome.affected, ==, 0);
}

static void parameters_are_bound(Seat *seat, gconstpointer data) {
  bool postgresql = data == &pg;
  static const char quote[] = "it's; -- \\ \"x\" ö";
  DbCell args[] = {{quote, sizeof quote - 1}, {NULL, 0}, {"", 0}};
  const char *sql = postgresql ? "SELECT $1::text AS a, $2::text AS b, $3::text AS c" : "SELECT ? AS a, ? AS b, ? AS c";
  g_string_truncate(seen, 0);
  db_execute(seat->session, sql, strlen(sql), true, 3, args, &sink, false, in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpstr(seen->str, ==, "[a|b|c]\nit's; -- \\ \"x\" ö|NULL|\n");
}

static void prepared_without_parameters(Seat *seat, gconstpointer data) {
  g_string_truncate(seen, 0);
  db_execute(seat->session, "SELECT 'x' AS a", 15, true, 0, NULL, &sink, false, in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpstr(seen->str, ==, "[a]\nx\n");
}

static void a_large_cell_and_parameter(Seat *seat, gconstpointer data) {
  const char *sql = data == &pg ? "SELECT repeat($1::text, 2), 'end'" : "SELECT concat(?, ?), 'end'";
  g_autofree char *half = g_strnfill(3 * 1024 * 1024, 'x');
  DbCell args[] = {{half, strlen(half)}, {half, strlen(half)}};
  g_string_truncate(seen, 0);
  db_execute(seat->session, sql, strlen(sql), true, data == &pg ? 1 : 2, args, &(DbSink){.row = see_row}, false,
             in_ms(20000), &outcome);
  assert_ok();
  g_assert_cmpuint(seen->len, ==, 6 * 1024 * 1024 + strlen("|end\n"));
}

static bool two_rows(guint n, const DbCell *cells, gpointer data) { return ++*(int *)data < 2; }

static void a_sink_may_have_enough(Seat *seat, gconstpointer data) {
  int rows = 0;
  const char *sql = "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4";
  db_execute(seat->session, sql, strlen(sql), false, 0, NULL, &(DbSink){.row = two_rows, .data = &rows}, false,
             in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpint(rows, ==, 2);
  g_assert_cmpuint(outcome.rows, ==, 4);
  assert_rows(seat->session, "SELECT 5 AS a", "[a]\n5\n");
}

static const char *sleeping(gconstpointer server) { return server == &pg ? "SELECT pg_sleep(30)" : "SELECT SLEEP(30)"; }

static void a_late_statement_is_cancelled(Seat *seat, gconstpointer data) {
  gint64 start = g_get_monotonic_time();
  run_for(seat->session, sleeping(data), in_ms(100));
  g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
  g_assert_cmpstr(outcome.text, ==, "timed out; the statement was cancelled");
  g_assert_true(outcome.session_usable);
  g_assert_false(outcome.lost);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 2 * G_USEC_PER_SEC);
  for (int i = 0; i < 20; i++)
    assert_rows(seat->session, "SELECT 1 AS a", "[a]\n1\n");
}

/* In the middle of rows that stream, too. */
static void so_is_a_late_stream(Seat *seat, gconstpointer data) {
  run_for(seat->session, data == &pg ? "SELECT i FROM generate_series(1, 2000000000) i"
                                     : "SELECT seq FROM seq_1_to_2000000000", in_ms(50));
  g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
  g_assert_true(outcome.session_usable);
  assert_rows(seat->session, "SELECT 1 AS a", "[a]\n1\n");
}

static int waits_left;

static DbReadiness called_off(int fd, short events, short *revents, gint64 deadline, gpointer data) {
  return waits_left-- == 0 ? DB_WAIT_CANCELLED : support_poll(fd, events, revents, deadline, data);
}

static void a_wait_may_be_called_off(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(data);
  waits_left = -1;
  DbLoop loop = {called_off, support_now, NULL};
  DbSession *session = db_open(&target, &loop, in_ms(5000), &outcome);
  g_assert_nonnull(session);
  waits_left = 0;
  run_for(session, sleeping(data), -1);
  g_assert_cmpint(outcome.status, ==, DB_CANCELLED);
  g_assert_cmpstr(outcome.text, ==, "called off; the statement was cancelled");
  g_assert_true(db_usable(session));
  assert_rows(session, "SELECT 1 AS a", "[a]\n1\n");
  db_close(session);
}

/* Bytes that the program holds now; freed memory that the sanitizer keeps back does not count. */
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t allocated(void) { return __sanitizer_get_current_allocated_bytes(); }
#else
static size_t allocated(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}
#endif

typedef struct Counted { guint64 rows; size_t most; } Counted;

static bool count_row(guint n, const DbCell *cells, gpointer data) {
  Counted *counted = data;
  if (++counted->rows % 1000 == 0)
    counted->most = MAX(counted->most, allocated());
  return true;
}

static void a_million_rows_in_flat_memory(Seat *seat, gconstpointer data) {
  const char *sql = data == &pg ? "SELECT i, repeat('x', 50) FROM generate_series(1, 1000000) i"
                                : "SELECT seq, repeat('x', 50) FROM seq_1_to_1000000";
  for (int prepared = 0; prepared <= 1; prepared++) {
    Counted counted = {0};
    size_t before = allocated();
    db_execute(seat->session, sql, strlen(sql), prepared, 0, NULL, &(DbSink){.row = count_row, .data = &counted}, false,
               in_ms(60000), &outcome);
    assert_ok();
    g_assert_cmpuint(counted.rows, ==, 1000000);
    g_assert_cmpuint(outcome.rows, ==, 1000000);
    g_assert_cmpuint(counted.most, <, before + 1024 * 1024);   /* the rows are 60 MB */
  }
}

/* The signal alone is only on its way. */
static void freeze(pid_t pid) {
  g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
  kill(pid, SIGSTOP);
  for (;; g_usleep(1000)) {
    g_autofree char *stat = NULL;
    g_assert_true(g_file_get_contents(path, &stat, NULL, NULL));
    if (strrchr(stat, ')')[2] == 'T') return;
  }
}

static void a_frozen_server_costs_the_session(Seat *seat, gconstpointer data) {
  const SupportServer *server = data;
  gint64 start = g_get_monotonic_time();
  guint64 backend = db_session_number(seat->session);
  freeze(server->pid);
  if (server->kind == DB_POSTGRESQL)
    freeze((pid_t)backend);
  run_for(seat->session, "SELECT 1", in_ms(100));
  g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
  g_assert_cmpstr(outcome.text, ==,
                  "timed out; the session was closed, for the cancel was not confirmed and drained in time");
  g_assert_false(outcome.session_usable);
  g_assert_false(db_usable(seat->session));
  g_assert_cmpint(g_get_monotonic_time() - start, <, 3 * G_USEC_PER_SEC);
  DbTarget target = support_target(server);
  g_assert_null(db_open(&target, &support_loop, in_ms(100), &outcome));
  g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
  g_assert_cmpstr(outcome.text, ==, "timed out; no session came about");
  if (server->kind == DB_POSTGRESQL)
    kill((pid_t)backend, SIGCONT);
  kill(server->pid, SIGCONT);
  run(seat->session, "SELECT 1");
  g_assert_true(outcome.lost);
}

static void a_session_says_who_it_is(Seat *seat, gconstpointer data) {
  g_autofree char *number = g_strdup_printf("[n]\n%" G_GUINT64_FORMAT "\n", db_session_number(seat->session));
  assert_rows(seat->session, data == &pg ? "SELECT pg_backend_pid() AS n" : "SELECT CONNECTION_ID() AS n", number);
  run(seat->session, data == &pg ? "SHOW server_version" : "SELECT VERSION() AS server_version");
  g_autofree char *version = g_strdup_printf("[server_version]\n%s\n", db_server_version(seat->session));
  g_assert_cmpstr(seen->str, ==, version);
  g_assert_null(db_tls(seat->session));
}

/* -- PostgreSQL's own -- */

/* initdb wrote `trust`: rules for these users go before it. */
static void pg_passwords(Seat *seat, gconstpointer data) {
  static const char rules[] = "host all clear 127.0.0.1/32 password\nhost all hashed 127.0.0.1/32 scram-sha-256\n";
  g_autofree char *hba = g_build_filename(pg.data, "pg_hba.conf", NULL), *before = NULL;
  g_assert_true(g_file_get_contents(hba, &before, NULL, NULL));
  g_autofree char *after = g_strconcat(rules, before, NULL);
  FILE *file = fopen(hba, "w");   /* in place: the owner stays */
  g_assert_true(fputs(after, file) >= 0 && fclose(file) == 0);
  done(seat->session, "CREATE USER clear PASSWORD 'secret'; CREATE USER hashed PASSWORD 'secret'");
  done(seat->session, "SELECT pg_reload_conf()");
  DbTarget target = support_target(&pg);
  DbParam allow = {"allowCleartextPasswords", "true"};
  target.user = "hashed";
  target.password = "wrong";
  DbSession *trusted;
  while ((trusted = db_open(&target, &support_loop, in_ms(5000), &outcome)) != NULL)
    db_close(trusted);   /* until the reload has reached the postmaster */
  g_assert_cmpstr(outcome.text, ==, "FATAL (28P01): password authentication failed for user \"hashed\"");
  target.password = "secret";
  db_close(opened(&target));
  target.user = "clear";
  assert_not_opened(&target, "ERROR (28000): the server asks for the password in clear, which only the parameter "
                             "allowCleartextPasswords allows");
  target.params = &allow;
  target.n_params = 1;
  db_close(opened(&target));
}

/* The child that sends the cancel may be reaped by the program around us. */
static void pg_cancel_without_its_exit_status(Seat *seat, gconstpointer data) {
  signal(SIGCHLD, SIG_IGN);
  run_for(seat->session, sleeping(data), in_ms(50));
  signal(SIGCHLD, SIG_DFL);
  g_assert_cmpstr(outcome.text, ==, "timed out; the statement was cancelled");
  g_assert_true(outcome.session_usable);
}

/* However the bytes are cut, and whatever comes before. */
static void pg_the_question_for_a_password_is_seen(Seat *seat, gconstpointer data) {
  static const unsigned char md5[] = "R\0\0\0\x0c\0\0\0\x05salt", asked[] = "R\0\0\0\x08\0\0\0\x03";
  static const unsigned char other[] = "v\0\0\0\x0c\0\0\0\x03\0\0\0\0";
  AuthWatch watch = {0};
  g_assert_false(auth_watch(&watch, md5, sizeof md5 - 1));
  g_assert_false(auth_watch(&watch, other, sizeof other - 1));
  g_assert_true(auth_watch(&watch, asked, sizeof asked - 1));
  watch = (AuthWatch){0};
  for (gsize i = 0; i + 1 < sizeof other; i++)
    g_assert_false(auth_watch(&watch, other + i, 1));
  for (gsize i = 0; i + 1 < sizeof asked; i++)
    g_assert_cmpint(auth_watch(&watch, asked + i, 1), ==, i + 2 == sizeof asked);
}

/* The server's texts in a verbose message of libpq's, whichever attempt they came from. */
static void pg_connect_errors_are_read(Seat *seat, gconstpointer data) {
  static const struct { const char *message, *text, *sqlstate;
  } cases[] = {
      {"connection to server at \"127.0.0.1\", port 1 failed: FATAL:  57P03: the database system is starting up\n"
       "DETAIL:  d\nHINT:  h\nLOCATION:  ProcessStartupPacket, postmaster.c:2374\n",
       "FATAL (57P03): the database system is starting up\nDETAIL: d\nHINT: h", "57P03"},
      {"connection to server at \"h\", port 1 failed: FATAL:  28P01: a\nLOCATION:  x\n"
       "connection to server at \"h\", port 1 failed: FATAL:  3D000: b\nLOCATION:  x\n",
       "FATAL (3D000): b", "3D000"},
      {"connection to server at \"h\", port 1 failed: FATAL:  28P01: a\nLOCATION:  x\n"
       "connection to server at \"h\", port 2 failed: Connection refused\n\tIs it?\n",
       "FATAL (28P01): a", "28P01"},
      {"connection to server at \"h\", port 1 failed: Connection refused\n",
       "connection to server at \"h\", port 1 failed: "
       "Connection refused",
       NULL},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *sqlstate = NULL, *text = postgresql_connect_error(cases[i].message, &sqlstate);
    g_assert_cmpstr(text, ==, cases[i].text);
    g_assert_cmpstr(sqlstate, ==, cases[i].sqlstate);
  }
}

static void pg_errors_have_detail_and_hint(Seat *seat, gconstpointer data) {
  assert_error(seat->session, "SELECT 1/0", "ERROR (22012): division by zero");
  g_assert_cmpstr(outcome.sqlstate, ==, "22012");
  g_assert_cmpint(outcome.code, ==, 0);
  assert_error(seat->session,
               "DO $$ BEGIN RAISE EXCEPTION 'a' USING DETAIL = 'b', HINT = 'c', ERRCODE = 'XY123'; END $$",
               "ERROR (XY123): a\nDETAIL: b\nHINT: c");
  assert_error(seat->session, "SELEC", "ERROR (42601): syntax error at or near \"SELEC\"");
  assert_rows(seat->session, "SELECT 1 AS a", "[a]\n1\n");
}

static void pg_notices_have_levels(Seat *seat, gconstpointer data) {
  done(seat->session, "SET client_min_messages = debug1");
  done(seat->session, "DO $$ BEGIN RAISE DEBUG 'd'; RAISE LOG 'l'; RAISE INFO 'i'; RAISE NOTICE 'n'; "
                      "RAISE WARNING 'w' USING ERRCODE = '01999'; END $$");
  static const struct { DbNoticeLevel level; const char *code, *text; } expected[] = {
      {DB_DEBUG, "00000", "d"}, {DB_LOG, "00000", "l"}, {DB_INFO, "00000", "i"}, {DB_NOTICE, "00000", "n"},
      {DB_WARNING, "01999", "w"}};
  g_assert_nonnull(outcome.notices);
  g_assert_cmpuint(outcome.notices->len, ==, G_N_ELEMENTS(expected));
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
    const DbNotice *notice = g_ptr_array_index(outcome.notices, i);
    g_assert_cmpint(notice->level, ==, expected[i].level);
    g_assert_cmpstr(notice->code, ==, expected[i].code);
    g_assert_cmpstr(notice->text, ==, expected[i].text);
  }
  done(seat->session, "SELECT 1");
  g_assert_null(outcome.notices);
}

static void pg_the_last_of_several_results_counts(Seat *seat, gconstpointer data) {
  assert_rows(seat->session, "SELECT 1 AS a; SELECT 2 AS b, 3 AS c; SET work_mem = '1MB'", "[b|c]\n2|3\n");
  assert_error(seat->session, "SELECT 1 AS a; SELECT 1/0; SELECT 2", "ERROR (22012): division by zero");
}

static void pg_copy_is_refused(Seat *seat, gconstpointer data) {
  assert_error(seat->session, "COPY (SELECT generate_series(1, 100000)) TO STDOUT",
               "ERROR (0A000): COPY TO STDOUT gives no result here");
  done(seat->session, "CREATE TEMPORARY TABLE c(i int)");
  assert_error(seat->session, "COPY c FROM STDIN",
               "ERROR (57014): COPY from stdin failed: there is no data to send here");
  assert_rows(seat->session, "SELECT 1 AS a", "[a]\n1\n");
}

static void pg_nul_bytes_are_refused(Seat *seat, gconstpointer data) {
  db_execute(seat->session, "SELECT '\0'", 10, false, 0, NULL, NULL, false, -1, &outcome);
  g_assert_cmpstr(outcome.text, ==, "ERROR (22021): the statement has a NUL byte");
  DbCell arg = {"a\0b", 3};
  db_execute(seat->session, "SELECT $1", 9, true, 1, &arg, NULL, false, -1, &outcome);
  g_assert_cmpstr(outcome.text, ==, "ERROR (22021): parameter 1 has a NUL byte, which text cannot have");
}

static void pg_refused_sessions_have_a_sqlstate(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(&pg);
  target.user = "nobody";
  assert_not_opened(&target, "FATAL (28000): role \"nobody\" does not exist");
  g_assert_cmpstr(outcome.sqlstate, ==, "28000");
  target = support_target(&pg);
  target.database = "none";
  assert_not_opened(&target, "FATAL (3D000): database \"none\" does not exist");
  target = support_target(&pg);
  target.port = support_free_port();
  g_autofree char *text =
      g_strdup_printf("ERROR (08001): connection to server at \"127.0.0.1\", port %d failed: Connection refused\n"
                      "\tIs the server running on that host and accepting TCP/IP connections?",
                      target.port);
  assert_not_opened(&target, text);
  target.host = "localhost";
  assert_not_opened(&target, "ERROR (08001): host 'localhost' is no numeric address");
}

static void pg_words_reach_the_server(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(&pg);
  g_autofree char *ports = g_strdup_printf("%d,%d", support_free_port(), pg.port);
  DbParam params[] = {{"host", "127.0.0.1,127.0.0.1"}, {"port", ports}, {"target_session_attrs", "read-write"},
                      {"options", "-c work_mem=123kB"}};
  target.params = params;
  target.n_params = G_N_ELEMENTS(params);
  target.log_name = "the test";
  DbSession *session = opened(&target);
  assert_rows(session, "SELECT current_setting('work_mem') AS w, current_setting('application_name') AS n",
              "[w|n]\n123kB|the test\n");
  db_close(session);
  params[2].value = "standby";
  g_assert_null(db_open(&target, &support_loop, in_ms(5000), &outcome));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_nonnull(strstr(outcome.text, "server is not in hot standby mode"));
}

static void pg_replication_sessions_work(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(&pg);
  DbParam params[] = {{"replication", "database"}};
  target.params = params;
  target.n_params = 1;
  DbSession *session = opened(&target);
  run(session, "IDENTIFY_SYSTEM");
  assert_ok();
  g_assert_true(g_str_has_prefix(seen->str, "[systemid|timeline|xlogpos|dbname]\n"));
  db_close(session);
}

/* -- MySQL's own -- */

static void my_errors_have_their_shape(Seat *seat, gconstpointer data) {
  assert_error(seat->session, "SELECT * FROM none", "Error 1146 (42S02): Table 'test.none' doesn't exist");
  g_assert_cmpint(outcome.code, ==, 1146);
  g_assert_cmpstr(outcome.sqlstate, ==, "42S02");
  db_execute(seat->session, "SELECT * FROM none", 18, true, 0, NULL, &sink, true, -1, &outcome);
  g_assert_cmpstr(outcome.text, ==, "Error 1146 (42S02): Table 'test.none' doesn't exist");
  db_execute(seat->session, "SELECT ?", 8, true, 0, NULL, &sink, true, -1, &outcome);
  g_assert_cmpstr(outcome.text, ==, "Error 2034 (HY000): the statement has 1 parameters, 0 were given");
  assert_rows(seat->session, "SELECT 1 AS a", "[a]\n1\n");
}

static void my_warnings_are_shown(Seat *seat, gconstpointer data) {
  for (int prepared = 0; prepared <= 1; prepared++) {
    db_execute(seat->session, "SELECT 1/0", 10, prepared, 0, NULL, &sink, true, -1, &outcome);
    assert_ok();
    g_assert_nonnull(outcome.notices);
    g_assert_cmpuint(outcome.notices->len, ==, 1);
    const DbNotice *notice = g_ptr_array_index(outcome.notices, 0);
    g_assert_cmpint(notice->level, ==, DB_WARNING);
    g_assert_cmpstr(notice->code, ==, "1365");
    g_assert_cmpstr(notice->text, ==, "Division by 0");
  }
  db_execute(seat->session, "SELECT 1/0", 10, false, 0, NULL, &sink, false, -1, &outcome);
  g_assert_null(outcome.notices);
}

static void my_a_call_gives_several_results(Seat *seat, gconstpointer data) {
  done(seat->session, "CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1 AS a; SELECT 2 AS b UNION SELECT 3; END");
  assert_rows(seat->session, "CALL p()", "[b]\n2\n3\n");
  g_string_truncate(seen, 0);
  db_execute(seat->session, "CALL p()", 8, true, 0, NULL, &sink, false, in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpstr(seen->str, ==, "[b]\n2\n3\n");
  assert_error(seat->session, "SELECT 1; SELECT 2",
               "Error 1064 (42000): You have an error in your SQL syntax; check the manual that corresponds to your "
               "MariaDB server version for the right syntax to use near 'SELECT 2' at line 1");
}

/* Text and prepared answers read alike, whatever the type. */
static void my_types_read_alike(Seat *seat, gconstpointer data) {
  static const char sql[] =
      "SELECT -5, 1.50, 1e-7, CAST(0.1 AS FLOAT), CAST(1e300 AS DOUBLE), DATE'2024-02-29', TIME'-12:34:56.5', "
      "TIMESTAMP'2024-02-29 01:02:03.000004', x'00ff', b'101', 18446744073709551615, 'a\\0b', NULL, ''";
  run(seat->session, sql);
  assert_ok();
  g_autofree char *text = g_strdup(seen->str);
  g_assert_nonnull(strstr(text, "a\\0b|NULL|\n"));
  g_string_truncate(seen, 0);
  db_execute(seat->session, sql, strlen(sql), true, 0, NULL, &sink, false, in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpstr(strchr(seen->str, '\n'), ==, strchr(text, '\n'));
}

static void my_bytes_as_parameters(Seat *seat, gconstpointer data) {
  static const char bytes[] = {'a', 0, (char)0xff, '\''};
  DbCell arg = {bytes, sizeof bytes};
  g_string_truncate(seen, 0);
  db_execute(seat->session, "SELECT HEX(?) AS h", 18, true, 1, &arg, &sink, false, in_ms(5000), &outcome);
  assert_ok();
  g_assert_cmpstr(seen->str, ==, "[h]\n6100FF27\n");
}

static void my_cells_of_growing_size(Seat *seat, gconstpointer data) {
  const char *sql = "SELECT seq, IF(seq = 2, NULL, repeat('y', seq * 200)) FROM seq_1_to_4";
  g_string_truncate(seen, 0);
  db_execute(seat->session, sql, strlen(sql), true, 0, NULL, &(DbSink){.row = see_row}, false, in_ms(5000), &outcome);
  assert_ok();
  g_autoptr(GString) expected = g_string_new(NULL);
  for (gsize i = 1; i <= 4; i++) {
    g_autofree char *cell = i == 2 ? g_strdup("NULL") : g_strnfill(i * 200, 'y');
    g_string_append_printf(expected, "%zu|%s\n", i, cell);
  }
  g_assert_cmpstr(seen->str, ==, expected->str);
}

static void my_words_reach_the_server(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(&my);
  DbParam params[] = {{"multiStatements", "true"},     {"clientFoundRows", "true"}, {"collation", "utf8mb4_bin"},
                      {"charset", "utf8mb4,utf8"},     {"timeout", "5s"},           {"readTimeout", "200ms"},
                      {"maxAllowedPacket", "16777216"},
                       {"compress", "true"}, {"connectionAttributes", "colour:blue"}};
  target.params = params;
  target.n_params = G_N_ELEMENTS(params);
  DbSession *session = opened(&target);
  assert_rows(session, "SELECT 1 AS a; SELECT @@collation_connection AS b", "[b]\nutf8mb4_bin\n");
  done(session, "CREATE TEMPORARY TABLE w(i int)");
  done(session, "INSERT INTO w VALUES (1), (1)");
  done(session, "UPDATE w SET i = 1");
  g_assert_cmpint(outcome.affected, ==, 2);
  run(session, "SELECT SLEEP(5)");
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_true(outcome.lost);
  g_assert_cmpint(outcome.code, ==, 2013);
  db_close(session);
}

static void my_refused_sessions_say_why(Seat *seat, gconstpointer data) {
  DbTarget target = support_target(&my);
  target.user = "nobody";
  assert_not_opened(&target, "Error 1045 (28000): Access denied for user 'nobody'@'127.0.0.1' (using password: NO)");
  target = support_target(&my);
  target.database = "none";
  assert_not_opened(&target, "Error 1049 (42000): Unknown database 'none'");
  target = support_target(&my);
  target.port = support_free_port();
  assert_not_opened(&target, "Error 2002 (HY000): Can't connect to server on '127.0.0.1' (111)");
  target.host = "localhost";
  assert_not_opened(&target, "Error 2000 (HY000): host 'localhost' is no numeric address");
}

static void my_ed25519_passwords(Seat *seat, gconstpointer data) {
  done(seat->session, "CREATE OR REPLACE USER ed@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
  DbTarget target = support_target(&my);
  target.user = "ed";
  target.password = "secret";
  target.database = NULL;
  db_close(opened(&target));
  target.password = "wrong";
  assert_not_opened(&target, "Error 1045 (28000): Access denied for user 'ed'@'127.0.0.1' (using password: YES)");
}

static void my_infile_reads_what_is_named(Seat *seat, gconstpointer data) {
  g_autofree char *dir = file_in_root("files"), *file = g_build_filename(dir, "x.csv", NULL);
  g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
  g_assert_true(g_file_set_contents(file, "1\n2\n3\n", -1, NULL));
  DbTarget target = support_target(&my);
  const char *dirs[] = {dir, NULL};
  target.infile_dirs = dirs;
  DbSession *session = opened(&target);
  done(session, "CREATE TEMPORARY TABLE l(i int)");
  done(session, "LOAD DATA LOCAL INFILE 'x.csv' INTO TABLE l");
  g_assert_cmpint(outcome.affected, ==, 3);
  assert_error(
      session, "LOAD DATA LOCAL INFILE '../srv.key' INTO TABLE l",
      "Error 2068 (HY000): open '../srv.key' for LOAD DATA LOCAL: it lies outside the directories that are allowed");
  assert_rows(session, "SELECT count(*) AS n FROM l", "[n]\n3\n");
  db_close(session);
  run(seat->session, "CREATE TEMPORARY TABLE l(i int)");
  run(seat->session, "LOAD DATA LOCAL INFILE 'x.csv' INTO TABLE l");
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_cmpint(outcome.code, ==, 4166);
}

/* -- TLS -- */

static void tls_as_it_is_asked_for(Seat *seat, gconstpointer data) {
  g_autofree char *ca = file_in_root("ca.crt"), *other = file_in_root("other.crt");
  DbTarget target = support_target(data);
  target.tls = DB_TLS_PREFER;
  DbSession *session = opened(&target);
  g_assert_true(g_str_has_prefix(db_tls(session), "TLSv1.3 TLS_AES_"));
  run_for(session, sleeping(data), in_ms(100));
  g_assert_cmpstr(outcome.text, ==, "timed out; the statement was cancelled");
  assert_rows(session, "SELECT 1 AS a", "[a]\n1\n");
  db_close(session);
  target.tls = DB_TLS_REQUIRE;
  session = opened(&target);
  g_assert_nonnull(db_tls(session));
  db_close(session);
  target.tls = DB_TLS_VERIFY;
  target.ca = ca;
  target.tls_host = NAME;
  session = opened(&target);
  g_assert_nonnull(db_tls(session));
  db_close(session);
  target.ca = other;
  bool postgresql = target.kind == DB_POSTGRESQL;
  g_autofree char *unknown =
      g_strdup_printf("ERROR (08001): connection to server at \"127.0.0.1\", port %d failed: SSL error: "
                      "certificate verify failed",
                      target.port);
  assert_not_opened(&target,
                    postgresql ? unknown : "Error 2026 (HY000): TLS/SSL error: unable to get local issuer certificate");
  target.ca = NULL;
  assert_not_opened(&target,
                    postgresql ? "ERROR (08001): tls: verify needs ca:" : "Error 2000 (HY000): tls: verify needs ca:");
}

/* The certificate is for db.example alone. */
static void tls_checks_the_name(Seat *seat, gconstpointer data) {
  g_autofree char *ca = file_in_root("ca.crt");
  DbTarget target = support_target(data);
  target.tls = DB_TLS_VERIFY;
  target.ca = ca;
  for (int named = 0; named <= 1; named++) {
    target.tls_host = named ? "db.example.org" : NULL;
    g_autofree char *text =
        g_strdup_printf("ERROR (08001): connection to server at \"127.0.0.1\", port %d failed: server certificate "
                        "for \"" NAME "\"%s does not match host name \"%s\"",
                        target.port, named ? "" : " (and 1 other name)", named ? "db.example.org" : "127.0.0.1");
    assert_not_opened(&target, target.kind == DB_POSTGRESQL ? text
                                   : "Error 2026 (HY000): TLS/SSL error: Validation of SSL server certificate failed");
  }
}

static void tls_is_never_left_out_in_silence(Seat *seat, gconstpointer data) {
  const SupportServer *server = data;
  DbTarget target = support_target(server);
  target.tls = DB_TLS_PREFER;
  DbSession *session = opened(&target);
  g_assert_null(db_tls(session));
  db_close(session);
  target.tls = DB_TLS_REQUIRE;
  g_autofree char *text =
      g_strdup_printf("ERROR (08001): connection to server at \"127.0.0.1\", port %d failed: server does not "
                      "support SSL, but SSL was required",
                      target.port);
  assert_not_opened(&target, server->kind == DB_POSTGRESQL ? text
                                 : "Error 2026 (HY000): TLS is required, but the server does not offer it");
}

/* -- sessions that are lost -- */

static gint64 kill_at;
static SupportServer *to_kill;

/* Kills the server once the statement has been under way for a moment. */
static DbReadiness killing(int fd, short events, short *revents, gint64 deadline, gpointer data) {
  DbReadiness wait = support_poll(fd, events, revents, kill_at > 0 ? kill_at : deadline, NULL);
  if (wait == DB_WAIT_READY || kill_at == 0)
    return wait;
  kill_at = 0;
  kill(to_kill->pid, SIGKILL);
  return support_poll(fd, events, revents, deadline, NULL);
}

static void a_killed_server_loses_the_session(gconstpointer data) {
  if (!servers_are_here())
    return;
  SupportServer *server = to_kill = data == &victim_pg ? &victim_pg : &victim_my;
  DbTarget target = support_target(server);
  DbLoop loop = {killing, support_now, NULL};
  kill_at = 0;
  DbSession *session = db_open(&target, &loop, in_ms(5000), &outcome);
  g_assert_nonnull(session);
  kill_at = in_ms(100);
  run(session, server->kind == DB_POSTGRESQL ? "SELECT pg_sleep(30)" : sleeping(server));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_true(outcome.lost);
  g_assert_false(outcome.session_usable);
  g_assert_false(db_usable(session));
  g_assert_cmpstr(outcome.text, ==,
                  server->kind == DB_POSTGRESQL
                      ? "ERROR (08006): server closed the connection unexpectedly\n\tThis probably means the server "
                        "terminated abnormally\n\tbefore or while processing the request."
                      : "Error 2013 (HY000): Lost connection to server during query");
  assert_error(session, "SELECT 1", server->kind == DB_POSTGRESQL ? "ERROR (08003): the session was lost before"
                                                                  : "Error 2006 (HY000): the session was lost before");
  g_assert_true(outcome.lost);
  db_close(session);
  support_kill(server);
}

static void a_terminated_session_is_lost(Seat *seat, gconstpointer data) {
  if (data == &pg) {
    assert_error(seat->session, "SELECT pg_terminate_backend(pg_backend_pid())",
                 "FATAL (57P01): terminating connection due to administrator command");
  } else {
    g_autofree char *sql = g_strdup_printf("KILL %" G_GUINT64_FORMAT, db_session_number(seat->session));
    assert_error(seat->session, sql, "Error 1927 (70100): Connection was killed");
  }
  g_assert_true(outcome.lost);
  g_assert_false(db_usable(seat->session));
}

/* -- servers that mean harm: a child that speaks just enough of the protocol, and tells what it was sent -- */

typedef enum Harm {
  SILENT,
  ASKS_FOR_A_FILE,
  ASKS_FOR_CLEAR_PASSWORD,
  PG_ASKS_FOR_CLEAR_PASSWORD,
  OFFERS_NO_TLS,
  HANGS_IN_TLS
} Harm;

typedef struct Fake { pid_t pid; int port, told; } Fake;

static void say_packet(int fd, unsigned char number, const char *bytes, gsize len) {
  unsigned char header[4] = {(unsigned char)len, (unsigned char)(len >> 8), 0, number};
  if (write(fd, header, 4) != 4 || write(fd, bytes, len) != (ssize_t)len)
    _exit(1);
}

/* Reads what there is, and passes it on to the test. */
static ssize_t hear(int fd, int tell) {
  char bytes[4096];
  ssize_t n = read(fd, bytes, sizeof bytes);
  if (n > 0 && tell >= 0 && write(tell, bytes, (size_t)n) != n)
    _exit(1);
  return n;
}

static void greet(int fd, bool tls) {
  static const char head[] = "\x0a" "5.7.0-fake\0" "\x07\0\0\0" "abcdefgh\0";
  static const char tail[] = "\x21"
                             "\x02\0"
                             "\x0b\0"
                             "\x15"
                             "\0\0\0\0\0\0\0\0\0\0"
                             "ijklmnopqrst\0"
                             "mysql_native_password";
  char flags[2] = {(char)0x8d, (char)(tls ? 0xaa : 0xa2)};
  g_autoptr(GString) text = g_string_new_len(head, sizeof head - 1);
  g_string_append_len(text, flags, 2);
  g_string_append_len(text, tail, sizeof tail);
  say_packet(fd, 0, text->str, text->len);
}

static const char ok_packet[] = "\0\0\0\x02\0\0\0";

static void do_harm(int fd, Harm harm, int tell) {
  if (harm == OFFERS_NO_TLS) {   /* PostgreSQL's */
    hear(fd, -1);
    if (write(fd, "N", 1) != 1)
      _exit(1);
  } else if (harm == PG_ASKS_FOR_CLEAR_PASSWORD) {
    hear(fd, -1);
    if (write(fd, "R\0\0\0\x08\0\0\0\x03", 9) != 9)
      _exit(1);
  } else if (harm != SILENT) {
    greet(fd, harm == HANGS_IN_TLS);
    hear(fd, -1);
  }
  if (harm == ASKS_FOR_CLEAR_PASSWORD) {
    say_packet(fd, 2, "\xfe" "mysql_clear_password", 22);
  } else if (harm == ASKS_FOR_A_FILE) {
    say_packet(fd, 2, ok_packet, 7);
    hear(fd, -1);
    say_packet(fd, 1, "\xfb/etc/passwd", 12);
    hear(fd, tell);
    say_packet(fd, 3, ok_packet, 7);
  }
  while (hear(fd, tell) > 0)
    ;
}

static Fake start_fake(Harm harm) {
  Fake fake;
  int pipe_fds[2], listener = support_socket(&fake.port);
  g_assert_cmpint(listen(listener, 5), ==, 0);
  g_assert_cmpint(pipe2(pipe_fds, O_CLOEXEC), ==, 0);
  fake.told = pipe_fds[0];
  fake.pid = fork();
  if (fake.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(pipe_fds[0]);
    int fd = accept(listener, NULL, NULL);
    close(listener);
    do_harm(fd, harm, pipe_fds[1]);
    _exit(0);
  }
  close(listener);
  close(pipe_fds[1]);
  return fake;
}

/* Ends it; what the client told it after the harm was done. */
static GString *end_fake(Fake *fake, bool kill_it) {
  GString *told = g_string_new(NULL);
  char bytes[4096];
  ssize_t n;
  if (kill_it)
    kill(fake->pid, SIGKILL);
  while ((n = read(fake->told, bytes, sizeof bytes)) > 0)
    g_string_append_len(told, bytes, n);
  close(fake->told);
  waitpid(fake->pid, NULL, 0);
  return told;
}

static DbTarget fake_target(const Fake *fake, DbKind kind) {
  return (DbTarget){.kind = kind, .host = "127.0.0.1", .port = fake->port, .user = "u", .password = "secret-word",
                    .database = "d", .tls = DB_TLS_OFF};
}

static void no_file_leaves_on_a_servers_demand(void) {
  for (int allowed = 0; allowed <= 1; allowed++) {
    Fake fake = start_fake(ASKS_FOR_A_FILE);
    DbTarget target = fake_target(&fake, DB_MYSQL);
    const char *dirs[] = {"/etc", NULL};
    target.infile_dirs = allowed ? dirs : NULL;
    DbSession *session = opened(&target);
    run_for(session, allowed ? "LOAD DATA LOCAL INFILE 'hosts' INTO TABLE t" : "SELECT 1", in_ms(2000));
    g_assert_cmpint(outcome.status, ==, DB_ERROR);
    if (allowed)
      g_assert_cmpstr(outcome.text, ==,
                      "Error 2068 (HY000): the server asked for '/etc/passwd', which the statement does not name");
    else
      g_assert_cmpstr(outcome.text, ==, "Error 2000 (HY000): Load data local infile forbidden");
    db_close(session);
    g_autoptr(GString) told = end_fake(&fake, false);
    g_assert_null(strstr(told->str, "root"));
    g_assert_cmpuint(told->len, <, 20);   /* empty packets and QUIT */
  }
}

static bool asked_in_clear(DbKind kind, DbTls tls, const DbParam *param) {
  Fake fake = start_fake(kind == DB_MYSQL ? ASKS_FOR_CLEAR_PASSWORD : PG_ASKS_FOR_CLEAR_PASSWORD);
  DbTarget target = fake_target(&fake, kind);
  target.tls = tls;
  target.params = param;
  target.n_params = param != NULL;
  g_assert_null(db_open(&target, &support_loop, in_ms(300), &outcome));
  g_autoptr(GString) told = end_fake(&fake, false);
  return memmem(told->str, told->len, "secret-word", 11) != NULL;
}

static void a_clear_password_only_when_allowed(void) {
  DbParam allow = {"allowCleartextPasswords", "true"};
  g_assert_false(asked_in_clear(DB_MYSQL, DB_TLS_OFF, NULL));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_false(asked_in_clear(DB_MYSQL, DB_TLS_PREFER, NULL));
  g_assert_true(asked_in_clear(DB_MYSQL, DB_TLS_OFF, &allow));
  g_assert_false(asked_in_clear(DB_MYSQL, DB_TLS_REQUIRE, &allow));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_assert_false(asked_in_clear(DB_POSTGRESQL, DB_TLS_OFF, NULL));
  g_assert_cmpstr(outcome.text, ==,
                  "ERROR (28000): the server asks for the password in clear, which only the parameter "
                  "allowCleartextPasswords allows");
  g_assert_true(asked_in_clear(DB_POSTGRESQL, DB_TLS_OFF, &allow));
}

static void silence_ends_with_the_deadline(void) {
  for (guint kind = DB_POSTGRESQL; kind <= DB_MYSQL; kind++) {
    Fake fake = start_fake(SILENT);
    DbTarget target = fake_target(&fake, kind);
    gint64 start = g_get_monotonic_time();
    g_assert_null(db_open(&target, &support_loop, in_ms(100), &outcome));
    g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
    g_assert_cmpstr(outcome.text, ==, "timed out; no session came about");
    g_assert_cmpint(g_get_monotonic_time() - start, <, 500 * 1000);
    g_string_free(end_fake(&fake, true), TRUE);
  }
}

/* Connector/C would sit in the handshake until its own time-out of whole seconds. */
static void so_does_a_hanging_handshake(void) {
  Fake fake = start_fake(HANGS_IN_TLS);
  DbTarget target = fake_target(&fake, DB_MYSQL);
  target.tls = DB_TLS_PREFER;
  gint64 start = g_get_monotonic_time();
  g_assert_null(db_open(&target, &support_loop, in_ms(100), &outcome));
  g_assert_cmpint(outcome.status, ==, DB_TIMED_OUT);
  g_assert_cmpint(g_get_monotonic_time() - start, <, 500 * 1000);
  g_string_free(end_fake(&fake, true), TRUE);
}

static void pg_nothing_is_said_without_the_tls_asked_for(void) {
  Fake fake = start_fake(OFFERS_NO_TLS);
  DbTarget target = fake_target(&fake, DB_POSTGRESQL);
  target.tls = DB_TLS_REQUIRE;
  g_assert_null(db_open(&target, &support_loop, in_ms(2000), &outcome));
  g_assert_cmpint(outcome.status, ==, DB_ERROR);
  g_autoptr(GString) told = end_fake(&fake, false);
  g_assert_cmpuint(told->len, ==, 0);
}

/* -- the environment -- */

static const char *const hostile[][2] = {{"PGHOST", "/nowhere"},
                                         {"PGHOSTADDR", "10.255.255.1"},
                                         {"PGPORT", "1"},
                                         {"PGUSER", "x"},
                                         {"PGPASSWORD", "x"},
                                         {"PGDATABASE", "x"},
                                         {"PGOPTIONS", "-c work_mem=77kB"},
                                         {"PGSSLMODE", "verify-full"},
                                         {"PGSERVICE", "nowhere"},
                                         {"PGTZ", "Asia/Tokyo"},
                                         {"PGDATESTYLE", "German"},
                                         {"PGCLIENTENCODING", "LATIN1"},
                                         {"PGAPPNAME", "x"},
                                         {"PGTARGETSESSIONATTRS", "standby"},
                                         {"PGREQUIRESSL", "1"},
                                         {"PGCHANNELBINDING", "require"},
                                         {"PGGSSENCMODE", "require"},
                                         {"PGCONNECT_TIMEOUT", "x"},
                                         {"PGSSLROOTCERT", "/etc/passwd"},
                                         {"PGKRBSRVNAME", "x"},
                                         {"PGREQUIREPEER", "x"},
                                         {"MYSQL_PWD", "x"},
                                         {"MYSQL_TCP_PORT", "1"},
                                         {"MYSQL_UNIX_PORT", "/nowhere"},
                                         {"MYSQL_HOME", "/nowhere"},
                                         {"MARIADB_PLUGIN_DIR", "/nowhere"},
                                         {"LIBMYSQL_PLUGINS", "nothing"},
                                         {"LANG", "tr_TR.UTF-8"},
                                         {"LC_ALL", "tr_TR.UTF-8"},
                                         {"LANGUAGE", "tr"},
                                         {"TZ", "Asia/Tokyo"}};

static char *answers(void) {
  g_autoptr(GString) all = g_string_new(NULL);
  const SupportServer *servers[] = {&pg, &my};
  const char *sql[] = {
      "SELECT now() - now(), current_setting('TimeZone'), current_setting('DateStyle'), "
      "current_setting('client_encoding'), current_setting('work_mem'), current_setting('application_name'), 'ı'",
      "SELECT CURRENT_USER(), @@character_set_client, @@time_zone, 'ı'"};
  for (int i = 0; i < 2; i++) {
    for (int tls = DB_TLS_OFF; tls <= DB_TLS_REQUIRE; tls++) {
      DbTarget target = support_target(servers[i]);
      target.tls = tls;
      target.log_name = "me";
      DbSession *session = opened(&target);
      run(session, sql[i]);
      assert_ok();
      g_string_append(all, seen->str);
      run(session, "SELEC");
      g_string_append(all, outcome.text);
      db_close(session);
    }
    DbTarget target = support_target(servers[i]);
    target.user = "İnobody";
    g_assert_null(db_open(&target, &support_loop, in_ms(5000), &outcome));
    g_string_append(all, outcome.text);
  }
  return g_strdup(all->str);
}

static void nothing_of_the_environment_counts(void) {
  if (!servers_are_here())
    return;
  g_autofree char *before = answers(), *home = file_in_root("home"), *crt = g_build_filename(home, ".postgresql", NULL);
  g_autofree char *saved_home = g_strdup(g_getenv("HOME")), *cnf = g_build_filename(home, ".my.cnf", NULL);
  g_autofree char *bad = g_build_filename(crt, "root.crt", NULL),
                  *bad_cert = g_build_filename(crt, "postgresql.crt", NULL);
  g_assert_cmpint(g_mkdir_with_parents(crt, 0700), ==, 0);
  g_assert_true(g_file_set_contents(cnf, "[client]\nuser=x\nport=1\n", -1, NULL));
  g_assert_true(g_file_set_contents(bad, "nonsense", -1, NULL) && g_file_set_contents(bad_cert, "nonsense", -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
    g_setenv(hostile[i][0], hostile[i][1], TRUE);
  g_setenv("HOME", home, TRUE);
  setlocale(LC_ALL, "");
  g_autofree char *after = answers();
  g_assert_cmpstr(g_getenv("PGPORT"), ==, "1");   /* and it is left as it was */
  setlocale(LC_ALL, "C");
  for (guint i = 0; i < G_N_ELEMENTS(hostile); i++)
    g_unsetenv(hostile[i][0]);
  if (saved_home != NULL)
    g_setenv("HOME", saved_home, TRUE);
  g_assert_cmpstr(after, ==, before);
}

/* -- words -- */

static const struct { DbKind kind; const char *key, *value, *message;
} words[] = {
    {DB_POSTGRESQL, "options", "-c a=b", NULL},
    {DB_POSTGRESQL, "host", "127.0.0.1,::1", NULL},
    {DB_POSTGRESQL, "host", NULL, NULL},
    {DB_POSTGRESQL, "host", "localhost",
     "parameter 'host' cannot be 'localhost': it takes numeric addresses with commas between: names would have to be "
     "looked up"},
    {DB_POSTGRESQL, "port", "5432,0", "parameter 'port' cannot be '5432,0': it takes port numbers with commas between"},
    {DB_POSTGRESQL, "passfile", NULL,
     "parameter 'passfile' is refused: it would read a file of passwords; say password: or password_file: instead"},
    {DB_POSTGRESQL, "service", "x", "parameter 'service' is refused: it would read a service file"},
    {DB_POSTGRESQL, "sslmode", "prefer", "parameter 'sslmode' is refused: say tls: instead"},
    {DB_POSTGRESQL, "gssencmode", "disable", NULL},
    {DB_POSTGRESQL, "gssencmode", "prefer",
     "parameter 'gssencmode' cannot be 'prefer': it takes disable: nothing else is offered"},
    {DB_POSTGRESQL, "client_encoding", "auto",
     "parameter 'client_encoding' cannot be 'auto': it takes an encoding's name, and not auto, which would ask the "
     "locale"},
    {DB_POSTGRESQL, "target_session_attrs", "any,",
     "parameter 'target_session_attrs' cannot be 'any,': it takes any, read-write, read-only, primary, standby or "
     "prefer-standby"},
    {DB_POSTGRESQL, "replication", "database", NULL},
    {DB_POSTGRESQL, "nonsense", NULL, "libpq has no parameter 'nonsense'"},
    {DB_MYSQL, "allowCleartextPasswords", "true", NULL},
    {DB_MYSQL, "allowCleartextPasswords", "maybe",
     "parameter 'allowCleartextPasswords' cannot be 'maybe': it takes true or false"},
    {DB_MYSQL, "tls", "skip-verify", NULL},
    {DB_MYSQL, "tls", "custom", "parameter 'tls' cannot be 'custom': it takes true, false, preferred or skip-verify"},
    {DB_MYSQL, "timeout", "1m30.5s", NULL},
    {DB_MYSQL, "timeout", "30", "parameter 'timeout' cannot be '30': it takes a duration such as 30s or 500ms"},
    {DB_MYSQL, "timeout", "-1s", "parameter 'timeout' cannot be '-1s': it takes a duration such as 30s or 500ms"},
    {DB_MYSQL, "parseTime", "false", NULL},
    {DB_MYSQL, "parseTime", "true",
     "parameter 'parseTime' cannot be 'true': it takes false: times are compared as the server writes them"},
    {DB_MYSQL, "loc", NULL, "parameter 'loc' is refused: times are compared as the server writes them"},
    {DB_MYSQL, "collation", "x; DROP TABLE t",
     "parameter 'collation' cannot be 'x; DROP TABLE t': it takes a collation's name"},
    {DB_MYSQL, "maxAllowedPacket", "1g",
     "parameter 'maxAllowedPacket' cannot be '1g': it takes a number of bytes, at most 1 GiB"},
    {DB_MYSQL, "connectionAttributes", "a",
     "parameter 'connectionAttributes' cannot be 'a': it takes key:value pairs with commas between"},
    {DB_MYSQL, "MultiStatements", "true", "the MySQL client has no parameter 'MultiStatements'"},
};

static void words_are_checked(void) {
  for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
    g_autoptr(GError) error = NULL;
    bool known = db_check_param(words[i].kind, words[i].key, words[i].value, &error);
    g_assert_cmpstr(error != NULL ? error->message : NULL, ==, words[i].message);
    g_assert_cmpint(known, ==, words[i].message == NULL);
  }
  DbParam unknown = {"nonsense", "1"};
  DbTarget target = {
      .kind = DB_POSTGRESQL, .host = "127.0.0.1", .port = 1, .user = "u", .params = &unknown, .n_params = 1};
  assert_not_opened(&target, "ERROR (08001): libpq has no parameter 'nonsense'");
  target.kind = DB_MYSQL;
  assert_not_opened(&target, "Error 2000 (HY000): the MySQL client has no parameter 'nonsense'");
  db_outcome_clear(&outcome);
}

/* -- all of it -- */

typedef void (*Check)(Seat *seat, gconstpointer server);

static void skip(gconstpointer data) { g_assert_false(servers_are_here()); }

static void add(const char *name, const SupportServer *server, Check check) {
  g_autofree char *path =
      g_strdup_printf("/dbclient/%s/%s", server->kind == DB_POSTGRESQL ? "postgresql" : "mysql", name);
  if (root != NULL)
    g_test_add(path, Seat, server, sit_down, check, get_up);
  else
    g_test_add_data_func(path, server, skip);
}

static const struct { const char *name; Check check; } of_both[] = {
    {"values arrive as text", values_arrive_as_text},
    {"an empty result has columns", an_empty_result_has_columns},
    {"changed rows are counted", changed_rows_are_counted},
    {"parameters are bound", parameters_are_bound},
    {"prepared without parameters", prepared_without_parameters},
    {"a large cell and parameter", a_large_cell_and_parameter},
    {"a sink may have enough", a_sink_may_have_enough},
    {"a late statement is cancelled", a_late_statement_is_cancelled},
    {"so is a late stream", so_is_a_late_stream},
    {"a wait may be called off", a_wait_may_be_called_off},
    {"a million rows in flat memory", a_million_rows_in_flat_memory},
    {"a frozen server costs the session", a_frozen_server_costs_the_session},
    {"a session says who it is", a_session_says_who_it_is},
    {"a terminated session is lost", a_terminated_session_is_lost},
    {"tls as it is asked for", tls_as_it_is_asked_for},
    {"tls checks the name", tls_checks_the_name},
}, of_postgresql[] = {
    {"errors have detail and hint", pg_errors_have_detail_and_hint},
    {"notices have levels", pg_notices_have_levels},
    {"the last of several results counts", pg_the_last_of_several_results_counts},
    {"copy is refused", pg_copy_is_refused},
    {"nul bytes are refused", pg_nul_bytes_are_refused},
    {"refused sessions have a sqlstate", pg_refused_sessions_have_a_sqlstate},
    {"words reach the server", pg_words_reach_the_server},
    {"replication sessions work", pg_replication_sessions_work},
    {"passwords", pg_passwords},
    {"cancel without its exit status", pg_cancel_without_its_exit_status},
    {"the question for a password is seen", pg_the_question_for_a_password_is_seen},
    {"connect errors are read", pg_connect_errors_are_read},
}, of_mysql[] = {
    {"errors have their shape", my_errors_have_their_shape},
    {"warnings are shown", my_warnings_are_shown},
    {"a call gives several results", my_a_call_gives_several_results},
    {"types read alike", my_types_read_alike},
    {"bytes as parameters", my_bytes_as_parameters},
    {"cells of growing size", my_cells_of_growing_size},
    {"words reach the server", my_words_reach_the_server},
    {"refused sessions say why", my_refused_sessions_say_why},
    {"ed25519 passwords", my_ed25519_passwords},
    {"infile reads what is named", my_infile_reads_what_is_named},
};

static void start_servers(void) {
  root = support_make_root();
  support_certificates(root, NAME);
  support_make(&pg, DB_POSTGRESQL, root, "pg");
  support_make(&my, DB_MYSQL, root, "my");
  support_make(&victim_pg, DB_POSTGRESQL, root, "victim_pg");
  support_make(&victim_my, DB_MYSQL, root, "victim_my");
  support_start(&pg, root);
  support_start(&my, root);
  support_start(&victim_pg, NULL);
  support_start(&victim_my, NULL);
}

static void stop_servers(void) {
  SupportServer *servers[] = {&pg, &my, &victim_pg, &victim_my};
  for (guint i = 0; i < G_N_ELEMENTS(servers); i++)
    support_stop(servers[i]);
  support_remove(root);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  seen = g_string_new(NULL);
  pg.kind = victim_pg.kind = DB_POSTGRESQL;
  my.kind = victim_my.kind = DB_MYSQL;
  if (access(SUPPORT_PG_BIN "/initdb", X_OK) == 0 && access("/usr/sbin/mariadbd", X_OK) == 0 &&
      access("/usr/bin/openssl", X_OK) == 0)
    start_servers();
  g_test_add_func("/dbclient/words are checked", words_are_checked);
  for (guint i = 0; i < G_N_ELEMENTS(of_both); i++) {
    add(of_both[i].name, &pg, of_both[i].check);
    add(of_both[i].name, &my, of_both[i].check);
  }
  for (guint i = 0; i < G_N_ELEMENTS(of_postgresql); i++)
    add(of_postgresql[i].name, &pg, of_postgresql[i].check);
  for (guint i = 0; i < G_N_ELEMENTS(of_mysql); i++)
    add(of_mysql[i].name, &my, of_mysql[i].check);
  g_test_add_func("/dbclient/nothing of the environment counts", nothing_of_the_environment_counts);
  g_test_add_func("/dbclient/harm/no file leaves on a server's demand", no_file_leaves_on_a_servers_demand);
  g_test_add_func("/dbclient/harm/a clear password only when allowed", a_clear_password_only_when_allowed);
  g_test_add_func("/dbclient/harm/silence ends with the deadline", silence_ends_with_the_deadline);
  g_test_add_func("/dbclient/harm/so does a hanging handshake", so_does_a_hanging_handshake);
  g_test_add_func("/dbclient/harm/nothing is said without the tls asked for",
                  pg_nothing_is_said_without_the_tls_asked_for);
  add("tls is never left out in silence", &victim_pg, tls_is_never_left_out_in_silence);
  add("tls is never left out in silence", &victim_my, tls_is_never_left_out_in_silence);
  g_test_add_data_func("/dbclient/postgresql/a killed server loses the session", &victim_pg,
                       a_killed_server_loses_the_session);
  g_test_add_data_func("/dbclient/mysql/a killed server loses the session", &victim_my,
                       a_killed_server_loses_the_session);
  int status = g_test_run();
  if (root != NULL)
    stop_servers();
  db_outcome_clear(&outcome);
  g_string_free(seen, TRUE);
  return status;
}
