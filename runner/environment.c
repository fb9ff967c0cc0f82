/* The allow-list. */
#include "runner/environment.h"

#include <string.h>

#define MARKER "RUNNER_SERVER"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

char **environment_new(const char *home, const char *marker) {
  const char *path = g_getenv("PATH");
  char **env = g_environ_setenv(NULL, "PATH", path && *path ? path : DEFAULT_PATH, TRUE);
  env = g_environ_setenv(env, "HOME", home, TRUE);
  env = g_environ_setenv(env, "LC_ALL", "C", TRUE);
  env = g_environ_setenv(env, "TZ", "UTC", TRUE);
  return marker ? g_environ_setenv(env, MARKER, marker, TRUE) : env;
}

void environment_set(char ***env, const char *key, const char *value) {
  if (strcmp(key, MARKER) == 0) return;
  *env = value ? g_environ_setenv(*env, key, value, TRUE) : g_environ_unsetenv(*env, key);
}
