/* plan.h - which tests run, and in what order: all that can be known before anything is started.
 *
 * Made from definitions after selection and sharding; constant afterwards.  A plan of a thousand tests is small: it
 * points into the definitions, which must outlive it.
 */
#ifndef RUNNER_PLAN_H
#define RUNNER_PLAN_H

#include "yamldef/definition.h"

typedef struct PlanOptions {
  const char *const *tests; /* -t: /regular expressions/, or globs (* and ?, for names have brackets); of the name, with
                               or without the matrix's values; any of them is enough; NULL: all */
  const char *const *tags, *const *skip_tags;    /* any of, none of */
  guint shard, shards;           /* 1-based; shards 0: no sharding */
  guint repeat;                  /* each test so many times, 0 and 1: once */
} PlanOptions;

typedef struct PlannedTest {
  guint number;                  /* from 1, in order */
  guint round;                   /* of --repeat, from 1 */
  const Test *test;
  const char *file;
  char *name;                    /* unique among its file's: with its round when repeated, which -t does not know */
} PlannedTest;

typedef struct Plan Plan;

Plan *plan_new(Definition *const *definitions, guint n, const PlanOptions *options, GError **error);
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)
guint plan_n_tests(const Plan *plan);
const PlannedTest *plan_test(const Plan *plan, guint i);

/* "2/8", or "auto": from Bazel, Slurm and Kubernetes job arrays, GitLab, Buildkite, CircleCI, as their variables tell
 * (two that disagree are an error; none, or one of one: no sharding). *source names where it came from ("GitLab"), NULL
 * when it was said or nothing tells. "auto/8" where the environment tells the index only, as Kubernetes does. */
bool plan_parse_shard(const char *text, guint *shard, guint *shards, const char **source, GError **error);

/* `runner plan`: servers with argv, env, files; steps; expectations; what only a start can know as {{names}}. */
void plan_print(const Plan *plan, GString *out);
/* `runner list`: a line a test. */
void plan_list(const Plan *plan, GString *out);

#endif
