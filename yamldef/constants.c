/* constants.c - `vars`, `matrix`, arguments and items: what {{var x}} stands for at load, and where it is put in. */
#include "yamldef/loader.h"
#include "yamldef/template_parse.h"

#include <string.h>

struct Scope {
  const Scope *up;
  GPtrArray *names; /* const char *, const Node *, ... */
};

const Scope *scope_push(Loader *l) {
  Scope *scope = arena_new0(l->arena, Scope, 1);
  scope->up = l->scope;
  scope->names = g_ptr_array_new();
  l->scope = scope;
  return scope;
}

void scope_pop(Loader *l) {
  g_ptr_array_free(l->scope->names, TRUE);
  l->scope = l->scope->up;
}

void scope_add(Loader *l, const char *name, const Node *value) {
  g_ptr_array_add(l->scope->names, (gpointer)(guintptr)name);
  g_ptr_array_add(l->scope->names, (gpointer)(guintptr)value);
}

void scope_add_all(Loader *l, const Node *map) {
  for (guint i = 0; i < map->n; i++)
    scope_add(l, map->pairs[i].key->text, close_over(l, map->pairs[i].value));
}

static const Node *find_whole(const Scope *scope, const char *name, gsize len) {
  for (; scope != NULL; scope = scope->up)
    for (guint i = scope->names->len; i >= 2; i -= 2) {
      const char *key = scope->names->pdata[i - 2];
      if (strncmp(key, name, len) == 0 && key[len] == '\0')
        return scope->names->pdata[i - 1];
    }
  return NULL;
}

static const Node *step_into(const Node *node, const char *name) {
  guint64 index;
  if (node->kind == NODE_LIST && node->n > 0 && g_ascii_string_to_unsigned(name, 10, 0, node->n - 1, &index, NULL))
    return node->items[index];
  return node_get(node, name);
}

const Node *scope_find(const Scope *scope, const char *name) {
  const Node *whole = find_whole(scope, name, strlen(name));
  const char *dot = strchr(name, '.');
  if (whole != NULL || dot == NULL)
    return whole;
  const Node *node = find_whole(scope, name, (gsize)(dot - name));
  g_auto(GStrv) rest = g_strsplit(dot + 1, ".", -1);
  for (guint i = 0; node != NULL && rest[i] != NULL; i++)
    node = step_into(node, rest[i]);
  return node;
}

static ConstantFound look_up(const char *name, const char **text, gsize *len, gpointer data) {
  Loader *l = data;
  const Node *found = scope_find(l->scope, name);
  if (found == NULL)
    return CONSTANT_NONE;
  if (found->kind != NODE_SCALAR)
    return CONSTANT_NO_TEXT;
  *text = found->text;
  *len = found->len;
  return CONSTANT_TEXT;
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

enum { MAX_STEPS = 100000, MAX_NESTED = 200, MAX_ITEMS = 1000000 };
static const gsize MAX_MEMORY = (gsize)1 << 30;

bool has_room(Loader *l, Place at) {
  const char *what = NULL;
  if (l->full)
    return false;
  if (l->n_steps > MAX_STEPS)
    what = "calls and for_each make more than 100000 steps of this test";
  else if (l->where->len > MAX_NESTED)
    what = "steps are nested too deep";
  else if (arena_size(l->arena) > MAX_MEMORY)
    what = "matrix, calls and constants make more than 1 GiB of this file";
  if (what == NULL)
    return true;
  l->full = true;
  problems_add(l->problems, false, at, NULL, NULL, what);
  return false;
}

/* ---- Resolving --------------------------------------------------------------------------------------------------- */

const Node *resolve(Loader *l, const Node *node) {
  if (node->kind != NODE_SCALAR || l->scope == NULL)
    return node;
  g_autofree char *name = template_single_var(node->text, node->len);
  const Node *found = name == NULL ? NULL : scope_find(l->scope, name);
  if (found == NULL)
    return node;
  if (found->kind != NODE_SCALAR)
    return found;
  Node *here = arena_copy(l->arena, found, 1, sizeof *found); /* messages speak of where it is used */
  here->at = node->at;
  return here;
}

/* A scalar's text with its constants put in, as a scalar again. */
static const Node *close_scalar(Loader *l, const Node *node) {
  const Node *resolved = resolve(l, node);
  if (resolved != node || memmem(node->text, node->len, "{{", 2) == NULL)
    return resolved;
  Text text;
  g_autoptr(GError) error = NULL;
  if (!template_parse(l->arena, node->text, node->len, node->at, look_up, l, &text, &error))
    return node; /* said where it is used */
  Node *closed = arena_copy(l->arena, node, 1, sizeof *node);
  closed->text = text.raw;
  closed->len = text.len;
  return closed;
}

const Node *close_over(Loader *l, const Node *node) {
  if (node->kind == NODE_SCALAR)
    return close_scalar(l, node);
  Node *closed = arena_copy(l->arena, node, 1, sizeof *node);
  if (node->kind == NODE_LIST) {
    closed->items = items_of(l, node, &closed->n);
    const Node **items = arena_new0(l->arena, const Node *, closed->n);
    for (guint i = 0; i < closed->n; i++)
      items[i] = close_over(l, closed->items[i]);
    closed->items = items;
    return closed;
  }
  NodePair *pairs = arena_copy(l->arena, node->pairs, node->n, sizeof *pairs);
  for (guint i = 0; i < node->n; i++)
    pairs[i].value = close_over(l, pairs[i].value);
  closed->pairs = pairs;
  return closed;
}

const Node *const *items_of(Loader *l, const Node *node, guint *n) {
  node = resolve(l, node);
  g_autoptr(GPtrArray) items = g_ptr_array_new();
  guint written = node->kind == NODE_LIST ? node->n : node_is_null(node) ? 0 : 1;
  for (guint i = 0; i < written && has_room(l, node->at); i++) {
    const Node *item = node->kind == NODE_LIST ? node->items[i] : node;
    const Node *resolved = resolve(l, item);
    bool splice = resolved != item && resolved->kind == NODE_LIST;
    for (guint k = 0; splice && k < resolved->n; k++)
      g_ptr_array_add(items, (gpointer)(guintptr)resolved->items[k]);
    if (!splice)
      g_ptr_array_add(items, (gpointer)(guintptr)resolved);
    if (items->len > MAX_ITEMS) {
      complain(l, node->at, NULL, "constants make more than %d items of this list", MAX_ITEMS);
      break;
    }
  }
  *n = items->len;
  return arena_copy(l->arena, items->pdata, items->len, sizeof(gpointer));
}

/* ---- Calls that nearly are --------------------------------------------------------------------------------------- */

/* `{{prot "x"}}` is literal text, as any `{{` that begins no call, and hardly ever meant so. */
static void doubt_near_calls(Loader *l, const Node *node) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (int call = CALL_GET_PORT; call <= CALL_EACH; call++)
    g_ptr_array_add(names, (gpointer)(guintptr)template_call_name((TemplateCall)call));
  const char *end = node->text + node->len;
  for (const char *at = memmem(node->text, node->len, "{{", 2); at != NULL;
       at = memmem(at, (gsize)(end - at), "{{", 2)) {
    at += 2;
    const char *word = at + strspn(at, " ");
    gsize n = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
    bool argument = word[n] == ' ' && strspn(word + n, " ") < strcspn(word + n, "}");
    g_autofree char *name = g_strndup(word, n);
    g_autofree char *hint = argument ? did_you_mean(name, (const char *const *)names->pdata, names->len) : NULL;
    if (hint != NULL && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
      doubt(l, node->at, hint, "'{{%s' begins no call, so it is literal text", name);
  }
}

/* ---- Scalars ----------------------------------------------------------------------------------------------------- */

static void note_text(Loader *l, const Text *text) {
  if (text->n_parts == 0 || l->in_engine)
    return;
  Note note = {.kind = NOTE_TEXT, .text = *text, .late = l->in_server, .where = where_now(l)};
  g_array_append_val(l->notes, note);
}

bool read_text(Loader *l, const Node *node, const char *what, Text *out) {
  node = resolve(l, node);
  *out = (Text){.at = node->at};
  if (node->kind != NODE_SCALAR) {
    g_autofree char *got = node_describe(node);
    complain(l, node->at, NULL, "'%s' must be a text, not %s", what, got);
    return false;
  }
  g_autoptr(GError) error = NULL;
  if (!template_parse(l->arena, node->text, node->len, node->at, look_up, l, out, &error)) {
    complain(l, node->at, NULL, "in the template of '%s': %s", what, error->message);
    *out = (Text){.at = node->at};
    return false;
  }
  if (memmem(node->text, node->len, "{{", 2) != NULL)
    doubt_near_calls(l, node);
  note_text(l, out);
  return true;
}

const char *read_constant(Loader *l, const Node *node, const char *what) {
  Text text;
  guint noted = l->notes->len;
  if (!read_text(l, node, what, &text))
    return NULL;
  g_array_set_size(l->notes, noted);
  if (text.n_parts > 0) {
    complain(l, node->at, "only constants can stand here: vars, matrix, arguments, for_each items",
             "'%s' must be known before the start, and '%s' is not", what, text.raw);
    return NULL;
  }
  if (text.len == 0 || memchr(text.raw, '\0', text.len) != NULL) {
    complain(l, node->at, NULL, "'%s' must not be empty", what);
    return NULL;
  }
  return text.raw;
}
