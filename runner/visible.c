#include "runner/visible.h"
#include <string.h>

/* Overrides of the writing direction can make a line show other than what it says; separators break it. */
static bool must_show(gunichar c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0xfeff;
}

static void append_shown(GString *out, gunichar c) {
  switch (c) {
  case '\n': g_string_append(out, "\\n"); break;
  case '\r': g_string_append(out, "\\r"); break;
  case '\t': g_string_append(out, "\\t"); break;
  default: g_string_append_printf(out, c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
  }
}

void visible_append(GString *out, const char *bytes, gsize len, VisibleKeep keep) {
  const char *p = bytes, *end = bytes + len, *plain = bytes;
  while (p < end) {
    guchar byte = (guchar)*p;
    if (byte >= 0x20 && byte < 0x7f) {
      p++;
      continue;
    }
    gunichar c = byte == 0 ? 0 : g_utf8_get_char_validated(p, end - p);
    bool valid = c != (gunichar)-1 && c != (gunichar)-2;
    gsize n = valid ? (gsize)g_unichar_to_utf8(c, NULL) : 1;
    if (valid && (!must_show(c) || (keep == VISIBLE_LINES && (c == '\n' || c == '\t')))) {
      p += n;
      continue;
    }
    g_string_append_len(out, plain, p - plain);
    if (valid) append_shown(out, c);
    else g_string_append_printf(out, "\\x%02x", byte);
    plain = p += n;
  }
  g_string_append_len(out, plain, end - plain);
}

char *visible_line(const char *text) {
  GString *out = g_string_new(NULL);
  if (text) visible_append(out, text, strlen(text), VISIBLE_LINE);
  return g_string_free(out, FALSE);
}
