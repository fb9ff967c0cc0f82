/* PostgreSQL through libpq: always its non-blocking half, rows one by one. */
#include "dbclient/child_call.h"
#include "dbclient/client.h"
#include "dbclient/postgresql_auth.h"
#include "dbclient/postgresql_error.h"
#include "dbclient/postgresql_words.h"

#include <libpq-fe.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_FAILED "08001"
#define CONNECTION_LOST "08006"
#define NOT_SUPPORTED "0A000"
#define NOT_AUTHORIZED "28000"

/* Our own word, named as the MySQL client's; libpq has none for it. */
#define CLEARTEXT_WORD "allowCleartextPasswords"

typedef struct PgSession {
  DbSession base;
  PGconn *conn;              /* NULL once given up */
  DbOutcome *outcome;        /* of the call under way, for notices; NULL between calls */
  GString *sql;              /* the statement with a NUL after it */
  DbCell *cells;             /* room for one row */
  const char **names;        /* room for the columns' names, and for parameters */
  guint room;
} PgSession;

/* One statement on its way. */
typedef struct Run {
  PgSession *session;
  const DbSink *sink;
  DbOutcome *outcome;
  gint64 deadline;
  DbReadiness stopped;       /* READY while nothing stopped it */
  bool broken;               /* nothing more comes from the server */
  bool begun;                /* the columns of the present result were handed out */
  bool enough;               /* the sink wants no more rows */
  DbOutside outside;
} Run;

static gint64 later(const DbSession *session, gint64 microseconds) {
  return session->loop.now(session->loop.data) + microseconds;
}

/* -- what the server says beside results -- */

static void notice_received(void *data, const PGresult *result) {
  static const struct { const char *severity; DbNoticeLevel level; } levels[] = {
      {"DEBUG", DB_DEBUG}, {"LOG", DB_LOG}, {"INFO", DB_INFO}, {"NOTICE", DB_NOTICE}, {"WARNING", DB_WARNING}};
  PgSession *session = data;
  if (session->outcome == NULL)
    return;
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  DbNoticeLevel level = severity == NULL ? DB_NOTICE : DB_NOTICE_ERROR;
  for (guint i = 0; severity != NULL && i < G_N_ELEMENTS(levels); i++)
    if (strcmp(severity, levels[i].severity) == 0)
      level = levels[i].level;
  g_autofree char *own = text == NULL ? g_strchomp(g_strdup(PQresultErrorMessage(result))) : NULL;
  db_outcome_notice(session->outcome, level, PQresultErrorField(result, PG_DIAG_SQLSTATE), own != NULL ? own : text);
}

/* -- opening -- */

/* Keywords and values as libpq takes them; a later one overrules an earlier one. */
typedef struct Keywords { GPtrArray *names, *values; } Keywords;

static void say(Keywords *words, const char *name, const char *value) {
  if (value == NULL)
    return;
  g_ptr_array_add(words->names, g_strdup(name));
  g_ptr_array_add(words->values, g_strdup(value));
}

static const char *param(const DbTarget *target, const char *key) {
  const char *value = NULL;
  for (guint i = 0; i < target->n_params; i++)
    if (strcmp(target->params[i].key, key) == 0)
      value = target->params[i].value;
  return value;
}

/* The addresses, and the names that certificates are checked against: as many of these as of those. */
static void say_hosts(Keywords *words, const DbTarget *target) {
  const char *addresses = param(target, "hostaddr");
  if (addresses == NULL)
    addresses = param(target, "host");
  if (addresses == NULL)
    addresses = target->host;
  g_auto(GStrv) names = g_strsplit(addresses, ",", -1);
  for (guint i = 0; target->tls_host != NULL && names[i] != NULL; i++) {
    g_free(names[i]);
    names[i] = g_strdup(target->tls_host);
  }
  g_autofree char *joined = g_strjoinv(",", names);
  say(words, "hostaddr", addresses);
  say(words, "host", joined);
}

static void say_tls(Keywords *words, const DbTarget *target) {
  static const char *const modes[] = {[DB_TLS_OFF] = "disable", [DB_TLS_PREFER] = "prefer",
                                      [DB_TLS_REQUIRE] = "require", [DB_TLS_VERIFY] = "verify-full"};
  say(words, "sslmode", modes[target->tls]);
  /* Left unsaid, these would be files below ~/.postgresql; a root.crt there changes what `require` means. */
  say(words, "sslrootcert", target->ca != NULL ? target->ca : DB_NO_FILE);
  say(words, "sslcert", target->cert != NULL ? target->cert : DB_NO_FILE);
  say(words, "sslkey", target->key != NULL ? target->key : DB_NO_FILE);
  say(words, "sslcrl", DB_NO_FILE);
  say(words, "sslsni", "1");
  say(words, "sslcompression", "0");
  say(words, "ssl_min_protocol_version", "TLSv1.2");
}

static Keywords keywords_of(const DbTarget *target) {
  Keywords words = {g_ptr_array_new_with_free_func(g_free), g_ptr_array_new_with_free_func(g_free)};
  g_autofree char *port = g_strdup_printf("%d", target->port);
  say_hosts(&words, target);
  say(&words, "port", port);
  say(&words, "user", target->user);
  say(&words, "password", target->password);
  say(&words, "dbname", target->database != NULL ? target->database : target->user);
  say(&words, "passfile", DB_NO_FILE);
  say(&words, "gssencmode", "disable");
  say(&words, "channel_binding", "prefer");
  say(&words, "target_session_attrs", "any");
  say(&words, "client_encoding", "UTF8");
  say(&words, "application_name", target->log_name);
  say_tls(&words, target);
  for (guint i = 0; i < target->n_params; i++)
    if (!g_strv_contains((const char *const[]){"host", "hostaddr", CLEARTEXT_WORD, NULL}, target->params[i].key))
      say(&words, target->params[i].key, target->params[i].value);
  g_ptr_array_add(words.names, NULL);
  g_ptr_array_add(words.values, NULL);
  return words;
}

static void keywords_free(Keywords *words) {
  g_ptr_array_unref(words->names);
  g_ptr_array_unref(words->values);
}

static PGconn *start(const DbTarget *target) {
  Keywords words = keywords_of(target);
  DbOutside outside = db_shut_out(true);
  PGconn *conn =
      PQconnectStartParams((const char *const *)words.names->pdata, (const char *const *)words.values->pdata, 0);
  db_let_in(outside);
  keywords_free(&words);
  return conn;
}

static PostgresPollingStatusType connect_poll(PGconn *conn) {
  DbOutside outside = db_shut_out(true);
  PostgresPollingStatusType status = PQconnectPoll(conn);
  db_let_in(outside);
  return status;
}

/* Whether libpq may read on: not when that would make it send the password in clear.  What libpq is about to read is
 * looked at in the socket; a server with more to say before it knows us than libpq takes at once is refused. */
static bool may_go_on(PGconn *conn, AuthWatch *watch, DbOutcome *outcome) {
  unsigned char bytes[8192];
  if (PQstatus(conn) != CONNECTION_AWAITING_RESPONSE || PQsslInUse(conn)) {
    *watch = (AuthWatch){0};
    return true;
  }
  ssize_t n = recv(PQsocket(conn), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
  if (n < (ssize_t)sizeof bytes && (n <= 0 || !auth_watch(watch, bytes, (gsize)n)))
    return true;
  db_outcome_error(outcome, 0, NOT_AUTHORIZED,
                   "ERROR (" NOT_AUTHORIZED "): the server asks for the password in clear, which only the parameter "
                   CLEARTEXT_WORD " allows");
  return false;
}

static bool establish(PgSession *session, gint64 deadline, bool cleartext, DbOutcome *outcome) {
  AuthWatch watch = {0};
  const DbLoop *loop = &session->base.loop;
  PostgresPollingStatusType status =
      PQstatus(session->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
    short ready = 0;
    DbReadiness wait = loop->wait(PQsocket(session->conn), status == PGRES_POLLING_READING ? POLLIN : POLLOUT, &ready,
                                  deadline, loop->data);
    if (wait != DB_WAIT_READY) {
      db_outcome_stopped(outcome, wait, "no session came about");
      return false;
    }
    if (!cleartext && !may_go_on(session->conn, &watch, outcome))
      return false;
    status = connect_poll(session->conn);
  }
  if (status == PGRES_POLLING_OK)
    return true;
  g_autofree char *sqlstate = NULL;
  g_autofree char *text = postgresql_connect_error(PQerrorMessage(session->conn), &sqlstate);
  if (sqlstate != NULL)
    db_outcome_error(outcome, 0, sqlstate, "%s", text);
  else
    db_outcome_error(outcome, 0, CONNECT_FAILED, "ERROR (" CONNECT_FAILED "): %s", text);
  return false;
}

static void learn(PgSession *session) {
  PGconn *conn = session->conn;
  session->base.number = (guint64)PQbackendPID(conn);
  session->base.version = g_strdup(PQparameterStatus(conn, "server_version"));
  if (PQsslInUse(conn))
    session->base.tls = g_strdup_printf("%s %s", PQsslAttribute(conn, "protocol"), PQsslAttribute(conn, "cipher"));
  PQsetnonblocking(conn, 1);
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
}

static void pg_close(DbSession *base) {
  PgSession *session = (PgSession *)base;
  PQfinish(session->conn);
  g_string_free(session->sql, TRUE);
  g_free(session->cells);
  g_free(session->names);
  db_session_free(base);
}

static bool target_is_whole(const DbTarget *target, DbOutcome *outcome) {
  g_autoptr(GError) error = NULL;
  for (guint i = 0; error == NULL && i < target->n_params; i++)
    postgresql_word_check(target->params[i].key, target->params[i].value, &error);
  if (error == NULL && !postgresql_word_check("hostaddr", target->host, NULL))
    g_set_error(&error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "host '%s' is no numeric address", target->host);
  if (error == NULL && target->user == NULL)
    g_set_error_literal(&error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no user is named");
  if (error == NULL && target->tls == DB_TLS_VERIFY && target->ca == NULL)
    g_set_error_literal(&error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "tls: verify needs ca:");
  if (error != NULL)
    db_outcome_error(outcome, 0, CONNECT_FAILED, "ERROR (" CONNECT_FAILED "): %s", error->message);
  return error == NULL;
}

static DbSession *pg_open(const DbTarget *target, const DbLoop *loop, gint64 deadline, DbOutcome *outcome) {
  if (!target_is_whole(target, outcome))
    return NULL;
  PgSession *session = g_new0(PgSession, 1);
  session->base = (DbSession){.ops = &db_postgresql_ops, .loop = *loop};
  session->sql = g_string_new(NULL);
  session->outcome = outcome;
  const char *bound = param(target, "connect_timeout");
  if (bound != NULL && strcmp(bound, "0") != 0) {
    gint64 own = later(&session->base, g_ascii_strtoll(bound, NULL, 10) * G_USEC_PER_SEC);
    deadline = deadline < 0 ? own : MIN(deadline, own);
  }
  session->conn = start(target);
  if (session->conn == NULL)
    g_error("out of memory");
  PQsetNoticeReceiver(session->conn, notice_received, session);
  /* The only way to the SQLSTATE of a refused session: it is part of the verbose text. */
  PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
  bool cleartext = target->password == NULL || g_strcmp0(param(target, CLEARTEXT_WORD), "true") == 0;
  if (!establish(session, deadline, cleartext, outcome)) {
    pg_close(&session->base);
    return NULL;
  }
  learn(session);
  session->outcome = NULL;
  return &session->base;
}

/* -- waiting, with a statement under way -- */

/* The library's own error.  When the connection broke, PQgetResult() adds that it cannot wait on it any more. */
static void connection_error(Run *run, const char *message) {
  static const char extra[] = "\ninvalid socket";
  const char *sqlstate = PQstatus(run->session->conn) == CONNECTION_BAD ? CONNECTION_LOST : "XX000";
  g_autofree char *text = g_strchomp(g_strdup(message));
  if (run->broken && g_str_has_suffix(text, extra))
    text[strlen(text) - strlen(extra)] = '\0';
  db_outcome_error(run->outcome, 0, sqlstate, "ERROR (%s): %s", sqlstate, text);
}

static bool send_cancel(gpointer data) {
  char why[256];
  return PQcancel(data, why, sizeof why) == 1;
}

/* The statement's time is up: asks the server to stop it, and gives it the time that cancelling may take.  PQcancel()
 * returns once the server has passed the signal on, so it cannot hit a later statement. */
static bool stop(Run *run, DbReadiness why) {
  if (run->stopped != DB_WAIT_READY)
    return false;
  PgSession *session = run->session;
  run->stopped = why;
  run->deadline = later(&session->base, DB_CANCEL_WITHIN);
  PGcancel *cancel = PQgetCancel(session->conn);
  db_let_in(run->outside);
  bool sent = cancel != NULL && child_call(send_cancel, cancel, &session->base.loop, run->deadline);
  run->outside = db_shut_out(false);
  PQfreeCancel(cancel);
  return sent;
}

static DbReadiness wait_for(Run *run, short events, short *ready) {
  const DbLoop *loop = &run->session->base.loop;
  db_let_in(run->outside);
  DbReadiness wait = loop->wait(PQsocket(run->session->conn), events, ready, run->deadline, loop->data);
  run->outside = db_shut_out(false);
  return wait;
}

/* False: give the session up.  A connection that broke is no reason: PQgetResult() has the words for it. */
static bool await(Run *run, short events) {
  for (;;) {
    short ready = 0;
    DbReadiness wait = wait_for(run, events, &ready);
    if (wait == DB_WAIT_READY) {
      if ((ready & ~POLLOUT) != 0 && PQconsumeInput(run->session->conn) != 1)
        run->broken = true;
      return true;
    }
    if (!stop(run, wait))
      return false;
  }
}

static bool flush(Run *run) {
  while (!run->broken && PQflush(run->session->conn) == 1)
    if (!await(run, POLLIN | POLLOUT))
      return false;
  return true;
}

/* False: give the session up.  *result NULL: there are no more. */
static bool next_result(Run *run, PGresult **result) {
  PGconn *conn = run->session->conn;
  while (!run->broken && PQisBusy(conn))
    if (!await(run, POLLIN))
      return false;
  *result = PQgetResult(conn);
  return true;
}

/* -- results -- */

static void result_error(Run *run, const PGresult *result) {
  const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (sqlstate == NULL) {
    connection_error(run, PQresultErrorMessage(result));
    return;
  }
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
  const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
  db_outcome_error(run->outcome, 0, sqlstate, "%s (%s): %s%s%s%s%s", severity != NULL ? severity : "ERROR", sqlstate,
                   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), detail != NULL ? "\nDETAIL: " : "",
                   detail != NULL ? detail : "", hint != NULL ? "\nHINT: " : "", hint != NULL ? hint : "");
}

static void make_room(PgSession *session, guint n) {
  if (n <= session->room)
    return;
  session->cells = g_renew(DbCell, session->cells, n);
  session->names = g_renew(const char *, session->names, n);
  session->room = n;
}

static void begin_result(Run *run, const PGresult *result) {
  guint n = (guint)PQnfields(result);
  make_room(run->session, n);
  run->begun = run->outcome->has_result = true;
  run->enough = run->sink == NULL || run->sink->row == NULL;
  run->outcome->rows = 0;
  if (run->sink == NULL || run->sink->columns == NULL)
    return;
  for (guint i = 0; i < n; i++)
    run->session->names[i] = PQfname(result, (int)i);
  run->sink->columns(n, run->session->names, run->sink->data);
}

static void take_row(Run *run, const PGresult *result, int row) {
  DbCell *cells = run->session->cells;
  int n = PQnfields(result);
  run->outcome->rows++;
  if (run->enough)
    return;
  for (int i = 0; i < n; i++) {
    bool null = PQgetisnull(result, row, i);
    cells[i] = (DbCell){null ? NULL : PQgetvalue(result, row, i), null ? 0 : (gsize)PQgetlength(result, row, i)};
  }
  run->enough = !run->sink->row((guint)n, cells, run->sink->data);
}

static void take_rows(Run *run, const PGresult *result) {
  if (!run->begun)
    begin_result(run, result);
  for (int row = 0; row < PQntuples(result); row++)
    take_row(run, result, row);
}

static void take_count(Run *run, PGresult *result) {
  const char *count = PQcmdTuples(result);
  run->outcome->affected = count[0] == '\0' ? -1 : g_ascii_strtoll(count, NULL, 10);
  run->begun = false;
}

/* There is no data to send: the server is told so, and answers with an error. */
static bool refuse_copy_in(Run *run) {
  int sent;
  while ((sent = PQputCopyEnd(run->session->conn, "there is no data to send here")) == 0)
    if (!await(run, POLLIN | POLLOUT))
      return false;
  return flush(run);
}

static bool drain_copy_out(Run *run) {
  char *line;
  int len;
  db_outcome_error(run->outcome, 0, NOT_SUPPORTED, "ERROR (" NOT_SUPPORTED "): COPY TO STDOUT gives no result here");
  while ((len = PQgetCopyData(run->session->conn, &line, 1)) >= 0) {
    if (len > 0)
      PQfreemem(line);
    else if (run->broken || !await(run, POLLIN))
      return run->broken;
  }
  return true;
}

/* False: give the session up. */
static bool take_result(Run *run, PGresult *result) {
  switch (PQresultStatus(result)) {
  case PGRES_SINGLE_TUPLE:
    take_rows(run, result);
    return true;
  case PGRES_TUPLES_OK:
    take_rows(run, result);
    take_count(run, result);
    return true;
  case PGRES_COMMAND_OK:
    take_count(run, result);
    return true;
  case PGRES_EMPTY_QUERY:
    return true;
  case PGRES_COPY_IN:
    return refuse_copy_in(run);
  case PGRES_COPY_OUT:
    return drain_copy_out(run);
  case PGRES_COPY_BOTH:
    db_outcome_error(run->outcome, 0, NOT_SUPPORTED,
                     "ERROR (" NOT_SUPPORTED "): a replication stream gives no result here");
    return false;
  default:
    result_error(run, result);
    return true;
  }
}

static bool take_results(Run *run) {
  PGresult *result;
  for (;;) {
    if (!next_result(run, &result))
      return false;
    if (result == NULL)
      return true;
    bool keep = take_result(run, result);
    PQclear(result);
    if (!keep)
      return false;
  }
}

/* -- one statement -- */

static bool send_bound(PgSession *session, guint n_args, const DbCell *args, DbOutcome *outcome) {
  make_room(session, n_args);
  for (guint i = 0; i < n_args; i++) {
    session->names[i] = args[i].bytes;
    if (args[i].bytes != NULL && strlen(args[i].bytes) != args[i].len) {
      db_outcome_error(outcome, 0, "22021", "ERROR (22021): parameter %u has a NUL byte, which text cannot have",
                       i + 1);
      return false;
    }
  }
  return PQsendQueryParams(session->conn, session->sql->str, (int)n_args, NULL, session->names, NULL, NULL, 0) == 1;
}

static bool send_statement(Run *run, const char *sql, gsize len, bool bound, guint n_args, const DbCell *args) {
  PgSession *session = run->session;
  if (memchr(sql, '\0', len) != NULL) {
    db_outcome_error(run->outcome, 0, "22021", "ERROR (22021): the statement has a NUL byte");
    return false;
  }
  g_string_truncate(session->sql, 0);
  g_string_append_len(session->sql, sql, (gssize)len);
  bool sent =
      bound ? send_bound(session, n_args, args, run->outcome) : PQsendQuery(session->conn, session->sql->str) == 1;
  if (sent)
    return PQsetSingleRowMode(session->conn), true;
  connection_error(run, PQerrorMessage(session->conn));
  return false;
}

static void finish(Run *run, bool keep) {
  PgSession *session = run->session;
  bool bad = PQstatus(session->conn) == CONNECTION_BAD;
  run->outcome->lost = bad && run->stopped == DB_WAIT_READY;
  if (run->stopped != DB_WAIT_READY)
    db_outcome_stopped(run->outcome, run->stopped,
                       keep && !bad ? "the statement was cancelled"
                                    : "the session was closed, for the cancel was not confirmed and drained in time");
  if (!keep)
    g_clear_pointer(&session->conn, PQfinish);
}

static void pg_execute(DbSession *base, const char *sql, gsize len, bool prepared, guint n_args, const DbCell *args,
                       const DbSink *sink, bool want_warnings, gint64 deadline, DbOutcome *outcome) {
  PgSession *session = (PgSession *)base;
  Run run = {.session = session, .sink = sink, .outcome = outcome, .deadline = deadline, .stopped = DB_WAIT_READY};
  if (session->conn == NULL || PQstatus(session->conn) == CONNECTION_BAD) {
    db_outcome_error(outcome, 0, "08003", "ERROR (08003): the session was lost before");
    outcome->lost = true;
    return;
  }
  session->outcome = outcome;
  run.outside = db_shut_out(false);
  bool keep = true;
  if (send_statement(&run, sql, len, prepared || n_args > 0, n_args, args))
    keep = flush(&run) && take_results(&run);
  finish(&run, keep);
  db_let_in(run.outside);
  session->outcome = NULL;
}

static bool pg_usable(const DbSession *base) {
  const PgSession *session = (const PgSession *)base;
  return session->conn != NULL && PQstatus(session->conn) == CONNECTION_OK;
}

const DbOps db_postgresql_ops = {
    .check_param = postgresql_word_check,
    .open = pg_open,
    .close = pg_close,
    .execute = pg_execute,
    .usable = pg_usable,
};
