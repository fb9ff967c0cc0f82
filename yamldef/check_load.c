/* check_load.c - workloads and invariants that could never say anything. */
#include "yamldef/check.h"

#include <string.h>

/* ---- Expectations ------------------------------------------------------------------------------------------------ */

static void check_bounds(Check *c, const Bounds *bounds, const char *what) {
  if (!bounds->given) return;
  if (!bounds->has_exactly && !bounds->has_min && !bounds->has_max)
    complain(c->l, bounds->at, NULL, "'%s' says nothing: it needs a number, 'min' or 'max'", what);
  else if (bounds->has_exactly && (bounds->has_min || bounds->has_max))
    complain(c->l, bounds->at, NULL, "in '%s', 'exactly' and 'min' or 'max' exclude each other", what);
  else if (bounds->has_min && bounds->has_max && bounds->min > bounds->max)
    complain(c->l, bounds->at, NULL, "'%s' can never hold: its 'min' is more than its 'max'", what);
}

void check_latency(Check *c, const LatencyExpectation *latency) {
  if (latency->given && !latency->p50.given && !latency->p90.given && !latency->p99.given && !latency->p999.given &&
      !latency->max.given)
    complain(c->l, latency->at, NULL, "'latency' says nothing: it needs p50, p90, p99, p999 or max");
}

static void check_expectation(Check *c, const WorkloadStep *workload, const WorkloadExpectation *expect) {
  const struct {
    const char *what;
    const Bounds *bounds;
  } all[] = {{"lost", &expect->lost},
             {"duplicated", &expect->duplicated},
             {"errors", &expect->errors},
             {"unknown", &expect->unknown},
             {"acknowledged", &expect->acknowledged},
             {"unavailable", &expect->unavailable},
             {"throughput", &expect->throughput}};
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    check_bounds(c, all[i].bounds, all[i].what);
    if (i < 2 && all[i].bounds->given && workload->read.raw == NULL)
      complain(c->l, all[i].bounds->at, "add `read` to the workload: SQL that gives the ids that are there",
               "'%s' can never be checked: the workload '%s' has no 'read'", all[i].what, workload->name.s);
  }
  check_latency(c, &expect->latency);
}

/* ---- Workloads --------------------------------------------------------------------------------------------------- */

static bool text_has_id(const Text *text) {
  for (guint i = 0; i < text->n_parts; i++) {
    const TextPart *part = &text->parts[i];
    if (!part->is_call) continue;
    if (part->call == CALL_VAR && part->args[0].n_parts == 0 && strcmp(part->args[0].raw, "id") == 0) return true;
    for (guint k = 0; k < part->n_args; k++)
      if (text_has_id(&part->args[k])) return true;
  }
  return false;
}

void check_workload(Check *c, const Step *step) {
  const WorkloadStep *workload = &step->workload;
  check_target(c, &workload->on);
  if (step->within >= 0 || step->stays >= 0)
    complain(c->l, step->at, NULL, "a workload is begun once: 'within' and 'stays' belong to 'check_workload'");
  if (workload->name.s == NULL || workload->write.raw == NULL) return;
  if (!text_has_id(&workload->write))
    complain(c->l, workload->write.at, NULL, "'write' needs {{var \"id\"}}: by it one write is told from another");
  if (workload->read.raw != NULL && text_has_id(&workload->read))
    complain(c->l, workload->read.at, NULL,
             "'read' gives all ids that are there, and has no {{var \"id\"}} of its own");
  if (g_hash_table_contains(c->workloads, workload->name.s))
    complain(c->l, workload->name.at, NULL, "another workload is called '%s' too, and nothing has stopped it",
             workload->name.s);
  g_hash_table_insert(c->workloads, (gpointer)(guintptr)workload->name.s, (gpointer)(guintptr)workload);
}

void check_look(Check *c, const Step *step) {
  const WorkloadLook *look = &step->look;
  const WorkloadStep *workload = look->name.s == NULL ? NULL : g_hash_table_lookup(c->workloads, look->name.s);
  if (look->has_on) check_target(c, &look->on);
  if (look->name.s == NULL) return;
  if (workload == NULL) {
    g_autoptr(GPtrArray) names = keys_of(c->workloads);
    g_autofree char *hint = did_you_mean(look->name.s, (const char *const *)names->pdata, names->len);
    complain(c->l, look->name.at, hint, "no workload called '%s' runs here", look->name.s);
    return;
  }
  check_expectation(c, workload, &look->expect);
  if (look->has_on && workload->read.raw == NULL)
    complain(c->l, look->on.at, NULL, "'on' says nothing here: the workload '%s' has no 'read'", workload->name.s);
  if (step->verb == VERB_STOP_WORKLOAD) g_hash_table_remove(c->workloads, look->name.s);
  else if (look->progress == 0 && !look->expect.given)
    complain(c->l, step->at, NULL, "'check_workload' needs 'progress' or 'expect'");
}

/* ---- Invariants -------------------------------------------------------------------------------------------------- */

void check_invariant(Check *c, const Step *step) {
  const InvariantStep *invariant = &step->invariant;
  guint asserts = (invariant->value != NULL) + invariant->monotonic + invariant->count.given;
  check_target(c, &invariant->on);
  if (step->within >= 0 || step->stays >= 0)
    complain(c->l, step->at, NULL,
             "an invariant is begun once, and always stays: 'within' and 'stays' say nothing here");
  if ((invariant->query.raw != NULL) == invariant->role)
    complain(c->l, step->at, NULL, "an invariant needs either 'query' or 'role: true'");
  if (invariant->role) {
    const Target by_role = {.at = step->at, .role = "primary"};
    check_target(c, &by_role);
  }
  if (asserts != 1) complain(c->l, step->at, NULL, "an invariant needs one of 'value', 'monotonic: true' and 'count'");
  if (invariant->count.given && !invariant->count.has_max)
    complain(c->l, invariant->count.at, NULL, "'count' needs 'max': on how many servers at most");
  if (invariant->name.s == NULL) return;
  if (!g_hash_table_add(c->invariants, (gpointer)(guintptr)invariant->name.s))
    complain(c->l, invariant->name.at, NULL, "another invariant is called '%s' too, and nothing has ended it",
             invariant->name.s);
}

void check_end_invariant(Check *c, const Step *step) {
  for (guint i = 0; i < step->end_invariant.names.n; i++) {
    Name name = step->end_invariant.names.v[i];
    if (g_hash_table_remove(c->invariants, name.s)) continue;
    g_autoptr(GPtrArray) names = keys_of(c->invariants);
    g_autofree char *hint = did_you_mean(name.s, (const char *const *)names->pdata, names->len);
    complain(c->l, name.at, hint, "no invariant called '%s' is looked at here", name.s);
  }
}

void check_stopped(Check *c) {
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, c->workloads);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const WorkloadStep *workload = value;
    complain(c->l, workload->name.at, "add `stop_workload`, which reads back what is there",
             "nothing stops the workload '%s', so nothing is said of its writes", workload->name.s);
  }
}
