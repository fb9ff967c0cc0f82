/* What a statement costs through a session of the runner (its fibers, its loop, dbclient), against the same statement
 * in a loop over the bare library.
 *
 *   bench_statement [--rounds N] [--statements N] [--limit RATIO] [postgresql|mysql HOST PORT USER]
 *
 * Without a server it starts a PostgreSQL and a MariaDB of its own.  Both sides run SELECT 1 in turn, round by round,
 * so that a busy machine slows both; client and server share one CPU, else the scheduler is measured.  Prints for each
 * server: name, our median, the library's median, the median of the rounds' ratios, their least and greatest; times in
 * microseconds a statement.  --limit: exits 1 when a median ratio is above it.
 */
#include "runner/session.h"

#include <libpq-fe.h>
#include <mysql.h>
#undef CLIENT_MYSQL              /* a flag of the protocol there, a kind of client here */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support_servers.h"

static int rounds = 401, statements = 100;
static double limit = 0;

static const GOptionEntry options[] = {
    {"rounds", 0, 0, G_OPTION_ARG_INT, &rounds, "rounds of each", "N"},
    {"statements", 0, 0, G_OPTION_ARG_INT, &statements, "statements in a round", "N"},
    {"limit", 0, 0, G_OPTION_ARG_DOUBLE, &limit, "fail above this ratio", "RATIO"},
    {NULL},
};

static void fail(const char *who, const char *why) {
  g_printerr("bench_statement: %s: %s\n", who, why ? why : "failed");
  exit(2);
}

/* ---- Ours */

static bool count_row(guint n, const DbCell *cells, gpointer data) {
  *(guint64 *)data += cells[0].len;
  return true;
}

static void through_session(Session *session) {
  guint64 bytes = 0;
  DbSink sink = {.row = count_row, .data = &bytes};
  DbOutcome outcome = {0};
  for (int i = 0; i < statements; i++) {
    db_execute(session->db, "SELECT 1", strlen("SELECT 1"), false, 0, NULL, &sink, false,
               deadline_in(10 * G_USEC_PER_SEC), &outcome);
    if (outcome.status != DB_OK) fail("session", outcome.text);
  }
  db_outcome_clear(&outcome);
  if (bytes != (guint64)statements) fail("session", "rows are missing");
}

static Text plain(const char *literal) { return (Text){.raw = literal, .len = strlen(literal)}; }

/* A session as a step's would be, of a server with no more to it than an address. */
static Session *open_session(const DbTarget *target) {
  static const PlannedTest planned = {.file = "/"};
  static const ClusterOptions cluster_options = {.cwd = "/"};
  static Cluster cluster = {.planned = &planned, .options = &cluster_options};
  static Engine engine;
  static const Server server = {.engine = &engine};
  static Node node;
  g_auto(Outcome) outcome = {0};
  DbOutcome said = {0};
  engine = (Engine){.name = "bench", .client = target->kind == DB_POSTGRESQL ? CLIENT_POSTGRESQL : CLIENT_MYSQL};
  engine.words.user = plain(target->user);
  engine.words.database = plain(target->database);
  node = (Node){.cluster = &cluster, .server = &server, .engine = &engine, .name = "bench", .port = target->port};
  Scope scope = {.cluster = &cluster};
  Session *session = session_open(&scope, &node, NULL, deadline_in(10 * G_USEC_PER_SEC), &said, &outcome);
  if (!session) fail("session", outcome.headline ? outcome.headline : said.text);
  return session;
}

/* ---- The libraries alone */

typedef struct Bare { PGconn *conn; MYSQL *mysql; } Bare;

static void through_libpq(PGconn *conn) {
  for (int i = 0; i < statements; i++) {
    PGresult *result = PQexec(conn, "SELECT 1");
    if (PQntuples(result) != 1) fail("libpq", PQerrorMessage(conn));
    PQclear(result);
  }
}

static void through_connector(MYSQL *mysql) {
  for (int i = 0; i < statements; i++) {
    MYSQL_RES *result = mysql_query(mysql, "SELECT 1") == 0 ? mysql_store_result(mysql) : NULL;
    if (!result || !mysql_fetch_row(result)) fail("Connector/C", mysql_error(mysql));
    mysql_free_result(result);
  }
}

static Bare open_bare(const DbTarget *target) {
  Bare bare = {0};
  g_autofree char *port = g_strdup_printf("%d", target->port);
  if (target->kind == DB_POSTGRESQL) {
    bare.conn = PQsetdbLogin(target->host, port, NULL, NULL, target->database, target->user, NULL);
    if (PQstatus(bare.conn) != CONNECTION_OK) fail("libpq", PQerrorMessage(bare.conn));
    return bare;
  }
  bare.mysql = mysql_init(NULL);
  if (!mysql_real_connect(bare.mysql, target->host, target->user, "", NULL, (unsigned)target->port, NULL, 0))
    fail("Connector/C", mysql_error(bare.mysql));
  return bare;
}

static void through_bare(const Bare *bare) {
  if (bare->conn) through_libpq(bare->conn);
  else through_connector(bare->mysql);
}

static void close_bare(Bare *bare) {
  PQfinish(bare->conn);
  if (bare->mysql) mysql_close(bare->mysql);
}

/* ---- Measuring */

static double since(gint64 start) { return (double)(g_get_monotonic_time() - start) / statements; }

static int by_size(gconstpointer a, gconstpointer b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Sorts. */
static double median(double *values) {
  qsort(values, (size_t)rounds, sizeof *values, by_size);
  return values[rounds / 2];
}

typedef struct Job { const DbTarget *target; double ratio; } Job;

/* Who is first alternates; the first round warms both up and does not count. */
static void measure(gpointer data) {
  Job *job = data;
  g_autofree double *ours = g_new(double, rounds), *theirs = g_new(double, rounds), *ratios = g_new(double, rounds);
  Session *session = open_session(job->target);
  Bare bare = open_bare(job->target);
  for (int i = -1; i < rounds; i++) {
    double took[2];
    for (int turn = 0; turn < 2; turn++) {
      int who = (i + 1 + turn) % 2;
      gint64 start = g_get_monotonic_time();
      if (who == 0) through_session(session);
      else through_bare(&bare);
      took[who] = since(start);
    }
    if (i < 0) continue;
    ours[i] = took[0];
    theirs[i] = took[1];
    ratios[i] = took[0] / took[1];
  }
  job->ratio = median(ratios);
  g_print("%s %.2f %.2f %.3f %.3f %.3f\n", job->target->kind == DB_POSTGRESQL ? "postgresql" : "mariadb", median(ours),
          median(theirs), job->ratio, ratios[0], ratios[rounds - 1]);
  close_bare(&bare);
  session_free(session);
}

static bool measure_in_loop(const DbTarget *target) {
  Job job = {.target = target};
  loop_new();
  fiber_spawn_detached("measure", measure, &job);
  loop_run();
  loop_free();
  return limit <= 0 || job.ratio <= limit;
}

/* The last one we may use; servers that are started later inherit it. */
static void pin(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) fail("sched_getaffinity", g_strerror(errno));
  int cpu = CPU_SETSIZE - 1;
  while (!CPU_ISSET((size_t)cpu, &set)) cpu--;
  CPU_ZERO(&set);
  CPU_SET((size_t)cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity", g_strerror(errno));
}

static bool measure_own_servers(void) {
  static const struct { DbKind kind; const char *name; } kinds[] = {{DB_POSTGRESQL, "pg"}, {DB_MYSQL, "my"}};
  char *root = support_make_root();
  bool good = true;
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    SupportServer server;
    support_make(&server, kinds[i].kind, root, kinds[i].name);
    support_start(&server, NULL);
    DbTarget target = support_target(&server);
    good = measure_in_loop(&target) && good;
    support_stop(&server);
  }
  support_remove(root);
  return good;
}

int main(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GOptionContext) context = g_option_context_new("[postgresql|mysql HOST PORT USER]");
  g_option_context_add_main_entries(context, options, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error)) fail("options", error->message);
  if ((argc != 1 && argc != 5) || rounds < 1 || statements < 1) fail("arguments", "see --help");
  pin();
  if (argc == 1) return measure_own_servers() ? 0 : 1;
  bool mysql = strcmp(argv[1], "mysql") == 0;
  DbTarget target = {.kind = mysql ? DB_MYSQL : DB_POSTGRESQL, .host = argv[2], .port = atoi(argv[3]), .user = argv[4],
                     .database = mysql ? "test" : "postgres"};
  return measure_in_loop(&target) ? 0 : 1;
}
