#include "cmd/bazel.h"
#include <stdlib.h>

const char *bazel_says(const Options *options, const char *variable) {
  if (!options->shard || !g_str_has_prefix(options->shard, "auto")) return NULL;
  const char *value = getenv(variable);
  return value && *value ? value : NULL;
}
