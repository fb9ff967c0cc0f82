/* dbclient.h - one session with a database server, PostgreSQL (libpq) or MySQL's protocol (MariaDB Connector/C).
 *
 * Nothing here blocks by itself: whenever the network must be waited for, the caller's DbWait is called with the
 * descriptor.  It may run an event loop, switch to another coroutine, or poll; it says ready, too late, or cancelled.
 * So the code of a caller reads from top to bottom, and one thread serves many sessions.
 *
 * Nothing of the environment changes what a session does: every parameter of either library is set, none inherited
 * (PG*, MYSQL_*, ~/.pgpass, ~/.my.cnf, service files, client certificates in $HOME).  Addresses are numeric.
 *
 * Not for: pools, threads, reconnecting.  A session that was lost stays lost.
 *
 * Ownership: db_open() gives a session that db_close() ends, also when opening failed half-way.  Texts of a DbOutcome
 * belong to it until db_outcome_clear() or the next statement that is given it.
 */
#ifndef DBCLIENT_DBCLIENT_H
#define DBCLIENT_DBCLIENT_H

#include <glib.h>
#include <stdbool.h>

typedef enum DbKind { DB_POSTGRESQL, DB_MYSQL } DbKind;

typedef enum DbReadiness { DB_WAIT_READY, DB_WAIT_TIMEOUT, DB_WAIT_CANCELLED } DbReadiness;

/* Waits until fd has one of `events` (POLLIN, POLLOUT), the deadline has come (the caller's own clock, microseconds;
 * -1: none), or the wait was called off.  *revents gets what is ready. */
typedef DbReadiness (*DbWait)(int fd, short events, short *revents, gint64 deadline, gpointer data);

typedef struct DbLoop {
  DbWait wait;
  gint64 (*now)(gpointer data);   /* the clock of `deadline`, microseconds */
  gpointer data;
} DbLoop;

typedef enum DbTls { DB_TLS_OFF, DB_TLS_PREFER, DB_TLS_REQUIRE, DB_TLS_VERIFY } DbTls;

typedef struct DbParam { const char *key, *value; } DbParam;

/* What to open.  Strings are borrowed during db_open() only. */
typedef struct DbTarget {
  DbKind kind;
  const char *host;               /* numeric IPv4 or IPv6 address */
  int port;
  const char *user, *password;    /* password NULL: none */
  const char *database;           /* NULL: none (PostgreSQL: the user's name) */
  DbTls tls;
  const char *ca, *cert, *key;    /* files; VERIFY needs ca */
  const char *tls_host;           /* the name that VERIFY checks; NULL: host */
  guint n_params;
  const DbParam *params;          /* the client's own words; db_check_param() tells which are known */
  const char *const *infile_dirs; /* LOAD DATA LOCAL may name files found below these, NULL-terminated; NULL: none */
  const char *log_name;           /* application_name or its like, so that server logs tell sessions apart */
} DbTarget;

/* FALSE with error set when this word (with this value; NULL: not known yet) means nothing to that client, or could
 * change what the rules above promise. */
bool db_check_param(DbKind kind, const char *key, const char *value, GError **error);

/* A cell of a row: NULL bytes for SQL NULL, otherwise len bytes as the server's text form, NUL after them. */
typedef struct DbCell { const char *bytes; gsize len; } DbCell;

typedef struct DbSink {
  void (*columns)(guint n, const char *const *names, gpointer data);
  bool (*row)(guint n, const DbCell *cells, gpointer data);   /* false: enough, the rest is drained or cancelled */
  gpointer data;
} DbSink;

typedef enum DbNoticeLevel { DB_DEBUG, DB_LOG, DB_INFO, DB_NOTICE, DB_WARNING, DB_NOTICE_ERROR } DbNoticeLevel;
typedef struct DbNotice { DbNoticeLevel level; char *code; char *text; } DbNotice;   /* code: SQLSTATE or number */

typedef enum DbStatus {
  DB_OK,
  DB_ERROR,       /* the server, or the library, said no: code, sqlstate, text */
  DB_TIMED_OUT,   /* the deadline came; see session_usable for what became of the session */
  DB_CANCELLED,   /* the caller's wait was called off */
} DbStatus;

typedef struct DbOutcome {
  DbStatus status;
  int code;                /* MySQL's number; 0 for PostgreSQL */
  char *sqlstate;          /* five letters, or NULL */
  char *text; /* as error_match sees it: "Error 1105 (HY000): message"; PostgreSQL: "ERROR (22012): message"
                              with "\nDETAIL: ..." and "\nHINT: ..." lines; a library's own: "Error 2013 (HY000): ..."
                              or "ERROR (08006): ..." */
  bool lost;               /* the connection is gone */
  bool session_usable;     /* after a time-out or cancel: the statement was cancelled, confirmed and drained */
  bool has_result;         /* there was a result set, perhaps of no rows */
  gint64 affected;         /* rows; -1: the server did not say */
  guint64 rows;            /* rows received */
  GPtrArray *notices;      /* DbNotice; NULL: none */
} DbOutcome;

void db_outcome_clear(DbOutcome *outcome);

typedef struct DbSession DbSession;

/* Opens a session; NULL when it did not come about, with *outcome telling why (never both NULL and DB_OK). */
DbSession *db_open(const DbTarget *target, const DbLoop *loop, gint64 deadline, DbOutcome *outcome);
/* Closes politely without waiting; NULL is allowed. */
void db_close(DbSession *session);

/* Runs one statement.  n_args > 0, or prepared: as a prepared statement with these text parameters (bytes NULL: SQL
 * NULL).  sink may be NULL.  When a statement gives several results, all are read; the last one with columns is the
 * one sent to sink->columns, whose call begins it anew.  want_warnings: MySQL's SHOW WARNINGS afterwards when the
 * server counted any.  When the deadline comes, or a wait is called off, the statement is cancelled (libpq: PQcancel in
 * a child process; MySQL: KILL QUERY from a second session) and drained; for that the caller's DbWait is called for one
 * second more.  What is not done by then, or is called off again, costs the session.
 * The sink is called from within the library: it must neither wait nor call dbclient. */
void db_execute(DbSession *session, const char *sql, gsize len, bool prepared, guint n_args, const DbCell *args,
                const DbSink *sink, bool want_warnings, gint64 deadline, DbOutcome *outcome);

bool db_usable(const DbSession *session);
/* The server's own number for this session: backend pid, or connection id. */
guint64 db_session_number(const DbSession *session);
/* "15.20", "10.11.19-MariaDB..." as the server said it. */
const char *db_server_version(const DbSession *session);
/* TLS version and cipher, or NULL when the session is in clear. */
const char *db_tls(const DbSession *session);

#endif
