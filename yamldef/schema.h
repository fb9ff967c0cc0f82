/* schema.h - a JSON Schema (draft-07) of definition files, for editors: made from the tables of vocab.h.
 *
 * It knows keys, types and what excludes what within a step; not what `runner check` knows of a whole definition (names
 * that nobody has, patterns that do not compile).  What it refuses,
 * the loader refuses too, unless a `when` leaves the step out.
 */
#ifndef YAMLDEF_SCHEMA_H
#define YAMLDEF_SCHEMA_H

#include <glib.h>

void schema_append(GString *out);

#endif
