/* template.c - see template.h and template_parse.h.  A small recursive-descent parser: a call is a name and arguments,
 * an argument is a word, a quoted text, or a call in parentheses. */
#include "yamldef/template_parse.h"

#include <string.h>

enum { MAX_CALLS_DEEP = 16, MAX_LEN = 64 * 1024 * 1024 };

typedef struct CallSpec {
  const char *name;
  guint n_args;
} CallSpec;

static const CallSpec CALLS[] = {
    [CALL_GET_PORT] = {"get_port", 1}, [CALL_GET_TEMPDIR] = {"get_tempdir", 1},
    [CALL_PORT] = {"port", 1},         [CALL_HOST] = {"host", 1},
    [CALL_CONNINFO] = {"conninfo", 1}, [CALL_DIR] = {"dir", 1},
    [CALL_DATA] = {"data", 1},         [CALL_SOCKET] = {"socket", 1},
    [CALL_LINK] = {"link", 1},         [CALL_PROGRAM] = {"program", 1},
    [CALL_ENV] = {"env", 1},           [CALL_VAR] = {"var", 1},
    [CALL_EACH] = {"each", 3},
};

const char *template_call_name(TemplateCall call) { return CALLS[call].name; }

#define TEMPLATE_ERROR g_quark_from_static_string("template-error")

typedef struct Parser {
  Arena *arena;
  const char *at, *end;
  Place place;
  ConstantLookup lookup;
  gpointer data;
  guint depth;
  GError **error;
} Parser;

static void skip_blanks(Parser *p) {
  while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL && *p->at != '\0')
    p->at++;
}

static bool complain(Parser *p, const char *what) {
  if (p->error != NULL && *p->error == NULL)
    g_set_error_literal(p->error, TEMPLATE_ERROR, 0, what);
  return false;
}

static bool is_word_byte(char c) { return (guchar)c > ' ' && strchr("\"\\(){}", c) == NULL; }

/* The call whose name stands at p->at, followed by what can begin an argument; -1: none. */
static int call_here(const Parser *p) {
  for (guint i = 0; i < G_N_ELEMENTS(CALLS); i++) {
    gsize n = strlen(CALLS[i].name);
    if ((gsize)(p->end - p->at) <= n || memcmp(p->at, CALLS[i].name, n) != 0)
      continue;
    const char *after = p->at + n;
    bool blank = *after == ' ' || *after == '\t' || *after == '\n';
    while (after < p->end && (*after == ' ' || *after == '\t' || *after == '\n'))
      after++;
    bool argument =
        after < p->end && (*after == '"' || *after == '\\' || *after == '(' || (blank && is_word_byte(*after)));
    if (argument)
      return (int)i;
  }
  return -1;
}

static bool parse_call(Parser *p, TextPart *out);

/* "text", or \"text\" as YAML may leave it; within, \" and \\ stand for themselves in the first form. */
static bool parse_quoted(Parser *p, Text *out) {
  bool escaped = *p->at == '\\';
  p->at += escaped ? 2 : 1;
  g_autoptr(GString) text = g_string_new(NULL);
  for (; p->at < p->end; p->at++) {
    if (escaped && *p->at == '\\' && p->at + 1 < p->end && p->at[1] == '"') {
      p->at += 2;
      break;
    }
    if (!escaped && *p->at == '"') {
      p->at++;
      break;
    }
    if (!escaped && *p->at == '\\' && p->at + 1 < p->end && (p->at[1] == '"' || p->at[1] == '\\'))
      p->at++;
    g_string_append_c(text, *p->at);
  }
  if (p->at >= p->end)
    return complain(p, "the quotes of an argument are not closed");
  *out = (Text){.raw = arena_bytes(p->arena, text->str, text->len), .len = text->len, .at = p->place};
  return true;
}

static bool parse_parenthesis(Parser *p, Text *out) {
  p->at++;
  skip_blanks(p);
  TextPart *part = arena_new0(p->arena, TextPart, 1);
  const char *start = p->at;
  if (call_here(p) < 0)
    return complain(p, "in parentheses stands a call such as (var x)");
  if (!parse_call(p, part))
    return false;
  skip_blanks(p);
  if (p->at >= p->end || *p->at != ')')
    return complain(p, "a parenthesis is not closed");
  *out =
      (Text){.raw = arena_bytes(p->arena, start, (gsize)(p->at - start)), .at = p->place, .parts = part, .n_parts = 1};
  out->len = (gsize)(p->at++ - start);
  if (!part->is_call) { /* a constant: put in */
    out->raw = part->literal;
    out->len = part->len;
    out->n_parts = 0;
  }
  return true;
}

static bool parse_argument(Parser *p, Text *out) {
  if (*p->at == '"' || (*p->at == '\\' && p->at + 1 < p->end && p->at[1] == '"'))
    return parse_quoted(p, out);
  if (*p->at == '(')
    return parse_parenthesis(p, out);
  const char *start = p->at;
  while (p->at < p->end && is_word_byte(*p->at))
    p->at++;
  if (p->at == start)
    return complain(p, "an argument is a word, a text in double quotes, or a call in parentheses");
  gsize n = (gsize)(p->at - start);
  *out = (Text){.raw = arena_bytes(p->arena, start, n), .len = n, .at = p->place};
  return true;
}

/* `var x` of a constant becomes its text at once. */
static bool put_constant(Parser *p, TextPart *part) {
  if (part->call != CALL_VAR || part->args[0].n_parts > 0 || p->lookup == NULL)
    return true;
  const char *text = NULL;
  gsize len = 0;
  switch (p->lookup(part->args[0].raw, &text, &len, p->data)) {
  case CONSTANT_NONE: return true;
  case CONSTANT_NO_TEXT: complain(p, "a list or mapping has no place within a text"); return false;
  case CONSTANT_TEXT: break;
  }
  *part = (TextPart){.literal = arena_bytes(p->arena, text, len), .len = len};
  return true;
}

static bool parse_call(Parser *p, TextPart *out) {
  const CallSpec *spec = &CALLS[call_here(p)];
  if (++p->depth > MAX_CALLS_DEEP)
    return complain(p, "calls are nested too deep");
  Text *args = arena_new0(p->arena, Text, spec->n_args);
  p->at += strlen(spec->name);
  for (guint i = 0; i < spec->n_args; i++) {
    skip_blanks(p);
    bool ends = p->at >= p->end || *p->at == '}' || *p->at == ')';
    if (ends) {
      g_autofree char *what =
          g_strdup_printf("'%s' takes %u argument%s", spec->name, spec->n_args, spec->n_args > 1 ? "s" : "");
      return complain(p, what);
    }
    if (!parse_argument(p, &args[i]))
      return false;
  }
  p->depth--;
  *out = (TextPart){.is_call = true, .call = (TemplateCall)(spec - CALLS), .args = args, .n_args = spec->n_args};
  return put_constant(p, out);
}

/* A whole {{call}}, p->at behind its braces. */
static bool parse_braces(Parser *p, TextPart *part) {
  const CallSpec *spec = &CALLS[call_here(p)];
  if (!parse_call(p, part))
    return false;
  skip_blanks(p);
  if (p->end - p->at >= 2 && p->at[0] == '}' && p->at[1] == '}') {
    p->at += 2;
    return true;
  }
  g_autofree char *what = NULL;
  if (p->at >= p->end || *p->at == '}')
    what = g_strdup_printf("'{{%s' is not closed by '}}'", spec->name);
  else
    what = g_strdup_printf("'%s' takes %u argument%s", spec->name, spec->n_args, spec->n_args > 1 ? "s" : "");
  return complain(p, what);
}

static void append_literal(GArray *parts, GString *literal, Arena *arena) {
  if (literal->len == 0)
    return;
  TextPart part = {.literal = arena_bytes(arena, literal->str, literal->len), .len = literal->len};
  g_array_append_val(parts, part);
  g_string_truncate(literal, 0);
}

/* The end, or the next `{{` that begins a call: p->at behind it. */
static bool find_call(Parser *p, GString *literal) {
  while (p->at < p->end) {
    const char *brace = memmem(p->at, (gsize)(p->end - p->at), "{{", 2);
    if (brace == NULL)
      break;
    g_string_append_len(literal, p->at, brace - p->at);
    p->at = brace + 2;
    skip_blanks(p);
    if (call_here(p) >= 0)
      return true;
    p->at = brace + 1; /* one brace on: `{{{port x}}` holds a call too */
    g_string_append_c(literal, '{');
  }
  g_string_append_len(literal, p->at, p->end - p->at);
  p->at = p->end;
  return false;
}

bool template_parse(Arena *arena, const char *bytes, gsize len, Place at, ConstantLookup lookup, gpointer data,
                    Text *out, GError **error) {
  *out = (Text){.raw = bytes, .len = len, .at = at};
  if (memmem(bytes, len, "{{", 2) == NULL)
    return true;
  Parser p = {arena, bytes, bytes + len, at, lookup, data, 0, error};
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(TextPart));
  g_autoptr(GString) literal = g_string_new(NULL), raw = g_string_new(NULL);
  while (find_call(&p, literal)) {
    const char *start = p.at;
    TextPart part = {0};
    p.depth = 0;
    if (!parse_braces(&p, &part))
      return false;
    if (literal->len + raw->len + part.len > MAX_LEN)
      return complain(&p, "constants make it longer than 64 MiB");
    if (!part.is_call) {
      g_string_append_len(literal, part.literal, (gssize)part.len);
      continue;
    }
    g_string_append_len(raw, literal->str, (gssize)literal->len);
    g_string_append(raw, "{{");
    g_string_append_len(raw, start, p.at - start);
    append_literal(parts, literal, arena);
    g_array_append_val(parts, part);
  }
  g_string_append_len(raw, literal->str, (gssize)literal->len);
  out->raw = arena_bytes(arena, raw->str, raw->len);
  out->len = raw->len;
  if (parts->len == 0)
    return true;
  append_literal(parts, literal, arena);
  out->parts = arena_array(arena, TextPart, parts);
  out->n_parts = parts->len;
  return true;
}

char *template_single_var(const char *bytes, gsize len) {
  if (len < 8 || memcmp(bytes, "{{", 2) != 0)
    return NULL;
  g_autoptr(Arena) arena = arena_new();
  g_autoptr(GError) ignored = NULL;
  Text text;
  bool one = template_parse(arena, bytes, len, (Place){0}, NULL, NULL, &text, &ignored) && text.n_parts == 1 &&
             text.parts[0].is_call && text.parts[0].call == CALL_VAR && text.parts[0].args[0].n_parts == 0;
  return one ? g_strdup(text.parts[0].args[0].raw) : NULL;
}

/* ---- Rendering --------------------------------------------------------------------------------------------------- */

static bool render_part(const TextPart *part, TemplateResolve resolve, gpointer data, GString *out, GError **error) {
  if (!part->is_call) {
    g_string_append_len(out, part->literal, (gssize)part->len);
    return true;
  }
  g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < part->n_args; i++) {
    char *arg = text_render(&part->args[i], resolve, data, NULL, error);
    if (arg == NULL)
      return false;
    g_ptr_array_add(args, arg);
  }
  g_autofree char *value = resolve(part->call, part->n_args, (const char *const *)args->pdata, data, error);
  if (value != NULL)
    g_string_append(out, value);
  return value != NULL;
}

char *text_render(const Text *text, TemplateResolve resolve, gpointer data, gsize *len, GError **error) {
  if (len != NULL)
    *len = text->raw == NULL ? 0 : text->len;
  if (text->raw == NULL)
    return NULL;
  if (text->n_parts == 0) {
    char *copy = g_malloc(text->len + 1);
    memcpy(copy, text->raw, text->len);
    copy[text->len] = '\0';
    return copy;
  }
  g_autoptr(GString) out = g_string_new(NULL);
  for (guint i = 0; i < text->n_parts; i++)
    if (!render_part(&text->parts[i], resolve, data, out, error))
      return NULL;
  if (len != NULL)
    *len = out->len;
  return g_string_free(g_steal_pointer(&out), FALSE);
}
