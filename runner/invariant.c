#include "runner/invariant.h"

#include <stdlib.h>
#include <string.h>

#define EVERY 50000
#define CONNECT_LIMIT (1 * G_USEC_PER_SEC)
#define ANSWER_LIMIT (2 * G_USEC_PER_SEC)
#define FIRST_SAMPLE_LIMIT (2 * G_USEC_PER_SEC)

/* One server's samples. */
typedef struct View {
  Invariant *invariant;
  Node *node;
  Session *session;
  Fiber *fiber;
  guint64 samples, unanswered;
  char *why; /* the newest time without an answer */
  bool has_last;
  long double last;    /* monotonic: its newest number */
  bool matches;        /* count: it gives the value, */
  gint64 since, until; /* surely from then to then */
} View;

struct Invariant {
  Cluster *cluster;
  const InvariantStep *step;
  Place at;
  gint64 began;
  GPtrArray *views;
  guint64 violations;
  bool seen;                   /* count: somebody gave the value */
  char *first, *first_detail; /* what the first was */
  gint64 first_at;
};

/* ---- What an answer means */

static void violated(Invariant *invariant, char *headline, char *detail) {
  if (invariant->violations++ > 0) {
    g_free(headline);
    g_free(detail);
    return;
  }
  invariant->first = headline;
  invariant->first_detail = detail;
  invariant->first_at = g_get_monotonic_time();
}

static char *render(const Text *text, gsize *len, gpointer data, GError **error) {
  return scope_render(data, text, len, error);
}

static void judge_number(View *view, const char *text) {
  char *end = NULL;
  long double value = text ? strtold(text, &end) : 0;
  if (!text || end == text || *end) {
    violated(view->invariant, g_strdup_printf(" on %s: '%.60s' is no number", view->node->name, text ? text : "NULL"),
             NULL);
    return;
  }
  if (view->has_last && value < view->last)
    violated(view->invariant,
             g_strdup_printf(" on %s: the value fell from %.19Lg to %.19Lg", view->node->name, view->last, value),
             NULL);
  view->has_last = true;
  view->last = value;
}

/* Servers whose spans have a moment in common with this one's. */
static void judge_count(View *view) {
  Invariant *invariant = view->invariant;
  g_autoptr(GString) names = g_string_new(NULL);
  gint64 from = view->since, to = view->until, n = 0;
  for (guint i = 0; i < invariant->views->len; i++) {
    const View *other = g_ptr_array_index(invariant->views, i);
    if (!other->matches || MAX(from, other->since) >= MIN(to, other->until)) continue;
    from = MAX(from, other->since);
    to = MIN(to, other->until);
    g_string_append_printf(names, "%s%s", n++ > 0 ? ", " : "", other->node->name);
  }
  if (n <= invariant->step->count.max) return;
  g_autofree char *value = cell_text(invariant->step->count.value, &(CompareOptions){.render = render});
  violated(invariant,
           g_strdup_printf(": %" G_GINT64_FORMAT " servers answered %s at once (%s), and at most %" G_GINT64_FORMAT
                           " may",
                           n, value, names->str, invariant->step->count.max),
           NULL);
}

static void note_match(View *view, bool matches, gint64 asked, gint64 answered) {
  if (matches && !view->matches) view->since = answered;
  view->matches = matches;
  view->until = asked;
  view->invariant->seen |= matches;
  if (matches) judge_count(view);
}

/* ---- Asking */

static void no_answer(View *view, const char *why) {
  view->unanswered++;
  view->matches = false;
  g_free(view->why);
  view->why = g_strdelimit(g_strdup(why ? why : "no answer in time"), "\n", ' ');
  if (view->session && !db_usable(view->session->db)) g_clear_pointer(&view->session, session_free);
}

static const Cell *wanted_cell(const InvariantStep *step) { return step->value ? step->value : step->count.value; }

static char *sql_of(View *view, Scope *scope, GError **error) {
  const InvariantStep *step = view->invariant->step;
  Scope inner = *scope;
  inner.roles.self = view->node;
  return step->role ? scope_render(&inner, &view->node->engine->role, NULL, error)
                    : scope_render(scope, &step->query, NULL, error);
}

static void judge_answer(View *view, Comparison *comparison, const Collected *answer, gint64 asked) {
  const InvariantStep *step = view->invariant->step;
  view->samples++;
  if (step->monotonic) {
    const DbCell *row = answer->rows->len == 1 && answer->columns->len > 0 ? g_ptr_array_index(answer->rows, 0) : NULL;
    judge_number(view, row ? row[0].bytes : NULL);
  } else if (step->count.given) {
    note_match(view, comparison_holds(comparison), asked, g_get_monotonic_time());
  } else if (!comparison_holds(comparison)) {
    g_autofree char *headline = comparison_headline(comparison);
    violated(view->invariant, g_strdup_printf(" on %s: %s", view->node->name, headline),
             comparison_difference(comparison));
  }
}

static void ask(View *view, Scope *scope, DbOutcome *said) {
  const InvariantStep *step = view->invariant->step;
  g_autoptr(GError) error = NULL;
  CompareOptions options = {.render = render, .data = scope, .flavour = PATTERN_LINES};
  g_autofree char *sql = sql_of(view, scope, &error);
  g_autoptr(Comparison) comparison =
      sql && !step->monotonic ? comparison_new_value(wanted_cell(step), &options, &error) : NULL;
  Collected *answer = collected_new(64 * 1024);
  gint64 asked = g_get_monotonic_time();
  if (!error) {
    const DbSink *sink = comparison ? comparison_sink(comparison) : collected_sink(answer);
    db_execute(view->session->db, sql, strlen(sql), false, 0, NULL, sink, false, deadline_in(ANSWER_LIMIT), said);
  }
  if (said->status == DB_CANCELLED) g_clear_pointer(&view->session, session_free);
  else if (error || said->status != DB_OK) no_answer(view, error ? error->message : said->text);
  else judge_answer(view, comparison, answer, asked);
  collected_free(answer);
}

static void sample(View *view) {
  Scope scope = {.cluster = view->invariant->cluster};
  g_auto(Outcome) outcome = {0};
  DbOutcome said = {0};
  if (!view->session)
    view->session =
        session_open(&scope, view->node, &view->invariant->step->words, deadline_in(CONNECT_LIMIT), &said, &outcome);
  if (view->session) {
    db_outcome_clear(&said);
    ask(view, &scope, &said);
  } else if (!fiber_cancelled()) {
    no_answer(view, outcome.headline ? outcome.headline : said.text);
  }
  db_outcome_clear(&said);
}

static void sample_on(gpointer data) {
  View *view = data;
  gint64 every = view->invariant->step->every > 0 ? view->invariant->step->every : EVERY;
  Deadline next = clock_now();
  do {
    sample(view);
    next = MAX(next + every, clock_now());
  } while (!fiber_cancelled() && wait_until(next) != WAIT_CANCELLED);
  g_clear_pointer(&view->session, session_free);
}

/* ---- Beginning and ending */

static void view_free(gpointer data) {
  View *view = data;
  if (view->fiber) fiber_stop(view->fiber);
  g_free(view->why);
  g_free(view);
}

void invariant_begin(Cluster *cluster, const InvariantStep *step, const Place *at, GPtrArray *nodes) {
  Invariant *invariant = g_new0(Invariant, 1);
  *invariant = (Invariant){cluster, step, *at, g_get_monotonic_time(), g_ptr_array_new_with_free_func(view_free)};
  for (guint i = 0; i < nodes->len; i++) {
    View *view = g_new0(View, 1);
    view->invariant = invariant;
    view->node = g_ptr_array_index(nodes, i);
    view->fiber = fiber_spawn("invariant", sample_on, view);
    g_ptr_array_add(invariant->views, view);
  }
  g_ptr_array_add(cluster->invariants, invariant);
}

void invariant_free(gpointer data) {
  Invariant *invariant = data;
  g_ptr_array_unref(invariant->views);
  g_free(invariant->first);
  g_free(invariant->first_detail);
  g_free(invariant);
}

Invariant *invariant_find(Cluster *cluster, const char *name) {
  for (guint i = 0; i < cluster->invariants->len; i++) {
    Invariant *invariant = g_ptr_array_index(cluster->invariants, i);
    if (strcmp(invariant->step->name.s, name) == 0) return invariant;
  }
  return NULL;
}

static char *samples_text(const Invariant *invariant) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < invariant->views->len; i++) {
    const View *view = g_ptr_array_index(invariant->views, i);
    g_string_append_printf(text, "  %s: sampled %" G_GUINT64_FORMAT " times", view->node->name, view->samples);
    if (view->unanswered > 0)
      g_string_append_printf(text, ", %" G_GUINT64_FORMAT " times without an answer (the last: %s)", view->unanswered,
                             view->why);
    g_string_append_c(text, '\n');
  }
  return g_string_free(text, FALSE);
}

static void add_first(const Invariant *invariant, Outcome *outcome) {
  outcome_add(outcome, invariant->first_detail);
  outcome_addf(outcome, "  first %.3f s after it began, in step %s; %" G_GUINT64_FORMAT " times in all",
               (double)(invariant->first_at - invariant->began) / G_USEC_PER_SEC,
               timeline_step_at(&invariant->cluster->timeline, invariant->first_at), invariant->violations);
}

/* A value that nobody ever gives may be misspelt: counting it says nothing, unless it is never to be seen. */
static bool counts_nothing(const Invariant *invariant) {
  return invariant->step->count.given && invariant->step->count.max > 0 && !invariant->seen;
}

static void judge(const Invariant *invariant, Outcome *outcome) {
  const View *never = NULL;
  for (guint i = 0; i < invariant->views->len; i++) {
    const View *view = g_ptr_array_index(invariant->views, i);
    if (view->samples == 0 && !never) never = view;
  }
  const char *name = invariant->step->name.s;
  if (invariant->violations > 0) {
    outcome_fail(outcome, "invariant '%s' did not hold%s", name, invariant->first);
    add_first(invariant, outcome);
  } else if (never) {
    outcome_fail(outcome, "invariant '%s' was never sampled on %s", name, never->node->name);
  } else if (counts_nothing(invariant)) {
    g_autofree char *value = cell_text(invariant->step->count.value, &(CompareOptions){.render = render});
    outcome_fail(outcome, "invariant '%s' counts %s, which no server ever answered", name, value);
  } else {
    return;
  }
  g_autofree char *samples = samples_text(invariant);
  outcome_add(outcome, samples);
  outcome->at = invariant->at;
}

static void tell(const Invariant *invariant) {
  EventLog *log = invariant->cluster->log;
  g_autofree char *samples = samples_text(invariant),
                  *text = g_strdup_printf("invariant '%s':\n%s", invariant->step->name.s, samples);
  event_begin(log, "invariant");
  event_text(log, "name", invariant->step->name.s);
  event_int(log, "violations", (gint64)invariant->violations);
  event_text(log, "first", invariant->first ? invariant->first + strspn(invariant->first, " :") : NULL);
  event_text(log, "text", text);
  event_end(log);
}

/* Who has never been asked yet has a moment to be. */
static void wait_for_first(const Invariant *invariant) {
  Deadline limit = deadline_in(FIRST_SAMPLE_LIMIT);
  for (guint i = 0; i < invariant->views->len; i++) {
    const View *view = g_ptr_array_index(invariant->views, i);
    while (view->samples == 0 && !deadline_passed(limit))
      if (wait_until(deadline_first(limit, deadline_after(5000))) == WAIT_CANCELLED) return;
  }
}

bool invariant_end(Invariant *invariant, Outcome *outcome) {
  Cluster *cluster = invariant->cluster;
  wait_for_first(invariant);
  for (guint i = 0; i < invariant->views->len; i++) {
    View *view = g_ptr_array_index(invariant->views, i);
    fiber_stop(view->fiber);
    view->fiber = NULL;
  }
  tell(invariant);
  if (fiber_cancelled()) outcome_cancel(outcome);
  else judge(invariant, outcome);
  g_ptr_array_remove(cluster->invariants, invariant);
  return outcome->kind == OUTCOME_OK;
}

bool invariants_end_all(Cluster *cluster, Outcome *outcome) {
  while (cluster->invariants->len > 0 && outcome->kind == OUTCOME_OK)
    invariant_end(g_ptr_array_index(cluster->invariants, 0), outcome);
  return outcome->kind == OUTCOME_OK;
}

void invariants_tell(Cluster *cluster, Outcome *outcome) {
  for (guint i = 0; i < cluster->invariants->len; i++) {
    Invariant *invariant = g_ptr_array_index(cluster->invariants, i);
    if (invariant->violations == 0) continue;
    outcome_addf(outcome, "  invariant '%s' did not hold%s", invariant->step->name.s, invariant->first);
    add_first(invariant, outcome);
  }
}

/* ---- The verbs */

void step_invariant(Context *context, const Step *step, Outcome *outcome) {
  g_autoptr(GPtrArray) nodes = target_nodes(context, &step->invariant.on, outcome);
  if (!nodes) return;
  if (invariant_find(context->scope.cluster, step->invariant.name.s))
    outcome_fail(outcome, "invariant '%s' is looked at already", step->invariant.name.s);
  else invariant_begin(context->scope.cluster, &step->invariant, &step->at, nodes);
}

void step_end_invariant(Context *context, const Step *step, Outcome *outcome) {
  for (guint i = 0; i < step->end_invariant.names.n; i++) {
    Invariant *invariant = invariant_find(context->scope.cluster, step->end_invariant.names.v[i].s);
    if (!invariant) outcome_fail(outcome, "invariant '%s' is not looked at", step->end_invariant.names.v[i].s);
    if (!invariant || !invariant_end(invariant, outcome)) return;
  }
}
