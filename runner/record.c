#include "runner/record.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "yamldef/json.h"

#define TESTS_MAX 1000000u            /* a test's number beyond this is not ours */

typedef struct Run {
  char *id;
  GPtrArray *tests;              /* TestRecord by number - 1; NULL where nothing was said yet */
} Run;

struct RunRecord {
  GPtrArray *runs;
  GPtrArray *in_order;           /* TestRecord of all runs; empty: to be made again */
  Run *newest;                   /* of the line before: most lines belong to the same run */
  guint bad_lines;
  gint64 started, us;
  int signal;
  char *host;
  char *said;                    /* by the newest debug event */
};

/* ---- Life */

static void step_free(gpointer pointer) {
  StepRecord *step = pointer;
  g_free(step->step);
  g_free(step->verb);
  g_free(step->name);
  g_free(step->text);
  g_free(step->file);
  g_free(step);
}

static void attempt_free(gpointer pointer) {
  AttemptRecord *attempt = pointer;
  g_free(attempt->headline);
  g_free(attempt->detail);
  g_free(attempt->step);
  g_free(attempt->file);
  g_free(attempt->kept);
  g_free(attempt->again);
  g_free(attempt);
}

static void test_free(gpointer pointer) {
  TestRecord *test = pointer;
  if (!test) return;
  g_free(test->name);
  g_free(test->base_name);
  g_free(test->file);
  g_strfreev(test->tags);
  g_ptr_array_unref(test->open_steps);
  g_ptr_array_unref(test->attempts);
  g_free(test);
}

static void run_free(gpointer pointer) {
  Run *run = pointer;
  g_free(run->id);
  g_ptr_array_unref(run->tests);
  g_free(run);
}

RunRecord *run_record_new(void) {
  RunRecord *record = g_new0(RunRecord, 1);
  record->runs = g_ptr_array_new_with_free_func(run_free);
  record->in_order = g_ptr_array_new();
  return record;
}

void run_record_free(RunRecord *record) {
  if (!record) return;
  g_ptr_array_unref(record->runs);
  g_ptr_array_unref(record->in_order);
  g_free(record->host);
  g_free(record->said);
  g_free(record);
}

/* ---- Fields.  Whoever wrote the line may have put anything anywhere: a member of another type is an absent one. */

static gint64 int_field(const JsonPart *object, const char *key) {
  return json_part_int(json_part_member(object, key));
}

/* Bytes that are no UTF-8 come as {"base64": ...}. */
static char *text_of(const JsonPart *part) {
  if (json_part_string(part)) return g_strdup(json_part_string(part));
  const char *coded = json_part_string(json_part_member(part, "base64"));
  if (!coded) return NULL;
  gsize len;
  g_autofree guchar *bytes = g_base64_decode(coded, &len);
  GString *text = g_string_new(NULL);
  for (gsize i = 0; i < len; i++)
    if (bytes[i]) g_string_append_c(text, (char)bytes[i]);
    else g_string_append(text, "\xef\xbf\xbd");
  return g_string_free(text, FALSE);
}

static char *text_field(const JsonPart *object, const char *key) { return text_of(json_part_member(object, key)); }

static void set_text(char **to, const JsonPart *object, const char *key) {
  g_free(*to);
  *to = text_field(object, key);
}

static char **list_field(const JsonPart *object, const char *key) {
  const JsonPart *list = json_part_member(object, key);
  GPtrArray *texts = g_ptr_array_new();
  for (guint i = 0; i < json_part_n_items(list); i++) {
    char *text = text_of(json_part_item(list, i));
    if (text) g_ptr_array_add(texts, text);
  }
  g_ptr_array_add(texts, NULL);
  return (char **)g_ptr_array_free(texts, FALSE);
}

/* ---- Finding what a line speaks of */

static Run *find_run(RunRecord *record, const char *id) {
  if (record->newest && g_str_equal(record->newest->id, id)) return record->newest;
  for (guint i = 0; i < record->runs->len; i++) {
    Run *run = record->runs->pdata[i];
    if (g_str_equal(run->id, id)) return record->newest = run;
  }
  Run *run = g_new0(Run, 1);
  run->id = g_strdup(id);
  run->tests = g_ptr_array_new_with_free_func(test_free);
  g_ptr_array_add(record->runs, run);
  return record->newest = run;
}

static TestRecord *find_test(RunRecord *record, Run *run, guint number) {
  if (number > run->tests->len) g_ptr_array_set_size(run->tests, (gint)number);
  TestRecord *test = run->tests->pdata[number - 1];
  if (test) return test;
  g_ptr_array_set_size(record->in_order, 0);
  test = g_new0(TestRecord, 1);
  test->run = run->id;
  test->number = number;
  test->name =
      g_strdup_printf("test %u", number); /* until `planned` says its name; a lost line must not lose the test */
  test->base_name = g_strdup(test->name);
  test->file = g_strdup("");
  test->tags = g_new0(char *, 1);
  test->attempts = g_ptr_array_new_with_free_func(attempt_free);
  test->open_steps = g_ptr_array_new_with_free_func(step_free);
  return run->tests->pdata[number - 1] = test;
}

static AttemptRecord *find_attempt(TestRecord *test, guint number) {
  for (guint i = test->attempts->len; i-- > 0;) {
    AttemptRecord *attempt = test->attempts->pdata[i];
    if (attempt->number == number) return attempt;
  }
  AttemptRecord *attempt = g_new0(AttemptRecord, 1);
  attempt->number = number;
  g_ptr_array_add(test->attempts, attempt);
  g_ptr_array_set_size(test->open_steps, 0);
  return attempt;
}

/* ---- What each kind tells */

typedef struct Line {
  RunRecord *record;
  const JsonPart *object;
  gint64 t;
  TestRecord *test;
  AttemptRecord *attempt;
} Line;

static void on_run(Line *line) {
  if (!line->record->started || line->t < line->record->started) line->record->started = line->t;
  set_text(&line->record->host, line->object, "host");
}

static void on_run_ended(Line *line) {
  line->record->us = MAX(line->record->us, int_field(line->object, "us"));
  int signo = (int)int_field(line->object, "signal");
  if (signo) line->record->signal = signo;
}

static void on_planned(Line *line) {
  TestRecord *test = line->test;
  g_autofree char *name = text_field(line->object, "name"), *base = text_field(line->object, "base_name");
  g_autofree char *file = text_field(line->object, "file");
  if (name) {
    g_free(test->name);
    g_free(test->base_name);
    test->base_name = g_strdup(base ? base : name);
    test->name = g_steal_pointer(&name);
  }
  if (file) {
    g_free(test->file);
    test->file = g_steal_pointer(&file);
  }
  test->line = (int)int_field(line->object, "line");
  g_strfreev(test->tags);
  test->tags = list_field(line->object, "tags");
}

static void on_begun(Line *line) {
  line->test->begun = true;
  line->attempt->began = line->t;
}

static void on_step_begun(Line *line) {
  StepRecord *step = g_new0(StepRecord, 1);
  set_text(&step->step, line->object, "step");
  set_text(&step->verb, line->object, "verb");
  set_text(&step->name, line->object, "name");
  set_text(&step->text, line->object, "text");
  set_text(&step->file, line->object, "file");
  step->line = (int)int_field(line->object, "line");
  step->col = (int)int_field(line->object, "col");
  step->began = line->t;
  g_ptr_array_add(line->test->open_steps, step);
}

static void on_step_ended(Line *line) {
  GPtrArray *open = line->test->open_steps;
  g_autofree char *name = text_field(line->object, "step");
  for (guint i = open->len; i-- > 0;)
    if (g_strcmp0(((StepRecord *)open->pdata[i])->step, name) == 0) {
      g_ptr_array_remove_index(open, i);
      return;
    }
}

static bool is_bad(Verdict verdict) {
  return verdict == VERDICT_FAILED || verdict == VERDICT_ERROR || verdict == VERDICT_LEAKED;
}

static void judge_test(TestRecord *test) {
  bool was_bad = false;
  test->us = 0;
  for (guint i = 0; i < test->attempts->len; i++) {
    AttemptRecord *attempt = test->attempts->pdata[i];
    test->us += attempt->us;
    if (attempt->verdict == VERDICT_NONE) continue;
    test->verdict = attempt->verdict == VERDICT_PASSED && was_bad ? VERDICT_FLAKY : attempt->verdict;
    was_bad |= is_bad(attempt->verdict);
  }
}

static void on_verdict(Line *line) {
  AttemptRecord *attempt = line->attempt;
  g_autofree char *word = text_field(line->object, "verdict");
  for (Verdict v = VERDICT_PASSED; v <= VERDICT_LEAKED; v++)
    if (g_strcmp0(word, verdict_word(v)) == 0) attempt->verdict = v;
  attempt->us = int_field(line->object, "us");
  set_text(&attempt->headline, line->object, "headline");
  set_text(&attempt->detail, line->object, "detail");
  set_text(&attempt->step, line->object, "step");
  set_text(&attempt->file, line->object, "file");
  set_text(&attempt->kept, line->object, "kept");
  set_text(&attempt->again, line->object, "again");
  attempt->line = (int)int_field(line->object, "line");
  attempt->col = (int)int_field(line->object, "col");
  g_ptr_array_set_size(line->test->open_steps, 0);
  judge_test(line->test);
}

/* What is said as it comes, and kept by no report. */
static void on_said(Line *line) { set_text(&line->record->said, line->object, "text"); }

typedef struct Kind {
  const char *name;
  bool of_test;
  void (*on)(Line *line);        /* NULL: nothing that a report is made of */
} Kind;

static const Kind kinds[] = {
  {"run", false, on_run},       {"program", false, NULL},     {"run_ended", false, on_run_ended},
  {"planned", true, on_planned}, {"begun", true, on_begun},    {"spawned", true, NULL},
  {"ready", true, NULL},        {"step_begun", true, on_step_begun},      {"statement", true, NULL},
  {"retries", true, NULL},      {"step_ended", true, on_step_ended}, {"fault", true, NULL},
  {"exit", true, NULL},         {"log", true, NULL},          {"note", true, NULL},
  {"workload", true, on_said},  {"invariant", true, on_said},
  {"debug", true, on_said},
  {"verdict", true, on_verdict},
};

static const Kind *find_kind(const char *name) {
  for (guint i = 0; name && i < G_N_ELEMENTS(kinds); i++)
    if (g_str_equal(kinds[i].name, name)) return &kinds[i];
  return NULL;
}

/* ---- Lines */

static bool read_event(RunRecord *record, const JsonPart *object, RecordChange *change) {
  g_autofree char *run = text_field(object, "run"), *word = text_field(object, "e");
  const Kind *kind = find_kind(word);
  gint64 number = int_field(object, "test");
  if (int_field(object, "v") != 1 || !run || !kind || number < 0 || number > TESTS_MAX) return false;
  if (kind->of_test && !number && kind->on) return false;
  Line line = {record, object, int_field(object, "t")};
  if (number) {
    line.test = find_test(record, find_run(record, run), (guint)number);
    /* A plan is no attempt: the runner writes it before any worker is there. */
    if (kind->on != on_planned) line.attempt = find_attempt(line.test, MAX((guint)int_field(object, "attempt"), 1));
  } else {
    find_run(record, run);
  }
  if (kind->on) kind->on(&line);
  if (change) *change = (RecordChange){kind->name, line.test, line.attempt, kind->on == on_said ? record->said : NULL};
  return true;
}

bool run_record_line(RunRecord *record, const char *line, gsize len, RecordChange *change) {
  bool ours = false;
  g_autoptr(JsonDocument) document = len ? json_document_new(line, len, NULL) : NULL;
  const JsonPart *root = document ? json_document_root(document) : NULL;
  if (json_part_is_object(root)) ours = read_event(record, root, change);
  if (!ours) record->bad_lines++;
  return ours;
}

bool run_record_file(RunRecord *record, const char *path, GError **error) {
  FILE *file = fopen(path, "re");
  if (!file) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "open '%s' for reading: %s", path,
                g_strerror(errno));
    return false;
  }
  char *line = NULL;
  size_t size = 0;
  ssize_t len;
  while ((len = getline(&line, &size, file)) >= 0) {
    if (len && line[len - 1] == '\n') len--;
    if (len) run_record_line(record, line, (gsize)len, NULL);
  }
  bool read = !ferror(file);
  if (!read) g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "read '%s': %s", path, g_strerror(errno));
  free(line);
  fclose(file);
  return read;
}

/* ---- Asking */

/* All tests, run after run; made when asked for, emptied when a test is added. */
static GPtrArray *tests_in_order(const RunRecord *record) {
  if (record->in_order->len) return record->in_order;
  for (guint r = 0; r < record->runs->len; r++) {
    GPtrArray *tests = ((Run *)record->runs->pdata[r])->tests;
    for (guint i = 0; i < tests->len; i++)
      if (tests->pdata[i]) g_ptr_array_add(record->in_order, tests->pdata[i]);
  }
  return record->in_order;
}

guint run_record_n_tests(const RunRecord *record) { return tests_in_order(record)->len; }

TestRecord *run_record_test(const RunRecord *record, guint i) {
  GPtrArray *tests = tests_in_order(record);
  return i < tests->len ? tests->pdata[i] : NULL;
}

guint run_record_count(const RunRecord *record, Verdict verdict) {
  GPtrArray *tests = tests_in_order(record);
  guint n = 0;
  for (guint i = 0; i < tests->len; i++) n += ((TestRecord *)tests->pdata[i])->verdict == verdict;
  return n;
}

guint run_record_bad_lines(const RunRecord *record) { return record->bad_lines; }
gint64 run_record_started(const RunRecord *record) { return record->started; }
gint64 run_record_us(const RunRecord *record) { return record->us; }
int run_record_signal(const RunRecord *record) { return record->signal; }
const char *run_record_host(const RunRecord *record) { return record->host; }
