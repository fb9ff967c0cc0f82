/* visible.h - bytes that somebody else wrote, as text that does nothing to a terminal or a line-based reader.
 *
 * C0, DEL and C1 control characters, line separators, direction overrides and bytes outside UTF-8 become \n, \t, \x1b,
 * \u{85}, \xff; everything else stays as it is.  Not an encoding: a backslash stays one, so it cannot be turned back.
 */
#ifndef RUNNER_VISIBLE_H
#define RUNNER_VISIBLE_H

#include <glib.h>
#include <stdbool.h>

typedef enum VisibleKeep {
  VISIBLE_LINE,                  /* one line: newlines and tabs are made visible too */
  VISIBLE_LINES,                 /* newlines and tabs stay */
} VisibleKeep;

void visible_append(GString *out, const char *bytes, gsize len, VisibleKeep keep);
/* One line of it, newly allocated. NULL gives "". */
char *visible_line(const char *text);

#endif
