/* A record: what the lines of one or several runs say, in whatever order they come, torn or hostile lines passed over.
 */
#include "tests/record_from.h"
#include <unistd.h>

static void test_run(void) {
  g_autoptr(RunRecord) record = record_from(
      EV_RUN("run", ",\"host\":\"h1\",\"tests\":2") PLANNED(1, "a", "x.yaml", 3) PLANNED(2, "b", "y.yaml", 5)
          EV("begun", 1, 1, "") VERDICT(1, 1, "passed", 1500, "") EV_RUN("run_ended", ",\"us\":7000,\"signal\":2"));
  g_assert_cmpuint(run_record_n_tests(record), ==, 2);
  TestRecord *a = run_record_test(record, 0), *b = run_record_test(record, 1);
  g_assert_cmpstr(a->name, ==, "a");
  g_assert_cmpstr(a->file, ==, "x.yaml");
  g_assert_cmpint(a->line, ==, 3);
  g_assert_true(a->begun);
  g_assert_cmpint(a->verdict, ==, VERDICT_PASSED);
  g_assert_cmpint(a->us, ==, 1500);
  g_assert_false(b->begun);
  g_assert_cmpint(b->verdict, ==, VERDICT_NONE);
  g_assert_cmpuint(b->attempts->len, ==, 0);
  g_assert_null(run_record_test(record, 2));
  g_assert_cmpuint(run_record_count(record, VERDICT_PASSED), ==, 1);
  g_assert_cmpuint(run_record_count(record, VERDICT_NONE), ==, 1);
  g_assert_cmpint(run_record_started(record), ==, 1000000);
  g_assert_cmpint(run_record_us(record), ==, 7000);
  g_assert_cmpint(run_record_signal(record), ==, 2);
  g_assert_cmpstr(run_record_host(record), ==, "h1");
}

static void test_verdict_fields(void) {
  g_autoptr(RunRecord) record = record_from(PLANNED(1, "a", "x.yaml", 3) VERDICT(
      1, 1, "failed", 10,
      ",\"headline\":\"h\",\"detail\":\"d\\n\",\"step\":\"3.2\",\"file\":\"p.yaml\","
      "\"line\":9,\"col\":5,\"kept\":\"/k\",\"again\":\"runner x\""));
  AttemptRecord *attempt = run_record_test(record, 0)->attempts->pdata[0];
  g_assert_cmpuint(attempt->number, ==, 1);
  g_assert_cmpint(attempt->verdict, ==, VERDICT_FAILED);
  g_assert_cmpstr(attempt->headline, ==, "h");
  g_assert_cmpstr(attempt->detail, ==, "d\n");
  g_assert_cmpstr(attempt->step, ==, "3.2");
  g_assert_cmpstr(attempt->file, ==, "p.yaml");
  g_assert_cmpint(attempt->line, ==, 9);
  g_assert_cmpint(attempt->col, ==, 5);
  g_assert_cmpstr(attempt->kept, ==, "/k");
  g_assert_cmpstr(attempt->again, ==, "runner x");
}

static Verdict verdict_of(const char *lines) {
  g_autoptr(RunRecord) record = record_from(lines);
  return run_record_test(record, 0)->verdict;
}

static void test_attempts(void) {
  g_assert_cmpint(verdict_of(VERDICT(1, 1, "failed", 1, "") VERDICT(1, 2, "passed", 1, "")), ==, VERDICT_FLAKY);
  g_assert_cmpint(
      verdict_of(VERDICT(1, 1, "error", 1, "") VERDICT(1, 2, "leaked", 1, "") VERDICT(1, 3, "passed", 1, "")), ==,
      VERDICT_FLAKY);
  g_assert_cmpint(verdict_of(VERDICT(1, 1, "failed", 1, "") VERDICT(1, 2, "error", 1, "")), ==, VERDICT_ERROR);
  g_assert_cmpint(verdict_of(VERDICT(1, 1, "skipped", 0, "")), ==, VERDICT_SKIPPED);
  /* what fails does not become undecided because it is tried again */
  g_assert_cmpint(verdict_of(VERDICT(1, 1, "failed", 1, "") EV("begun", 1, 2, "")), ==, VERDICT_FAILED);
  g_assert_cmpint(verdict_of(VERDICT(1, 1, "what?", 1, "")), ==, VERDICT_NONE);
}

#define STEP(label) EV("step_begun", 1, 1, ",\"step\":\"" label "\",\"verb\":\"query\",\"text\":\"t " label "\"")
#define STEP_ENDED(label) EV("step_ended", 1, 1, ",\"step\":\"" label "\",\"ok\":true")

static const char *newest_step(const RunRecord *record) {
  GPtrArray *open = run_record_test(record, 0)->open_steps;
  return open->len ? ((StepRecord *)open->pdata[open->len - 1])->step : NULL;
}

/* Steps within steps: when an inner one ends, the outer one is what runs. */
static void test_open_steps(void) {
  g_autoptr(RunRecord) record = record_from(EV("begun", 1, 1, "") STEP("3") STEP("3.1"));
  g_assert_cmpstr(newest_step(record), ==, "3.1");
  record_add(record, STEP_ENDED("3.1"), NULL, NULL);
  g_assert_cmpstr(newest_step(record), ==, "3");
  record_add(record, STEP_ENDED("7"), NULL, NULL);
  g_assert_cmpstr(newest_step(record), ==, "3");
  record_add(record, STEP_ENDED("3") STEP("4"), NULL, NULL);
  g_assert_cmpstr(newest_step(record), ==, "4");
  record_add(record, EV("begun", 1, 2, ""), NULL, NULL);
  g_assert_null(newest_step(record));
}

static void test_change(void) {
  g_autoptr(RunRecord) record = run_record_new();
  RecordChange change;
  const char *line = VERDICT(2, 3, "failed", 1, "");
  g_assert_true(run_record_line(record, line, strlen(line) - 1, &change));
  g_assert_cmpstr(change.kind, ==, "verdict");
  g_assert_cmpuint(change.test->number, ==, 2);
  g_assert_cmpuint(change.attempt->number, ==, 3);
  line = EV_RUN("run", "");
  g_assert_true(run_record_line(record, line, strlen(line) - 1, &change));
  g_assert_cmpstr(change.kind, ==, "run");
  g_assert_null(change.test);
}

/* Two shards of one run of a CI job: tests of the same number are different ones, each run's in planned order. */
static void test_merged(void) {
  g_autoptr(RunRecord) record = record_from("{\"v\":1,\"run\":\"r2\",\"t\":900000,\"e\":\"run\"}\n" EV_RUN(
      "run", "") PLANNED(2, "b", "x.yaml", 1) "{\"v\":1,\"run\":\"r2\",\"t\":1,\"e\":\"planned\",\"test\":1,\"name\":"
                                              "\"c\",\"file\":\"y.yaml\",\"line\":1}\n" PLANNED(1, "a", "x.yaml", 1));
  g_assert_cmpuint(run_record_n_tests(record), ==, 3);
  g_assert_cmpstr(run_record_test(record, 0)->name, ==, "c");
  g_assert_cmpstr(run_record_test(record, 0)->base_name, ==, "c");
  g_assert_cmpstr(run_record_test(record, 1)->name, ==, "a");
  g_assert_cmpstr(run_record_test(record, 2)->name, ==, "b");
  g_assert_cmpint(run_record_started(record), ==, 900000);
}

static void test_lost_plan(void) {
  g_autoptr(RunRecord) record = record_from(VERDICT(7, 1, "failed", 1, ""));
  g_assert_cmpuint(run_record_n_tests(record), ==, 1);
  g_assert_cmpstr(run_record_test(record, 0)->name, ==, "test 7");
}

static const char *const bad_lines[] = {
    "",
    "x",
    "{}",
    "[]",
    "1",
    "null",
    "{\"v\":2,\"run\":\"r1\",\"t\":1,\"e\":\"run\"}",
    "{\"v\":1,\"t\":1,\"e\":\"run\"}",
    "{\"v\":1,\"run\":\"r1\",\"t\":1,\"e\":\"dance\"}",
    "{\"v\":1,\"run\":\"r1\",\"t\":1,\"e\":\"verdict\"}",
    "{\"v\":1,\"run\":\"r1\",\"t\":1,\"e\":\"verdict\",\"test\":-1}",
    "{\"v\":1,\"run\":\"r1\",\"t\":1,\"e\":\"verdict\",\"test\":99999999999}",
    "{\"v\":1,\"run\":7,\"t\":1,\"e\":\"run\"}",
    "{\"v\":1,\"run\":\"r1\",\"t\":1,\"e\":\"verd",
    "{\"v\":1,\"run\":\"\xff\",\"t\":1,\"e\":\"run\"}",
};

static void test_bad_lines(void) {
  g_autoptr(RunRecord) record = run_record_new();
  for (guint i = 0; i < G_N_ELEMENTS(bad_lines); i++) {
    g_assert_false(run_record_line(record, bad_lines[i], strlen(bad_lines[i]), NULL));
    g_assert_cmpuint(run_record_bad_lines(record), ==, i + 1);
  }
  g_assert_cmpuint(run_record_n_tests(record), ==, 0);
}

/* Members of other types than ours are as good as absent. */
static void test_other_types(void) {
  g_autoptr(RunRecord) record = record_from(
      EV("planned", 1, 1,
         ",\"name\":[\"a\"],\"file\":{\"base64\":7},\"line\":\"x\",\"tags\":[\"t\",1,null,{\"base64\":\"Yf8=\"}]")
          VERDICT(1, 1, "failed", 1, ",\"headline\":null,\"detail\":{},\"line\":3.5,\"kept\":{\"base64\":\"Yf8=\"}"));
  TestRecord *test = run_record_test(record, 0);
  AttemptRecord *attempt = test->attempts->pdata[0];
  g_assert_cmpstr(test->name, ==, "test 1");
  g_assert_cmpuint(g_strv_length(test->tags), ==, 2);
  g_assert_cmpstr(test->tags[1], ==, "a\xff");
  g_assert_null(attempt->headline);
  g_assert_null(attempt->detail);
  g_assert_cmpint(attempt->line, ==, 0);
  g_assert_cmpstr(attempt->kept, ==, "a\xff");
}

/* A run that was killed: the last line is cut off, all before it counts. */
static void test_cut_file(void) {
  char path[] = "/tmp/record-XXXXXX";
  close(mkstemp(path));
  g_assert_true(
      g_file_set_contents(path, PLANNED(1, "a", "x.yaml", 1) EV("begun", 1, 1, "") "{\"v\":1,\"ru", -1, NULL));
  g_autoptr(RunRecord) record = run_record_new();
  g_assert_true(run_record_file(record, path, NULL));
  g_assert_cmpuint(run_record_n_tests(record), ==, 1);
  g_assert_cmpuint(run_record_bad_lines(record), ==, 1);
  unlink(path);
  g_autoptr(GError) error = NULL;
  g_assert_false(run_record_file(record, "/nowhere/x.jsonl", &error));
  g_assert_cmpstr(error->message, ==, "open '/nowhere/x.jsonl' for reading: No such file or directory");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/record/run", test_run);
  g_test_add_func("/record/verdict-fields", test_verdict_fields);
  g_test_add_func("/record/attempts", test_attempts);
  g_test_add_func("/record/open-steps", test_open_steps);
  g_test_add_func("/record/change", test_change);
  g_test_add_func("/record/merged", test_merged);
  g_test_add_func("/record/lost-plan", test_lost_plan);
  g_test_add_func("/record/bad-lines", test_bad_lines);
  g_test_add_func("/record/other-types", test_other_types);
  g_test_add_func("/record/cut-file", test_cut_file);
  return g_test_run();
}
