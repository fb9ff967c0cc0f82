/* output.h - what a server printed: one O_APPEND file for stdout and stderr, in order, followed as it grows.
 *
 * The file is the only store: no pipe to fill, nothing held in memory but a window.  Growth comes by inotify (without a
 * free instance: looked at every 10 ms) and wakes output_changed().  A size cap ends the test with a clear message
 * rather than the disk.  Truncation and rotation by the server do not lose what was there before.
 */
#ifndef RUNNER_OUTPUT_H
#define RUNNER_OUTPUT_H

#include "runner/loop.h"
#include "yamldef/pattern.h"

typedef struct Output Output;

#define OUTPUT_CAP_DEFAULT (G_GUINT64_CONSTANT(1) << 30)

/* path is made (0644); cap in bytes. */
Output *output_new(const char *path, guint64 cap, GError **error);
void output_free(Output *output);
int output_fd(const Output *output);             /* what to give a child as stdout and stderr */
const char *output_path(const Output *output);
guint64 output_size(Output *output);             /* bytes now */
bool output_over_cap(Output *output);
Cond *output_changed(Output *output);

typedef struct OutputMatch {
  guint64 line_start, line_end;                  /* offsets of the line (block: of the match) */
  char *text;                                    /* the line, or the match; bytes as they are, NUL-terminated */
  gsize len;
} OutputMatch;
void output_match_clear(OutputMatch *match);

/* Looks from offset `from` for the first line (block: place) where pattern is found. Complete lines only, unless `final`
 * (the server is gone: the last piece counts too). *next (may be NULL) is where a later search may go on without missing
 * anything. Reads through a bounded window (block and RE2 patterns: at most the newest 64 MiB). PATTERN_UNDECIDED: *why. */
PatternResult output_find(Output *output, const Pattern *pattern, guint64 from, bool block, bool final, guint64 *next,
                          OutputMatch *match, const char **why);
/* The last lines (at most n, at most 16 KiB), control characters made visible, newly allocated, each ended by '\n'. "" when
 * nothing was printed. */
char *output_tail(Output *output, guint n);
/* Whole content up to max bytes from an offset, newly allocated; for evidence. */
char *output_read(Output *output, guint64 from, gsize max, gsize *len);

#endif
