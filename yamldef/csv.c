/* csv.c - see csv.h. */
#include "yamldef/csv.h"

#include <string.h>

#define CSV_ERROR g_quark_from_static_string("csv-error")

typedef struct Csv {
  const char *at, *end;
  guint line;
  GString *field;
} Csv;

static bool quoted_field(Csv *c, GError **error) {
  guint began = c->line;
  for (c->at++; c->at < c->end; c->at++) {
    if (*c->at == '"' && c->at + 1 < c->end && c->at[1] == '"') {
      c->at++;
    } else if (*c->at == '"') {
      c->at++;
      return true;
    }
    c->line += *c->at == '\n';
    g_string_append_c(c->field, *c->at);
  }
  g_set_error(error, CSV_ERROR, 0, "line %u: a quote is not closed", began);
  return false;
}

static bool at_line_end(const Csv *c) {
  return c->at >= c->end || *c->at == '\n' || (*c->at == '\r' && c->at + 1 < c->end && c->at[1] == '\n');
}

static bool read_field(Csv *c, bool *is_null, GError **error) {
  g_string_truncate(c->field, 0);
  *is_null = false;
  if (c->at < c->end && *c->at == '"') {
    if (!quoted_field(c, error))
      return false;
    if (at_line_end(c) || *c->at == ',')
      return true;
    g_set_error(error, CSV_ERROR, 0, "line %u: text behind a closing quote", c->line);
    return false;
  }
  while (!at_line_end(c) && *c->at != ',')
    g_string_append_c(c->field, *c->at++);
  *is_null = c->field->len == 0 || strcmp(c->field->str, "\\N") == 0;
  return true;
}

bool csv_read(const char *bytes, gsize len, CsvField field, CsvRowEnd row_end, gpointer data, GError **error) {
  g_autoptr(GString) text = g_string_new(NULL);
  Csv c = {bytes, bytes + len, 1, text};
  while (c.at < c.end) {
    guint line = c.line;
    bool is_null;
    for (;;) {
      if (!read_field(&c, &is_null, error))
        return false;
      field(c.field->str, c.field->len, is_null, line, data);
      if (at_line_end(&c))
        break;
      c.at++; /* the comma */
    }
    row_end(line, data);
    c.at += c.at < c.end && *c.at == '\r';
    c.at += c.at < c.end;
    c.line++;
  }
  return true;
}
