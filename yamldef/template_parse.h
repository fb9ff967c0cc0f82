/* template_parse.h - scalars into Texts, constants put in: the loader's side of template.h. */
#ifndef YAMLDEF_TEMPLATE_PARSE_H
#define YAMLDEF_TEMPLATE_PARSE_H

#include "yamldef/arena.h"
#include "yamldef/template.h"

typedef enum ConstantFound {
  CONSTANT_NONE,      /* not a constant: perhaps captured by a step */
  CONSTANT_TEXT,      /* *text, *len */
  CONSTANT_NO_TEXT,   /* a list or a mapping, which has no place within a text */
} ConstantFound;

/* What `var NAME` stands for at load. */
typedef ConstantFound (*ConstantLookup)(const char *name, const char **text, gsize *len, gpointer data);

/* Makes *out from the bytes of a scalar.  False with error set when a call is begun but is not right. */
bool template_parse(Arena *arena, const char *bytes, gsize len, Place at, ConstantLookup lookup, gpointer data,
                    Text *out, GError **error);

/* When the whole scalar is one `{{var NAME}}`: NAME, newly allocated; else NULL. */
char *template_single_var(const char *bytes, gsize len);

#endif
