/* A plan: which tests are selected, in what order, and which shard of them this machine runs. */
#include "runner/plan.h"
#include <string.h>

#define SERVER "  servers: [{name: s, engine: postgresql}]\n  steps: [{on: s, exec: SELECT 1}]\n"

static const char first_file[] = "tests:\n"
                                 "- name: failover keeps writes\n  tags: [slow, ha]\n" SERVER
                                 "- name: sync [all]\n" SERVER
                                 "- name: modes\n  tags: [fast]\n  matrix: {mode: [async, sync]}\n" SERVER;
static const char second_file[] = "tests:\n- name: failover keeps reads\n  tags: [ha]\n  skip: not yet\n" SERVER;

static Definition *definitions[2];

static Definition *load(const char *path, const char *text) {
  Definition *definition = definition_load_bytes(path, text, strlen(text), "/");
  for (guint i = 0; i < definition_n_problems(definition); i++) {
    g_autofree char *problem = problem_text(definition_problem(definition, i));
    g_test_message("%s", problem);
  }
  g_assert_cmpuint(definition_n_errors(definition), ==, 0);
  return definition;
}

/* "name, name": what is planned. */
static char *planned(const PlanOptions *options) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Plan) plan = plan_new(definitions, G_N_ELEMENTS(definitions), options, &error);
  g_assert_no_error(error);
  GString *names = g_string_new(NULL);
  for (guint i = 0; i < plan_n_tests(plan); i++) {
    const PlannedTest *test = plan_test(plan, i);
    g_assert_cmpuint(test->number, ==, i + 1);
    g_string_append_printf(names, "%s%s", i ? ", " : "", test->name);
  }
  return g_string_free(names, FALSE);
}

#define assert_planned(expected, ...) \
  do { \
    g_autofree char *names = planned(&(PlanOptions){__VA_ARGS__}); \
    g_assert_cmpstr(names, ==, expected); \
  } while (0)
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_all(void) {
  assert_planned("failover keeps writes, sync [all], modes [mode=async], modes [mode=sync], failover keeps reads", 0);
}

static void test_globs(void) {
  assert_planned("failover keeps writes, failover keeps reads", .tests = LIST("failover*"));
  assert_planned("sync [all]", .tests = LIST("sync [all]"));
  assert_planned("modes [mode=sync]", .tests = LIST("modes [mode=s*]"));
  assert_planned("modes [mode=async], modes [mode=sync]", .tests = LIST("modes"));
  assert_planned("sync [all], modes [mode=async], modes [mode=sync]", .tests = LIST("s??? [all]", "mode?"));
  assert_planned("", .tests = LIST("failover"));
  assert_planned("", .tests = LIST(""));
}

static void test_expressions(void) {
  assert_planned("failover keeps writes, failover keeps reads", .tests = LIST("/keeps (reads|writes)$/"));
  assert_planned("modes [mode=sync], failover keeps reads", .tests = LIST("/=sync/", "*reads"));
}

static void test_tags(void) {
  assert_planned("failover keeps writes, failover keeps reads", .tags = LIST("ha"));
  assert_planned("failover keeps writes, modes [mode=async], modes [mode=sync]", .tags = LIST("fast", "slow"));
  assert_planned("sync [all], modes [mode=async], modes [mode=sync]", .skip_tags = LIST("ha"));
  assert_planned("failover keeps reads", .tags = LIST("ha"), .skip_tags = LIST("slow"));
  assert_planned("failover keeps writes", .tags = LIST("ha"), .tests = LIST("*writes"));
}

/* Every test is in one shard, whatever was selected before. */
static void test_shards(void) {
  assert_planned("failover keeps writes, modes [mode=async], failover keeps reads", .shard = 1, .shards = 2);
  assert_planned("sync [all], modes [mode=sync]", .shard = 2, .shards = 2);
  assert_planned("failover keeps reads", .tags = LIST("ha"), .shard = 2, .shards = 2);
  assert_planned("", .shard = 7, .shards = 7);
}

static void test_repeat(void) {
  assert_planned("failover keeps writes [round 1], failover keeps reads [round 1], failover keeps writes [round 2], "
                 "failover keeps reads [round 2]",
                 .tags = LIST("ha"), .repeat = 2);
  assert_planned("failover keeps reads", .tests = LIST("*reads"), .repeat = 1);
  assert_planned("failover keeps reads [round 1], failover keeps reads [round 2], failover keeps reads [round 3]",
                 .tags = LIST("ha"), .shard = 2, .shards = 2, .repeat = 3);
}

static void test_wrong_patterns(void) {
  g_autoptr(GError) error = NULL;
  g_assert_null(plan_new(definitions, 2, &(PlanOptions){.tests = LIST("/(/")}, &error));
  g_assert_true(g_str_has_prefix(error->message, "select the tests /(/: "));
  g_clear_error(&error);
  g_assert_null(plan_new(definitions, 2, &(PlanOptions){.tests = LIST("a\xff")}, &error));
  g_assert_cmpstr(error->message, ==, "select the tests 'a\xff': this is not UTF-8");
}

static void test_list(void) {
  g_autoptr(Plan) plan = plan_new(definitions, 2, &(PlanOptions){.tags = LIST("ha")}, NULL);
  g_autoptr(GString) out = g_string_new(NULL);
  plan_list(plan, out);
  g_assert_cmpstr(out->str, ==, "one.yaml:2: failover keeps writes  (tags: slow, ha)\n"
                                "two.yaml:2: failover keeps reads  (tags: ha)  (skipped: not yet)\n");
}

/* ---- Shards */

static const char *const shard_variables[] = {
    "TEST_SHARD_INDEX",
    "TEST_TOTAL_SHARDS",
    "GTEST_SHARD_INDEX",
    "GTEST_TOTAL_SHARDS",
    "CI_NODE_INDEX",
    "CI_NODE_TOTAL",
    "CIRCLE_NODE_INDEX",
    "CIRCLE_NODE_TOTAL",
    "BUILDKITE_PARALLEL_JOB",
    "BUILDKITE_PARALLEL_JOB_COUNT",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_STEP",
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "AWS_BATCH_JOB_ARRAY_SIZE",
};

/* "2/8 GitLab", or what is wrong. environment: "NAME=value NAME=value". */
static char *shard_of(const char *text, const char *environment) {
  g_auto(GStrv) settings = g_strsplit(environment, " ", -1);
  for (guint i = 0; i < G_N_ELEMENTS(shard_variables); i++) g_unsetenv(shard_variables[i]);
  for (char **setting = settings; *setting; setting++) {
    g_auto(GStrv) parts = g_strsplit(*setting, "=", 2);
    if (parts[0]) g_setenv(parts[0], parts[1], TRUE);
  }
  guint shard, shards;
  const char *source;
  g_autoptr(GError) error = NULL;
  if (!plan_parse_shard(text, &shard, &shards, &source, &error)) return g_strdup(error->message);
  return g_strdup_printf("%u/%u %s", shard, shards, source ? source : "-");
}

static const struct { const char *text, *environment, *expected;
} shard_cases[] = {
    {"2/8", "", "2/8 -"},
    {"1/1", "CI_NODE_INDEX=2 CI_NODE_TOTAL=3", "1/1 -"},
    {"0/8", "", "--shard '0/8': shards count from 1 to 8"},
    {"9/8", "", "--shard '9/8': shards count from 1 to 8"},
    {"1/0", "", "--shard '1/0': I/N, auto or auto/N is wanted"},
    {"1", "", "--shard '1': I/N, auto or auto/N is wanted"},
    {"-1/2", "", "--shard '-1/2': I/N, auto or auto/N is wanted"},
    {"1/2x", "", "--shard '1/2x': I/N, auto or auto/N is wanted"},
    {"1/2/3", "", "--shard '1/2/3': I/N, auto or auto/N is wanted"},
    {"auto", "", "0/0 -"},
    {"auto", "CI_NODE_TOTAL=4", "0/0 -"},
    {"auto", "CI_NODE_INDEX= CI_NODE_TOTAL=", "0/0 -"},
    {"auto", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=4", "1/4 Bazel"},
    {"auto", "TEST_SHARD_INDEX=3 TEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=3 GTEST_TOTAL_SHARDS=4", "4/4 Bazel"},
    {"auto", "GTEST_SHARD_INDEX=1 GTEST_TOTAL_SHARDS=4", "2/4 googletest"},
    {"auto", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", "1/4 GitLab"},
    {"auto", "CI_NODE_INDEX=4 CI_NODE_TOTAL=4", "4/4 GitLab"},
    {"auto", "CIRCLE_NODE_INDEX=1 CIRCLE_NODE_TOTAL=4", "2/4 CircleCI"},
    {"auto", "BUILDKITE_PARALLEL_JOB=3 BUILDKITE_PARALLEL_JOB_COUNT=4", "4/4 Buildkite"},
    {"auto", "SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2",
     "3/4 Slurm"},
    {"auto", "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0", "1/4 Slurm"},
    {"auto", "SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=1",
     "--shard auto: Slurm says SLURM_ARRAY_TASK_ID=9, which is none of 3 beginning at 1"},
    {"auto", "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=2",
     "--shard auto: Slurm says SLURM_ARRAY_TASK_ID=2, which is none of 3 beginning at 1"},
    {"auto", "AWS_BATCH_JOB_ARRAY_INDEX=2 AWS_BATCH_JOB_ARRAY_SIZE=3", "3/3 AWS Batch"},
    {"auto/6", "JOB_COMPLETION_INDEX=5", "6/6 Kubernetes"},
    {"auto", "JOB_COMPLETION_INDEX=5",
     "--shard auto: Kubernetes tells the index of this job (JOB_COMPLETION_INDEX), but not how many there are: use "
     "--shard auto/N"},
    {"auto/5", "JOB_COMPLETION_INDEX=5",
     "--shard auto: Kubernetes says JOB_COMPLETION_INDEX=5, which is none of 5 beginning at 0"},
    {"auto/6", "", "--shard auto/6: nothing in the environment tells which one this is"},
    {"auto/1", "", "0/0 -"},
    {"auto/3", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4", "--shard auto/3: GitLab says CI_NODE_TOTAL=4"},
    {"auto", "CI_NODE_INDEX=0 CI_NODE_TOTAL=4",
     "--shard auto: GitLab says CI_NODE_INDEX=0, which is none of 4 beginning at 1"},
    {"auto", "CI_NODE_INDEX=x CI_NODE_TOTAL=4", "--shard auto: CI_NODE_INDEX is 'x', which is no count"},
    {"auto", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=0",
     "--shard auto: Bazel tells the index of this job (TEST_SHARD_INDEX), but not how many there are: use --shard "
     "auto/N"},
    {"auto", "CI_NODE_INDEX=1 CI_NODE_TOTAL=4 BUILDKITE_PARALLEL_JOB=1 BUILDKITE_PARALLEL_JOB_COUNT=4",
     "--shard auto: GitLab says 1/4, Buildkite says 2/4"},
    {"auto", "CIRCLE_NODE_INDEX=0 CIRCLE_NODE_TOTAL=1 TEST_SHARD_INDEX=1 TEST_TOTAL_SHARDS=2", "2/2 Bazel"},
};

static void test_shard_texts(void) {
  for (guint i = 0; i < G_N_ELEMENTS(shard_cases); i++) {
    g_autofree char *got = shard_of(shard_cases[i].text, shard_cases[i].environment);
    g_assert_cmpstr(got, ==, shard_cases[i].expected);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  definitions[0] = load("one.yaml", first_file);
  definitions[1] = load("two.yaml", second_file);
  g_test_add_func("/plan/all", test_all);
  g_test_add_func("/plan/globs", test_globs);
  g_test_add_func("/plan/expressions", test_expressions);
  g_test_add_func("/plan/tags", test_tags);
  g_test_add_func("/plan/shards", test_shards);
  g_test_add_func("/plan/repeat", test_repeat);
  g_test_add_func("/plan/wrong-patterns", test_wrong_patterns);
  g_test_add_func("/plan/list", test_list);
  g_test_add_func("/plan/shard-texts", test_shard_texts);
  int status = g_test_run();
  definition_free(definitions[0]);
  definition_free(definitions[1]);
  return status;
}
