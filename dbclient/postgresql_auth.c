#include "dbclient/postgresql_auth.h"

enum { LENGTH_AT = 1, BODY_AT = 5, CODE_SIZE = 4, CLEARTEXT = 3 };

static guint32 big_endian(const unsigned char *p) {
  return (guint32)p[0] << 24 | (guint32)p[1] << 16 | (guint32)p[2] << 8 | p[3];
}

bool auth_watch(AuthWatch *watch, const unsigned char *bytes, gsize len) {
  for (gsize i = 0; i < len; i++) {
    if (watch->have < BODY_AT) {
      watch->head[watch->have++] = bytes[i];
      if (watch->have < BODY_AT)
        continue;
      guint32 length = big_endian(watch->head + LENGTH_AT);   /* counts itself */
      watch->rest = length > CODE_SIZE ? length - CODE_SIZE : 0;
    } else {
      if (watch->have < sizeof watch->head)
        watch->head[watch->have++] = bytes[i];
      watch->rest--;
      if (watch->head[0] == 'R' && watch->have == sizeof watch->head &&
          big_endian(watch->head + BODY_AT) == CLEARTEXT)
        return true;
    }
    if (watch->rest == 0)
      watch->have = 0;
  }
  return false;
}
