/* check_steps.c - steps that can never do what they say. */
#include "yamldef/check.h"

#include <string.h>

/* ---- Servers in steps -------------------------------------------------------------------------------------------- */

static void use_servers(Check *c, const Names *names, void (*each)(Check *, const Server *, Name)) {
  for (guint i = 0; i < names->n; i++) {
    const Server *server = use_server(c, names->v[i]);
    if (server != NULL && each != NULL)
      each(c, server, names->v[i]);
  }
}

static void want_sql(Check *c, const Server *server, Name name) {
  if (!server->runs && !server->external)
    complain(c->l, name.at, NULL, "'%s' is only a directory: no server runs there", name.s);
  else if (server->engine->client == CLIENT_NONE)
    complain(c->l, name.at, NULL, "the server '%s' understands no SQL: its engine has no 'client'", name.s);
}

static void want_role(Check *c, const Target *target) {
  for (guint i = 0; i < c->test->n_servers; i++)
    if (c->test->servers[i].engine->role.raw != NULL)
      return;
  complain(c->l, target->at, NULL, "no server of this test can tell its role: their engines have no 'role'");
}

void check_target(Check *c, const Target *target) {
  if (target->role != NULL)
    want_role(c, target);
  for (guint i = 0; (target->all || target->role != NULL) && i < c->test->n_servers; i++)
    g_hash_table_add(c->used, (gpointer)(guintptr)&c->test->servers[i]);
  use_servers(c, &target->servers, want_sql);
}

/* ---- SQL --------------------------------------------------------------------------------------------------------- */

static bool expects_error(const SqlEntry *entry) {
  return entry->error_match.text.raw != NULL || entry->error_code.n > 0;
}

static bool error_may_fail_to_come(const SqlEntry *entry) {
  for (guint i = 0; i < entry->error_code.n; i++)
    if (strcmp(entry->error_code.v[i].raw, "ok") == 0)
      return true;
  return false;
}

/* The key whose check can never be made, or NULL. */
static const char *result_key(const SqlEntry *entry) {
  return entry->result != NULL ? "result" : entry->value != NULL ? "value" : entry->capture.n > 0 ? "capture" : NULL;
}

static void check_kind(Check *c, const SqlEntry *entry) {
  static const char *const WORDS[] = {"query", "exec", "script"};
  const char *key = result_key(entry);
  if (entry->sql.raw == NULL)
    return; /* that it has none was said */
  bool asks =
      key != NULL || expects_error(entry) || entry->has_affected || entry->warnings.given || entry->notices.given;
  if (entry->kind != SQL_QUERY && key != NULL)
    complain(c->l, entry->at, "make it a 'query'", "'%s' can never be checked: the result of '%s' does not count", key,
             WORDS[entry->kind]);
  else if (entry->kind == SQL_QUERY && !asks)
    complain(c->l, entry->at, "make it an 'exec'", "this query expects and captures nothing");
  if (entry->kind == SQL_SCRIPT && entry->has_args)
    complain(c->l, entry->at, NULL, "'args' belong to one statement, and a script has many");
  if (key != NULL && entry->kind == SQL_QUERY && expects_error(entry) && !error_may_fail_to_come(entry))
    complain(c->l, entry->at, NULL, "'%s' can never be checked: an error is expected", key);
}

static void check_repeat(Check *c, const SqlEntry *entry, bool repeats) {
  static const char *const WORDS[] = {"query", "exec", "script"};
  if (entry->kind != SQL_QUERY && !expects_error(entry) && (repeats || entry->retry_attempts > 1))
    complain(c->l, entry->at, "wait with a 'query' step of its own",
             "this %s would be repeated, though it may change things each time: it needs an expected error",
             WORDS[entry->kind]);
}

static void check_entry(Check *c, const Step *step, const SqlEntry *entry) {
  const Target *on = &step->sql.on;
  if (c->test->dolt) {
    if (entry->kind != SQL_QUERY && entry->result != NULL)
      doubt(c->l, entry->at, "make it a 'query'", "'result' is not checked: the result of 'exec' does not count");
    return;
  }
  check_kind(c, entry);
  check_latency(c, &entry->latency);
  if ((entry->rate > 0 || entry->latency.given) && entry->times < 2)
    complain(c->l, entry->at, NULL, "'%s' needs 'times': one statement has neither",
             entry->rate > 0 ? "rate" : "latency");
  check_repeat(c, entry, c->repeats);
  if (entry->capture.n > 0 && (on->all || on->servers.n > 1))
    complain(c->l, entry->at, NULL, "'capture' needs one server, and 'on' names several");
  if (entry->result != NULL && entry->result->same_as.s != NULL)
    use_server(c, entry->result->same_as);
}

static void check_session(Check *c, const Step *step) {
  const Target *on = &step->sql.on;
  Name name = step->sql.session;
  if (name.s == NULL)
    return;
  if (on->all || on->servers.n > 1) {
    complain(c->l, name.at, NULL, "a session is with one server, and 'on' names several");
    return;
  }
  const char *server = on->role != NULL ? NULL : on->servers.n == 1 ? on->servers.v[0].s : NULL;
  SessionUse *use = g_hash_table_lookup(c->sessions, name.s);
  if (use == NULL) {
    use = g_new0(SessionUse, 1);
    *use = (SessionUse){name, server, 0};
    g_ptr_array_add(c->opened, use);
    g_hash_table_insert(c->sessions, (gpointer)(guintptr)name.s, use);
  } else if (use->server != NULL && server != NULL && strcmp(use->server, server) != 0) {
    complain(c->l, name.at, NULL, "the session '%s' is with '%s', not with '%s'", name.s, use->server, server);
  }
  use->uses += step->sql.n_entries;
}

static void check_sql(Check *c, const Step *step) {
  const SqlStep *sql = &step->sql;
  check_target(c, &sql->on);
  check_session(c, step);
  if (sql->connect_error.given && sql->n_entries > 0)
    complain(c->l, sql->connect_error.at, NULL, "its statements can never run: 'connect_error' expects no session");
  if (sql->n_entries == 0 && !sql->connect_error.given && sql->session.s == NULL && !c->test->dolt)
    complain(c->l, step->at, NULL, "this step asks nothing: it needs 'query', 'exec', 'script' or 'queries'");
  for (guint i = 0; i < sql->n_entries; i++) {
    if (sql->n_entries > 1)
      enter(c->l, "query %u", i + 1);
    check_entry(c, step, &sql->entries[i]);
    if (sql->n_entries > 1)
      leave(c->l);
  }
}

static void check_close(Check *c, const CloseStep *close) {
  for (guint i = 0; i < close->sessions.n; i++) {
    Name name = close->sessions.v[i];
    if (g_hash_table_remove(c->sessions, name.s))
      continue;
    g_autoptr(GPtrArray) names = keys_of(c->sessions);
    g_autofree char *hint = did_you_mean(name.s, (const char *const *)names->pdata, names->len);
    complain(c->l, name.at, hint, "no session called '%s' is open here", name.s);
  }
}

static void check_await(Check *c, const AwaitStep *await) {
  Name name = await->background;
  if (name.s == NULL ||
      (await->blocked ? g_hash_table_contains(c->backgrounds, name.s) : g_hash_table_remove(c->backgrounds, name.s)))
    return; /* `blocked` only looks: it is to be collected later */
  g_autoptr(GPtrArray) names = keys_of(c->backgrounds);
  g_autofree char *hint = did_you_mean(name.s, (const char *const *)names->pdata, names->len);
  complain(c->l, name.at, hint, "no background step called '%s' runs here", name.s);
}

/* ---- Lives ------------------------------------------------------------------------------------------------------- */

static void want_ours(Check *c, const Server *server, Name name) {
  if (server->external)
    complain(c->l, name.at, NULL, "the server '%s' is external: not ours to start or stop", name.s);
  else if (!server->runs)
    complain(c->l, name.at, NULL, "'%s' is only a directory: no server runs there", name.s);
}

static bool engine_can(const Engine *engine, Verb verb) {
  switch (verb) {
  case VERB_CLONE: return engine->has_clone;
  case VERB_PROMOTE: return engine->has_promote;
  case VERB_FOLLOW: return engine->has_follow;
  case VERB_REJOIN: return engine->has_rejoin;
  case VERB_RELOAD: return engine->reload_signal.raw != NULL || engine->reload_command.n > 0;
  default: return true;
  }
}

static void check_mode(Check *c, const Engine *engine, const Text *mode) {
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  if (mode->raw == NULL || mode->n_parts > 0)
    return;
  for (guint i = 0; i < engine->n_stop_modes; i++) {
    if (strcmp(engine->stop_modes[i].name, mode->raw) == 0)
      return;
    g_ptr_array_add(words, (gpointer)(guintptr)engine->stop_modes[i].name);
  }
  g_autofree char *hint = did_you_mean(mode->raw, (const char *const *)words->pdata, words->len);
  complain(c->l, mode->at, hint, "%s has no stop mode '%s'", engine_title(c->l, engine), mode->raw);
}

static void check_life(Check *c, const Step *step) {
  const LifeStep *life = &step->life;
  use_servers(c, &life->servers, want_ours);
  if (life->from.s != NULL)
    use_server(c, life->from);
  for (guint i = 0; i < life->servers.n; i++) {
    const Server *server = use_server(c, life->servers.v[i]);
    Name name = life->servers.v[i];
    if (server == NULL || server->external || !server->runs)
      continue;
    if (!engine_can(server->engine, step->verb))
      complain(c->l, name.at, NULL, "%s has no%s '%s'", engine_title(c->l, server->engine),
               step->verb == VERB_RELOAD ? "" : " recipe", verb_word(step->verb));
    if (step->verb == VERB_CLONE && life->from.s == NULL && server->replica_of.s == NULL)
      complain(c->l, name.at, NULL, "the clone of '%s' needs 'from', since it is no replica", name.s);
    if (life->from.s != NULL && strcmp(life->from.s, name.s) == 0)
      complain(c->l, name.at, NULL, "'%s' cannot be made from, or follow, itself", name.s);
    if (life->settings.n > 0 && !server->engine->has_settings_file)
      complain(c->l, life->settings.v[0].key_at, NULL, "%s has no configuration file for 'settings'",
               engine_title(c->l, server->engine));
    if (step->verb == VERB_STOP)
      check_mode(c, server->engine, &life->mode);
  }
  if (life->signal.n_parts == 0)
    check_signal(c->l, &life->signal);
  if (life->has_status && life->signal.raw != NULL)
    complain(c->l, step->at, NULL, "'status' and 'signal' exclude each other: it can end in one way only");
}

/* ---- Replication and looking ------------------------------------------------------------------------------------- */

static void check_stage(Check *c, const SyncStep *sync) {
  static const char *const WORDS[] = {"applied", "flushed", "written"};
  for (guint i = 0; i < sync->to.n; i++) {
    const Server *to = use_server(c, sync->to.v[i]);
    const Engine *engine = to == NULL ? NULL : to->engine;
    if (engine == NULL || engine->client == CLIENT_NONE)
      continue;
    const Text *asked[] = {&engine->applied, &engine->flushed, &engine->written};
    if (asked[sync->stage]->raw == NULL)
      complain(c->l, sync->to.v[i].at, NULL, "%s cannot tell what is '%s'", engine_title(c->l, engine),
               WORDS[sync->stage]);
  }
}

static void check_sync(Check *c, const SyncStep *sync) {
  const Server *from = sync->from.s == NULL ? NULL : use_server(c, sync->from);
  use_servers(c, &sync->to, want_sql);
  if (from != NULL && from->engine->position.n == 0)
    complain(c->l, sync->from.at, NULL, "%s has no 'position' to wait for", engine_title(c->l, from->engine));
  check_stage(c, sync);
  for (guint i = 0; from != NULL && i < sync->to.n; i++)
    if (strcmp(sync->to.v[i].s, sync->from.s) == 0)
      complain(c->l, sync->to.v[i].at, NULL, "'%s' cannot wait for itself", sync->from.s);
}

static void check_equal(Check *c, const Step *step) {
  const EqualStep *equal = &step->equal;
  check_target(c, &equal->on);
  if (!equal->on.all && equal->on.role == NULL && equal->on.servers.n == 1)
    complain(c->l, equal->on.at, NULL, "'equal' needs two or more servers");
  if ((equal->query.raw != NULL) == (equal->tables.n > 0))
    complain(c->l, step->at, NULL, "'equal' needs either 'query' or 'tables'");
}

static void check_groups(Check *c, const LogStep *log) {
  for (guint i = 0; i < log->capture.n; i++) {
    const Text *group = &log->capture.v[i].value;
    bool found = false, known = group->n_parts == 0;
    for (guint k = 0; k < log->matches.n; k++) {
      const Pattern *pattern = log->matches.v[k].compiled;
      found = found || (pattern != NULL && pattern_has_group(pattern, group->raw));
      known = known && pattern != NULL;
    }
    if (known && !found)
      complain(c->l, group->at, NULL, "no pattern of 'matches' has a group '%s'", group->raw);
  }
}

/* `ordered`: a step before it has brought the server to where the line would have been written. */
static void check_log(Check *c, const Step *step, bool ordered) {
  const LogStep *log = &step->log;
  use_server(c, log->server);
  if (log->matches.n == 0 && log->not_matches.n == 0)
    complain(c->l, step->at, NULL, "'log' needs 'matches' or 'not_matches'");
  if (log->not_matches.n > 0 && step->stays < 0 && !ordered)
    complain(c->l, step->at, "add `stays: 2s`",
             "'not_matches' says nothing here: no step before it orders it, and it does not have to stay");
  check_groups(c, log);
  const Text *since = &log->since;
  if (since->raw == NULL || since->n_parts > 0 || strcmp(since->raw, "start") == 0 ||
      g_hash_table_contains(c->step_names, since->raw))
    return;
  g_autoptr(GPtrArray) names = keys_of(c->step_names);
  g_autofree char *hint = did_you_mean(since->raw, (const char *const *)names->pdata, names->len);
  complain(c->l, since->at, hint, "no step before this one is called '%s'", since->raw);
}

static void check_run(Check *c, const Step *step) {
  if (step->run.server.s != NULL)
    use_server(c, step->run.server);
  if (step->run.command.n == 0)
    complain(c->l, step->at, NULL, "'run' needs a command");
  if (step->run.keep_running.s != NULL && (step->run.capture.s != NULL || step->run.exit_wish != EXIT_ZERO))
    complain(c->l, step->at, NULL, "what is kept running has no exit or output to check yet");
}

/* ---- Flow -------------------------------------------------------------------------------------------------------- */

static void check_modifiers(Check *c, const Step *step) {
  if (step->when.given)
    use_server(c, step->when.server);
  if (step->background.s == NULL)
    return;
  if (step->verb == VERB_AWAIT || step->verb == VERB_CLOSE || step->verb == VERB_WORKLOAD ||
      step->verb == VERB_INVARIANT)
    complain(c->l, step->background.at, NULL, "'%s' cannot go on in the background", verb_word(step->verb));
  if (!g_hash_table_add(c->backgrounds, (gpointer)(guintptr)step->background.s))
    complain(c->l, step->background.at, NULL, "another background step is called '%s' too, and nothing has awaited it",
             step->background.s);
}

/* What for_each was expanded to: a group for each value. */
static void check_rounds(Check *c, const Steps *rounds) {
  for (guint i = 0; i < rounds->n; i++) {
    enter(c->l, "%s", rounds->v[i].group.label);
    check_steps(c, &rounds->v[i].group.steps);
    leave(c->l);
  }
}

static void check_inner(Check *c, const Step *step) {
  bool repeats = c->repeats;
  switch (step->verb) {
  case VERB_TOGETHER:
    for (guint i = 0; i < step->together.n; i++) {
      enter(c->l, "lane %u", i + 1);
      check_steps(c, &step->together.lanes[i]);
      leave(c->l);
    }
    break;
  case VERB_LOOP: check_steps(c, &step->loop.steps); break;
  case VERB_GROUP:
    if (g_str_has_prefix(step->group.label, "for_each "))
      check_rounds(c, &step->group.steps);
    else
      check_steps(c, &step->group.steps);
    break;
  default: break;
  }
  c->repeats = repeats;
}

static void check_verb(Check *c, const Step *step, bool ordered) {
  switch (step->verb) {
  case VERB_SQL: check_sql(c, step); break;
  case VERB_CLOSE: check_close(c, &step->close); break;
  case VERB_AWAIT: check_await(c, &step->await); break;
  case VERB_SYNC: check_sync(c, &step->sync); break;
  case VERB_EQUAL: check_equal(c, step); break;
  case VERB_LOG: check_log(c, step, ordered); break;
  case VERB_RUN: check_run(c, step); break;
  case VERB_FILE: check_file(c, step); break;
  case VERB_HTTP: check_http(c, &step->http); break;
  case VERB_LINK: check_link_step(c, step); break;
  case VERB_SLEEP:
    doubt(c->l, step->at, "wait for a condition: 'within', 'sync', 'log'", "'sleep' waits without knowing for what");
    break;
  case VERB_WORKLOAD: check_workload(c, step); break;
  case VERB_CHECK_WORKLOAD:
  case VERB_STOP_WORKLOAD: check_look(c, step); break;
  case VERB_INVARIANT: check_invariant(c, step); break;
  case VERB_END_INVARIANT: check_end_invariant(c, step); break;
  case VERB_TOGETHER:
  case VERB_LOOP:
  case VERB_GROUP: check_inner(c, step); break;
  default: check_life(c, step);
  }
}

void check_steps(Check *c, const Steps *steps) {
  bool ordered = false, outer = c->repeats;
  for (guint i = 0; i < steps->n; i++) {
    const Step *step = &steps->v[i];
    bool grouped =
        step->verb == VERB_GROUP && step->group.label != NULL && g_str_has_prefix(step->group.label, "procedure");
    enter(c->l, c->test->dolt ? "connection %u" : "step %u", step->number);
    if (grouped)
      enter(c->l, "%s", step->group.label);
    c->repeats = outer || step->within >= 0 || step->stays >= 0;
    check_modifiers(c, step);
    check_verb(c, step, ordered);
    c->repeats = outer;
    ordered = ordered || (step->verb != VERB_SLEEP && step->background.s == NULL);
    if (step->name != NULL)
      g_hash_table_add(c->step_names, (gpointer)(guintptr)step->name);
    if (grouped)
      leave(c->l);
    leave(c->l);
  }
}
