/* JUnit XML: the exact text, and that it is valid by the schema beside this file whatever the names and outputs are. */
#include "tests/record_from.h"
#include "runner/report.h"
#include <sys/stat.h>
#include <unistd.h>

static char *junit_of(const char *lines) {
  g_autoptr(RunRecord) record = record_from(lines);
  GString *out = g_string_new(NULL);
  report_junit(record, &(ReportOptions){.tap_version = "13"}, out);
  return g_string_free(out, FALSE);
}

#define ALL_VERDICTS                                                                                                   \
  EV_RUN("run", ",\"host\":\"h1\"")                                                                                    \
  PLANNED(1, "holds", "d/a.yaml", 3) PLANNED(2, "does not", "d/a.yaml", 9) PLANNED(3, "skips", "b.yaml", 1)            \
      PLANNED(4, "sometimes", "b.yaml", 5) PLANNED(5, "not begun", "b.yaml", 8) PLANNED(6, "undecided", "b.yaml", 11)  \
          PLANNED(7, "leaks", "b.yaml", 12) PLANNED(8, "cut", "b.yaml", 13) PLANNED(9, "again", "b.yaml", 14)          \
              VERDICT(1, 1, "passed", 1500999, "")                                                                     \
                  VERDICT(2, 1, "failed", 4200000,                                                                     \
                          ",\"headline\":\"expected 3 rows, got 2\",\"detail\":\"  - | 2 |\\n\",\"file\":\"a.yaml\","  \
                          "\"line\":58,\"col\":5,\"kept\":\"/tmp/k\",\"again\":\"runner -t 'does not' a.yaml\"")       \
                      VERDICT(3, 1, "skipped", 0, ",\"headline\":\"program patroni is missing\"")                      \
                          VERDICT(4, 1, "failed", 10000, ",\"headline\":\"once\"") VERDICT(4, 2, "passed", 20000, "")  \
                              VERDICT(6, 1, "error", 1000, ",\"headline\":\"the disk is full\"")                       \
                                  VERDICT(7, 1, "leaked", 0, ",\"headline\":\"1 process left\"") EV("begun", 8, 1, "") \
                                      VERDICT(9, 1, "error", 0, ",\"headline\":\"one\"")                               \
                                          VERDICT(9, 2, "failed", 0, ",\"headline\":\"two\"")                          \
                                              VERDICT(9, 3, "failed", 0, ",\"headline\":\"three\"")

static void test_all_verdicts(void) {
  g_autofree char *text = junit_of(ALL_VERDICTS);
  g_assert_cmpstr(text, ==,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<testsuites>\n"
                  "  <testsuite name=\"d/a.yaml\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"5.700\" "
                  "timestamp=\"1970-01-01T00:00:01\" hostname=\"h1\">\n"
                  "    <testcase name=\"holds\" classname=\"a\" time=\"1.500\"/>\n"
                  "    <testcase name=\"does not\" classname=\"a\" time=\"4.200\">\n"
                  "      <failure type=\"failed\" message=\"expected 3 rows, got 2\"><![CDATA[a.yaml:58:5\n"
                  "  - | 2 |\n"
                  "servers' output, files and configuration kept in: /tmp/k\n"
                  "to run it again: runner -t 'does not' a.yaml\n"
                  "]]></failure>\n"
                  "    </testcase>\n"
                  "  </testsuite>\n"
                  "  <testsuite name=\"b.yaml\" tests=\"7\" failures=\"2\" errors=\"2\" skipped=\"2\" time=\"0.031\" "
                  "timestamp=\"1970-01-01T00:00:01\" hostname=\"h1\">\n"
                  "    <testcase name=\"skips\" classname=\"b\" time=\"0.000\">\n"
                  "      <skipped message=\"program patroni is missing\"/>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"sometimes\" classname=\"b\" time=\"0.030\">\n"
                  "      <flakyFailure type=\"failed\" message=\"once\"><![CDATA[]]></flakyFailure>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"not begun\" classname=\"b\" time=\"0.000\">\n"
                  "      <skipped message=\"it was not begun\"/>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"undecided\" classname=\"b\" time=\"0.001\">\n"
                  "      <error type=\"error\" message=\"the disk is full\"><![CDATA[]]></error>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"leaks\" classname=\"b\" time=\"0.000\">\n"
                  "      <failure type=\"leaked\" message=\"1 process left\"><![CDATA[]]></failure>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"cut\" classname=\"b\" time=\"0.000\">\n"
                  "      <error type=\"none\" message=\"it did not run to its end\"/>\n"
                  "    </testcase>\n"
                  "    <testcase name=\"again\" classname=\"b\" time=\"0.000\">\n"
                  "      <failure type=\"failed\" message=\"three\"><![CDATA[]]></failure>\n"
                  "      <rerunFailure type=\"failed\" message=\"two\"><![CDATA[]]></rerunFailure>\n"
                  "      <rerunError type=\"error\" message=\"one\"><![CDATA[]]></rerunError>\n"
                  "    </testcase>\n"
                  "  </testsuite>\n"
                  "</testsuites>\n");
}

/* The same name twice in a class, as two directories with a file of one name make it. */
#define SAME_NAMES                                                                                                     \
  PLANNED(1, "a", "x/f.yaml", 1)                                                                                       \
  PLANNED(2, "a", "y/f.yaml", 1) VERDICT(1, 1, "passed", 0, "") VERDICT(2, 1, "passed", 0, "")

static void test_same_names(void) {
  g_autofree char *text = junit_of(SAME_NAMES);
  g_assert_nonnull(strstr(text, "<testcase name=\"a\" classname=\"f\" time=\"0.000\"/>"));
  g_assert_nonnull(strstr(text, "<testcase name=\"a (2)\" classname=\"f\" time=\"0.000\"/>"));
}

/* All that XML forbids or takes for its own, in every place. */
#define HOSTILE "<&>'\\\" ]]> \\u0000\\u0001\\u001b[31m\\u007f\\u0085\\ufffe\\uffff \\ud83d\\ude00"
#define HOSTILE_LINES                                                                                                  \
  PLANNED(1, HOSTILE, HOSTILE ".yaml", 1)                                                                              \
  PLANNED(2, "x", "x.yaml", 1) VERDICT(1, 1, "failed", 0,                                                              \
                                       ",\"headline\":\"" HOSTILE                                                      \
                                       "\",\"detail\":\"a]]>b ]]>\\n\\u001bc\\ufffe\\td\",\"kept\":\"" HOSTILE "\"")   \
      VERDICT(2, 1, "failed", 0, ",\"headline\":{\"base64\":\"//48YQ==\"},\"detail\":{\"base64\":\"XV0+/2EAYg==\"}")

static void test_hostile(void) {
  g_autofree char *text = junit_of(PLANNED(2, "x", "x.yaml", 1) VERDICT(
      2, 1, "failed", 0, ",\"headline\":{\"base64\":\"//48YQ==\"},\"detail\":\"a]]>b\\n\\u001bc\\ufffe\\td\""));
  g_assert_nonnull(strstr(text,
                          "      <failure type=\"failed\" message=\"\\xff\\xfe&lt;a\"><![CDATA[a]]]]><![CDATA[>b\n"
                          "\\x1bc\xef\xbf\xbd\td\n]]></failure>\n"));
}

static void test_long_detail(void) {
  g_autofree char *filler = g_strnfill(300 * 1024, 'x');
  g_autofree char *lines =
      g_strdup_printf(PLANNED(1, "x", "x.yaml", 1) VERDICT(1, 1, "failed", 0, ",\"detail\":\"%s\""), filler);
  g_autofree char *text = junit_of(lines);
  g_assert_nonnull(strstr(text, "xxx\n[45057 bytes more]\n]]></failure>\n"));
}

/* xmllint's words, when the schema does not hold; "" when it does. */
static char *schema_complaint(const char *text) {
  char path[] = "/tmp/junit-XXXXXX";
  close(mkstemp(path));
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  char *argv[] = {"xmllint", "--noout", "--schema", "tests/junit.xsd", path, NULL};
  char *said = NULL;
  int status = 0;
  g_autoptr(GError) error = NULL;
  g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said, &status,
               &error);
  g_assert_no_error(error);
  unlink(path);
  if (!g_spawn_check_wait_status(status, NULL)) return said;
  g_free(said);
  return g_strdup("");
}

static void test_schema(void) {
  static const char *const all[] = {ALL_VERDICTS, SAME_NAMES, HOSTILE_LINES, EV_RUN("run", "")};
  g_autofree char *found = g_find_program_in_path("xmllint");
  if (!found) {
    g_test_skip("xmllint is not installed");
    return;
  }
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    g_autofree char *text = junit_of(all[i]), *complaint = schema_complaint(text);
    g_assert_cmpstr(complaint, ==, "");
  }
  g_autofree char *wrong = schema_complaint("<testsuites><testsuite name='x'/></testsuites>");
  g_assert_nonnull(strstr(wrong, "The attribute 'tests' is required but missing."));
}

/* The file is there whole or not at all, keeps what a link points to, and is readable as files of that user are. */
static void test_file(void) {
  g_autofree char *dir = g_dir_make_tmp("junit-XXXXXX", NULL), *path = g_build_filename(dir, "r.xml", NULL);
  g_autofree char *link = g_build_filename(dir, "link.xml", NULL), *text = NULL;
  g_autoptr(RunRecord) record = record_from(SAME_NAMES);
  g_autoptr(GError) error = NULL;
  ReportOptions options = {.tap_version = "13"};
  struct stat info;
  umask(022);
  g_assert_cmpint(symlink("r.xml", link), ==, 0);
  g_assert_true(g_file_set_contents(path, "old", -1, NULL));
  g_assert_true(report_write_file(record, report_find("junit"), &options, link, &error));
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_true(g_str_has_suffix(text, "</testsuites>\n"));
  g_assert_cmpint(lstat(link, &info), ==, 0);
  g_assert_true(S_ISLNK(info.st_mode));
  g_assert_cmpint(stat(path, &info), ==, 0);
  g_assert_cmpint(info.st_mode & 07777, ==, 0644);
  g_assert_true(report_write_file(record, report_find("junit"), &options, "/dev/null", &error));
  g_assert_cmpint(stat("/dev/null", &info), ==, 0);
  g_assert_true(S_ISCHR(info.st_mode));
  g_assert_false(report_write_file(record, report_find("junit"), &options, dir, &error));
  g_autofree char *expected = g_strdup_printf("write '%s': Is a directory", dir);
  g_assert_cmpstr(error->message, ==, expected);
  g_clear_error(&error);
  g_assert_false(report_write_file(record, report_find("tap"), &options, "/nowhere/x.tap", &error));
  g_assert_cmpstr(error->message, ==, "write '/nowhere/x.tap': No such file or directory");
  g_clear_error(&error);
  g_assert_false(report_write_file(record, report_find("tap"), &options, "/dev/full", &error));
  g_assert_cmpstr(error->message, ==, "write '/dev/full': No space left on device");
  unlink(link);
  unlink(path);
  g_assert_cmpint(rmdir(dir), ==, 0);          /* no temporary file is left */
}

/* jsonl: the events as they are, one file after the other, a torn last line ended. */
static void test_jsonl(void) {
  g_autofree char *dir = g_dir_make_tmp("jsonl-XXXXXX", NULL), *text = NULL;
  g_autofree char *a = g_build_filename(dir, "a", NULL), *b = g_build_filename(dir, "b", NULL),
                  *to = g_build_filename(dir, "to", NULL);
  g_assert_true(g_file_set_contents(a, "{\"v\":1}\n{\"cut", -1, NULL));
  g_assert_true(g_file_set_contents(b, "{\"v\":1}\n", -1, NULL));
  const char *events[] = {a, b, NULL};
  g_autoptr(RunRecord) record = run_record_new();
  g_autoptr(GError) error = NULL;
  g_assert_true(report_write_file(record, report_find("jsonl"), &(ReportOptions){.events = events}, to, &error));
  g_assert_true(g_file_get_contents(to, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "{\"v\":1}\n{\"cut\n{\"v\":1}\n");
  unlink(a);
  unlink(b);
  unlink(to);
  g_assert_cmpint(rmdir(dir), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/report-junit/all-verdicts", test_all_verdicts);
  g_test_add_func("/report-junit/same-names", test_same_names);
  g_test_add_func("/report-junit/hostile", test_hostile);
  g_test_add_func("/report-junit/long-detail", test_long_detail);
  g_test_add_func("/report-junit/schema", test_schema);
  g_test_add_func("/report-junit/file", test_file);
  g_test_add_func("/report-junit/jsonl", test_jsonl);
  return g_test_run();
}
