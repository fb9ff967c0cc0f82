/* looks.c - what steps that look say of what they see. */
#include "yamldef/decode.h"
#include "yamldef/json.h"

void read_http_status(Loader *l, const Node *node, const char *what, int *out) {
  guint64 status;
  if (read_count(l, node, what, 100, 599, &status))
    *out = (int)status;
}

void read_json_cells(Loader *l, const Node *node, const char *what, JsonCells *out) {
  node = resolve(l, node);
  g_autofree char *title = g_strdup_printf("'%s'", what);
  if (!want_map(l, node, title))
    return;
  JsonCell *cells = arena_new0(l->arena, JsonCell, node->n);
  for (guint i = 0; i < node->n; i++) {
    const Node *key = node->pairs[i].key;
    cells[i].path = read_constant(l, key, what);
    if (cells[i].path != NULL && !json_path_valid(cells[i].path))
      complain(l, key->at, "such as members[0].role, or ['a.b'] for a name with dots", "'%s' is no path into JSON",
               cells[i].path);
    read_cell(l, node->pairs[i].value, what, &cells[i].cell);
  }
  *out = (JsonCells){node->n, cells};
}
