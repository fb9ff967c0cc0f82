/* session.h - sessions of a test with its servers: opened with the step's, the server's and the engine's words, in that order.
 *
 * A session belongs to who opened it.  Named sessions belong to the cluster, stay open over steps, and stay lost when they are
 * lost, until closed.
 */
#ifndef RUNNER_SESSION_H
#define RUNNER_SESSION_H

#include "runner/compare.h"
#include "runner/names.h"

typedef struct Session {
  DbSession *db;
  Node *node;
  const char *name;              /* NULL: of one step only */
  DbLoop loop;
  bool executing;                /* a statement was begun: the next wait for an answer means that it was sent */
  void (*on_sent)(gpointer data);
  gpointer on_sent_data;
  gint64 began, ended;           /* of its newest statement, CLOCK_MONOTONIC microseconds */
  bool busy;                     /* a step uses it: in the background, in another lane */
} Session;

/* NULL when it did not come about: *said tells why when the server (or the library) did, otherwise *outcome (a file that cannot
 * be read, an engine without a client). */
Session *session_open(Scope *scope, Node *node, const SessionWords *words, Deadline deadline, DbOutcome *said,
                      Outcome *outcome);
void session_free(Session *session);

/* One statement, bounded; for the engine's questions and recipes. Collected answer or NULL with the outcome's headline set. */
bool session_ask(Session *session, const char *sql, Deadline deadline, Collected *answer, DbOutcome *said);
/* Opens a session of the engine's own, asks, closes: the first cell of each row, commas between, "" when there is none; NULL
 * with *why (one line, newly allocated). */
char *node_ask(Scope *scope, Node *node, const Text *query, Deadline deadline, char **why);
/* "t", "true", "1", "on", "yes": what engines print for true. */
bool answer_is_true(const char *text);

#endif
