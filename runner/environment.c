/* An environment as a list of strings, the owner's marker always at its end. */
#include "runner/environment.h"

#include <string.h>

#define MARKER "RUNNER_SERVER"

static char *find(char **env, const char *key, guint *at) {
  gsize len = strlen(key);
  for (*at = 0; env[*at]; (*at)++)
    if (strncmp(env[*at], key, len) == 0 && env[*at][len] == '=') return env[*at];
  return NULL;
}

/* A new variable goes in front of the marker, or to the end when there is none. */
static void insert(char ***env, char *pair) {
  guint at;
  find(*env, MARKER, &at);
  guint n = g_strv_length(*env);
  *env = g_renew(char *, *env, n + 2);
  memmove(*env + at + 1, *env + at, (n + 1 - at) * sizeof **env);
  (*env)[at] = pair;
}

void environment_set(char ***env, const char *key, const char *value) {
  guint at;
  if (strcmp(key, MARKER) == 0) return;
  char *old = find(*env, key, &at);
  char *pair = value ? g_strconcat(key, "=", value, NULL) : NULL;
  if (old && pair) (*env)[at] = pair;
  else if (old) memmove(*env + at, *env + at + 1, (g_strv_length(*env) - at) * sizeof **env);
  else if (pair) insert(env, pair);
  g_free(old);
}

char **environment_new(const char *home, const char *marker) {
  const char *path = g_getenv("PATH");
  char **env = g_new0(char *, 1);
  if (marker) insert(&env, g_strconcat(MARKER "=", marker, NULL));
  environment_set(&env, "PATH", path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
  environment_set(&env, "HOME", home);
  environment_set(&env, "LC_ALL", "C");
  environment_set(&env, "TZ", "UTC");
  return env;
}
