/* postgresql_words.h - libpq's own words, as `params` of a session take them: which pass, and with what values.
 *
 * Pure: no libpq here.  A word is refused when a session would read a file or a name service by it, or when the
 * language says the same thing in words of its own.
 */
#ifndef DBCLIENT_POSTGRESQL_WORDS_H
#define DBCLIENT_POSTGRESQL_WORDS_H

#include "dbclient/dbclient.h"

/* value NULL: only the word is looked at. */
bool postgresql_word_check(const char *key, const char *value, GError **error);

#endif
