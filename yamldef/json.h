/* json.h - JSON texts, read only: what events and web services say.
 *
 * A document owns all its parts; they live until json_document_free().  A member of another type is an absent one, so
 * that who reads what others wrote needs no care: every function takes NULL for a part that is not there.
 *
 * A path leads from a part to one within it: names apart by dots, `[2]` for an item of a list (from 0), `['a.b']` for a
 * name that dots or brackets are in; `$` may stand before all of it.
 */
#ifndef YAMLDEF_JSON_H
#define YAMLDEF_JSON_H

#include <glib.h>
#include <stdbool.h>

typedef struct JsonDocument JsonDocument;
typedef struct JsonPart JsonPart;

/* NULL with error set when it is no JSON. */
JsonDocument *json_document_new(const char *text, gsize len, GError **error);
void json_document_free(JsonDocument *document);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(JsonDocument, json_document_free)
const JsonPart *json_document_root(const JsonDocument *document);

bool json_part_is_object(const JsonPart *part);
const JsonPart *json_part_member(const JsonPart *part, const char *key);
guint json_part_n_items(const JsonPart *part); /* of a list; else 0 */
const JsonPart *json_part_item(const JsonPart *part, guint i);
gint64 json_part_int(const JsonPart *part);         /* else 0 */
bool json_part_bool(const JsonPart *part);          /* else false */
const char *json_part_string(const JsonPart *part); /* else NULL */

/* What a cell is compared with: a string's bytes, a number in the fewest digits that give it back, true or false, a list
 * or object as JSON without blanks; NULL for null. Newly allocated. */
char *json_part_text(const JsonPart *part);

bool json_path_valid(const char *path);
/* NULL when there is no such part. */
const JsonPart *json_part_find(const JsonPart *part, const char *path);

#endif
