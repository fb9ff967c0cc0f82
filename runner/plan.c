#include "runner/plan.h"
#include <string.h>

struct Plan {
  GArray *tests;                 /* PlannedTest */
};

/* ---- Selection */

/* A -t of the command line: /RE/, or a glob in which only * and ? are special, since names have brackets. */
typedef struct NamePattern {
  const char *text;
  GPatternSpec *glob;
  Pattern *re;
} NamePattern;

static void name_pattern_clear(gpointer pointer) {
  NamePattern *pattern = pointer;
  g_clear_pointer(&pattern->glob, g_pattern_spec_free);
  g_clear_pointer(&pattern->re, pattern_free);
}

static GArray *compile_names(const char *const *texts, GError **error) {
  g_autoptr(GArray) patterns = g_array_new(FALSE, TRUE, sizeof(NamePattern));
  g_array_set_clear_func(patterns, name_pattern_clear);
  for (; texts && *texts; texts++) {
    gsize len = strlen(*texts);
    NamePattern pattern = {.text = *texts};
    if (!g_utf8_validate(*texts, len, NULL)) {
      g_set_error(error, G_CONVERT_ERROR, G_CONVERT_ERROR_ILLEGAL_SEQUENCE, "select the tests '%s': this is not UTF-8",
                  *texts);
      return NULL;
    }
    if (len > 2 && **texts == '/' && (*texts)[len - 1] == '/') {
      pattern.re = pattern_new(*texts + 1, len - 2, PATTERN_LINES, error);
      if (!pattern.re) {
        g_prefix_error(error, "select the tests %s: ", *texts);
        return NULL;
      }
    } else {
      pattern.glob = g_pattern_spec_new(*texts);
    }
    g_array_append_val(patterns, pattern);
  }
  return g_steal_pointer(&patterns);
}

static bool name_matches(const NamePattern *pattern, const char *name) {
  if (g_str_equal(name, pattern->text)) return true;
  if (pattern->glob) return g_pattern_spec_match_string(pattern->glob, name);
  return pattern_search(pattern->re, name, strlen(name), 0, NULL, NULL, NULL) == PATTERN_YES;
}

static bool any_name_matches(const GArray *patterns, const Test *test) {
  if (!patterns->len) return true;
  for (guint i = 0; i < patterns->len; i++) {
    const NamePattern *pattern = &g_array_index(patterns, NamePattern, i);
    if (name_matches(pattern, test->name) || (test->base_name && name_matches(pattern, test->base_name))) return true;
  }
  return false;
}

static bool has_tag(const Test *test, const char *const *tags) {
  for (guint i = 0; i < test->tags.n; i++)
    if (g_strv_contains(tags, test->tags.v[i].s)) return true;
  return false;
}

static bool is_selected(const Test *test, const GArray *names, const PlanOptions *options) {
  if (options->tags && *options->tags && !has_tag(test, options->tags)) return false;
  if (options->skip_tags && has_tag(test, options->skip_tags)) return false;
  return any_name_matches(names, test);
}

/* ---- The plan */

static void planned_clear(gpointer pointer) { g_free(((PlannedTest *)pointer)->name); }

Plan *plan_new(Definition *const *definitions, guint n, const PlanOptions *options, GError **error) {
  g_autoptr(GArray) names = compile_names(options->tests, error);
  if (!names) return NULL;
  g_autoptr(GArray) selected = g_array_new(FALSE, FALSE, sizeof(const Test *));
  guint seen = 0;
  for (guint d = 0; d < n; d++)
    for (guint i = 0; i < definition_n_tests(definitions[d]); i++) {
      const Test *test = definition_test(definitions[d], i);
      if (!is_selected(test, names, options)) continue;
      if (!options->shards || seen % options->shards == options->shard - 1) g_array_append_val(selected, test);
      seen++;
    }
  Plan *plan = g_new0(Plan, 1);
  plan->tests = g_array_new(FALSE, TRUE, sizeof(PlannedTest));
  g_array_set_clear_func(plan->tests, planned_clear);
  /* Round by round, so that a test that disturbs the next ones does so in each round. */
  for (guint round = 1; round <= MAX(options->repeat, 1); round++)
    for (guint i = 0; i < selected->len; i++) {
      const Test *test = g_array_index(selected, const Test *, i);
      PlannedTest planned = {.number = plan->tests->len + 1, .round = round, .test = test, .file = test->at.file};
      planned.name = options->repeat > 1 ? g_strdup_printf("%s [round %u]", test->name, round) : g_strdup(test->name);
      g_array_append_val(plan->tests, planned);
    }
  return plan;
}

void plan_free(Plan *plan) {
  if (!plan) return;
  g_array_unref(plan->tests);
  g_free(plan);
}

guint plan_n_tests(const Plan *plan) { return plan->tests->len; }
const PlannedTest *plan_test(const Plan *plan, guint i) { return &g_array_index(plan->tests, PlannedTest, i); }
