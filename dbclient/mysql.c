/* MySQL's protocol through MariaDB Connector/C.
 *
 * Its non-blocking half (mysql_*_start, _cont) blocks in the TLS handshake.  So the blocking half is used, with
 * MARIADB_OPT_IO_WAIT: the library calls wait_io() wherever it would block, and that calls the caller's DbWait.  A
 * statement whose time is up is killed from within that wait, so the library goes on reading and sees its end. */
#include "dbclient/client.h"
#include "dbclient/infile.h"
#include "dbclient/mysql_words.h"

#include <arpa/inet.h>
#include <errno.h>
#include <errmsg.h>
#include <fcntl.h>
#include <mysql.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The library's connect timeout must be set, or it connects with a blocking call; the deadline is in wait_io(). */
#define LONG_TIME (24 * 3600)
#define FIRST_ROOM 256
#define REJECTED_INFILE 2068   /* as MySQL's own client numbers it */

/* Exported, though in no public header: called after each read and write of a session that is not yet encrypted. */
int ma_pvio_register_callback(my_bool add,
                              void (*callback)(int is_write, MYSQL *mysql, const unsigned char *bytes, size_t len));

/* What a session was opened with: KILL QUERY needs a second one of the same kind. */
typedef struct Login {
  char *host, *user, *password, *database, *ca, *cert, *key, *tls_host, *log_name;
  int port;
  DbTls tls;
  bool infile;
  MysqlWords words;
} Login;

typedef struct MySession MySession;

/* One connection, as the library's waits see it. */
typedef struct Wire {
  MYSQL *mysql;
  const Login *login;
  DbLoop loop;
  gint64 deadline;
  DbReadiness stopped;       /* READY while nothing stopped what is under way */
  bool (*on_stop)(struct Wire *wire);   /* asks the server to stop; false, or NULL: give up */
  bool connecting;
  bool encrypted;            /* was, at the latest read or write while connecting */
} Wire;

struct MySession {
  DbSession base;
  Wire wire;
  Login login;
  char **infile_dirs;
  char *infile;              /* the file that the running statement names */
  DbCell *cells;             /* room for one row */
  const char **names;
  guint room;
  bool open;
};

/* MARIADB_OPT_IO_WAIT passes no data: whose call is under way.  Set before each call, and again after each wait. */
static _Thread_local Wire *current;
static _Thread_local DbOutside outside;

/* -- waiting -- */

static gint64 now_of(const Wire *wire) { return wire->loop.now(wire->loop.data); }

static gint64 earlier(gint64 a, gint64 b) { return a < 0 ? b : b < 0 ? a : MIN(a, b); }

static void enter(Wire *wire) {
  current = wire;
  outside = db_shut_out(wire->connecting);
}

static void leave(void) {
  db_let_in(outside);
  current = NULL;
}

/* Why a TCP connect failed.  The library would ask as well, but then report the errno of connect(): in progress. */
static int connect_errno(int fd) {
  int code = 0;
  socklen_t len = sizeof code;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
  return code;
}

/* 1: ready, 0: too late, -1: failed, as errno says. */
static int wait_on(Wire *wire, int fd, bool is_read) {
  gint64 limit = is_read ? wire->login->words.read_timeout : wire->login->words.write_timeout;
  gint64 own = limit > 0 ? now_of(wire) + limit : -1;
  for (;;) {
    short ready = 0;
    DbReadiness wait =
        wire->loop.wait(fd, is_read ? POLLIN : POLLOUT, &ready, earlier(own, wire->deadline), wire->loop.data);
    bool refused = wire->connecting && !is_read && (ready & (POLLERR | POLLHUP)) != 0;
    if (wait == DB_WAIT_READY)
      return refused && (errno = connect_errno(fd)) != 0 ? -1 : 1;
    bool own_limit = wait == DB_WAIT_TIMEOUT && own >= 0 && earlier(own, wire->deadline) == own;
    if (own_limit || wire->stopped != DB_WAIT_READY)
      return 0;
    wire->stopped = wait;
    if (wire->on_stop == NULL || !wire->on_stop(wire))
      return 0;
    own = -1;
  }
}

static int wait_io(my_socket fd, my_bool is_read, int timeout) {
  Wire *wire = current;
  leave();
  int ready = wait_on(wire, fd, is_read);
  enter(wire);
  if (ready == 0)
    errno = ETIMEDOUT;
  return ready;
}

/* -- opening -- */

/* The library makes the socket blocking after connect(): undone at the first read or write, before the TLS handshake.
 * It checks a certificate against the name it was given to connect to, which is an address: that is exchanged here. */
static void on_traffic(int is_write, MYSQL *mysql, const unsigned char *bytes, size_t len) {
  Wire *wire = current;
  if (wire == NULL || !wire->connecting || wire->mysql != mysql)
    return;
  int fd = mysql_get_socket(mysql);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  wire->encrypted = mysql_get_ssl_cipher(mysql) != NULL;
  if (is_write && wire->login->tls_host != NULL && mysql->host != NULL &&
      strcmp(mysql->host, wire->login->tls_host) != 0) {
    free(mysql->host);
    mysql->host = strdup(wire->login->tls_host);
  }
}

/* mysql_clear_password and dialog send the password as it is. */
static const char *authentication(const Login *login, bool cleartext) {
  static const char *const lists[2][2] = {
      {"mysql_native_password,caching_sha2_password,sha256_password,client_ed25519",
       "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519,mysql_clear_password,dialog"},
      {"caching_sha2_password,sha256_password,client_ed25519",
       "caching_sha2_password,sha256_password,client_ed25519,mysql_clear_password,dialog"}};
  return lists[login->words.no_native][cleartext];
}

static void set_tls(MYSQL *mysql, const Login *login) {
  my_bool ask = login->tls != DB_TLS_OFF, verify = login->tls == DB_TLS_VERIFY;
  mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
  if (!ask)
    return;
  mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &ask);
  mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, login->ca);
  mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, login->cert);
  mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, login->key);
}

static void set_attributes(MYSQL *mysql, const Login *login) {
  if (login->log_name != NULL)
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", login->log_name);
  g_auto(GStrv) pairs = g_strsplit(login->words.attributes != NULL ? login->words.attributes : "", ",", -1);
  for (guint i = 0; pairs[i] != NULL; i++) {
    char *colon = strchr(pairs[i], ':');
    *colon = '\0';
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, pairs[i], colon + 1);
  }
}

static void set_options(MYSQL *mysql, const Login *login, bool cleartext) {
  const MysqlWords *words = &login->words;
  unsigned int long_time = LONG_TIME, tcp = MYSQL_PROTOCOL_TCP, infile = login->infile;
  my_bool off = 0;
  mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, wait_io);
  mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &long_time);
  mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &tcp);
  mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &off);
  mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &infile);
  mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, words->charset != NULL ? words->charset : "utf8mb4");
  mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, authentication(login, cleartext));
  if (words->max_packet > 0) {
    unsigned long bytes = words->max_packet;
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &bytes);
  }
  if (words->compress)
    mysql_optionsv(mysql, MYSQL_OPT_COMPRESS, NULL);
  set_tls(mysql, login);
  set_attributes(mysql, login);
}

/* Once and for all: the library's list of callbacks cannot lose its first one again. */
static void watch_traffic(void) {
  static bool watching;
  if (!watching)
    ma_pvio_register_callback(TRUE, on_traffic);
  watching = true;
}

static bool try_connect(Wire *wire, bool cleartext) {
  const Login *login = wire->login;
  wire->encrypted = false;
  wire->connecting = true;
  enter(wire);
  wire->mysql = mysql_init(NULL);
  if (wire->mysql == NULL)
    g_error("out of memory");
  set_options(wire->mysql, login, cleartext);
  watch_traffic();
  unsigned long flags = (login->words.found_rows ? CLIENT_FOUND_ROWS : 0) |
                        (login->words.multi_statements ? CLIENT_MULTI_STATEMENTS : 0);
  bool connected = mysql_real_connect(wire->mysql, login->host, login->user, login->password, login->database,
                                      (unsigned int)login->port, NULL, flags) != NULL;
  wire->connecting = false;
  leave();
  return connected;
}

static void drop(Wire *wire) {
  enter(wire);
  if (wire->mysql != NULL)
    mysql_close(wire->mysql);
  wire->mysql = NULL;
  leave();
}

/* Ends a connection in the middle of things: a QUIT would have to wait. */
static void cut(Wire *wire) {
  int fd = wire->mysql != NULL ? (int)mysql_get_socket(wire->mysql) : -1;
  if (fd >= 0)
    shutdown(fd, SHUT_RDWR);
  drop(wire);
}

static bool took_error(MYSQL *mysql, DbOutcome *outcome) {
  unsigned int code = mysql_errno(mysql);
  if (code == 0)
    return false;
  db_outcome_error(outcome, (int)code, mysql_sqlstate(mysql), "Error %u (%s): %s", code, mysql_sqlstate(mysql),
                   mysql_error(mysql));
  return true;
}

/* TLS was asked for; Connector/C takes a server without it in silence. */
static bool tls_is_missing(const Wire *wire, DbOutcome *outcome) {
  if (wire->login->tls < DB_TLS_REQUIRE || mysql_get_ssl_cipher(wire->mysql) != NULL)
    return false;
  db_outcome_error(outcome, CR_SSL_CONNECTION_ERROR, "HY000",
                   "Error %d (HY000): TLS is required, but the server does not offer it", CR_SSL_CONNECTION_ERROR);
  return true;
}

/* Connects.  A password in clear with `tls: require` goes out only to a server that has shown to encrypt: the first
 * try refuses to send it, a second one follows when that had TLS. */
static bool connect_wire(Wire *wire, DbOutcome *outcome) {
  bool cleartext = wire->login->words.cleartext;
  bool connected = try_connect(wire, cleartext && wire->login->tls != DB_TLS_REQUIRE);
  if (!connected && cleartext && wire->login->tls == DB_TLS_REQUIRE && wire->encrypted &&
      wire->stopped == DB_WAIT_READY) {
    drop(wire);
    connected = try_connect(wire, true);
  }
  if (connected && !tls_is_missing(wire, outcome))
    return true;
  if (wire->stopped != DB_WAIT_READY)
    db_outcome_stopped(outcome, wire->stopped, "no session came about");
  else
    took_error(wire->mysql, outcome);
  cut(wire);
  return false;
}

static void login_clear(Login *login) {
  char *texts[] = {login->host, login->user, login->password, login->database, login->ca,
                   login->cert, login->key,  login->tls_host, login->log_name};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(texts[i]);
  mysql_words_clear(&login->words);
}

static bool login_fill(Login *login, const DbTarget *target, GError **error) {
  unsigned char address[sizeof(struct in6_addr)];
  for (guint i = 0; i < target->n_params; i++)
    if (!mysql_word_set(&login->words, target->params[i].key, target->params[i].value, error))
      return false;
  login->tls = login->words.tls_given ? login->words.tls : target->tls;
  if (inet_pton(AF_INET, target->host, address) != 1 && inet_pton(AF_INET6, target->host, address) != 1)
    return g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "host '%s' is no numeric address",
                       target->host),
           false;
  if (target->user == NULL)
    return g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "no user is named"), false;
  if (login->tls == DB_TLS_VERIFY && target->ca == NULL)
    return g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "tls: verify needs ca:"), false;
  login->host = g_strdup(target->host);
  login->port = target->port;
  login->user = g_strdup(target->user);
  login->password = g_strdup(target->password != NULL ? target->password : "");
  login->database = g_strdup(target->database);
  login->ca = g_strdup(target->ca);
  login->cert = g_strdup(target->cert);
  login->key = g_strdup(target->key);
  login->tls_host = g_strdup(target->tls_host);
  login->log_name = g_strdup(target->log_name);
  login->infile = target->infile_dirs != NULL && target->infile_dirs[0] != NULL && !login->words.no_infile;
  return true;
}

/* -- LOCAL INFILE -- */

typedef struct Reading { int fd; char why[512]; } Reading;

static int infile_begin(void **state, const char *name, void *data) {
  MySession *session = data;
  g_autoptr(GError) error = NULL;
  Reading *reading = *state = g_new0(Reading, 1);
  reading->fd = -1;
  if (session->infile == NULL || strcmp(session->infile, name) != 0) {
    g_snprintf(reading->why, sizeof reading->why, "the server asked for '%s', which the statement does not name", name);
    return 1;
  }
  reading->fd = infile_open(name, (const char *const *)session->infile_dirs, &error);
  if (reading->fd < 0)
    g_strlcpy(reading->why, error->message, sizeof reading->why);
  return reading->fd < 0;
}

static int infile_read(void *state, char *buffer, unsigned int size) {
  Reading *reading = state;
  ssize_t n = read(reading->fd, buffer, size);
  if (n < 0)
    g_snprintf(reading->why, sizeof reading->why, "read the file for LOAD DATA LOCAL: %s", g_strerror(errno));
  return (int)n;
}

static void infile_end(void *state) {
  Reading *reading = state;
  if (reading != NULL && reading->fd >= 0)
    close(reading->fd);
  g_free(reading);
}

static int infile_error(void *state, char *buffer, unsigned int size) {
  const Reading *reading = state;
  g_strlcpy(buffer, reading != NULL ? reading->why : "out of memory", size);
  return REJECTED_INFILE;
}

/* -- cancelling -- */

/* Kills the statement of the session from a second one, within what cancelling may take. */
static bool kill_statement(Wire *wire) {
  wire->deadline = now_of(wire) + DB_CANCEL_WITHIN;
  Login login = *wire->login;
  login.database = NULL;
  Wire second = {.login = &login, .loop = wire->loop, .deadline = wire->deadline};
  DbOutcome outcome = {0};
  char sql[64];
  g_snprintf(sql, sizeof sql, "KILL QUERY %lu", mysql_thread_id(wire->mysql));
  bool killed = false;
  if (connect_wire(&second, &outcome)) {
    enter(&second);
    killed = mysql_query(second.mysql, sql) == 0;
    leave();
    if (second.stopped == DB_WAIT_READY)
      drop(&second);
    else
      cut(&second);
  }
  db_outcome_clear(&outcome);
  return killed;
}

/* -- results -- */

/* What one statement's results go to. */
typedef struct Take {
  MySession *session;
  MYSQL *mysql;
  const DbSink *sink;
  DbOutcome *outcome;
  bool enough;               /* the sink wants no more rows */
} Take;

static void make_room(MySession *session, guint n) {
  if (n <= session->room)
    return;
  session->cells = g_renew(DbCell, session->cells, n);
  session->names = g_renew(const char *, session->names, n);
  session->room = n;
}

static void begin_result(Take *take, const MYSQL_FIELD *fields, guint n) {
  MySession *session = take->session;
  make_room(session, n);
  take->outcome->has_result = true;
  take->outcome->rows = 0;
  take->enough = take->sink == NULL || take->sink->row == NULL;
  if (take->sink == NULL || take->sink->columns == NULL)
    return;
  for (guint i = 0; i < n; i++)
    session->names[i] = fields[i].name;
  take->sink->columns(n, session->names, take->sink->data);
}

static void give_row(Take *take, guint n) {
  take->enough = !take->sink->row(n, take->session->cells, take->sink->data);
}

static bool fetch_text(Take *take, MYSQL_RES *result) {
  guint n = mysql_num_fields(result);
  begin_result(take, mysql_fetch_fields(result), n);
  MYSQL_ROW row;
  while ((row = mysql_fetch_row(result)) != NULL) {
    take->outcome->rows++;
    if (take->enough)
      continue;
    const unsigned long *lengths = mysql_fetch_lengths(result);
    for (guint i = 0; i < n; i++)
      take->session->cells[i] = (DbCell){row[i], row[i] != NULL ? lengths[i] : 0};
    give_row(take, n);
  }
  return !took_error(take->mysql, take->outcome);
}

static bool take_text_result(Take *take) {
  MYSQL_RES *result = mysql_use_result(take->mysql);
  if (result == NULL) {
    take->outcome->affected = (gint64)mysql_affected_rows(take->mysql);
    return !took_error(take->mysql, take->outcome);
  }
  bool whole = fetch_text(take, result);
  mysql_free_result(result);
  return whole;
}

static void run_text(Take *take, const char *sql, gsize len) {
  if (mysql_real_query(take->mysql, sql, len) != 0) {
    took_error(take->mysql, take->outcome);
    return;
  }
  int next = 0;
  while (next == 0 && take_text_result(take))
    next = mysql_next_result(take->mysql);
  if (next > 0)
    took_error(take->mysql, take->outcome);
}

/* -- prepared statements: everything goes and comes as strings -- */

typedef struct Column { char *bytes; unsigned long room, len; my_bool null, cut; } Column;

static bool took_stmt_error(MYSQL_STMT *stmt, DbOutcome *outcome) {
  unsigned int code = mysql_stmt_errno(stmt);
  if (code != 0)
    db_outcome_error(outcome, (int)code, mysql_stmt_sqlstate(stmt), "Error %u (%s): %s", code,
                     mysql_stmt_sqlstate(stmt), mysql_stmt_error(stmt));
  return code != 0;
}

static void bind_column(MYSQL_BIND *bind, Column *column) {
  *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING, .buffer = column->bytes, .buffer_length = column->room - 1,
                       .length = &column->len, .is_null = &column->null, .error = &column->cut};
}

/* A cell that did not fit is fetched again into a larger buffer, which stays for the rows to come. */
static bool grow(MYSQL_STMT *stmt, MYSQL_BIND *bind, Column *column, guint i, bool *grown) {
  if (column->null || column->len < column->room)
    return true;
  column->room = MAX(column->len + 1, column->room * 2);
  column->bytes = g_realloc(column->bytes, column->room);
  bind_column(bind, column);
  *grown = true;
  return mysql_stmt_fetch_column(stmt, bind, i, 0) == 0;
}

static bool fetch_bound_rows(Take *take, MYSQL_STMT *stmt, MYSQL_BIND *binds, Column *columns, guint n) {
  int fetched;
  while ((fetched = mysql_stmt_fetch(stmt)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
    bool grown = false;
    take->outcome->rows++;
    if (take->enough)
      continue;
    for (guint i = 0; i < n; i++) {
      Column *column = &columns[i];
      if (!grow(stmt, &binds[i], column, i, &grown))
        return false;
      if (!column->null)
        column->bytes[column->len] = '\0';
      take->session->cells[i] = (DbCell){column->null ? NULL : column->bytes, column->null ? 0 : column->len};
    }
    give_row(take, n);
    if (grown && mysql_stmt_bind_result(stmt, binds) != 0)
      return false;
  }
  return fetched == MYSQL_NO_DATA;
}

static bool take_bound_result(Take *take, MYSQL_STMT *stmt) {
  MYSQL_RES *meta = mysql_stmt_result_metadata(stmt);
  if (meta == NULL) {
    take->outcome->affected = (gint64)mysql_stmt_affected_rows(stmt);
    return true;
  }
  guint n = mysql_num_fields(meta);
  begin_result(take, mysql_fetch_fields(meta), n);
  g_autofree MYSQL_BIND *binds = g_new(MYSQL_BIND, n);
  g_autofree Column *columns = g_new0(Column, n);
  for (guint i = 0; i < n; i++) {
    columns[i].room = FIRST_ROOM;
    columns[i].bytes = g_malloc(FIRST_ROOM);
    bind_column(&binds[i], &columns[i]);
  }
  bool whole = mysql_stmt_bind_result(stmt, binds) == 0 && fetch_bound_rows(take, stmt, binds, columns, n);
  for (guint i = 0; i < n; i++)
    g_free(columns[i].bytes);
  mysql_free_result(meta);
  return whole;
}

static bool bind_args(MYSQL_STMT *stmt, guint n, const DbCell *args, MYSQL_BIND *binds, DbOutcome *outcome) {
  unsigned long wanted = mysql_stmt_param_count(stmt);
  if (wanted != n) {
    db_outcome_error(outcome, CR_INVALID_PARAMETER_NO, "HY000",
                     "Error %d (HY000): the statement has %lu parameters, %u were given", CR_INVALID_PARAMETER_NO,
                     wanted, n);
    return false;
  }
  for (guint i = 0; i < n; i++) {
    binds[i] = (MYSQL_BIND){.buffer_type = args[i].bytes == NULL ? MYSQL_TYPE_NULL : MYSQL_TYPE_STRING,
                            .buffer = (void *)(guintptr)args[i].bytes, .buffer_length = args[i].len};
  }
  return n == 0 || mysql_stmt_bind_param(stmt, binds) == 0;
}

static void run_bound(Take *take, MYSQL_STMT *stmt, const char *sql, gsize len, guint n_args, const DbCell *args) {
  g_autofree MYSQL_BIND *binds = g_new0(MYSQL_BIND, n_args);
  bool going = mysql_stmt_prepare(stmt, sql, len) == 0 && bind_args(stmt, n_args, args, binds, take->outcome) &&
               mysql_stmt_execute(stmt) == 0;
  int next = 0;
  while (going && next == 0) {
    going = take_bound_result(take, stmt);
    next = going ? mysql_stmt_next_result(stmt) : next;
  }
  took_stmt_error(stmt, take->outcome);
}

/* -- warnings -- */

static void show_warnings(Take *take) {
  static const struct { const char *word; DbNoticeLevel level; } levels[] = {
      {"Note", DB_NOTICE}, {"Warning", DB_WARNING}, {"Error", DB_NOTICE_ERROR}};
  MYSQL_RES *result = NULL;
  MYSQL_ROW row;
  if (mysql_query(take->mysql, "SHOW WARNINGS") == 0)
    result = mysql_use_result(take->mysql);
  while (result != NULL && (row = mysql_fetch_row(result)) != NULL)
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++)
      if (row[0] != NULL && strcmp(row[0], levels[i].word) == 0)
        db_outcome_notice(take->outcome, levels[i].level, row[1], row[2]);
  took_error(take->mysql, take->outcome);
  if (result != NULL)
    mysql_free_result(result);
}

/* -- one statement -- */

static bool is_lost(MYSQL *mysql, const DbOutcome *outcome) {
  static const int ends[] = {CR_SERVER_GONE_ERROR, CR_SERVER_LOST, CR_SERVER_LOST_EXTENDED, CR_MALFORMED_PACKET,
                             1053 /* shutdown */, 1927 /* connection was killed */, 4031 /* idle too long */};
  for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
    if (outcome->code == ends[i])
      return true;
  return mysql->net.pvio == NULL;
}

/* After a KILL QUERY: a statement that had just ended leaves the kill to the next one, so that is to be a harmless one.
 */
static bool absorb_kill(MySession *session, const DbOutcome *outcome) {
  enum { INTERRUPTED = 1317 };
  MYSQL *mysql = session->wire.mysql;
  if (outcome->code == INTERRUPTED)
    return true;
  return mysql_ping(mysql) == 0 || (mysql_errno(mysql) == INTERRUPTED && mysql_ping(mysql) == 0);
}

static void finish(MySession *session, DbOutcome *outcome) {
  bool lost = is_lost(session->wire.mysql, outcome);
  DbReadiness why = session->wire.stopped;
  if (why != DB_WAIT_READY) {
    session->wire.on_stop = NULL;
    lost = lost || !absorb_kill(session, outcome);
    db_outcome_stopped(outcome, why,
                       lost ? "the session was closed, for the cancel was not confirmed and drained in time"
                            : "the statement was cancelled");
  } else {
    outcome->lost = lost;
  }
  leave();
  session->open = !lost;
  if (lost)
    cut(&session->wire);
}

/* The library does not keep the count that comes after the rows of a prepared statement. */
static bool may_have_warned(const Take *take, MYSQL_STMT *stmt) {
  if (stmt == NULL)
    return mysql_warning_count(take->mysql) > 0;
  return take->outcome->has_result || mysql_stmt_warning_count(stmt) > 0;
}

static void run(Take *take, const char *sql, gsize len, bool bound, guint n_args, const DbCell *args,
                bool want_warnings) {
  MYSQL_STMT *stmt = bound ? mysql_stmt_init(take->mysql) : NULL;
  if (bound)
    run_bound(take, stmt, sql, len, n_args, args);
  else
    run_text(take, sql, len);
  if (want_warnings && take->outcome->status == DB_OK && may_have_warned(take, stmt))
    show_warnings(take);
  if (bound)
    mysql_stmt_close(stmt);
}

static void my_execute(DbSession *base, const char *sql, gsize len, bool prepared, guint n_args, const DbCell *args,
                       const DbSink *sink, bool want_warnings, gint64 deadline, DbOutcome *outcome) {
  MySession *session = (MySession *)base;
  if (!session->open) {
    db_outcome_error(outcome, CR_SERVER_GONE_ERROR, "HY000", "Error %d (HY000): the session was lost before",
                     CR_SERVER_GONE_ERROR);
    outcome->lost = true;
    return;
  }
  Take take = {.session = session, .mysql = session->wire.mysql, .sink = sink, .outcome = outcome};
  session->wire.deadline = deadline;
  session->wire.stopped = DB_WAIT_READY;
  session->wire.on_stop = kill_statement;
  if (session->login.infile)
    session->infile = infile_named(sql, len);
  enter(&session->wire);
  run(&take, sql, len, prepared || n_args > 0, n_args, args, want_warnings);
  finish(session, outcome);
  g_clear_pointer(&session->infile, g_free);
}

/* -- sessions -- */

static void my_close(DbSession *base) {
  MySession *session = (MySession *)base;
  drop(&session->wire);
  login_clear(&session->login);
  g_strfreev(session->infile_dirs);
  g_free(session->cells);
  g_free(session->names);
  db_session_free(base);
}

static bool my_check_param(const char *key, const char *value, GError **error) {
  MysqlWords words = {0};
  bool known = mysql_word_set(&words, key, value, error);
  mysql_words_clear(&words);
  return known;
}

static void learn(MySession *session) {
  MYSQL *mysql = session->wire.mysql;
  const char *protocol = NULL, *cipher = mysql_get_ssl_cipher(mysql);
  session->base.number = mysql_thread_id(mysql);
  session->base.version = g_strdup(mysql_get_server_info(mysql));
  if (cipher != NULL && mariadb_get_infov(mysql, MARIADB_CONNECTION_TLS_VERSION, &protocol) == 0)
    session->base.tls = g_strdup_printf("%s %s", protocol, cipher);
}

/* A collation is the server's to know; names were checked to be letters, digits and underscores. */
static bool set_collation(MySession *session, DbOutcome *outcome) {
  const MysqlWords *words = &session->login.words;
  if (words->collation == NULL)
    return true;
  g_autofree char *sql = g_strdup_printf("SET NAMES %s COLLATE %s", words->charset != NULL ? words->charset : "utf8mb4",
                                         words->collation);
  enter(&session->wire);
  bool set = mysql_query(session->wire.mysql, sql) == 0;
  if (!set && session->wire.stopped == DB_WAIT_READY)
    took_error(session->wire.mysql, outcome);
  leave();
  if (session->wire.stopped != DB_WAIT_READY)
    db_outcome_stopped(outcome, session->wire.stopped, "no session came about");
  return set;
}

static bool establish(MySession *session, DbOutcome *outcome) {
  if (!connect_wire(&session->wire, outcome))
    return false;
  if (!set_collation(session, outcome)) {
    cut(&session->wire);
    return false;
  }
  if (session->login.infile)
    mysql_set_local_infile_handler(session->wire.mysql, infile_begin, infile_read, infile_end, infile_error, session);
  learn(session);
  session->open = true;
  return true;
}

static DbSession *my_open(const DbTarget *target, const DbLoop *loop, gint64 deadline, DbOutcome *outcome) {
  MySession *session = g_new0(MySession, 1);
  g_autoptr(GError) error = NULL;
  session->base = (DbSession){.ops = &db_mysql_ops, .loop = *loop};
  session->wire = (Wire){.login = &session->login, .loop = *loop, .deadline = deadline};
  session->infile_dirs = g_strdupv((char **)(guintptr)target->infile_dirs);
  if (!login_fill(&session->login, target, &error)) {
    db_outcome_error(outcome, CR_UNKNOWN_ERROR, "HY000", "Error %d (HY000): %s", CR_UNKNOWN_ERROR, error->message);
    my_close(&session->base);
    return NULL;
  }
  if (session->login.words.timeout > 0)
    session->wire.deadline = earlier(deadline, now_of(&session->wire) + session->login.words.timeout);
  if (establish(session, outcome))
    return &session->base;
  my_close(&session->base);
  return NULL;
}

static bool my_usable(const DbSession *base) { return ((const MySession *)base)->open; }

const DbOps db_mysql_ops = {
    .check_param = my_check_param,
    .open = my_open,
    .close = my_close,
    .execute = my_execute,
    .usable = my_usable,
};
