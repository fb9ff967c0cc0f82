/* engines.c - the engine profiles that ship: yamldef/engines/NAME.yaml, byte for byte in the program.
 *
 * A new one: its file, and its line in the table below. */
#include "yamldef/definition.h"

#include <string.h>

/* Paths are relative to where make runs. */
#define EMBED(name)                                                                                                    \
  __asm__(".section .rodata\n"                                                                                         \
          "engine_" #name "_begin: .incbin \"yamldef/engines/" #name ".yaml\"\n"                                       \
          "engine_" #name "_end: .byte 0\n"                                                                            \
          ".previous\n");                                                                                              \
  extern const char engine_##name##_begin[], engine_##name##_end[]

EMBED(postgresql);
EMBED(mariadb);
EMBED(dolt);
EMBED(dolt_driver);

typedef struct Shipped { const char *name, *begin, *end; } Shipped;

#define SHIPPED(name) {#name, engine_##name##_begin, engine_##name##_end}

static const Shipped SHIPPED_ENGINES[] = {
    SHIPPED(postgresql),
    SHIPPED(mariadb),
    SHIPPED(dolt),
    SHIPPED(dolt_driver),
};

const char *engine_shipped(const char *name, gsize *len) {
  for (guint i = 0; i < G_N_ELEMENTS(SHIPPED_ENGINES); i++) {
    if (strcmp(SHIPPED_ENGINES[i].name, name) == 0) {
      *len = (gsize)(SHIPPED_ENGINES[i].end - SHIPPED_ENGINES[i].begin);
      return SHIPPED_ENGINES[i].begin;
    }
  }
  return NULL;
}

const char *engine_shipped_name(guint i) {
  return i < G_N_ELEMENTS(SHIPPED_ENGINES) ? SHIPPED_ENGINES[i].name : NULL;
}
