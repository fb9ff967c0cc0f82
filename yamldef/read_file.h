/* read_file.h - a regular file's bytes, bounded: no FIFO that never ends, no device, nothing that fills the memory. */
#ifndef YAMLDEF_READ_FILE_H
#define YAMLDEF_READ_FILE_H

#include <glib.h>

/* Newly allocated, a NUL after *len bytes; NULL with error set. */
char *read_file(const char *path, gsize *len, GError **error);

#endif
