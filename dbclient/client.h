/* client.h - what the two clients share: the table of operations, the outcome they fill, a clean environment.
 *
 * Private to dbclient/.  A client is a DbOps table; its session begins with a DbSession, so that dbclient.c can hand a
 * call on without knowing which library answers it.
 */
#ifndef DBCLIENT_CLIENT_H
#define DBCLIENT_CLIENT_H

#include "dbclient/dbclient.h"

#include <locale.h>

/* How long a statement that ran out of time may take to be cancelled, confirmed and drained. */
#define DB_CANCEL_WITHIN (1 * G_USEC_PER_SEC)

/* A file that cannot exist: for parameters whose default would be a file in $HOME. */
#define DB_NO_FILE "/dev/null/none"

typedef struct DbOps {
  bool (*check_param)(const char *key, const char *value, GError **error);
  DbSession *(*open)(const DbTarget *target, const DbLoop *loop, gint64 deadline, DbOutcome *outcome);
  void (*close)(DbSession *session);
  void (*execute)(DbSession *session, const char *sql, gsize len, bool prepared, guint n_args, const DbCell *args,
                  const DbSink *sink, bool want_warnings, gint64 deadline, DbOutcome *outcome);
  bool (*usable)(const DbSession *session);
} DbOps;

struct DbSession {
  const DbOps *ops;
  DbLoop loop;
  guint64 number;    /* backend pid or connection id */
  char *version;     /* of the server */
  char *tls;         /* NULL: in clear */
};

extern const DbOps db_postgresql_ops, db_mysql_ops;

/* Empties the outcome for a new call. */
void db_outcome_begin(DbOutcome *outcome);
/* Notes a failure; the first one counts, since those after it are its consequences.  sqlstate may be NULL. */
void db_outcome_error(DbOutcome *outcome, int code, const char *sqlstate, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* The call was ended by the caller's clock or will; this overrules what the server said about it. */
void db_outcome_stopped(DbOutcome *outcome, DbReadiness why, const char *what_became);
void db_outcome_notice(DbOutcome *outcome, DbNoticeLevel level, const char *code, const char *text);

/* Frees what db_open() filled in the common part, and the session itself. */
void db_session_free(DbSession *session);

/* Both libraries look into the environment while they connect (PGTZ, MYSQL_PWD, MARIADB_PLUGIN_DIR), and translate
 * messages by the locale.  Between db_shut_out() and db_let_in() there is the C locale and, when asked for, an empty
 * environment.  Cheap enough to stand around every call; never across a wait, where other code runs. */
typedef struct DbOutside { char **environment; locale_t locale; } DbOutside;
DbOutside db_shut_out(bool environment_too);
void db_let_in(DbOutside outside);

#endif
