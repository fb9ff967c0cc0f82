/* What a plan says of itself: `runner list` and `runner plan`.  Templates that only a start or a step can resolve stand
 * as they were written. */
#include "runner/plan.h"
#include "runner/plan_expect.h"
#include "runner/step.h"
#include "runner/visible.h"
#include <string.h>

/* ---- runner list */

void plan_list(const Plan *plan, GString *out) {
  for (guint i = 0; i < plan_n_tests(plan); i++) {
    const PlannedTest *planned = plan_test(plan, i);
    const Test *test = planned->test;
    g_autofree char *name = visible_line(planned->name), *skip = visible_line(test->skip);
    g_string_append_printf(out, "%s:%d: %s", planned->file, test->at.line, name);
    for (guint t = 0; t < test->tags.n; t++)
      g_string_append_printf(out, "%s%s", t ? ", " : "  (tags: ", test->tags.v[t].s);
    if (test->tags.n) g_string_append_c(out, ')');
    if (test->skip) g_string_append_printf(out, "  (skipped: %s)", skip);
    g_string_append_c(out, '\n');
  }
}

/* ---- runner plan: values */

/* As a shell's word would be written, so that an argument list can be read back. */
static void append_word(GString *out, const Text *text) {
  g_autoptr(GString) shown = g_string_new(NULL);
  visible_append(shown, text->raw, text->len, VISIBLE_LINE);
  bool plain = shown->len > 0;
  for (const char *p = shown->str; *p; p++) plain = plain && (g_ascii_isalnum(*p) || strchr("-_./:=@%+,", *p));
  if (plain) g_string_append(out, shown->str);
  else g_string_append_printf(out, "'%s'", shown->str);
}

static void append_label(GString *out, const char *label) { g_string_append_printf(out, "    %-10s", label); }

static void append_words(GString *out, const Texts *words) {
  for (guint i = 0; i < words->n; i++) {
    if (i) g_string_append_c(out, ' ');
    append_word(out, &words->v[i]);
  }
}

static void append_command(GString *out, const char *label, const Texts *first, const Texts *more) {
  if (!first->n && !more->n) return;
  append_label(out, label);
  append_words(out, first);
  if (first->n && more->n) g_string_append_c(out, ' ');
  append_words(out, more);
  g_string_append_c(out, '\n');
}

static void append_commands(GString *out, const char *label, const Commands *commands, const Texts *more) {
  static const Texts none = {0};
  for (guint i = 0; i < commands->n; i++) append_command(out, label, &commands->v[i].argv, more && !i ? more : &none);
}

static void append_pairs(GString *out, const char *label, const Pairs *pairs) {
  for (guint i = 0; i < pairs->n; i++) {
    append_label(out, label);
    g_string_append_printf(out, "%s = ", pairs->v[i].key);
    if (pairs->v[i].is_null) g_string_append(out, "(removed)");
    else append_word(out, &pairs->v[i].value);
    g_string_append_c(out, '\n');
  }
}

/* ---- runner plan: servers */

/* What the server says itself stands in place of what its profile says. */
static void append_settings(GString *out, const Server *server) {
  const Pairs *own = &server->settings;
  for (guint i = 0; i < server->engine->settings.n; i++) {
    const Pairs one = {1, &server->engine->settings.v[i]};
    bool replaced = false;
    for (guint j = 0; j < own->n; j++) replaced = replaced || g_str_equal(own->v[j].key, one.v->key);
    if (!replaced) append_pairs(out, "setting", &one);
  }
  append_pairs(out, "setting", own);
}

static void append_files(GString *out, const WithFiles *files) {
  for (guint i = 0; i < files->n; i++) {
    const WithFile *file = &files->v[i];
    append_label(out, "file");
    append_word(out, &file->name);
    if (file->contents.raw)
      g_string_append_printf(out, " (%" G_GSIZE_FORMAT " bytes%s)", file->contents.len,
                             file->append ? ", appended" : "");
    if (file->source_path.raw) {
      g_string_append(out, " from ");
      append_word(out, &file->source_path);
    }
    g_string_append_c(out, '\n');
  }
}

static void append_patterns(GString *out, const char *label, const PatternTexts *patterns) {
  for (guint i = 0; i < patterns->n; i++) {
    g_autofree char *text = visible_line(patterns->v[i].text.raw);
    g_string_append_printf(out, "    %s /%s/\n", label, text);
  }
}

static void append_steps(GString *out, const Steps *steps, const char *prefix, guint indent);

static void append_server(GString *out, const Server *server) {
  const Engine *engine = server->engine;
  g_string_append_printf(out, "  server %s", server->name.s);
  if (engine->name && *engine->name) g_string_append_printf(out, ", %s", engine->name);
  if (server->replica_of.s) g_string_append_printf(out, ", replica of %s", server->replica_of.s);
  if (server->cluster) g_string_append_printf(out, ", in cluster %s", server->cluster);
  if (server->external) g_string_append(out, ", external");
  if (!server->runs) g_string_append(out, ", a directory only");
  else if (!server->start) g_string_append(out, ", started by a step");
  g_string_append_c(out, '\n');
  if (server->clone_by_step) g_string_append(out, "    create    by a clone step\n");
  else if (server->replica_of.s)
    g_string_append_printf(out, "    create    by %s's recipe, from %s\n", engine->name, server->replica_of.s);
  else append_commands(out, "create", &engine->create, &server->create_args);
  append_commands(out, "setup", &engine->setup, NULL);
  append_commands(out, "setup", &server->setup, NULL);
  append_settings(out, server);
  append_files(out, &engine->files);
  append_files(out, &server->files);
  append_commands(out, "prepare", &engine->prepare, NULL);
  append_commands(out, "prepare", &server->prepare, NULL);
  append_pairs(out, "env", &engine->envs);
  append_pairs(out, "env", &server->envs);
  if (server->runs)
    append_command(out, "command", server->command.n ? &server->command : &engine->command, &server->args);
  append_steps(out, &server->init, "init ", 4);
  append_patterns(out, "log matches", &server->log_matches);
  append_patterns(out, "log does not match", &server->log_not_matches);
  append_patterns(out, "first start fails, log matches", &server->error_matches);
}

static void append_link(GString *out, const Link *link) {
  g_string_append_printf(out, "  link %s, from %s to %s%s%s\n", link->name.s, link->from.s, link->to.s,
                         link->extra ? "." : "", link->extra ? link->extra : "");
}

/* ---- runner plan: steps */

static void append_limit(GString *out, const char *what, gint64 us) {
  if (us >= 0) g_string_append_printf(out, ", %s %g s", what, (double)us / G_USEC_PER_SEC);
}

static void append_step(GString *out, const Step *step, const char *prefix, guint indent) {
  g_autofree char *text = step_text(step), *line = visible_line(text);
  g_string_append_printf(out, "%*s%s%u. %s", indent, "", prefix, step->number, line);
  append_limit(out, "within", step->within);
  append_limit(out, "stays", step->stays);
  append_limit(out, "timeout", step->timeout);
  if (step->background.s) g_string_append_printf(out, ", in the background as %s", step->background.s);
  if (step->when.given)
    g_string_append_printf(out, ", when %s is%s running", step->when.server.s, step->when.negated ? " not" : "");
  g_string_append_c(out, '\n');
}

static void append_steps(GString *out, const Steps *steps, const char *prefix, guint indent) {
  for (guint i = 0; i < steps->n; i++) {
    const Step *step = &steps->v[i];
    append_step(out, step, prefix, indent);
    plan_append_expectations(out, step, indent + 5);
    g_autofree char *inner = g_strdup_printf("%s%u.", prefix, step->number);
    if (step->verb == VERB_LOOP) append_steps(out, &step->loop.steps, inner, indent + 2);
    if (step->verb == VERB_GROUP) append_steps(out, &step->group.steps, inner, indent + 2);
    for (guint lane = 0; step->verb == VERB_TOGETHER && lane < step->together.n; lane++) {
      g_autofree char *in_lane = g_strdup_printf("%s%u.", inner, lane + 1);
      append_steps(out, &step->together.lanes[lane], in_lane, indent + 2);
    }
  }
}

static void append_test(GString *out, const PlannedTest *planned) {
  const Test *test = planned->test;
  g_autofree char *name = visible_line(planned->name), *skip = visible_line(test->skip);
  g_string_append_printf(out, "%s:%d: %s\n", planned->file, test->at.line, name);
  if (test->skip) g_string_append_printf(out, "  skipped: %s\n", skip);
  if (test->exclusive) g_string_append(out, "  runs alone on the machine\n");
  for (guint i = 0; i < test->needs.programs.n; i++)
    g_string_append_printf(out, "  needs program %s\n", test->needs.programs.v[i].s);
  for (guint i = 0; i < test->needs.files.n; i++)
    g_string_append_printf(out, "  needs file %s\n", test->needs.files.v[i].s);
  for (guint i = 0; i < test->n_servers; i++) append_server(out, &test->servers[i]);
  for (guint i = 0; i < test->n_links; i++) append_link(out, &test->links[i]);
  if (test->steps.n) g_string_append(out, "  steps\n");
  append_steps(out, &test->steps, "", 4);
  if (test->finally.n) g_string_append(out, "  finally\n");
  append_steps(out, &test->finally, "", 4);
}

void plan_print(const Plan *plan, GString *out) {
  for (guint i = 0; i < plan_n_tests(plan); i++) {
    if (i) g_string_append_c(out, '\n');
    append_test(out, plan_test(plan, i));
  }
}
