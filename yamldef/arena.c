/* arena.c - see arena.h. */
#include "yamldef/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

enum { BLOCK = 32 * 1024, ALIGN = _Alignof(max_align_t) };

struct Arena {
  GPtrArray *blocks;
  char *at;
  gsize left, size;
};

Arena *arena_new(void) {
  Arena *arena = g_new0(Arena, 1);
  arena->blocks = g_ptr_array_new_with_free_func(g_free);
  return arena;
}

void arena_free(Arena *arena) {
  if (arena == NULL)
    return;
  g_ptr_array_free(arena->blocks, TRUE);
  g_free(arena);
}

void *arena_alloc(Arena *arena, gsize n, gsize size) {
  gsize need;
  if (!g_size_checked_mul(&need, n, size) || need > G_MAXSIZE / 2)
    g_error("out of memory: %zu things of %zu bytes", n, size);
  need = MAX((need + ALIGN - 1) / ALIGN * ALIGN, ALIGN);
  if (need > BLOCK / 4) { /* a block of its own, so that the current one is not thrown away */
    void *own = g_malloc0(need);
    g_ptr_array_add(arena->blocks, own);
    arena->size += need;
    return own;
  }
  if (need > arena->left) {
    arena->at = g_malloc0(BLOCK);
    arena->left = BLOCK;
    arena->size += BLOCK;
    g_ptr_array_add(arena->blocks, arena->at);
  }
  void *got = arena->at;
  arena->at += need;
  arena->left -= need;
  return got;
}

gsize arena_size(const Arena *arena) { return arena->size; }

void *arena_copy(Arena *arena, const void *from, gsize n, gsize size) {
  void *to = arena_alloc(arena, n, size);
  if (n > 0)
    memcpy(to, from, n * size);
  return to;
}

char *arena_bytes(Arena *arena, const char *bytes, gsize len) {
  char *to = arena_alloc(arena, len + 1, 1);
  if (len > 0)
    memcpy(to, bytes, len);
  return to;
}

char *arena_string(Arena *arena, const char *text) {
  return text == NULL ? NULL : arena_bytes(arena, text, strlen(text));
}

char *arena_printf(Arena *arena, const char *format, ...) {
  va_list words;
  va_start(words, format);
  g_autofree char *text = g_strdup_vprintf(format, words);
  va_end(words);
  return arena_string(arena, text);
}
