#include "cmd/selection.h"
#include "cmd/bazel.h"
#include "cmd/commands.h"
#include "cmd/inputs.h"
#include <stdio.h>
#include <stdlib.h>

#define UNTIL_FAIL_ROUNDS 1000

static int load(const Options *options, Selection *selection) {
  g_autoptr(GError) error = NULL;
  selection->definitions = inputs_load(options->files, &error);
  if (!selection->definitions) return tell(STATUS_USAGE, "%s", error->message);
  g_autoptr(GString) problems = g_string_new(NULL);
  guint n_warnings, n_errors = inputs_problems(selection->definitions, false, &n_warnings, problems);
  fputs(problems->str, stderr);
  if (!n_errors) return STATUS_PASSED;
  return tell(STATUS_USAGE, "%u error%s in the definitions: nothing was started", n_errors, n_errors == 1 ? "" : "s");
}

/* Bazel has some shards empty, and wants that to be a success. */
static int nothing_selected(const Options *options, const Selection *selection) {
  if (g_strcmp0(selection->shard_source, "Bazel") == 0)
    return tell(STATUS_PASSED, "no test is in shard %u/%u", selection->shard, selection->shards);
  if (selection->shards)
    return tell(STATUS_NOTHING, "no test is selected in shard %u/%u", selection->shard, selection->shards);
  const char *const *names = options_list(options->tests);
  if (names && !names[1] && !strpbrk(names[0], "*?/"))
    return tell(STATUS_NOTHING, "no test is selected: a name matches as a whole, so perhaps -t '*%s*'", names[0]);
  return tell(STATUS_NOTHING, "no test is selected");
}

int selection_make(const Options *options, Selection *selection) {
  g_autoptr(GError) error = NULL;
  *selection = (Selection){0};
  if (options->shard &&
      !plan_parse_shard(options->shard, &selection->shard, &selection->shards, &selection->shard_source, &error))
    return tell(STATUS_USAGE, "%s", error->message);
  int status = load(options, selection);
  if (status != STATUS_PASSED) return status;
  const char *filter[] = {bazel_says(options, "TESTBRIDGE_TEST_ONLY"), NULL};
  const char *const *names = options_list(options->tests);
  guint repeat = options->until_fail && !options->repeat ? UNTIL_FAIL_ROUNDS : (guint)options->repeat;
  PlanOptions wanted = {
      .tests = names || !filter[0] ? names : filter,
      .tags = options_list(options->tags),
      .skip_tags = options_list(options->skip_tags),
      .shard = selection->shard,
      .shards = selection->shards,
      .repeat = repeat,
  };
  selection->plan =
      plan_new((Definition *const *)selection->definitions->pdata, selection->definitions->len, &wanted, &error);
  if (!selection->plan) return tell(STATUS_USAGE, "%s", error->message);
  return plan_n_tests(selection->plan) ? STATUS_PASSED : nothing_selected(options, selection);
}

void selection_clear(Selection *selection) {
  g_clear_pointer(&selection->plan, plan_free);
  g_clear_pointer(&selection->definitions, g_ptr_array_unref);
}
