/* csv.h - comma-separated values as RFC 4180 has them: quoted fields hold commas, newlines and doubled quotes.
 *
 * A field written without quotes that is empty or `\N` is SQL NULL; "" and "\N" in quotes are texts.  No header line:
 * each record is a row.  Lines end with LF or CRLF; the last end may be missing.
 */
#ifndef YAMLDEF_CSV_H
#define YAMLDEF_CSV_H

#include <glib.h>
#include <stdbool.h>

/* Gets each field in turn; the bytes live during the call only. */
typedef void (*CsvField)(const char *bytes, gsize len, bool is_null, guint line, gpointer data);
typedef void (*CsvRowEnd)(guint line, gpointer data);

/* False with error set (its message has the line) for a quote that is not closed, or text behind a closing quote. */
bool csv_read(const char *bytes, gsize len, CsvField field, CsvRowEnd row_end, gpointer data, GError **error);

#endif
