/* yaml_tree.c - see yaml_tree.h.  Events, not libyaml's documents: those take quadratic time over many anchors, and
 * would build a bomb before anyone could count it. */
#include "yamldef/yaml_tree.h"

#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 64, MAX_NODES = 1000000, MAX_BYTES = 64 * 1024 * 1024, MAX_EXPANSION = 10 };

static const char BOM[] = "\xEF\xBB\xBF";

/* A list or mapping whose end has not been read. */
typedef struct Open {
  Node *node;
  GPtrArray *children; /* of a mapping: key, value, key, value ... */
  const char *anchor;
} Open;

typedef struct Reader {
  Arena *arena;
  Problems *problems;
  const char *file;
  const char *bytes;
  gsize len;
  yaml_parser_t parser;
  GArray *open;        /* Open, outermost first */
  GHashTable *anchors; /* name -> const Node; an unfinished one -> NULL */
  const Node *root;
  guint64 n_nodes, n_extra; /* written; brought in by aliases and merges */
  bool failed;
} Reader;

static Place place_of(const Reader *r, yaml_mark_t mark) {
  return (Place){r->file, (int)mark.line + 1, (int)mark.column + 1};
}

static void fail_hint(Reader *r, Place at, const char *what, const char *hint) {
  problems_add(r->problems, false, at, NULL, hint, what);
  r->failed = true;
}

static void fail(Reader *r, Place at, const char *what) { fail_hint(r, at, what, NULL); }

/* ---- What libyaml complains about -------------------------------------------------------------------------------- */

/* Reader errors carry a byte offset only; the place is counted here.  UTF-16 has two bytes a unit. */
static Place place_of_offset(const Reader *r, gsize offset) {
  bool le = r->len >= 2 && memcmp(r->bytes, "\xFF\xFE", 2) == 0,
       be = r->len >= 2 && memcmp(r->bytes, "\xFE\xFF", 2) == 0;
  gsize unit = le || be ? 2 : 1, i = unit == 2 ? 2 : r->len >= 3 && memcmp(r->bytes, BOM, 3) == 0 ? 3 : 0;
  Place at = {r->file, 1, 1};
  for (; i + unit <= MIN(offset, r->len); i += unit) {
    guint c = unit == 1 ? (guchar)r->bytes[i]
              : le      ? (guint)((guchar)r->bytes[i] | (guchar)r->bytes[i + 1] << 8)
                        : (guint)((guchar)r->bytes[i] << 8 | (guchar)r->bytes[i + 1]);
    if (c == '\n') {
      at.line++;
      at.col = 1;
    } else if (unit == 2 ? (c & 0xFC00) != 0xDC00 : (c & 0xC0) != 0x80) {
      at.col++;
    }
  }
  return at;
}

static void fail_parser(Reader *r) {
  const yaml_parser_t *p = &r->parser;
  const char *problem = p->problem ? p->problem : "not YAML";
  if (p->error == YAML_MEMORY_ERROR)
    g_error("out of memory reading '%s'", r->file);
  if (p->error == YAML_READER_ERROR) {
    Place at = place_of_offset(r, p->problem_offset);
    g_autofree char *what = NULL;
    if (p->problem_value == 0 && strstr(problem, "control") != NULL)
      what = g_strdup("a NUL byte in the file");
    else if (p->problem_value != -1)
      what = g_strdup_printf("%s: 0x%02X", problem, (guint)p->problem_value);
    else
      what = g_strdup(problem);
    fail(r, at, what);
    return;
  }
  Place at = place_of(r, p->problem_mark);
  bool tab = strstr(problem, "cannot start any token") != NULL && p->problem_mark.index < r->len &&
             r->bytes[p->problem_mark.index] == '\t';
  g_autofree char *what =
      p->context == NULL || p->context_mark.line == p->problem_mark.line
          ? g_strdup_printf("not YAML: %s", problem)
          : g_strdup_printf("not YAML: %s, %s that began in line %zu", problem, p->context, p->context_mark.line + 1);
  const char *hint = tab ? "indent with blanks, not with tabs"
                     : strstr(problem, "did not find expected ',' or") != NULL
                         ? "a text with , : # [ ] { } needs quotes"
                         : NULL;
  fail_hint(r, at, what, hint);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static Node *new_node(Reader *r, NodeKind kind, yaml_mark_t mark) {
  Node *node = arena_new0(r->arena, Node, 1);
  node->kind = kind;
  node->at = place_of(r, mark);
  node->weight = 1;
  if (++r->n_nodes > MAX_NODES)
    fail(r, node->at, "the file is too big: more than 1000000 nodes");
  return node;
}

static bool limits_hold(Reader *r, Place at) {
  if (r->failed)
    return false;
  if (r->n_nodes + r->n_extra > MAX_NODES)
    fail(r, at, "aliases make the file too big: more than 1000000 nodes");
  return !r->failed;
}

/* Hands a finished node to what it stands in. */
static void put(Reader *r, const Node *node) {
  if (r->open->len == 0)
    r->root = node;
  else
    g_ptr_array_add(g_array_index(r->open, Open, r->open->len - 1).children, (gpointer)(guintptr)node);
}

static void set_anchor(Reader *r, const char *anchor, const Node *node) {
  if (anchor != NULL)
    g_hash_table_insert(r->anchors, (gpointer)(guintptr)anchor, (gpointer)(guintptr)node);
}

static const char *keep_anchor(Reader *r, const yaml_char_t *anchor) {
  return anchor == NULL ? NULL : arena_string(r->arena, (const char *)anchor);
}

/* The core schema's tags; a tag decides instead of the quotes. */
static bool tag_fits(Reader *r, NodeKind kind, const yaml_char_t *tag, Place at, bool *plain) {
  static const struct {
    const char *tag;
    NodeKind kind;
    bool plain;
  } KNOWN[] = {
      {"!", NODE_SCALAR, false},           {YAML_STR_TAG, NODE_SCALAR, false}, {YAML_INT_TAG, NODE_SCALAR, true},
      {YAML_FLOAT_TAG, NODE_SCALAR, true}, {YAML_BOOL_TAG, NODE_SCALAR, true}, {YAML_NULL_TAG, NODE_SCALAR, true},
      {YAML_SEQ_TAG, NODE_LIST, false},    {YAML_MAP_TAG, NODE_MAP, false},
  };
  if (tag == NULL)
    return true;
  for (guint i = 0; i < G_N_ELEMENTS(KNOWN); i++) {
    if (strcmp((const char *)tag, KNOWN[i].tag) == 0 && KNOWN[i].kind == kind) {
      *plain = KNOWN[i].plain;
      return true;
    }
  }
  g_autofree char *what = g_strdup_printf("the tag '%s' does not fit here", (const char *)tag);
  fail(r, at, what);
  return false;
}

static void on_scalar(Reader *r, const yaml_event_t *event) {
  Node *node = new_node(r, NODE_SCALAR, event->start_mark);
  const char *text = (const char *)event->data.scalar.value;
  node->len = event->data.scalar.length;
  node->text = arena_bytes(r->arena, text, node->len);
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  tag_fits(r, NODE_SCALAR, event->data.scalar.tag, node->at, &node->plain);
  if (g_str_has_prefix(text, BOM))
    fail(r, node->at, "a byte order mark stands within the file");
  set_anchor(r, keep_anchor(r, event->data.scalar.anchor), node);
  put(r, node);
}

static void on_start(Reader *r, const yaml_event_t *event, NodeKind kind) {
  Node *node = new_node(r, kind, event->start_mark);
  bool list = kind == NODE_LIST;
  tag_fits(r, kind, list ? event->data.sequence_start.tag : event->data.mapping_start.tag, node->at, &node->plain);
  node->flow = list ? event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                    : event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
  if (r->open->len >= MAX_DEPTH) {
    fail(r, node->at, "nested deeper than 64 levels");
    return;
  }
  const char *anchor = keep_anchor(r, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor);
  Open open = {node, g_ptr_array_new(), anchor};
  set_anchor(r, anchor, NULL);
  g_array_append_val(r->open, open);
}

static void on_alias(Reader *r, const yaml_event_t *event) {
  const char *name = (const char *)event->data.alias.anchor;
  Place at = place_of(r, event->start_mark);
  gpointer found = NULL;
  g_autofree char *what = NULL;
  if (!g_hash_table_lookup_extended(r->anchors, name, NULL, &found))
    what = g_strdup_printf("no anchor '&%s' stands before this alias", name);
  else if (found == NULL)
    what = g_strdup_printf("the alias '*%s' stands within what it names", name);
  if (what != NULL) {
    fail(r, at, what);
    return;
  }
  r->n_nodes++; /* the alias itself, as written */
  r->n_extra += ((const Node *)found)->weight;
  if (limits_hold(r, at))
    put(r, found);
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

static bool is_merge(const Node *key) { return key->kind == NODE_SCALAR && key->plain && strcmp(key->text, "<<") == 0; }

static void fail_duplicate(Reader *r, const Node *key, const Node *first) {
  g_autofree char *what = g_strdup_printf("duplicate key '%s': it stands in line %d too", key->text, first->at.line);
  fail(r, key->at, what);
}

/* Keys of one mapping, each with its first place; bytes are compared up to a NUL, which no key has. */
static bool add_key(Reader *r, GHashTable *keys, const Node *key) {
  if (key->kind != NODE_SCALAR || memchr(key->text, '\0', key->len) != NULL) {
    fail(r, key->at, "a key must be a text");
    return false;
  }
  const Node *first = g_hash_table_lookup(keys, key->text);
  if (first != NULL) {
    fail_duplicate(r, key, first);
    return false;
  }
  g_hash_table_insert(keys, (gpointer)(guintptr)key->text, (gpointer)(guintptr)key);
  return true;
}

static void merge_one(Reader *r, GHashTable *keys, GArray *pairs, const Node *from) {
  if (from->kind != NODE_MAP) {
    fail_hint(r, from->at, "only a mapping, or a list of mappings, can be merged with '<<'", NULL);
    return;
  }
  for (guint i = 0; i < from->n && !r->failed; i++) {
    const NodePair pair = from->pairs[i];
    if (g_hash_table_contains(keys, pair.key->text))
      continue;
    g_hash_table_insert(keys, (gpointer)(guintptr)pair.key->text, (gpointer)(guintptr)pair.key);
    r->n_extra += 1 + pair.value->weight;
    g_array_append_val(pairs, pair);
    limits_hold(r, from->at);
  }
}

static void merge(Reader *r, GHashTable *keys, GArray *pairs, const Node *value) {
  if (value->kind != NODE_LIST) {
    merge_one(r, keys, pairs, value);
    return;
  }
  for (guint i = 0; i < value->n && !r->failed; i++)
    merge_one(r, keys, pairs, value->items[i]);
}

static void finish_map(Reader *r, Node *node, const GPtrArray *children) {
  g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GArray) pairs = g_array_sized_new(FALSE, FALSE, sizeof(NodePair), children->len / 2);
  const NodePair *merged = NULL;
  for (guint i = 0; i + 1 < children->len && !r->failed; i += 2) {
    NodePair pair = {children->pdata[i], children->pdata[i + 1]};
    if (is_merge(pair.key) && merged != NULL) {
      fail_duplicate(r, pair.key, merged->key);
    } else if (is_merge(pair.key)) {
      merged = arena_copy(r->arena, &pair, 1, sizeof pair);
    } else if (add_key(r, keys, pair.key)) {
      g_array_append_val(pairs, pair);
    }
  }
  if (merged != NULL && !r->failed)
    merge(r, keys, pairs, merged->value);
  node->n = pairs->len;
  node->pairs = arena_array(r->arena, NodePair, pairs);
  for (guint i = 0; i < node->n; i++)
    node->weight += 1 + node->pairs[i].value->weight;
}

static void on_end(Reader *r) {
  Open open = g_array_index(r->open, Open, r->open->len - 1);
  g_array_set_size(r->open, r->open->len - 1);
  Node *node = open.node;
  if (node->kind == NODE_MAP) {
    finish_map(r, node, open.children);
  } else {
    node->n = open.children->len;
    node->items = arena_copy(r->arena, open.children->pdata, node->n, sizeof(gpointer));
    for (guint i = 0; i < node->n; i++)
      node->weight += node->items[i]->weight;
  }
  g_ptr_array_free(open.children, TRUE);
  set_anchor(r, open.anchor, node);
  put(r, node);
}

/* ---- The whole file ---------------------------------------------------------------------------------------------- */

static void on_document(Reader *r, const yaml_event_t *event) {
  if (r->root != NULL)
    fail(r, place_of(r, event->start_mark), "a second document begins here: a file holds one");
}

/* Returns false when there is nothing more to read. */
static bool read_event(Reader *r) {
  yaml_event_t event;
  if (!yaml_parser_parse(&r->parser, &event)) {
    fail_parser(r);
    return false;
  }
  bool more = event.type != YAML_STREAM_END_EVENT;
  switch (event.type) {
  case YAML_DOCUMENT_START_EVENT: on_document(r, &event); break;
  case YAML_SCALAR_EVENT: on_scalar(r, &event); break;
  case YAML_ALIAS_EVENT: on_alias(r, &event); break;
  case YAML_SEQUENCE_START_EVENT: on_start(r, &event, NODE_LIST); break;
  case YAML_MAPPING_START_EVENT: on_start(r, &event, NODE_MAP); break;
  case YAML_SEQUENCE_END_EVENT:
  case YAML_MAPPING_END_EVENT: on_end(r); break;
  default: break;
  }
  yaml_event_delete(&event);
  return more && !r->failed;
}

static void check_expansion(Reader *r) {
  if (r->n_extra > MAX_EXPANSION * r->n_nodes)
    fail(r, (Place){r->file, 1, 1}, "aliases make the file more than 10 times as big as it is written");
}

const Node *yaml_tree(Arena *arena, Problems *problems, const char *file, const char *bytes, gsize len) {
  Reader r = {.arena = arena, .problems = problems, .file = file, .bytes = bytes, .len = len};
  if (len > MAX_BYTES) {
    fail(&r, (Place){file, 0, 0}, "the file is too big: more than 64 MiB");
    return NULL;
  }
  if (!yaml_parser_initialize(&r.parser))
    g_error("out of memory reading '%s'", file);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, len);
  r.open = g_array_new(FALSE, FALSE, sizeof(Open));
  r.anchors = g_hash_table_new(g_str_hash, g_str_equal);
  while (read_event(&r))
    continue;
  if (!r.failed)
    check_expansion(&r);
  for (guint i = 0; i < r.open->len; i++)
    g_ptr_array_free(g_array_index(r.open, Open, i).children, TRUE);
  g_array_free(r.open, TRUE);
  g_hash_table_unref(r.anchors);
  yaml_parser_delete(&r.parser);
  return r.failed ? NULL : r.root;
}

const Node *node_get(const Node *map, const char *key) {
  for (guint i = 0; map->kind == NODE_MAP && i < map->n; i++)
    if (strcmp(map->pairs[i].key->text, key) == 0)
      return map->pairs[i].value;
  return NULL;
}

static bool is_one_of(const Node *node, const char *const words[4]) {
  for (guint i = 0; node->kind == NODE_SCALAR && node->plain && i < 4; i++)
    if (words[i] != NULL && strcmp(node->text, words[i]) == 0)
      return true;
  return false;
}

bool node_is_null(const Node *node) {
  static const char *const NULLS[4] = {"null", "~", "Null", "NULL"};
  return node->kind == NODE_SCALAR && node->plain && (node->len == 0 || is_one_of(node, NULLS));
}

bool node_is_bool(const Node *node, bool *value) {
  static const char *const YES[4] = {"true", "True", "TRUE", NULL}, *const NO[4] = {"false", "False", "FALSE", NULL};
  *value = is_one_of(node, YES);
  return *value || is_one_of(node, NO);
}

char *node_describe(const Node *node) {
  if (node->kind != NODE_SCALAR)
    return g_strdup(node->kind == NODE_LIST ? "a list" : "a mapping");
  if (node_is_null(node))
    return g_strdup("nothing");
  gsize shown = MIN(node->len, 60);
  while (shown < node->len && shown > 0 && ((guchar)node->text[shown] & 0xC0) == 0x80)
    shown--;
  return g_strdup_printf("'%.*s%s'", (int)shown, node->text, shown < node->len ? "..." : "");
}
