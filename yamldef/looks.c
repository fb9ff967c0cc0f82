/* looks.c - what steps that look say of what they see. */
#include "yamldef/decode.h"
#include "yamldef/json.h"

#include <string.h>

void read_http_status(Loader *l, const Node *node, const char *what, int *out) {
  guint64 status;
  if (read_count(l, node, what, 100, 599, &status)) *out = (int)status;
}

void read_json_cells(Loader *l, const Node *node, const char *what, JsonCells *out) {
  node = resolve(l, node);
  g_autofree char *title = g_strdup_printf("'%s'", what);
  if (!want_map(l, node, title)) return;
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

void read_bytes_count(Loader *l, const Node *node, const char *what, gint64 *out) {
  static const struct {
    const char *unit;
    gint64 bytes;
  } UNITS[] = {{"", 1},
               {"B", 1},
               {"kB", 1000},
               {"KiB", 1024},
               {"MB", 1000000},
               {"MiB", 1024 * 1024},
               {"GB", 1000000000},
               {"GiB", 1024 * 1024 * 1024}};
  const char *text = read_constant(l, node, what);
  if (text == NULL) return;
  gsize n = strspn(text, "0123456789");
  g_autofree char *digits = g_strndup(text, n);
  guint64 value;
  for (guint i = 0; i < G_N_ELEMENTS(UNITS); i++)
    if (strcmp(text + n, UNITS[i].unit) == 0 && g_ascii_string_to_unsigned(digits, 10, 0, 1000000000, &value, NULL)) {
      *out = (gint64)value * UNITS[i].bytes;
      return;
    }
  complain(l, node->at, NULL, "'%s' must be a number of bytes such as 512, 64KiB or 10MB, not '%s'", what, text);
}

FileDeed file_deed(const FileStep *file) {
  if (file->write.raw != NULL) return FILE_WRITE;
  if (file->append.raw != NULL) return FILE_APPEND;
  if (file->copy_from.raw != NULL) return FILE_COPY;
  if (file->remove) return FILE_REMOVE;
  if (file->has_truncate) return FILE_TRUNCATE;
  return file->has_mode ? FILE_MODE : FILE_LOOK;
}
