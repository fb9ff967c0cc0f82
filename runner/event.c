#include "runner/event.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_KEPT (256 * 1024)       /* a larger line's memory is given back */

struct EventLog {
  int fd;
  GString *line;
  char *head;                    /* {"v":1,"run":"...","t": */
  char *tail;                    /* ,"test":3,"attempt":1 */
  bool torn;                     /* a part of a line was written: the next begins on a line of its own */
  char *error;
  void (*on_line)(gpointer data);
  gpointer data;
};

static const char *const verdict_words[] = {
  [VERDICT_NONE] = "none",       [VERDICT_PASSED] = "passed", [VERDICT_FAILED] = "failed", [VERDICT_ERROR] = "error",
  [VERDICT_SKIPPED] = "skipped", [VERDICT_FLAKY] = "flaky",   [VERDICT_LEAKED] = "leaked",
};

const char *verdict_word(Verdict verdict) { return verdict_words[verdict]; }

/* How a byte below 0x80 is written: 0 as it is, else the letter after the backslash, 'u' for \u00XX. */
static const char escapes[128] = {
  ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\',
  [0x01] = 'u', 'u', 'u', 'u', 'u', 'u', 'u', [0x0b] = 'u', [0x0e] = 'u', 'u',
  [0x10] = 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', [0x7f] = 'u',
};

static void append_string(GString *out, const char *bytes, gsize len) {
  const char *plain = bytes, *end = bytes + len;
  g_string_append_c(out, '"');
  for (const char *p = bytes; p < end; p++) {
    char escape = (guchar)*p < 0x80 ? escapes[(guchar)*p] : 0;
    if (!escape) continue;
    g_string_append_len(out, plain, p - plain);
    if (escape == 'u') g_string_append_printf(out, "\\u%04x", (guchar)*p);
    else g_string_append_c(g_string_append_c(out, '\\'), escape);
    plain = p + 1;
  }
  g_string_append_len(out, plain, end - plain);
  g_string_append_c(out, '"');
}

/* NUL is UTF-8 and \u0000 JSON, but readers that keep C strings would cut there: it goes the way of bad bytes. */
static void append_value(GString *out, const char *bytes, gsize len) {
  if (g_utf8_validate_len(bytes, len, NULL)) {
    append_string(out, bytes, len);
    return;
  }
  g_autofree char *encoded = g_base64_encode((const guchar *)bytes, len);
  g_string_append_printf(out, "{\"base64\":\"%s\"}", encoded);
}

EventLog *event_log_new(int fd, const char *run_id, guint test, guint attempt) {
  EventLog *log = g_new0(EventLog, 1);
  log->fd = fd;
  log->line = g_string_sized_new(4096);
  GString *head = g_string_new("{\"v\":1,\"run\":");
  append_value(head, run_id, strlen(run_id));
  log->head = g_string_free(g_string_append(head, ",\"t\":"), FALSE);
  log->tail = test ? g_strdup_printf(",\"test\":%u,\"attempt\":%u", test, attempt) : g_strdup("");
  return log;
}

void event_log_free(EventLog *log) {
  if (!log) return;
  g_string_free(log->line, TRUE);
  g_free(log->head);
  g_free(log->tail);
  g_free(log->error);
  g_free(log);
}

void event_log_on_line(EventLog *log, void (*fn)(gpointer data), gpointer data) {
  log->on_line = fn;
  log->data = data;
}

static void append_int(GString *out, gint64 value) {
  char digits[24], *p = digits + sizeof digits;
  guint64 rest = value < 0 ? -(guint64)value : (guint64)value;
  do *--p = '0' + rest % 10;
  while (rest /= 10);
  if (value < 0) *--p = '-';
  g_string_append_len(out, p, digits + sizeof digits - p);
}

static void append_key(EventLog *log, const char *key) {
  g_string_append_len(log->line, ",\"", 2);
  g_string_append(log->line, key);
  g_string_append_len(log->line, "\":", 2);
}

void event_begin(EventLog *log, const char *kind) {
  if (!log) return;
  g_string_assign(log->line, log->torn ? "\n" : "");
  g_string_append(log->line, log->head);
  append_int(log->line, g_get_real_time());
  append_key(log, "e");
  append_string(log->line, kind, strlen(kind));
  g_string_append(log->line, log->tail);
}

void event_text(EventLog *log, const char *key, const char *value) {
  if (value) event_bytes(log, key, value, strlen(value));
}

void event_bytes(EventLog *log, const char *key, const char *bytes, gsize len) {
  if (!log) return;
  append_key(log, key);
  append_value(log->line, bytes, len);
}

void event_int(EventLog *log, const char *key, gint64 value) {
  if (!log) return;
  append_key(log, key);
  append_int(log->line, value);
}

void event_bool(EventLog *log, const char *key, bool value) {
  if (!log) return;
  append_key(log, key);
  g_string_append(log->line, value ? "true" : "false");
}

void event_list(EventLog *log, const char *key, const char *const *values) {
  if (!log || !values) return;
  append_key(log, key);
  g_string_append_c(log->line, '[');
  for (gsize i = 0; values[i]; i++) {
    if (i) g_string_append_c(log->line, ',');
    append_value(log->line, values[i], strlen(values[i]));
  }
  g_string_append_c(log->line, ']');
}

static bool write_line(EventLog *log) {
  const char *p = log->line->str, *end = p + log->line->len;
  while (p < end) {
    ssize_t n = write(log->fd, p, end - p);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (!log->error) log->error = g_strdup_printf("write the events: %s", g_strerror(errno));
      log->torn = log->torn || p > log->line->str;
      return false;
    }
    p += n;
  }
  log->torn = false;
  return true;
}

bool event_end(EventLog *log) {
  if (!log) return true;
  g_string_append_len(log->line, "}\n", 2);
  bool written = write_line(log);
  if (log->line->allocated_len > BUFFER_KEPT) {
    g_string_free(log->line, TRUE);
    log->line = g_string_sized_new(4096);
  }
  if (written && log->on_line) log->on_line(log->data);
  return written;
}

const char *event_log_error(const EventLog *log) { return log->error; }
