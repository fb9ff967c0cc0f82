/* event.h - the one record of a run: JSON Lines, version 1.
 *
 * Each worker appends to a file of its own, each line written whole with one write(2), so a crash loses at most the line
 * under way.  Terminal, TAP and JUnit reports are pure functions of these lines (report.h); `runner report FILE...`
 * makes any of them later, and merging the shards of many machines is giving it many files.
 *
 * Every line has   v (1), run (id), t (microseconds since the epoch), e (the kind)   and, but for run/run_ended, test (the
 * test's number in the run, from 1) and attempt (from 1).  Bytes outside UTF-8 are written as {"base64": "..."} in place of
 * the string.  Fields by kind; absent when there is nothing to say:
 *
 *   run          version, started (RFC 3339), host, kernel, cores, seed, cwd, command (array), tests (how many are planned)
 *   planned      name, base_name, file, line, tags (array)          (one a test, in order)
 *   begun        dir                                                (the worker started it)
 *   spawned      server, engine, pid, port, argv (array)
 *   ready        server, us (since it was spawned), version (as the server says it, when it was asked by a session)
 *   step_begun   step ("3", "3.2", "finally 1"), verb, name, text (one line: what it does), file, line, col
 *   statement    step, server, session, sql (cut at 1 KiB), us, rows, affected, error
 *   retries      step, count, us, last (the last answer or error, one line)
 *   step_ended   step, ok, us
 *   fault        step, server or link, what ("kill", "pause", "signal SIGHUP", "cut", "delay forward, latency 50 ms")
 *   exit         server, pid, status or signal, expected (bool), text
 *   log          server, offset                                     (where a server's output stood when the next step began; when it has grown)
 *   debug        server, debugger, port, pid, text (lines)         (a debugger can be, or is to be, attached: how)
 *   workload     step, name, us, acknowledged, failed, unknown, unavailable_us, p50_us, p99_us, p999_us, max_us, text   (it was stopped)
 *   invariant    name, violations, first, text                      (it was ended; text: how often each server was sampled)
 *   note         text
 *   verdict      verdict, us, longest_turn_us (how long the worker's loop was held up at most), headline, detail (lines), step, file, line, col (of the failure), kept (directory), again
 *                (the command that runs it alone)
 *   run_ended    us, passed, failed, error, skipped, flaky, leaked, signal
 *
 * Writing costs well under a microsecond a field and allocates nothing per event once warm.
 */
#ifndef RUNNER_EVENT_H
#define RUNNER_EVENT_H

#include <glib.h>
#include <stdbool.h>

typedef enum Verdict {
  VERDICT_NONE,
  VERDICT_PASSED,
  VERDICT_FAILED,
  VERDICT_ERROR,
  VERDICT_SKIPPED,
  VERDICT_FLAKY,
  VERDICT_LEAKED
} Verdict;
const char *verdict_word(Verdict verdict);       /* "passed" ... */

typedef struct EventLog EventLog;

/* Appends to fd (borrowed, O_APPEND). test and attempt 0: the run's own log. */
EventLog *event_log_new(int fd, const char *run_id, guint test, guint attempt);
void event_log_free(EventLog *log);
/* Called after each line was written: how a worker tells its runner to look. */
void event_log_on_line(EventLog *log, void (*fn)(gpointer data), gpointer data);

/* One event: event_begin, fields, event_end. NULL strings are left out. A NULL log swallows all of it. */
void event_begin(EventLog *log, const char *kind);
void event_text(EventLog *log, const char *key, const char *value);
void event_bytes(EventLog *log, const char *key, const char *bytes, gsize len);
void event_int(EventLog *log, const char *key, gint64 value);
void event_bool(EventLog *log, const char *key, bool value);
void event_list(EventLog *log, const char *key, const char *const *values);
/* false: it could not be written (disk full); said once by event_log_error(). */
bool event_end(EventLog *log);
const char *event_log_error(const EventLog *log);

#endif
