/* mysql_words.h - the words of go-sql-driver's DSN, as `params` (Dolt: driver_params) of a MySQL session take them.
 *
 * Pure: no Connector/C here.  Words that mean something to this client are read into a MysqlWords; those that only
 * steer what the Go driver does with values are refused by name.
 */
#ifndef DBCLIENT_MYSQL_WORDS_H
#define DBCLIENT_MYSQL_WORDS_H

#include "dbclient/dbclient.h"

typedef struct MysqlWords {
  bool cleartext;           /* allowCleartextPasswords */
  bool no_native;           /* allowNativePasswords=false */
  bool no_infile;           /* allowAllFiles=false */
  bool found_rows, multi_statements, compress;
  bool tls_given;
  DbTls tls;                /* when tls_given */
  gint64 timeout, read_timeout, write_timeout;   /* microseconds, 0: none */
  guint64 max_packet;                            /* bytes, 0: the library's */
  char *charset, *collation;
  char *attributes;         /* key:value,key:value */
} MysqlWords;

/* FALSE with error set when the word or its value (NULL: not known yet) is none that can be kept. */
bool mysql_word_set(MysqlWords *words, const char *key, const char *value, GError **error);
void mysql_words_clear(MysqlWords *words);

#endif
