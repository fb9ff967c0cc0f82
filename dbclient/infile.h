/* infile.h - which file a LOAD DATA LOCAL INFILE may read.
 *
 * A server may ask its client for any file, whatever the statement was.  The rule here: only while a statement runs
 * that is itself a LOAD DATA (or XML) LOCAL, only the file it names, only below the allowed directories, and no
 * symbolic link may lead out of those.  No database library is needed for that, and none is known here.
 */
#ifndef DBCLIENT_INFILE_H
#define DBCLIENT_INFILE_H

#include <glib.h>

/* The file name of a statement that is a LOAD DATA LOCAL INFILE, unquoted; NULL for any other. */
char *infile_named(const char *sql, gsize len);

/* Opens that file for reading below one of the directories (NULL-terminated; the first that has it); an absolute name
 * must lie below one of them.  A descriptor, close-on-exec, or -1 with error set. */
int infile_open(const char *name, const char *const *dirs, GError **error);

#endif
