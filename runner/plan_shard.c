#include "runner/plan.h"
#include <stdlib.h>
#include <string.h>

/* How systems that run a job many times tell each of them which one it is. */
typedef struct ShardSystem {
  const char *name, *index, *total;    /* total NULL: it does not tell */
  int base;                            /* of index, but where min says otherwise */
  const char *min, *step;
} ShardSystem;

static const ShardSystem systems[] = {
  {"Bazel", "TEST_SHARD_INDEX", "TEST_TOTAL_SHARDS", 0},
  {"googletest", "GTEST_SHARD_INDEX", "GTEST_TOTAL_SHARDS", 0},
  {"GitLab", "CI_NODE_INDEX", "CI_NODE_TOTAL", 1},
  {"CircleCI", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0},
  {"Buildkite", "BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0},
  {"Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", 0, "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"},
  {"Kubernetes", "JOB_COMPLETION_INDEX", NULL, 0},
  {"AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", 0},
};

typedef struct ShardFound { guint shard, shards; const ShardSystem *system; } ShardFound;

#define FAIL(...) (g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__), false)

static bool parse_count(const char *text, gint64 *value) {
  guint64 number;
  if (!text || !g_ascii_string_to_unsigned(text, 10, 0, 1000000, &number, NULL)) return false;
  *value = (gint64)number;
  return true;
}

/* Empty is as good as unset. */
static const char *variable(const char *name) {
  const char *value = name ? getenv(name) : NULL;
  return value && *value ? value : NULL;
}

static bool read_number(const char *name, gint64 otherwise, gint64 *value, GError **error) {
  const char *text = variable(name);
  *value = otherwise;
  if (!text || parse_count(text, value)) return true;
  return FAIL("--shard auto: %s is '%s', which is no count", name, text);
}

/* given: of auto/N, 0 when the environment is to tell. */
static bool read_system(const ShardSystem *system, gint64 given, ShardFound *found, GError **error) {
  gint64 index, total, min, step;
  if (!read_number(system->index, -1, &index, error) || !read_number(system->total, -1, &total, error) ||
      !read_number(system->min, system->base, &min, error) || !read_number(system->step, 1, &step, error))
    return false;
  if (total < 0) total = given;
  if (total <= 0)
    return FAIL("--shard auto: %s tells the index of this job (%s), but not how many there are: use --shard auto/N",
                system->name, system->index);
  if (given && given != total)
    return FAIL("--shard auto/%d: %s says %s=%d", (int)given, system->name, system->total, (int)total);
  if (step <= 0 || index < min || (index - min) % step || (index - min) / step >= total)
    return FAIL("--shard auto: %s says %s=%d, which is none of %d beginning at %d", system->name, system->index,
                (int)index, (int)total, (int)min);
  *found = (ShardFound){(guint)((index - min) / step) + 1, (guint)total, system};
  return true;
}

static bool shard_from_environment(gint64 given, ShardFound *found, GError **error) {
  for (guint i = 0; i < G_N_ELEMENTS(systems); i++) {
    ShardFound one;
    if (!variable(systems[i].index)) continue;
    if (!read_system(&systems[i], given, &one, error)) return false;
    if (one.shards == 1) continue;     /* one of one: such a system is there, but has not divided anything */
    if (found->system && (found->shard != one.shard || found->shards != one.shards))
      return FAIL("--shard auto: %s says %u/%u, %s says %u/%u", found->system->name, found->shard, found->shards,
                  one.system->name, one.shard, one.shards);
    if (!found->system) *found = one;
  }
  if (given > 1 && !found->system)
    return FAIL("--shard auto/%d: nothing in the environment tells which one this is", (int)given);
  return true;
}

bool plan_parse_shard(const char *text, guint *shard, guint *shards, const char **source, GError **error) {
  *shard = *shards = 0;
  *source = NULL;
  const char *slash = strchr(text, '/');
  g_autofree char *first = slash ? g_strndup(text, slash - text) : g_strdup(text);
  gint64 index = 0, total = 0;
  if (slash && (!parse_count(slash + 1, &total) || !total))
    return FAIL("--shard '%s': I/N, auto or auto/N is wanted", text);
  if (g_str_equal(first, "auto")) {
    ShardFound found = {0};
    if (!shard_from_environment(total, &found, error)) return false;
    *shard = found.shard;
    *shards = found.shards;
    *source = found.system ? found.system->name : NULL;
    return true;
  }
  if (!slash || !parse_count(first, &index)) return FAIL("--shard '%s': I/N, auto or auto/N is wanted", text);
  if (index < 1 || index > total) return FAIL("--shard '%s': shards count from 1 to %d", text, (int)total);
  *shard = (guint)index;
  *shards = (guint)total;
  return true;
}
