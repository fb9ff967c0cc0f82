/* yaml_tree.h - a YAML file as a tree of nodes that know where they were written.
 *
 * YAML 1.2 core by way of libyaml's events, with what a definition needs on top: duplicate keys, a second document,
 * unknown tags and cycles are errors; aliases share the node they name; `<<` merges are already done (a key of the
 * mapping itself wins over merged ones, an earlier merged mapping over a later one).  Hostile files are refused quickly:
 * depth <= 64, 64 MiB, 1,000,000 nodes, and what aliases expand to <= 10 times the nodes written.
 *
 * Not for: deciding what a scalar means (decode.h); this only tells whether it was plain, since only plain ones are
 * typed.
 *
 * Nodes belong to the arena they were made in.
 */
#ifndef YAMLDEF_YAML_TREE_H
#define YAMLDEF_YAML_TREE_H

#include "yamldef/problem.h"

typedef enum NodeKind { NODE_SCALAR, NODE_LIST, NODE_MAP } NodeKind;

typedef struct Node Node;
typedef struct NodePair { const Node *key, *value; } NodePair;   /* key: always a scalar */

struct Node {
  NodeKind kind;
  bool plain;            /* SCALAR: unquoted (or tagged !!int, !!null ...), so it may mean null, true or a number */
  bool flow;             /* LIST, MAP: written with brackets */
  guint n;               /* LIST, MAP */
  guint64 weight;        /* nodes below and itself, aliases counted each time */
  Place at;
  gsize len;             /* SCALAR */
  union {
    const char *text;    /* SCALAR: len bytes and a NUL */
    const Node *const *items;
    const NodePair *pairs;
  };
};

/* NULL when nothing can be made of the file (a problem was added), or when it is empty (none was). `file` must live as
 * long as the arena. */
const Node *yaml_tree(Arena *arena, Problems *problems, const char *file, const char *bytes, gsize len);

/* The value of a key, or NULL. */
const Node *node_get(const Node *map, const char *key);
/* Plain `null`, `~` or nothing. */
bool node_is_null(const Node *node);
/* Plain true or false (also True, TRUE ...), into *value. */
bool node_is_bool(const Node *node, bool *value);
/* "a list", "a mapping", "'text'": for messages; newly allocated. */
char *node_describe(const Node *node);

#endif
