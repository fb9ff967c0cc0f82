/* postgresql_auth.h - sees a server ask for a password in clear, before libpq answers.  Pure: bytes in, verdict out.
 *
 * libpq 15 sends a password in clear to whoever asks (require_auth came with 16).  So what an unencrypted server sent
 * while a session is being opened is looked at first, and this follows the messages in it.
 */
#ifndef DBCLIENT_POSTGRESQL_AUTH_H
#define DBCLIENT_POSTGRESQL_AUTH_H

#include <glib.h>
#include <stdbool.h>

/* Zero it for each new connection. */
typedef struct AuthWatch {
  unsigned char head[9];   /* type, length and first four bytes of the message */
  guint have;
  guint32 rest;            /* bytes of its body still to come */
} AuthWatch;

/* The next bytes of the stream: true when they complete an AuthenticationCleartextPassword. */
bool auth_watch(AuthWatch *watch, const unsigned char *bytes, gsize len);

#endif
