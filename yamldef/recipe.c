/* recipe.c - the steps of an engine profile speak of self, primary and peer only. */
#include "yamldef/decode.h"

#include <string.h>

static void check_name(Loader *l, Name name) {
  static const char *const ROLES[] = {"self", "primary", "peer"};
  if (name.s == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS(ROLES); i++)
    if (strcmp(name.s, ROLES[i]) == 0)
      return;
  g_autofree char *hint = did_you_mean(name.s, ROLES, G_N_ELEMENTS(ROLES));
  complain(l, name.at, hint, "a profile speaks of self, primary and peer, not of '%s'", name.s);
}

static void check_names(Loader *l, const Names *names) {
  for (guint i = 0; i < names->n; i++)
    check_name(l, names->v[i]);
}

static void check_inner(Loader *l, const Step *step) {
  for (guint i = 0; step->verb == VERB_TOGETHER && i < step->together.n; i++)
    check_recipe(l, &step->together.lanes[i]);
  if (step->verb == VERB_LOOP)
    check_recipe(l, &step->loop.steps);
  if (step->verb == VERB_GROUP)
    check_recipe(l, &step->group.steps);
}

static void check_one(Loader *l, const Step *step) {
  if (step->when.given)
    check_name(l, step->when.server);
  switch (step->verb) {
  case VERB_SQL: check_names(l, &step->sql.on.servers); break;
  case VERB_EQUAL: check_names(l, &step->equal.on.servers); break;
  case VERB_LOG: check_name(l, step->log.server); break;
  case VERB_FILE: check_name(l, step->file.server); break;
  case VERB_RUN: check_name(l, step->run.server); break;
  case VERB_SYNC:
    check_name(l, step->sync.from);
    check_names(l, &step->sync.to);
    break;
  case VERB_WORKLOAD:
  case VERB_CHECK_WORKLOAD:
  case VERB_STOP_WORKLOAD:
  case VERB_INVARIANT:
  case VERB_END_INVARIANT:
    complain(l, step->at, NULL, "'%s' belongs to tests, not to recipes", verb_word(step->verb));
    break;
  case VERB_LINK: complain(l, step->at, NULL, "a profile knows no links"); break;
  case VERB_HTTP:
  case VERB_CLOSE:
  case VERB_AWAIT:
  case VERB_SLEEP: break;
  case VERB_TOGETHER:
  case VERB_LOOP:
  case VERB_GROUP: check_inner(l, step); break;
  default: check_names(l, &step->life.servers); check_name(l, step->life.from);
  }
}

void check_recipe(Loader *l, const Steps *steps) {
  for (guint i = 0; i < steps->n; i++) {
    enter(l, "step %u", steps->v[i].number);
    check_one(l, &steps->v[i]);
    leave(l);
  }
}
