/* log: what a server printed, since a moment. */
#include <string.h>
#include "runner/step.h"

/* Where to look from: the server's latest start, a step by name, or where the log stood before the preceding step. */
static bool since(Context *context, Node *node, const LogStep *log, guint64 *from, Outcome *outcome) {
  Cluster *cluster = context->scope.cluster;
  guint index = 0;
  g_ptr_array_find(cluster->nodes, node, &index);
  *from = 0;
  if (!log->since.raw) {
    if (context->log_marks) *from = *(guint64 *)g_ptr_array_index(context->log_marks, index);
    return true;
  }
  if (strcmp(log->since.raw, "start") == 0) {
    *from = node->run_began_at;
    return true;
  }
  GPtrArray *marks = g_hash_table_lookup(cluster->marks, log->since.raw);
  if (!marks) return outcome_error(outcome, "no step named '%s' has begun yet", log->since.raw);
  *from = *(guint64 *)g_ptr_array_index(marks, index);
  return true;
}

static bool keep_groups(Context *context, const LogStep *log, const Pattern *pattern, const OutputMatch *match,
                        Outcome *outcome) {
  if (log->capture.n == 0 || pattern_search(pattern, match->text, match->len, 0, NULL, NULL, NULL) != PATTERN_YES)
    return true;
  for (guint i = 0; i < log->capture.n; i++) {
    const Pair *pair = &log->capture.v[i];
    g_autofree char *bytes = pattern_group(pattern, pair->value.raw);
    if (!bytes && !pattern_has_group(pattern, pair->value.raw)) continue; /* another pattern of the list may have it */
    if (!bytes)
      return outcome_fail(outcome, "nothing to capture as '%s': group '%s' took no part in the match", pair->key,
                          pair->value.raw);
    scope_capture(&context->scope, pair->key, bytes, strlen(bytes));
  }
  return true;
}

static bool look_for(Context *context, Node *node, const LogStep *log, const PatternText *wanted, bool must,
                     guint64 from, Outcome *outcome) {
  g_autoptr(Pattern) made = NULL;
  GError *error = NULL;
  const Pattern *pattern =
      scope_pattern(&context->scope, wanted, log->block ? PATTERN_BLOCK : PATTERN_LINES, &made, &error);
  if (!pattern) return outcome_take_error(outcome, error);
  OutputMatch match = {0};
  const char *why = NULL;
  bool final = !node_running(node);
  PatternResult found =
      node->output ? output_find(node->output, pattern, from, log->block, final, NULL, &match, &why) : PATTERN_NO;
  bool good = true;
  if (found == PATTERN_UNDECIDED)
    good = outcome_error(outcome, "pattern /%s/ over the output of '%s' could not be decided: %s",
                         pattern_text(pattern), node->name, why);
  else if (must && found == PATTERN_NO) {
    good = outcome_fail(outcome, "no line of the output of '%s' matches /%s/", node->name, pattern_text(pattern));
    g_autofree char *tail = node_last_lines(node, 10);
    outcome_addf(outcome, "  looked at from byte %" G_GUINT64_FORMAT " on; its last lines:", from);
    outcome_add(outcome, tail);
  } else if (!must && found == PATTERN_YES) {
    good = outcome_fail(outcome, "a line of the output of '%s' matches /%s/, which none may", node->name,
                        pattern_text(pattern));
    outcome_addf(outcome, "  %s | %s", node->name, match.text);
  } else if (must)
    good = keep_groups(context, log, pattern, &match, outcome);
  output_match_clear(&match);
  if (!good) outcome->at = wanted->text.at;
  return good;
}

void step_log(Context *context, const Step *step, Outcome *outcome) {
  const LogStep *log = &step->log;
  Node *node = context_node(context, &log->server, outcome);
  guint64 from = 0;
  if (!node || !since(context, node, log, &from, outcome)) return;
  for (guint i = 0; i < log->matches.n; i++)
    if (!look_for(context, node, log, &log->matches.v[i], true, from, outcome)) return;
  for (guint i = 0; i < log->not_matches.n; i++)
    if (!look_for(context, node, log, &log->not_matches.v[i], false, from, outcome)) return;
}
