/* check.c - what is wrong with a whole test: names that nothing has, templates and captures, what nothing uses. */
#include "yamldef/check.h"
#include "yamldef/template.h"

#include <stdarg.h>
#include <string.h>

static const Server *find_server(const Test *test, const char *name) {
  for (guint i = 0; i < test->n_servers; i++)
    if (strcmp(test->servers[i].name.s, name) == 0)
      return &test->servers[i];
  return NULL;
}

static char *server_hint(const Test *test, const char *name) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < test->n_servers; i++)
    g_ptr_array_add(names, (gpointer)(guintptr)test->servers[i].name.s);
  return did_you_mean(name, (const char *const *)names->pdata, names->len);
}

const Server *use_server(Check *c, Name name) {
  const Server *server = name.s == NULL ? NULL : find_server(c->test, name.s);
  if (server != NULL) {
    g_hash_table_add(c->used, (gpointer)(guintptr)server);
  } else if (name.s != NULL) {
    g_autofree char *hint = server_hint(c->test, name.s);
    complain(c->l, name.at, hint, "no server is called '%s'", name.s);
  }
  return server;
}

const char *engine_title(Loader *l, const Engine *engine) {
  return *engine->name == '\0' ? "a server without engine" : arena_printf(l->arena, "the engine '%s'", engine->name);
}

/* ---- Servers ----------------------------------------------------------------------------------------------------- */

static bool goes_round(const Test *test, const Server *from) {
  const Server *at = from;
  for (guint i = 0; at != NULL && i <= test->n_servers; i++) {
    at = at->replica_of.s == NULL ? NULL : find_server(test, at->replica_of.s);
    if (at == from)
      return true;
  }
  return false;
}

static void check_names_of(Check *c, const Server *server) {
  for (const Server *other = c->test->servers; other < server; other++)
    if (strcmp(other->name.s, server->name.s) == 0)
      complain(c->l, server->name.at, NULL, "another server is called '%s' too, in line %d", server->name.s,
               other->name.at.line);
}

/* Each has an entry in runner/debugger.c. */
static void check_debugger(Check *c, const Server *server) {
  static const char *const DEBUGGERS[] = {"dlv", "gdbserver", "lldb-server", "valgrind"};
  const Text *debugger = server->debugger.raw != NULL ? &server->debugger : &server->engine->debugger;
  const Text *port = &server->debug_port;
  guint64 number;
  if (port->raw != NULL && debugger->raw == NULL)
    complain(c->l, port->at, NULL, "%s names no 'debugger' for 'debug_port'", engine_title(c->l, server->engine));
  if (port->raw != NULL && port->n_parts == 0 && !g_ascii_string_to_unsigned(port->raw, 10, 1, 65535, &number, NULL))
    complain(c->l, port->at, NULL, "'%s' is no port", port->raw);
  for (guint i = 0; i < G_N_ELEMENTS(DEBUGGERS); i++)
    if (debugger->raw == NULL || strcmp(debugger->raw, DEBUGGERS[i]) == 0)
      return;
  g_autofree char *hint = did_you_mean(debugger->raw, DEBUGGERS, G_N_ELEMENTS(DEBUGGERS));
  complain(c->l, debugger->at, hint, "'%s' is no debugger: dlv, gdbserver, lldb-server and valgrind are",
           debugger->raw);
}

static void check_server(Check *c, const Server *server) {
  const Engine *engine = server->engine;
  check_names_of(c, server);
  check_debugger(c, server);
  if (server->replica_of.s != NULL && use_server(c, server->replica_of) != NULL) {
    if (goes_round(c->test, server))
      complain(c->l, server->replica_of.at, NULL, "'%s' would follow itself", server->name.s);
    else if (!engine->has_clone)
      complain(c->l, server->replica_of.at, NULL, "%s has no recipe 'clone'", engine_title(c->l, engine));
  }
  if (server->settings.n > 0 && !engine->has_settings_file)
    complain(c->l, server->settings.v[0].key_at, NULL, "%s has no configuration file for 'settings'",
             engine_title(c->l, engine));
  if (server->external && (server->replica_of.s != NULL || server->command.n > 0))
    complain(c->l, server->at, NULL, "an external server is not ours to make or start");
}

/* ---- Templates --------------------------------------------------------------------------------------------------- */

typedef struct TextCheck {
  Check *c;
  const Note *note;
  GHashTable *captured;
} TextCheck;

static void complain_at(TextCheck *t, const char *hint, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void complain_at(TextCheck *t, const char *hint, const char *format, ...) {
  va_list words;
  va_start(words, format);
  g_autofree char *what = g_strdup_vprintf(format, words);
  va_end(words);
  problems_add(t->c->l->problems, false, t->note->text.at, t->note->where, hint, what);
}

static bool has_port(const Server *server, const char *extra) {
  for (guint i = 0; i < server->ports.n; i++)
    if (strcmp(server->ports.v[i].s, extra) == 0)
      return true;
  for (guint i = 0; i < server->engine->ports.n; i++)
    if (strcmp(server->engine->ports.v[i].s, extra) == 0)
      return true;
  return false;
}

static void check_server_call(TextCheck *t, TemplateCall call, const char *name) {
  static const char *const ROLES[] = {"self", "primary", "peer"};
  const char *dot = strrchr(name, '.');
  g_autofree char *base = call == CALL_PORT && dot != NULL && find_server(t->c->test, name) == NULL
                              ? g_strndup(name, (gsize)(dot - name))
                              : g_strdup(name);
  const Server *server = find_server(t->c->test, base);
  for (guint i = 0; server == NULL && t->note->late && i < G_N_ELEMENTS(ROLES); i++)
    if (strcmp(base, ROLES[i]) == 0)
      return;
  if (server == NULL) {
    g_autofree char *hint = server_hint(t->c->test, base);
    complain_at(t, hint, "in '{{%s %s}}': no server is called '%s'", template_call_name(call), name, base);
    return;
  }
  g_hash_table_add(t->c->used, (gpointer)(guintptr)server);
  if (strcmp(base, name) != 0 && !has_port(server, dot + 1))
    complain_at(t, NULL, "the server '%s' has no port called '%s': see its 'ports'", base, dot + 1);
}

static void check_link_call(TextCheck *t, const char *name) {
  const Link *link = find_link(t->c->test, name);
  if (link != NULL) {
    g_hash_table_add(t->c->used, (gpointer)(guintptr)link);
    return;
  }
  g_autofree char *hint = link_hint(t->c->test, name);
  complain_at(t, hint, "no link is called '%s'", name);
}

static void check_var(TextCheck *t, const char *name) {
  if (g_hash_table_contains(t->captured, name))
    return;
  g_autoptr(GPtrArray) names = keys_of(t->captured);
  bool later = false;
  for (guint i = 0; i < t->c->l->notes->len; i++) {
    const Note *note = &g_array_index(t->c->l->notes, Note, i);
    if (note->kind != NOTE_TEXT && strcmp(note->name.s, name) == 0)
      later = note->kind == NOTE_CAPTURE;
  }
  if (later && t->note->late)
    return; /* a server may start after the step that captures it */
  g_autofree char *hint = later ? NULL : did_you_mean(name, (const char *const *)names->pdata, names->len);
  complain_at(t, hint,
              later ? "the variable '%s' is used before it is captured" : "no variable or constant is called '%s'",
              name);
}

static void check_text(TextCheck *t, const Text *text) {
  for (guint i = 0; i < text->n_parts; i++) {
    const TextPart *part = &text->parts[i];
    if (!part->is_call)
      continue;
    for (guint k = 0; k < part->n_args; k++)
      check_text(t, &part->args[k]);
    const char *arg = part->args[0].n_parts > 0 ? NULL : part->args[0].raw;
    if (arg == NULL)
      continue;
    switch (part->call) {
    case CALL_PORT:
    case CALL_HOST:
    case CALL_CONNINFO:
    case CALL_DIR:
    case CALL_DATA:
    case CALL_SOCKET: check_server_call(t, part->call, arg); break;
    case CALL_VAR: check_var(t, arg); break;
    case CALL_LINK: check_link_call(t, arg); break;
    default: break;
    }
  }
}

static void check_notes(Check *c) {
  g_autoptr(GHashTable) captured = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < c->l->notes->len; i++) {
    const Note *note = &g_array_index(c->l->notes, Note, i);
    TextCheck t = {c, note, captured};
    if (note->kind == NOTE_CAPTURE)
      g_hash_table_add(captured, (gpointer)(guintptr)note->name.s);
    else if (note->kind == NOTE_FORGET)
      g_hash_table_remove(captured, note->name.s);
    else
      check_text(&t, &note->text);
  }
}

/* ---- What nothing uses ------------------------------------------------------------------------------------------- */

static bool expects_something(const Server *server) {
  return server->log_matches.n > 0 || server->log_not_matches.n > 0 || server->has_error_matches ||
         server->cluster != NULL || server->replica_of.s != NULL || server->init.n > 0;
}

static void warn_unused(Check *c) {
  for (guint i = 0; i < c->test->n_servers; i++) {
    const Server *server = &c->test->servers[i];
    if (c->test->steps.n > 0 && !g_hash_table_contains(c->used, server) && !expects_something(server))
      doubt(c->l, server->name.at, NULL, "nothing uses the server '%s'", server->name.s);
  }
  for (guint i = 0; i < c->opened->len; i++) {
    const SessionUse *use = c->opened->pdata[i];
    if (use->uses == 0)
      doubt(c->l, use->name.at, NULL, "nothing uses the session '%s'", use->name.s);
  }
  warn_unused_links(c);
}

void check_test(Loader *l, const Test *test) {
  Check c = {.l = l, .test = test};
  c.used = g_hash_table_new(NULL, NULL);
  c.step_names = g_hash_table_new(g_str_hash, g_str_equal);
  c.sessions = g_hash_table_new(g_str_hash, g_str_equal);
  c.backgrounds = g_hash_table_new(g_str_hash, g_str_equal);
  c.workloads = g_hash_table_new(g_str_hash, g_str_equal);
  c.invariants = g_hash_table_new(g_str_hash, g_str_equal);
  c.opened = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < test->n_servers; i++) {
    enter(l, "server '%s'", test->servers[i].name.s);
    check_server(&c, &test->servers[i]);
    leave(l);
  }
  check_links(&c);
  check_steps(&c, &test->steps);
  enter(l, "'finally'");
  check_steps(&c, &test->finally);
  leave(l);
  check_stopped(&c);
  check_notes(&c);
  if (!test->dolt && problems_n_errors(l->problems) == l->n_errors_before) /* broken steps may have meant to use it */
    warn_unused(&c);
  g_hash_table_unref(c.used);
  g_hash_table_unref(c.step_names);
  g_hash_table_unref(c.sessions);
  g_hash_table_unref(c.backgrounds);
  g_hash_table_unref(c.workloads);
  g_hash_table_unref(c.invariants);
  g_ptr_array_free(c.opened, TRUE);
}
