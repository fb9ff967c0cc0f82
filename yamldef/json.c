/* json.c - see json.h. A JsonPart is a JsonNode of the library's, and nobody else knows. */
#include "yamldef/json.h"

#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>

struct JsonDocument {
  JsonParser *parser;
};

static JsonNode *node_of(const JsonPart *part) { return (JsonNode *)(gpointer)(guintptr)part; }
static const JsonPart *part_of(JsonNode *node) { return (const JsonPart *)(gpointer)node; }

JsonDocument *json_document_new(const char *text, gsize len, GError **error) {
  g_autoptr(JsonParser) parser = json_parser_new();
  if (!json_parser_load_from_data(parser, text, (gssize)len, error)) return NULL;
  JsonDocument *document = g_new0(JsonDocument, 1);
  document->parser = g_steal_pointer(&parser);
  return document;
}

void json_document_free(JsonDocument *document) {
  if (document == NULL) return;
  g_object_unref(document->parser);
  g_free(document);
}

const JsonPart *json_document_root(const JsonDocument *document) {
  return part_of(json_parser_get_root(document->parser));
}

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

bool json_part_is_object(const JsonPart *part) { return part != NULL && JSON_NODE_HOLDS_OBJECT(node_of(part)); }

const JsonPart *json_part_member(const JsonPart *part, const char *key) {
  return json_part_is_object(part) ? part_of(json_object_get_member(json_node_get_object(node_of(part)), key)) : NULL;
}

guint json_part_n_items(const JsonPart *part) {
  bool list = part != NULL && JSON_NODE_HOLDS_ARRAY(node_of(part));
  return list ? json_array_get_length(json_node_get_array(node_of(part))) : 0;
}

const JsonPart *json_part_item(const JsonPart *part, guint i) {
  return i < json_part_n_items(part) ? part_of(json_array_get_element(json_node_get_array(node_of(part)), i)) : NULL;
}

static bool is_of(const JsonPart *part, GType type) {
  return part != NULL && JSON_NODE_HOLDS_VALUE(node_of(part)) && json_node_get_value_type(node_of(part)) == type;
}

gint64 json_part_int(const JsonPart *part) { return is_of(part, G_TYPE_INT64) ? json_node_get_int(node_of(part)) : 0; }

bool json_part_bool(const JsonPart *part) {
  return is_of(part, G_TYPE_BOOLEAN) && json_node_get_boolean(node_of(part));
}

const char *json_part_string(const JsonPart *part) {
  return is_of(part, G_TYPE_STRING) ? json_node_get_string(node_of(part)) : NULL;
}

static char *number_text(double value) {
  static const char *const FORMATS[] = {"%.15g", "%.16g", "%.17g"};
  char text[G_ASCII_DTOSTR_BUF_SIZE] = "";
  for (guint i = 0; i < G_N_ELEMENTS(FORMATS); i++) {
    g_ascii_formatd(text, sizeof text, FORMATS[i], value);
    if (g_ascii_strtod(text, NULL) == value) break;
  }
  return g_strdup(text);
}

char *json_part_text(const JsonPart *part) {
  if (part == NULL || JSON_NODE_HOLDS_NULL(node_of(part))) return NULL;
  if (json_part_string(part) != NULL) return g_strdup(json_part_string(part));
  if (is_of(part, G_TYPE_DOUBLE)) return number_text(json_node_get_double(node_of(part)));
  return json_to_string(node_of(part), FALSE);
}

/* ---- Paths ------------------------------------------------------------------------------------------------------- */

/* One leg of a path: a name, or an item when it is NULL. */
typedef struct Leg {
  char *name;
  guint64 item;
} Leg;

static bool take_bracket(const char **at, Leg *leg) {
  const char *from = *at + 1, *end;
  if (*from == '\'') {
    end = strchr(++from, '\'');
    if (end == NULL || end[1] != ']') return false;
    leg->name = g_strndup(from, (gsize)(end - from));
    *at = end + 2;
    return true;
  }
  end = from + strspn(from, "0123456789");
  if (end == from || end - from > 9 || *end != ']') return false;
  leg->item = g_ascii_strtoull(from, NULL, 10);
  *at = end + 1;
  return true;
}

/* False when what stands there is no leg. */
static bool take_leg(const char **at, bool first, Leg *leg) {
  *leg = (Leg){0};
  if (**at == '[') return take_bracket(at, leg);
  const char *from = *at;
  if (!first && *from++ != '.') return false;
  const char *end = from + strcspn(from, ".[]");
  leg->name = g_strndup(from, (gsize)(end - from));
  *at = end;
  return end > from;
}

/* Where the path begins, and whether a dot must stand before its first name. */
static const char *path_start(const char *path, bool *first) {
  *first = *path != '$';
  return *first ? path : path + 1;
}

bool json_path_valid(const char *path) {
  bool first, good = *path != '\0';
  for (const char *at = path_start(path, &first); good && *at != '\0'; first = false) {
    Leg leg;
    good = take_leg(&at, first, &leg);
    g_free(leg.name);
  }
  return good;
}

const JsonPart *json_part_find(const JsonPart *part, const char *path) {
  bool first;
  for (const char *at = path_start(path, &first); part != NULL && *at != '\0'; first = false) {
    Leg leg;
    bool good = take_leg(&at, first, &leg);
    part = !good ? NULL : leg.name != NULL ? json_part_member(part, leg.name) : json_part_item(part, (guint)leg.item);
    g_free(leg.name);
  }
  return part;
}
