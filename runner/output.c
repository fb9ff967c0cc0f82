/* A followed file.  One inotify instance serves all outputs of the process: a user has few of them (128). */
#include "runner/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "runner/fail.h"
#include "runner/visible.h"

#define WINDOW (1024 * 1024)
#define OVERLAP (64 * 1024)
#define BLOCK_MAX (64 * 1024 * 1024)
#define TAIL_MAX (16 * 1024)
#define LOOK_NSEC 10000000

struct Output {
  char *path;
  int append_fd, read_fd;
  int inotify_watch;             /* -1: looked at by the timer */
  guint64 cap;
  guint64 gone;                  /* bytes that truncations took: offset = gone + position in the file */
  guint64 seen;                  /* size of the file when last looked at */
  Cond changed;
};

static struct {
  pid_t owner;                   /* the process that this belongs to: a fork makes its own */
  int inotify_fd, timer_fd;      /* -1: none */
  Watch *inotify_watch, *timer_watch;
  GPtrArray *outputs;
} follow;

/* ---- Following */

static void look(Output *output) {
  guint64 before = output->gone + output->seen;
  if (output_size(output) != before) cond_wake(&output->changed);
}

static void on_inotify(int fd, short revents, gpointer data) {
  char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  bool all = false;
  ssize_t n = read(fd, buffer, sizeof buffer);
  for (char *at = buffer; n > 0 && at < buffer + n;) {
    const struct inotify_event *event = (const struct inotify_event *)(gconstpointer)at;
    at += sizeof *event + event->len;
    all = all || event->mask & IN_Q_OVERFLOW;
    for (guint i = 0; i < follow.outputs->len; i++) {
      Output *output = g_ptr_array_index(follow.outputs, i);
      if (output->inotify_watch == event->wd) look(output);
    }
  }
  for (guint i = 0; all && i < follow.outputs->len; i++) look(g_ptr_array_index(follow.outputs, i));
}

static void on_timer(int fd, short revents, gpointer data) {
  guint64 times;
  if (read(fd, &times, sizeof times) != sizeof times) return;
  for (guint i = 0; i < follow.outputs->len; i++) {
    Output *output = g_ptr_array_index(follow.outputs, i);
    if (output->inotify_watch < 0) look(output);
  }
}

static void begin_following(void) {
  if (follow.owner == getpid()) return;
  follow.owner = getpid();
  follow.outputs = g_ptr_array_new();
  follow.inotify_watch = follow.timer_watch = NULL;
  follow.timer_fd = -1;
  follow.inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (follow.inotify_fd >= 0) follow.inotify_watch = loop_watch(follow.inotify_fd, POLLIN, on_inotify, NULL);
}

static bool begin_timer(void) {
  const struct itimerspec every = {{0, LOOK_NSEC}, {0, LOOK_NSEC}};
  if (follow.timer_fd >= 0) return true;
  follow.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (follow.timer_fd < 0 || timerfd_settime(follow.timer_fd, 0, &every, NULL) < 0) return false;
  follow.timer_watch = loop_watch(follow.timer_fd, POLLIN, on_timer, NULL);
  return true;
}

/* With the last output all is given back, so that the loop can end. */
static void end_following(void) {
  if (follow.outputs->len > 0) return;
  watch_free(follow.inotify_watch);
  watch_free(follow.timer_watch);
  if (follow.inotify_fd >= 0) close(follow.inotify_fd);
  if (follow.timer_fd >= 0) close(follow.timer_fd);
  g_ptr_array_unref(follow.outputs);
  memset(&follow, 0, sizeof follow);
}

static bool follow_file(Output *output, GError **error) {
  char path[64];
  begin_following();
  g_ptr_array_add(follow.outputs, output);
  g_snprintf(path, sizeof path, "/proc/self/fd/%d", output->read_fd);
  output->inotify_watch = follow.inotify_fd < 0 ? -1 : inotify_add_watch(follow.inotify_fd, path, IN_MODIFY);
  return output->inotify_watch >= 0 || begin_timer() || fail_errno(error, "follow '%s'", output->path);
}

/* ---- The file */

/* A server that opens /dev/stderr again needs to own it, and its directory is its own. */
static void own_as_directory(int fd, const char *path) {
  g_autofree char *dir = g_path_get_dirname(path);
  struct stat st;
  if (geteuid() != 0 || stat(dir, &st) < 0) return;
  if (fchown(fd, st.st_uid, st.st_gid) < 0) return;
}

Output *output_new(const char *path, guint64 cap, GError **error) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return fail_errno(error, "open '%s' for appending", path), NULL;
  Output *output = g_new0(Output, 1);
  output->path = g_strdup(path);
  output->append_fd = fd;
  output->cap = cap;
  own_as_directory(fd, path);
  output->read_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (output->read_fd < 0) fail_errno(error, "open '%s' for reading", path);
  else if (follow_file(output, error)) return output_size(output), output;
  output_free(output);
  return NULL;
}

void output_free(Output *output) {
  if (!output) return;
  if (follow.owner == getpid() && g_ptr_array_remove_fast(follow.outputs, output)) {
    if (output->inotify_watch >= 0) inotify_rm_watch(follow.inotify_fd, output->inotify_watch);
    end_following();
  }
  close(output->append_fd);
  if (output->read_fd >= 0) close(output->read_fd);
  g_free(output->path);
  g_free(output);
}

int output_fd(const Output *output) { return output->append_fd; }

const char *output_path(const Output *output) { return output->path; }

guint64 output_size(Output *output) {
  struct stat st;
  if (fstat(output->read_fd, &st) == 0) {
    if ((guint64)st.st_size < output->seen) output->gone += output->seen;
    output->seen = (guint64)st.st_size;
  }
  return output->gone + output->seen;
}

bool output_over_cap(Output *output) { return output_size(output) > output->cap; }

Cond *output_changed(Output *output) { return &output->changed; }

/* Reads up to n bytes at an offset; less only at the end.  What a truncation took is not there: *from moves on. */
static gsize read_at(Output *output, guint64 *from, char *buffer, gsize n) {
  gsize len = 0;
  output_size(output);
  *from = MAX(*from, output->gone);
  while (len < n) {
    ssize_t got = pread(output->read_fd, buffer + len, n - len, (off_t)(*from - output->gone + len));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    len += (gsize)got;
  }
  return len;
}

/* ---- Searching */

typedef struct Search {
  Output *output;
  const Pattern *pattern;
  const char **why;
  OutputMatch *match;
  guint64 next;
} Search;

void output_match_clear(OutputMatch *match) {
  g_clear_pointer(&match->text, g_free);
  match->len = 0;
}

static void set_match(const Search *search, guint64 start, const char *text, gsize len) {
  if (!search->match) return;
  *search->match = (OutputMatch){start, start + len, g_malloc(len + 1), len};
  memcpy(search->match->text, text, len);
  search->match->text[len] = '\0';
}

/* One line or piece of one, bytes[0, len) at offset `at`.  lead: its first byte only tells that it is not the start of
 * a line.  open_ended: the line goes on behind the piece, so a match that touches its end is left to the next piece. */
static PatternResult search_line(Search *search, const char *bytes, gsize len, guint64 at, gsize lead,
                                 bool open_ended) {
  gsize end;
  PatternResult result = pattern_search(search->pattern, bytes, len, lead, NULL, &end, search->why);
  if (result == PATTERN_YES && open_ended && end == len) return PATTERN_NO;
  if (result == PATTERN_YES) set_match(search, at + lead, bytes + lead, len - lead);
  return result;
}

/* Searches the complete lines of a window at offset `at`; *used tells how far they go.  After PATTERN_YES that is
 * behind the line. */
static PatternResult search_window(Search *search, const char *bytes, gsize len, guint64 at, gsize lead, gsize *used) {
  PatternResult result = PATTERN_NO;
  gsize start = 0;
  for (const char *end;
       result == PATTERN_NO && (end = memchr(bytes + MAX(start, lead), '\n', len - MAX(start, lead)));) {
    gsize line = (gsize)(end - bytes) - start;
    result = search_line(search, bytes + start, line, at + start, start == 0 ? lead : 0, false);
    start += line + 1;
    if (start >= len) break;
  }
  *used = start;
  return result;
}

/* 1 when the byte before `from` is there and belongs to the same line. */
static gsize lead_of(Output *output, guint64 from) {
  char byte;
  guint64 at = from - 1;
  return from > 0 && read_at(output, &at, &byte, 1) == 1 && at == from - 1 && byte != '\n';
}

static PatternResult search_lines(Search *search, guint64 from, bool final) {
  g_autofree char *window = g_malloc(WINDOW);
  for (;;) {
    gsize lead = lead_of(search->output, from), used;
    guint64 at = from - lead;
    gsize len = read_at(search->output, &at, window, WINDOW);
    if (at > from) from = at, lead = 0;
    search->next = from;
    if (len <= lead) return PATTERN_NO;
    PatternResult result = search_window(search, window, len, at, lead, &used);
    if (used > 0) search->next = at + used;
    if (result != PATTERN_NO) return result;
    if (used > 0 && (len == WINDOW || used == len)) {
      from = at + used;
    } else if (len == WINDOW) {
      result = search_line(search, window, len, at, lead, true);
      if (result != PATTERN_NO) return result;
      search->next = from = at + len - OVERLAP;
    } else {
      if (!final) return PATTERN_NO;
      result = search_line(search, window + used, len - used, at + used, used == 0 ? lead : 0, false);
      search->next = at + len;
      return result;
    }
    if (fiber_cancelled()) return PATTERN_NO;
    if (fiber_self()) wait_turn();
  }
}

static PatternResult search_block(Search *search, guint64 from, bool final) {
  guint64 size = output_size(search->output);
  if (size > BLOCK_MAX) from = MAX(from, size - BLOCK_MAX);
  search->next = from;
  if (from >= size) from = size;
  g_autofree char *text = g_malloc((gsize)(size - from) + 1);
  gsize len = read_at(search->output, &from, text, (gsize)(size - from)), start, end;
  while (!final && len > 0 && text[len - 1] != '\n') len--;
  PatternResult result = pattern_search(search->pattern, text, len, 0, &start, &end, search->why);
  if (result != PATTERN_YES) return result;
  set_match(search, from + start, text + start, end - start);
  search->next = from + MAX(end, start + 1);
  return PATTERN_YES;
}

PatternResult output_find(Output *output, const Pattern *pattern, guint64 from, bool block, bool final, guint64 *next,
                          OutputMatch *match, const char **why) {
  const char *reason;
  Search search = {output, pattern, why ? why : &reason, match, from};
  PatternResult result = block ? search_block(&search, from, final) : search_lines(&search, from, final);
  if (next) *next = search.next;
  return result;
}

/* ---- Evidence */

char *output_read(Output *output, guint64 from, gsize max, gsize *len) {
  guint64 size = output_size(output);
  from = MAX(from, output->gone);
  gsize want = from < size ? (gsize)MIN((guint64)max, size - from) : 0;
  char *text = g_malloc(want + 1);
  *len = read_at(output, &from, text, want);
  text[*len] = '\0';
  return text;
}

char *output_tail(Output *output, guint n) {
  guint64 size = output_size(output), from = size > TAIL_MAX ? size - TAIL_MAX : 0;
  gsize len, start;
  g_autofree char *text = output_read(output, from, TAIL_MAX, &len);
  if (len > 0 && text[len - 1] == '\n') len--;
  else if (len == 0) return g_strdup("");
  guint lines = 0;
  for (start = len; start > 0; start--)
    if (text[start - 1] == '\n' && ++lines == n) break;
  /* A first line that the limit cut is left out, unless it is the only one. */
  const char *whole = start == 0 && from > 0 ? memchr(text, '\n', len) : NULL;
  if (whole) start = (gsize)(whole - text) + 1;
  GString *shown = g_string_new(NULL);
  visible_append(shown, text + start, len - start, VISIBLE_LINES);
  g_string_append_c(shown, '\n');
  return g_string_free(shown, FALSE);
}
