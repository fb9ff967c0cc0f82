/* expect.c - what statements are to give: cells, rows, results, notices, errors, captures. */
#include "yamldef/csv.h"
#include "yamldef/decode.h"

#include <math.h>
#include <string.h>

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

static void read_approx(Loader *l, const Node *node, Cell *out) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  double numbers[2];
  for (guint i = 0; i < 2; i++) {
    const char *text = n == 2 ? read_constant(l, items[i], "approx") : NULL;
    char *end = NULL;
    numbers[i] = text == NULL ? NAN : g_ascii_strtod(text, &end);
    if (text != NULL && (end == text || *end != '\0'))
      numbers[i] = NAN;
  }
  if (n != 2 || isnan(numbers[0]) || !(numbers[1] >= 0)) {
    complain(l, node->at, NULL, "'approx' must be [value, tolerance], two numbers");
    return;
  }
  out->kind = CELL_APPROX;
  out->value = numbers[0];
  out->tolerance = numbers[1];
}

static void read_bytes(Loader *l, const Node *node, Cell *out) {
  const Node *resolved = resolve(l, node);
  const char *hex = resolved->kind == NODE_SCALAR && resolved->len == 0 ? "" : read_constant(l, node, "bytes");
  if (hex == NULL)
    return;
  gsize n = strlen(hex);
  if (n % 2 != 0 || strspn(hex, "0123456789abcdefABCDEF") != n) {
    complain(l, node->at, NULL, "'bytes' must be pairs of hexadecimal digits, not '%s'", hex);
    return;
  }
  guint8 *bytes = arena_new0(l->arena, guint8, n / 2 + 1);
  for (gsize i = 0; i < n / 2; i++)
    bytes[i] = (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
  out->kind = CELL_BYTES;
  out->bytes = bytes;
  out->n_bytes = n / 2;
}

static void read_special_cell(Loader *l, const Node *node, Cell *out) {
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  add_words(words, &VOCAB_CELL);
  if (node->n != 1) {
    complain(l, node->at, NULL, "a cell is one of {re: ...}, {any: true}, {approx: [...]} and {bytes: ...}");
    return;
  }
  const char *key = node->pairs[0].key->text;
  const Node *value = node->pairs[0].value;
  bool any = true;
  if (strcmp(key, "re") == 0) {
    out->kind = CELL_RE;
    read_pattern(l, value, "re", &out->re);
  } else if (strcmp(key, "any") == 0) {
    out->kind = CELL_ANY;
    if (read_bool(l, value, "any", &any) && !any)
      complain(l, value->at, NULL, "'any' can only be true");
  } else if (strcmp(key, "approx") == 0) {
    read_approx(l, value, out);
  } else if (strcmp(key, "bytes") == 0) {
    read_bytes(l, value, out);
  } else {
    unknown_key(l, node, node->pairs[0].key, "a cell", (const char *const *)words->pdata, words->len);
  }
}

void read_cell(Loader *l, const Node *node, const char *what, Cell *out) {
  node = resolve(l, node);
  *out = (Cell){.kind = CELL_TEXT, .at = node->at};
  bool value;
  if (node->kind == NODE_MAP && !l->dolt) {
    read_special_cell(l, node, out);
    return;
  }
  if (node_is_null(node)) {
    out->kind = CELL_NULL;
    return;
  }
  if (!read_text(l, node, what, &out->text))
    return;
  if (l->dolt) {
    out->null_too = strcmp(out->text.raw, "NULL") == 0;
  } else if (node_is_bool(node, &value)) {
    out->kind = CELL_BOOL;
    out->text.raw = value ? "true" : "false";
    out->text.len = strlen(out->text.raw);
  }
}

void read_cell_pointer(Loader *l, const Node *node, const char *what, const Cell **out) {
  Cell *cell = arena_new0(l->arena, Cell, 1);
  read_cell(l, node, what, cell);
  *out = cell;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

static void read_row(Loader *l, const Node *node, Row *out) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  bool alone = node->kind == NODE_SCALAR && n == 0; /* null standing alone is a cell, not an empty list */
  n = alone ? 1 : n;
  Cell *cells = arena_new0(l->arena, Cell, n);
  for (guint i = 0; i < n; i++)
    read_cell(l, alone ? node : items[i], "rows", &cells[i]);
  *out = (Row){n, cells, node->at};
}

static void read_row_list(Loader *l, const Node *node, Rows *out) {
  node = resolve(l, node);
  *out = (Rows){.at = node->at};
  if (node->kind != NODE_LIST) {
    complain(l, node->at, NULL, "'rows' must be a list of rows, or {or: [rows, rows]}");
    return;
  }
  guint n;
  const Node *const *items = items_of(l, node, &n);
  Row *rows = arena_new0(l->arena, Row, n);
  for (guint i = 0; i < n; i++)
    read_row(l, items[i], &rows[i]);
  out->n = n;
  out->v = rows;
}

static void set_rows(ResultExpectation *out, guint n, const Rows *either) {
  out->has_rows = true;
  out->n_either = n;
  out->either = either;
}

void read_rows(Loader *l, const Node *node, ResultExpectation *out) {
  node = resolve(l, node);
  if (node->kind != NODE_MAP) {
    Rows *rows = arena_new0(l->arena, Rows, 1);
    read_row_list(l, node, rows);
    set_rows(out, 1, rows);
    return;
  }
  const Node *either = node_get(node, "or");
  static const char *const WORDS[] = {"or"};
  for (guint i = 0; i < node->n; i++)
    if (node->pairs[i].value != either)
      unknown_key(l, node, node->pairs[i].key, "rows", WORDS, 1);
  guint n = 0;
  const Node *const *items = either == NULL ? NULL : items_of(l, either, &n);
  if (n == 0) {
    complain(l, node->at, NULL, "'rows' must be a list of rows, or {or: [rows, rows]}");
    return;
  }
  Rows *rows = arena_new0(l->arena, Rows, n);
  for (guint i = 0; i < n; i++)
    read_row_list(l, items[i], &rows[i]);
  set_rows(out, n, rows);
}

typedef struct CsvRows {
  Loader *l;
  const char *file;
  GArray *cells, *rows;
} CsvRows;

static void csv_field(const char *bytes, gsize len, bool is_null, guint line, gpointer data) {
  CsvRows *c = data;
  Cell cell = {.kind = is_null ? CELL_NULL : CELL_TEXT, .at = {c->file, (int)line, 1}};
  if (!is_null)
    cell.text = (Text){.raw = arena_bytes(c->l->arena, bytes, len), .len = len, .at = cell.at};
  g_array_append_val(c->cells, cell);
}

static void csv_row_end(guint line, gpointer data) {
  CsvRows *c = data;
  Row row = {c->cells->len, arena_array(c->l->arena, Cell, c->cells), {c->file, (int)line, 1}};
  g_array_append_val(c->rows, row);
  g_array_set_size(c->cells, 0);
}

void read_rows_file(Loader *l, const Node *node, ResultExpectation *out) {
  const char *path = read_constant(l, node, "rows_file");
  g_autofree char *found = path == NULL ? NULL : find_source(l, node->at, path);
  g_autofree char *bytes = NULL;
  g_autoptr(GError) error = NULL;
  gsize len;
  if (found == NULL)
    return;
  if (!g_file_get_contents(found, &bytes, &len, &error)) {
    complain(l, node->at, NULL, "%s", error->message);
    return;
  }
  g_autoptr(GArray) cells = g_array_new(FALSE, TRUE, sizeof(Cell)), rows = g_array_new(FALSE, TRUE, sizeof(Row));
  out->rows_file = arena_string(l->arena, found);
  CsvRows csv = {l, out->rows_file, cells, rows};
  if (!csv_read(bytes, len, csv_field, csv_row_end, &csv, &error)) {
    complain(l, node->at, NULL, "read '%s': %s", path, error->message);
    return;
  }
  Rows all = {rows->len, arena_array(l->arena, Row, rows), node->at};
  set_rows(out, 1, arena_copy(l->arena, &all, 1, sizeof all));
}

static void check_widths(Loader *l, const ResultExpectation *result) {
  guint width = result->pick.n > 0 ? result->pick.n : result->columns.n;
  for (guint i = 0; width > 0 && !l->dolt && i < result->n_either; i++)
    for (guint r = 0; r < result->either[i].n; r++)
      if (result->either[i].v[r].n != width)
        complain(l, result->either[i].v[r].at, NULL, "this row has %u cells, and there are %u columns",
                 result->either[i].v[r].n, width);
}

void read_result(Loader *l, const Node *node, const ResultExpectation **out) {
  ResultExpectation *result = arena_copy(l->arena, VOCAB_RESULT.defaults, 1, sizeof *result);
  guint n_errors = problems_n_errors(l->problems);
  read_record(l, node, &VOCAB_RESULT, result);
  const Node *resolved = resolve(l, node);
  if (resolved->kind == NODE_MAP && node_get(resolved, "rows") != NULL && result->rows_file != NULL)
    complain(l, result->at, NULL, "'rows' and 'rows_file' exclude each other");
  if (!result->has_columns && !result->has_rows && result->row_count < 0 && result->same_as.s == NULL && !l->dolt &&
      problems_n_errors(l->problems) == n_errors)
    complain(l, result->at, NULL, "this result says nothing: it needs columns, rows, rows_file, row_count or same_as");
  check_widths(l, result);
  *out = result;
}

/* ---- Notices and captures ---------------------------------------------------------------------------------------- */

void read_notices(Loader *l, const Node *node, NoticeExpectations *out) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  NoticeExpectation *list = arena_new0(l->arena, NoticeExpectation, n);
  for (guint i = 0; i < n; i++) {
    read_record(l, items[i], &VOCAB_NOTICE, &list[i]);
    if (list[i].text.raw != NULL && list[i].re.text.raw != NULL)
      complain(l, items[i]->at, NULL, "'text' and 're' exclude each other");
  }
  *out = (NoticeExpectations){true, n, list, node->at};
}

void note_capture(Loader *l, Name name) {
  if (l->scope != NULL && scope_find(l->scope, name.s) != NULL)
    complain(l, name.at, NULL, "the variable '%s' could never be read: a constant is called that too", name.s);
  Note note = {.kind = NOTE_CAPTURE, .name = name, .where = where_now(l)};
  if (!l->in_engine)
    g_array_append_val(l->notes, note);
}

void read_captures(Loader *l, const Node *node, void *field) {
  node = resolve(l, node);
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Capture));
  if (node->kind != NODE_MAP) {
    Capture capture = {0};
    if (read_name(l, node, "capture", &capture.name))
      g_array_append_val(list, capture);
  }
  for (guint i = 0; node->kind == NODE_MAP && i < node->n; i++) {
    Capture capture = {.name = {node->pairs[i].key->text, node->pairs[i].key->at}};
    capture.column = read_constant(l, node->pairs[i].value, "capture");
    g_array_append_val(list, capture);
  }
  for (guint i = 0; i < list->len; i++)
    note_capture(l, g_array_index(list, Capture, i).name);
  set_list(l, field, list, sizeof(Capture));
}

/* ---- Entries ----------------------------------------------------------------------------------------------------- */

void read_entry_kind(Loader *l, const Node *map, SqlEntry *entry) {
  static const struct {
    const char *key;
    SqlKind kind;
  } KINDS[] = {{"query", SQL_QUERY}, {"exec", SQL_EXEC}, {"script", SQL_SCRIPT}};
  const char *given = NULL;
  for (guint i = 0; i < G_N_ELEMENTS(KINDS); i++) {
    const Node *sql = node_get(map, KINDS[i].key);
    if (sql == NULL || (l->dolt && resolve(l, sql)->len == 0))
      continue;
    if (given != NULL)
      complain(l, map->at, NULL, "'%s' and '%s' exclude each other", given, KINDS[i].key);
    given = KINDS[i].key;
    entry->kind = KINDS[i].kind;
    if (read_text(l, sql, given, &entry->sql) && strspn(entry->sql.raw, " \t\r\n;") == entry->sql.len)
      complain(l, sql->at, NULL, "the SQL of '%s' is empty", given);
  }
  if (given == NULL)
    complain(l, map->at, NULL,
             l->dolt ? "a query needs 'query' or 'exec'" : "a query needs 'query', 'exec' or 'script'");
}

static void read_entry(Loader *l, const Node *node, SqlEntry *out) {
  const Vocabulary *vocabulary = l->dolt ? &VOCAB_DOLT_QUERY : &VOCAB_ENTRY;
  node = resolve(l, node);
  memcpy(out, vocabulary->defaults, sizeof *out);
  read_record(l, node, vocabulary, out);
  if (node->kind == NODE_MAP)
    read_entry_kind(l, node, out);
}

void read_entries(Loader *l, const Node *node, void *field) {
  guint n;
  const Node *const *items = items_of(l, node, &n);
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(SqlEntry));
  for (guint i = 0; i < n; i++) {
    SqlEntry entry;
    enter(l, "query %u", i + 1);
    read_entry(l, items[i], &entry);
    leave(l);
    g_array_append_val(list, entry);
  }
  set_list(l, field, list, sizeof(SqlEntry));
}
