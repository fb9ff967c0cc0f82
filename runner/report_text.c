#include "runner/report_text.h"
#include "runner/report_durations.h"
#include "runner/table.h"
#include "runner/visible.h"
#include <string.h>

#define LIVE_MAX 8               /* running tests shown */
#define GAP 4                    /* least room between a text and the place beside it */

#define RED "31"
#define BOLD_RED "1;31"
#define GREEN "32"
#define BOLD_GREEN "1;32"
#define YELLOW "33"
#define DIM "2"

typedef struct VerdictStyle { const char *word, *colour; } VerdictStyle;

static const VerdictStyle verdict_styles[] = {
  [VERDICT_NONE] = {"CUT", YELLOW},    [VERDICT_PASSED] = {"PASS", GREEN}, [VERDICT_FAILED] = {"FAIL", BOLD_RED},
  [VERDICT_ERROR] = {"ERROR", BOLD_RED}, [VERDICT_SKIPPED] = {"SKIP", YELLOW}, [VERDICT_FLAKY] = {"FLAKY", YELLOW},
  [VERDICT_LEAKED] = {"LEAK", BOLD_RED},
};

static void coloured(GString *out, const TextStyle *style, const char *colour, const char *text) {
  if (style->colour) g_string_append_printf(out, "\x1b[%sm%s\x1b[0m", colour, text);
  else g_string_append(out, text);
}

char *text_duration(gint64 us) {
  if (us < 999500) return g_strdup_printf("%d ms", (int)((us + 500) / 1000));
  if (us < 59950000) return g_strdup_printf("%.1f s", (double)us / G_USEC_PER_SEC);
  gint64 seconds = (us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC;
  return g_strdup_printf("%d min %d s", (int)(seconds / 60), (int)(seconds % 60));
}

/* ---- Lines with a place at the right edge */

/* used: columns that the line has taken already. */
static void append_place(GString *out, const TextStyle *style, guint used, const char *file, int line, int col) {
  if (!file || !line) {
    g_string_append_c(out, '\n');
    return;
  }
  g_autofree char *name = visible_line(file);
  g_autofree char *place = col ? g_strdup_printf("%s:%d:%d", name, line, col) : g_strdup_printf("%s:%d", name, line);
  guint width = (guint)display_width(place);
  guint gap = used + width + GAP <= style->width ? style->width - used - width : GAP;
  g_string_append_printf(out, "%*s%s\n", gap, "", place);
}

/* "FAIL  name (4.2 s)"; gives its columns. */
static guint append_title(GString *out, const TextStyle *style, Verdict verdict, const char *text) {
  const VerdictStyle *how = &verdict_styles[verdict];
  coloured(out, style, how->colour, how->word);
  g_string_append_printf(out, "%*s%s", 6 - (int)strlen(how->word), "", text);
  return 6 + (guint)display_width(text);
}

/* ---- A test */

/* Marks may stand after the indentation that a table has. */
static const char *colour_of_line(const char *line) {
  line += strspn(line, " ");
  if (g_str_has_prefix(line, "- ")) return RED;
  if (g_str_has_prefix(line, "+ ")) return GREEN;
  return NULL;
}

static void append_detail(GString *out, const TextStyle *style, const char *detail) {
  g_auto(GStrv) lines = g_strsplit(detail ? detail : "", "\n", -1);
  guint n = g_strv_length(lines);
  if (n && !*lines[n - 1]) n--;
  for (guint i = 0; i < n; i++) {
    g_autoptr(GString) line = g_string_new(NULL);
    visible_append(line, lines[i], strlen(lines[i]), VISIBLE_LINES);
    const char *colour = colour_of_line(line->str);
    if (line->len) g_string_append(out, "  ");
    if (colour) coloured(out, style, colour, line->str);
    else g_string_append(out, line->str);
    g_string_append_c(out, '\n');
  }
}

static void append_labelled(GString *out, const char *label, const char *text) {
  g_autofree char *line = visible_line(text);
  if (text && *text) g_string_append_printf(out, "  %s: %s\n", label, line);
}

static void append_attempt(GString *out, const TextStyle *style, const AttemptRecord *attempt) {
  if (attempt->headline) {
    g_autofree char *headline = visible_line(attempt->headline);
    g_string_append_printf(out, "  %s", headline);
    append_place(out, style, 2 + (guint)display_width(headline), attempt->file, attempt->line, attempt->col);
  }
  append_detail(out, style, attempt->detail);
  append_labelled(out, "servers' output, files and configuration kept in", attempt->kept);
  append_labelled(out, "to run it again", attempt->again);
}

static bool is_bad(Verdict verdict) {
  return verdict == VERDICT_FAILED || verdict == VERDICT_ERROR || verdict == VERDICT_LEAKED;
}

static const AttemptRecord *newest_attempt(const TestRecord *test, bool bad) {
  for (guint i = test->attempts->len; i-- > 0;) {
    const AttemptRecord *attempt = test->attempts->pdata[i];
    if (attempt->verdict != VERDICT_NONE && (!bad || is_bad(attempt->verdict))) return attempt;
  }
  return NULL;
}

static void append_skip(GString *out, const TextStyle *style, const TestRecord *test, const char *name) {
  const AttemptRecord *attempt = newest_attempt(test, false);
  g_autofree char *reason = visible_line(attempt ? attempt->headline : NULL);
  g_autofree char *text = *reason ? g_strdup_printf("%s: %s", name, reason) : g_strdup(name);
  append_title(out, style, VERDICT_SKIPPED, text);
  g_string_append_c(out, '\n');
}

/* A test that the end of the run, or a crash of ours, has cut off. */
static void append_cut(GString *out, const TextStyle *style, const TestRecord *test, const char *name) {
  guint used = append_title(out, style, VERDICT_NONE, name);
  append_place(out, style, used, test->file, test->line, 0);
  if (!test->open_steps->len) return;
  const StepRecord *step = test->open_steps->pdata[test->open_steps->len - 1];
  g_autofree char *text = visible_line(step->text);
  g_autofree char *headline = g_strdup_printf("  was in step %s: %s", step->step, text);
  g_string_append(out, headline);
  append_place(out, style, (guint)display_width(headline), step->file, step->line, step->col);
}

void text_verdict(GString *out, const TextStyle *style, const TestRecord *test) {
  g_autofree char *name = visible_line(test->name), *took = text_duration(test->us);
  if (test->verdict == VERDICT_SKIPPED) {
    append_skip(out, style, test, name);
    return;
  }
  if (test->verdict == VERDICT_NONE) {
    append_cut(out, style, test, name);
    return;
  }
  g_autofree char *attempts =
      test->attempts->len > 1 ? g_strdup_printf(", %u attempts", test->attempts->len) : g_strdup("");
  g_autofree char *text = g_strdup_printf("%s (%s%s)", name, took, attempts);
  guint used = append_title(out, style, test->verdict, text);
  if (test->verdict == VERDICT_PASSED) {
    g_string_append_c(out, '\n');
    return;
  }
  append_place(out, style, used, test->file, test->line, 0);
  const AttemptRecord *attempt = newest_attempt(test, true);
  if (attempt) append_attempt(out, style, attempt);
}

void text_retry(GString *out, const TextStyle *style, const TestRecord *test, const AttemptRecord *attempt) {
  g_autofree char *name = visible_line(test->name), *headline = visible_line(attempt->headline);
  coloured(out, style, YELLOW, "RETRY");
  g_string_append_printf(out, " %s (attempt %u %s)%s%s\n", name, attempt->number, verdict_word(attempt->verdict),
                         *headline ? ": " : "", headline);
}

void text_step(GString *out, const TextStyle *style, const TestRecord *test) {
  if (!test->open_steps->len) return;
  const StepRecord *step = test->open_steps->pdata[test->open_steps->len - 1];
  g_autofree char *name = visible_line(test->name), *text = visible_line(step->text);
  g_autofree char *line = g_strdup_printf("      %s: step %s: %s\n", name, step->step, text);
  coloured(out, style, DIM, line);
}

/* ---- The end */

static void append_part(GString *line, guint n, const char *what) {
  if (n) g_string_append_printf(line, "%s%u %s", line->len ? ", " : "", n, what);
}

static void append_peculiar(GString *out, const RunRecord *record) {
  g_autoptr(GString) line = g_string_new(NULL);
  guint cut = 0, none = run_record_count(record, VERDICT_NONE);
  for (guint i = 0; none && i < run_record_n_tests(record); i++) {
    const TestRecord *test = run_record_test(record, i);
    cut += test->verdict == VERDICT_NONE && test->begun;
  }
  append_part(line, run_record_count(record, VERDICT_ERROR), "undecided (among the failed)");
  append_part(line, run_record_count(record, VERDICT_LEAKED), "leaked (among the failed)");
  append_part(line, run_record_count(record, VERDICT_FLAKY), "flaky (among the passed)");
  append_part(line, cut, "cut off");
  append_part(line, none - cut, "not run");
  if (run_record_signal(record)) {
    const char *name = sigabbrev_np(run_record_signal(record));
    g_string_append_printf(line, "%sstopped by SIG%s", line->len ? ", " : "", name ? name : "?");
  }
  if (line->len) g_string_append_printf(out, "%s\n", line->str);
}

static void append_failing(GString *out, const TextStyle *style, const RunRecord *record) {
  for (guint i = 0; i < run_record_n_tests(record); i++) {
    const TestRecord *test = run_record_test(record, i);
    if (!is_bad(test->verdict)) continue;
    g_autofree char *name = visible_line(test->name);
    guint used = append_title(out, style, test->verdict, name);
    append_place(out, style, used, test->file, test->line, 0);
  }
}

static guint count_failed(const RunRecord *record) {
  return run_record_count(record, VERDICT_FAILED) + run_record_count(record, VERDICT_ERROR) +
         run_record_count(record, VERDICT_LEAKED);
}

static guint count_passed(const RunRecord *record) {
  return run_record_count(record, VERDICT_PASSED) + run_record_count(record, VERDICT_FLAKY);
}

void text_summary(GString *out, const TextStyle *style, const RunRecord *record) {
  guint failed = count_failed(record), skipped = run_record_count(record, VERDICT_SKIPPED);
  bool whole = !run_record_count(record, VERDICT_NONE);
  g_string_append_c(out, '\n');
  append_failing(out, style, record);
  if (failed) g_string_append_c(out, '\n');
  append_peculiar(out, record);
  durations_append(out, record);
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_append_printf(line, "%u passed, %u failed", count_passed(record), failed);
  if (skipped) g_string_append_printf(line, ", %u skipped", skipped);
  coloured(out, style, failed ? BOLD_RED : whole ? BOLD_GREEN : YELLOW, line->str);
  g_string_append_c(out, '\n');
}

/* ---- The live part */

/* Cuts to so many columns, the last of which says that something was cut. */
static void append_fitted(GString *out, const char *text, guint width) {
  if ((guint)display_width(text) <= width) {
    g_string_append(out, text);
    return;
  }
  guint used = 0;
  for (const char *p = text; *p; p += g_utf8_skip[(guchar)*p]) {
    gunichar c = g_utf8_get_char(p);
    guint columns = g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    if (used + columns + 1 > width) break;
    used += columns;
    g_string_append_unichar(out, c);
  }
  g_string_append(out, "…");
}

static char *live_line(const TestRecord *test, gint64 now) {
  const AttemptRecord *attempt = test->attempts->len ? test->attempts->pdata[test->attempts->len - 1] : NULL;
  const StepRecord *step = test->open_steps->len ? test->open_steps->pdata[test->open_steps->len - 1] : NULL;
  g_autofree char *name = visible_line(test->name), *text = visible_line(step ? step->text : NULL);
  g_autofree char *took = text_duration(attempt ? MAX(now - attempt->began, 0) : 0);
  if (!step) return g_strdup_printf("%8s  %s", took, name);
  return g_strdup_printf("%8s  %s: step %s: %s", took, name, step->step, text);
}

guint text_live(GString *out, const TextStyle *style, const RunRecord *record, const GPtrArray *running, gint64 now) {
  guint lines = 0, shown = MIN(running->len, LIVE_MAX), failed = count_failed(record), n = run_record_n_tests(record);
  for (; lines < shown; lines++) {
    g_autofree char *line = live_line(running->pdata[lines], now);
    append_fitted(out, line, style->width);
    g_string_append_c(out, '\n');
  }
  g_autofree char *took = text_duration(MAX(now - run_record_started(record), 0));
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_append_printf(line, "%8s  %u of %u done", took, n - run_record_count(record, VERDICT_NONE), n);
  if (failed) g_string_append_printf(line, ", %u failed", failed);
  if (running->len > shown) g_string_append_printf(line, ", %u more are running", running->len - shown);
  append_fitted(out, line->str, style->width);
  g_string_append_c(out, '\n');
  return lines + 1;
}
