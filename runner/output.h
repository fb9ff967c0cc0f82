/* output.h - what a server printed: one O_APPEND file for stdout and stderr, in order, followed as it grows.
 *
 * The file is the only store: no pipe to fill, nothing held in memory but a window.  Growth comes by inotify (without a
 * free instance: looked at every 10 ms) and wakes output_changed().  A size cap ends the test with a clear message
 * rather than the disk; whoever follows the output asks for it.
 *
 * Offsets count the bytes printed and never go back.  Renaming or removing the file changes nothing, it is held open.
 * When the file is truncated, what was in it is gone from the disk, offsets go on from where they stood, and what is
 * printed later is seen once.
 */
#ifndef RUNNER_OUTPUT_H
#define RUNNER_OUTPUT_H

#include "runner/loop.h"
#include "yamldef/pattern.h"

typedef struct Output Output;

#define OUTPUT_CAP_DEFAULT (G_GUINT64_CONSTANT(1) << 30)

/* Makes the file (0644, owned as its directory is), or goes on with it; cap in bytes.  After loop_new(). */
Output *output_new(const char *path, guint64 cap, GError **error);
void output_free(Output *output);                /* NULL is allowed; the file stays */
int output_fd(const Output *output);             /* what to give a child as stdout and stderr; append only */
const char *output_path(const Output *output);
guint64 output_size(Output *output);             /* bytes printed until now */
bool output_over_cap(Output *output);
Cond *output_changed(Output *output);

typedef struct OutputMatch {
  guint64 line_start, line_end;                  /* offsets of the line without its end (block: of the match) */
  char *text;                                    /* the line, or the match; bytes as they are, NUL-terminated */
  gsize len;
} OutputMatch;
void output_match_clear(OutputMatch *match);

/* Looks from offset `from` for the first line (block: place) where pattern is found.  Complete lines only, unless
 * `final` (the server is gone: the last piece counts too).  *next (may be NULL) is where a later search may go on
 * without missing anything.  match (may be NULL) is filled on PATTERN_YES.  PATTERN_UNDECIDED: *why.
 *
 * Lines are read through a window of 1 MiB; in a fiber others have their turn after each, and
 * one that is cancelled gets PATTERN_NO early.  A longer line is searched in
 * pieces of that size which overlap by 64 KiB: ^ matches in the first, $ in the last, and a match that is longer than
 * the overlap may be missed.  When `from` is within a line, ^ does not match there.  Blocks (and RE2 patterns, for
 * which block is to be given) are searched in one piece: all from `from` on, at most the newest 64 MiB. */
PatternResult output_find(Output *output, const Pattern *pattern, guint64 from, bool block, bool final, guint64 *next,
                          OutputMatch *match, const char **why);
/* The last lines (at most n, at most 16 KiB), control characters and invalid UTF-8 shown as \x1b, newly allocated, each
 * ended by '\n'.  "" when nothing was printed. */
char *output_tail(Output *output, guint n);
/* Content from an offset on, at most max bytes, newly allocated, NUL-terminated; for evidence. */
char *output_read(Output *output, guint64 from, gsize max, gsize *len);

#endif
