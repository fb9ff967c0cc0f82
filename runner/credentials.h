/* credentials.h - the user that servers and commands run as.
 *
 * Root drops to one unprivileged user for all of a test: --user, else $SUDO_UID when there is one, else the first of
 * postgres and nobody that exists.  Others stay who they are, and naming another user is an error.
 */
#ifndef RUNNER_CREDENTIALS_H
#define RUNNER_CREDENTIALS_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Credentials {
  bool drop;                     /* false: stay who we are, the rest only tells who that is */
  uid_t uid;
  gid_t gid;
  int n_groups;
  gid_t groups[64];
  char name[64];
} Credentials;

/* name: a user's name or number; NULL: the default.  Root may be named (nothing is dropped then).  Reads the user
 * database, so for start-up, not for a loop. */
bool credentials_find(Credentials *credentials, const char *name, GError **error);
/* In a forked child, before exec: setgroups, setgid, setuid.  false with errno set.  Async-signal-safe. */
bool credentials_apply(const Credentials *credentials);

#endif
