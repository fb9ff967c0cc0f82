/* A script is cut into pieces that lie within it, in order, whatever it holds. */
#include <stddef.h>
#include <stdint.h>
#include "dbclient/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  const char *script = (const char *)bytes;
  for (DbKind kind = DB_POSTGRESQL; kind <= DB_MYSQL; kind++) {
    g_autoptr(GArray) pieces = sql_split(kind, script, len, NULL);
    const char *before = script;
    for (guint i = 0; pieces && i < pieces->len; i++) {
      const SqlPiece *piece = &g_array_index(pieces, SqlPiece, i);
      if (piece->start < before || piece->start + piece->len > script + len || piece->len == 0) __builtin_trap();
      before = piece->start + piece->len;
    }
  }
  return 0;
}
