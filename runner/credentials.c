/* Which user that is: names looked up before anything is forked, so that the child only makes system calls. */
#include "runner/credentials.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "runner/fail.h"

static const char *const default_users[] = {"postgres", "nobody"};

static const struct passwd *by_name_or_number(const char *name) {
  const struct passwd *entry = getpwnam(name);
  guint64 uid;
  if (!entry && g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, &uid, NULL)) entry = getpwuid((uid_t)uid);
  return entry;
}

static const struct passwd *default_user(void) {
  const char *sudo = g_getenv("SUDO_UID");
  const struct passwd *entry = NULL;
  guint64 uid;
  if (sudo && g_ascii_string_to_unsigned(sudo, 10, 1, G_MAXUINT32 - 1, &uid, NULL)) entry = getpwuid((uid_t)uid);
  for (guint i = 0; !entry && i < G_N_ELEMENTS(default_users); i++) entry = getpwnam(default_users[i]);
  return entry;
}

static bool fill(Credentials *credentials, const struct passwd *entry, GError **error) {
  credentials->uid = entry->pw_uid;
  credentials->gid = entry->pw_gid;
  g_strlcpy(credentials->name, entry->pw_name, sizeof credentials->name);
  credentials->n_groups = G_N_ELEMENTS(credentials->groups);
  if (getgrouplist(entry->pw_name, entry->pw_gid, credentials->groups, &credentials->n_groups) < 0)
    return fail(error, "user '%s' is in more than %d groups", entry->pw_name, (int)G_N_ELEMENTS(credentials->groups));
  return true;
}

/* Who we are; a number that has no name will do. */
static bool ourselves(Credentials *credentials, GError **error) {
  const struct passwd *entry = getpwuid(geteuid());
  if (entry) return fill(credentials, entry, error);
  credentials->uid = geteuid();
  credentials->gid = getegid();
  g_snprintf(credentials->name, sizeof credentials->name, "%u", (unsigned)credentials->uid);
  return true;
}

bool credentials_find(Credentials *credentials, const char *name, GError **error) {
  *credentials = (Credentials){0};
  bool root = geteuid() == 0;
  if (!root && !name) return ourselves(credentials, error);
  errno = 0;
  const struct passwd *entry = name ? by_name_or_number(name) : default_user();
  /* Nobody of that name, or the files could not be looked into. */
  if (!entry && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
    return fail_errno(error, "look up the user to run servers as");
  if (!entry && name) return fail(error, "there is no user '%s'", name);
  if (!entry)
    return fail(error, "there is no unprivileged user to run servers as (postgres, nobody): name one with --user");
  if (entry->pw_uid == geteuid()) return ourselves(credentials, error);
  if (!root) return fail(error, "only root can run servers as another user ('%s')", name);
  credentials->drop = true;
  return fill(credentials, entry, error);
}

bool credentials_apply(const Credentials *credentials) {
  if (!credentials->drop) return true;
  return setgroups((size_t)credentials->n_groups, credentials->groups) == 0 &&
         setresgid(credentials->gid, credentials->gid, credentials->gid) == 0 &&
         setresuid(credentials->uid, credentials->uid, credentials->uid) == 0;
}
