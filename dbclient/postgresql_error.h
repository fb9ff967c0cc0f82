/* postgresql_error.h - reads what libpq says about a session that did not come about.  Pure: text in, text out. */
#ifndef DBCLIENT_POSTGRESQL_ERROR_H
#define DBCLIENT_POSTGRESQL_ERROR_H

/* libpq keeps no SQLSTATE of a failed connect, but its verbose text has it ("...: FATAL:  28P01: text", then DETAIL,
 * HINT and LOCATION lines).  Gives "FATAL (28P01): text\nDETAIL: ..." and the SQLSTATE; where no server spoke, libpq's
 * own words and *sqlstate NULL.  With several attempts (hosts, TLS then clear) the last one that a server answered. */
char *postgresql_connect_error(const char *message, char **sqlstate);

#endif
