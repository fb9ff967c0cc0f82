/* arena.h - memory that is freed all at once.
 *
 * A definition is built of thousands of small constant things that live equally long; they come from here, so that
 * nothing in them needs a destructor.  Everything is zeroed.  Not for things that hold descriptors or foreign memory.
 */
#ifndef YAMLDEF_ARENA_H
#define YAMLDEF_ARENA_H

#include <glib.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arena, arena_free)

/* n things of `size` bytes, zeroed, aligned for anything; n may be 0. */
void *arena_alloc(Arena *arena, gsize n, gsize size);
/* A copy of n things. */
void *arena_copy(Arena *arena, const void *from, gsize n, gsize size);
/* len bytes and a NUL after them. */
char *arena_bytes(Arena *arena, const char *bytes, gsize len);
char *arena_string(Arena *arena, const char *text);
char *arena_printf(Arena *arena, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Bytes taken so far. */
gsize arena_size(const Arena *arena);

#define arena_new0(arena, type, n) ((type *)arena_alloc(arena, n, sizeof(type)))
/* The content of a GArray, which stays the caller's. */
#define arena_array(arena, type, array) ((const type *)arena_copy(arena, (array)->data, (array)->len, sizeof(type)))

#endif
