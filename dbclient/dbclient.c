#include "dbclient/client.h"

#include <string.h>
#include <unistd.h>

static const DbOps *const operations[] = {[DB_POSTGRESQL] = &db_postgresql_ops, [DB_MYSQL] = &db_mysql_ops};

bool db_check_param(DbKind kind, const char *key, const char *value, GError **error) {
  return operations[kind]->check_param(key, value, error);
}

DbSession *db_open(const DbTarget *target, const DbLoop *loop, gint64 deadline, DbOutcome *outcome) {
  db_outcome_begin(outcome);
  DbSession *session = operations[target->kind]->open(target, loop, deadline, outcome);
  outcome->session_usable = session != NULL;
  return session;
}

void db_close(DbSession *session) {
  if (session != NULL)
    session->ops->close(session);
}

void db_execute(DbSession *session, const char *sql, gsize len, bool prepared, guint n_args, const DbCell *args,
                const DbSink *sink, bool want_warnings, gint64 deadline, DbOutcome *outcome) {
  db_outcome_begin(outcome);
  session->ops->execute(session, sql, len, prepared, n_args, args, sink, want_warnings, deadline, outcome);
  outcome->session_usable = session->ops->usable(session);
}

bool db_usable(const DbSession *session) { return session->ops->usable(session); }

guint64 db_session_number(const DbSession *session) { return session->number; }

const char *db_server_version(const DbSession *session) { return session->version; }

const char *db_tls(const DbSession *session) { return session->tls; }

void db_session_free(DbSession *session) {
  g_free(session->version);
  g_free(session->tls);
  g_free(session);
}

/* -- outcomes -- */

static void notice_free(gpointer data) {
  DbNotice *notice = data;
  g_free(notice->code);
  g_free(notice->text);
  g_free(notice);
}

void db_outcome_clear(DbOutcome *outcome) {
  g_free(outcome->sqlstate);
  g_free(outcome->text);
  g_clear_pointer(&outcome->notices, g_ptr_array_unref);
  *outcome = (DbOutcome){0};
}

void db_outcome_begin(DbOutcome *outcome) {
  db_outcome_clear(outcome);
  outcome->affected = -1;
}

void db_outcome_error(DbOutcome *outcome, int code, const char *sqlstate, const char *format, ...) {
  if (outcome->status != DB_OK)
    return;
  va_list args;
  va_start(args, format);
  outcome->text = g_strdup_vprintf(format, args);
  va_end(args);
  outcome->status = DB_ERROR;
  outcome->code = code;
  outcome->sqlstate = g_strdup(sqlstate);
}

void db_outcome_stopped(DbOutcome *outcome, DbReadiness why, const char *what_became) {
  g_clear_pointer(&outcome->sqlstate, g_free);
  g_free(outcome->text);
  outcome->code = 0;
  outcome->status = why == DB_WAIT_CANCELLED ? DB_CANCELLED : DB_TIMED_OUT;
  outcome->text = g_strdup_printf("%s; %s", why == DB_WAIT_CANCELLED ? "called off" : "timed out", what_became);
}

void db_outcome_notice(DbOutcome *outcome, DbNoticeLevel level, const char *code, const char *text) {
  if (outcome->notices == NULL)
    outcome->notices = g_ptr_array_new_with_free_func(notice_free);
  DbNotice *notice = g_new(DbNotice, 1);
  *notice = (DbNotice){.level = level, .code = g_strdup(code), .text = g_strdup(text)};
  g_ptr_array_add(outcome->notices, notice);
}

/* -- the environment -- */

DbOutside db_shut_out(bool environment_too) {
  static char *nothing[] = {NULL};
  static locale_t c_locale;
  if (c_locale == (locale_t)0)
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  DbOutside outside = {environment_too ? environ : NULL, uselocale(c_locale)};
  if (environment_too)
    environ = nothing;
  return outside;
}

void db_let_in(DbOutside outside) {
  if (outside.environment != NULL)
    environ = outside.environment;
  uselocale(outside.locale);
}
