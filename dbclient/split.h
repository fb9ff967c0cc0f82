/* split.h - cuts a script into statements, as psql and mysql would.
 *
 * Knows quotes ('...', "...", `...`, E'...' and standard_conforming strings, $tag$...$tag$), comments (-- to the end of
 * the line, # for MySQL, nested slash-star for PostgreSQL, not nested for MySQL), BEGIN ATOMIC bodies (PostgreSQL),
 * and MySQL's DELIMITER lines.  Pure: touches nothing but its arguments.
 */
#ifndef DBCLIENT_SPLIT_H
#define DBCLIENT_SPLIT_H

#include "dbclient/dbclient.h"

typedef struct SqlPiece { const char *start; gsize len; guint line; } SqlPiece;   /* line within the script, from 1 */

/* Statements without their final delimiter, blank ones left out; pieces point into script.  NULL with error set for an
 * unterminated quote or comment. Free with g_array_unref(). */
GArray *sql_split(DbKind kind, const char *script, gsize len, GError **error);

#endif
