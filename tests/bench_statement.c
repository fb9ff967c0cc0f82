/* What a statement costs through dbclient, against the same statement through the bare library.
 *
 *   bench_dbclient [--pin CPU] [--rounds N] [--statements N] postgresql|mysql HOST PORT USER
 *
 * Both run SELECT 1 in turn, round by round, so that a busy machine slows both.  Prints the medians and their ratio.
 * Pin client and server to one CPU, else the scheduler is measured.
 */
#include "dbclient/dbclient.h"

#include <libpq-fe.h>
#include <mysql.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int pin = -1, rounds = 31, statements = 2000;

static const GOptionEntry options[] = {
    {"pin", 0, 0, G_OPTION_ARG_INT, &pin, "run on this CPU only", "CPU"},
    {"rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "rounds of each", "N"},
    {"statements", 0, 0, G_OPTION_ARG_INT, &statements, "statements in a round", "N"},
    {NULL},
};

static DbReadiness poll_wait(int fd, short events, short *revents, gint64 deadline, gpointer data) {
  struct pollfd poll_fd = {.fd = fd, .events = events};
  gint64 left = deadline < 0 ? -1 : MAX(0, deadline - g_get_monotonic_time() + 999) / 1000;
  int ready = poll(&poll_fd, 1, (int)left);
  *revents = poll_fd.revents;
  return ready > 0 ? DB_WAIT_READY : DB_WAIT_TIMEOUT;
}

static gint64 monotonic(gpointer data) { return g_get_monotonic_time(); }

static const DbLoop loop = {poll_wait, monotonic, NULL};

static void fail(const char *who, const char *why) {
  g_printerr("bench_dbclient: %s: %s\n", who, why);
  exit(1);
}

static bool count_row(guint n, const DbCell *cells, gpointer data) {
  *(guint64 *)data += cells[0].len;
  return true;
}

static void through_dbclient(DbSession *session) {
  guint64 bytes = 0;
  DbSink sink = {.row = count_row, .data = &bytes};
  DbOutcome outcome = {0};
  for (int i = 0; i < statements; i++) {
    db_execute(session, "SELECT 1", strlen("SELECT 1"), false, 0, NULL, &sink, false,
               monotonic(NULL) + 10 * G_USEC_PER_SEC, &outcome);
    if (outcome.status != DB_OK)
      fail("dbclient", outcome.text);
  }
  db_outcome_clear(&outcome);
  if (bytes != (guint64)statements)
    fail("dbclient", "rows are missing");
}

static void through_libpq(PGconn *conn) {
  for (int i = 0; i < statements; i++) {
    PGresult *result = PQexec(conn, "SELECT 1");
    if (PQntuples(result) != 1)
      fail("libpq", PQerrorMessage(conn));
    PQclear(result);
  }
}

static void through_connector(MYSQL *mysql) {
  for (int i = 0; i < statements; i++) {
    MYSQL_RES *result = mysql_query(mysql, "SELECT 1") == 0 ? mysql_store_result(mysql) : NULL;
    if (result == NULL || mysql_fetch_row(result) == NULL)
      fail("Connector/C", mysql_error(mysql));
    mysql_free_result(result);
  }
}

typedef struct Bare { PGconn *conn; MYSQL *mysql; } Bare;

static Bare open_bare(const DbTarget *target) {
  Bare bare = {0};
  g_autofree char *port = g_strdup_printf("%d", target->port);
  if (target->kind == DB_POSTGRESQL) {
    bare.conn = PQsetdbLogin(target->host, port, NULL, NULL, "postgres", target->user, NULL);
    if (PQstatus(bare.conn) != CONNECTION_OK)
      fail("libpq", PQerrorMessage(bare.conn));
  } else {
    bare.mysql = mysql_init(NULL);
    if (mysql_real_connect(bare.mysql, target->host, target->user, "", NULL, (unsigned)target->port, NULL, 0) == NULL)
      fail("Connector/C", mysql_error(bare.mysql));
  }
  return bare;
}

static double microseconds_since(gint64 start) { return (double)(g_get_monotonic_time() - start) / statements; }

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values) {
  qsort(values, (size_t)rounds, sizeof *values, by_size);
  return values[rounds / 2];
}

static void measure(DbSession *session, const Bare *bare) {
  g_autofree double *ours = g_new(double, rounds), *theirs = g_new(double, rounds);
  for (int i = 0; i < rounds; i++) {
    gint64 start = g_get_monotonic_time();
    through_dbclient(session);
    ours[i] = microseconds_since(start);
    start = g_get_monotonic_time();
    if (bare->conn != NULL)
      through_libpq(bare->conn);
    else
      through_connector(bare->mysql);
    theirs[i] = microseconds_since(start);
  }
  double a = median(ours), b = median(theirs);
  g_print("dbclient %.2f us, bare library %.2f us a statement: ratio %.3f\n", a, b, a / b);
}

static void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    fail("--pin", g_strerror(errno));
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GOptionContext) context = g_option_context_new("postgresql|mysql HOST PORT USER");
  g_option_context_add_main_entries(context, options, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error))
    fail("options", error->message);
  if (argc != 5 || rounds < 1 || statements < 1)
    fail("usage", "bench_dbclient [--pin CPU] [--rounds N] [--statements N] postgresql|mysql HOST PORT USER");
  if (pin >= 0)
    pin_to(pin);
  DbTarget target = {.kind = strcmp(argv[1], "mysql") == 0 ? DB_MYSQL : DB_POSTGRESQL, .host = argv[2],
                     .port = atoi(argv[3]), .user = argv[4], .tls = DB_TLS_OFF};
  if (target.kind == DB_POSTGRESQL)
    target.database = "postgres";
  DbOutcome outcome = {0};
  DbSession *session = db_open(&target, &loop, -1, &outcome);
  if (session == NULL)
    fail("dbclient", outcome.text);
  Bare bare = open_bare(&target);
  measure(session, &bare);
  PQfinish(bare.conn);
  if (bare.mysql != NULL)
    mysql_close(bare.mysql);
  db_close(session);
  return 0;
}
