/* What a server printed: each line is seen once, whatever it prints and however much. */
#include "runner/output.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "runner/environment.h"
#include "runner/process.h"

typedef struct Fixture { char *dir, *path; Output *output; } Fixture;

static Fixture it;

static void in_loop_capped(void (*fn)(gpointer data), guint64 cap) {
  g_autoptr(GError) error = NULL;
  loop_new();
  reaper_begin();
  it.dir = g_dir_make_tmp("runner-test-XXXXXX", NULL);
  it.path = g_build_filename(it.dir, "server.log", NULL);
  it.output = output_new(it.path, cap, &error);
  g_assert_no_error(error);
  fiber_spawn_detached("test", fn, NULL);
  loop_run();
  output_free(it.output);
  loop_free();
  unlink(it.path);
  rmdir(it.dir);
  g_free(it.path);
  g_free(it.dir);
}

static void in_loop(void (*fn)(gpointer data)) { in_loop_capped(fn, OUTPUT_CAP_DEFAULT); }

static void print_bytes(const char *bytes, gsize len) {
  g_assert_cmpint(write(output_fd(it.output), bytes, len), ==, (gssize)len);
}

static void print(const char *text) { print_bytes(text, strlen(text)); }

static Pattern *pattern(const char *text, PatternFlavour flavour) {
  g_autoptr(GError) error = NULL;
  Pattern *compiled = pattern_new(text, strlen(text), flavour, &error);
  g_assert_no_error(error);
  return compiled;
}

/* The line that a pattern finds from an offset on, "-" for none; *from moves to where the next search goes on. */
static char *found(const char *text, guint64 *from, bool final) {
  g_autoptr(Pattern) compiled = pattern(text, PATTERN_LINES);
  OutputMatch match = {0};
  const char *why = NULL;
  PatternResult result = output_find(it.output, compiled, *from, false, final, from, &match, &why);
  g_assert_cmpint(result, !=, PATTERN_UNDECIDED);
  if (result == PATTERN_NO) return g_strdup("-");
  g_assert_cmpuint(match.line_end - match.line_start, ==, match.len);
  return match.text;
}

#define assert_found(pattern_, from_, final_, line_) \
  do { \
    g_autofree char *line__ = found(pattern_, from_, final_); \
    g_assert_cmpstr(line__, ==, line_); \
  } while (0)

static void lines_once(gpointer data) {
  guint64 from = 0;
  assert_found("x", &from, true, "-");
  print("first x\nsecond\nthird x\nunfin");
  assert_found("x", &from, false, "first x");
  assert_found("x", &from, false, "third x");
  assert_found("x", &from, false, "-");
  assert_found("unfin", &from, false, "-");
  g_assert_cmpuint(from, ==, 23);
  guint64 early = from;
  assert_found("unfin", &early, true, "unfin");
  print("ished\n\nend\n");
  assert_found("^unfinished$", &from, false, "unfinished");
  assert_found("^$", &from, false, "");
  assert_found("^end$", &from, false, "end");
  g_assert_cmpuint(from, ==, output_size(it.output));
  /* From the midst of a line: its rest is searched, but it is not the start of a line. */
  from = 2;
  assert_found("^rst", &from, false, "-");
  from = 2;
  assert_found("rst x$", &from, false, "rst x");
  from = 2;
  assert_found("first", &from, false, "-");
}

static void test_lines(void) { in_loop(lines_once); }

static void odd_bytes(gpointer data) {
  guint64 from = 0;
  print_bytes("a\0b x\n\xff\xfe x\n\x1b[31mred x\x1b[0m\n", 26);
  g_autoptr(Pattern) x = pattern("b x$", PATTERN_LINES);
  OutputMatch match = {0};
  g_assert_cmpint(output_find(it.output, x, 0, false, false, NULL, &match, NULL), ==, PATTERN_YES);
  g_assert_cmpmem(match.text, match.len, "a\0b x", 5);
  output_match_clear(&match);
  g_assert_null(match.text);
  from = 6;
  assert_found("x", &from, false, "\xff\xfe x");
  g_autofree char *tail = output_tail(it.output, 10), *last = output_tail(it.output, 1);
  g_assert_cmpstr(tail, ==, "a\\x00b x\n\\xff\\xfe x\n\\x1b[31mred x\\x1b[0m\n");
  g_assert_cmpstr(last, ==, "\\x1b[31mred x\\x1b[0m\n");
}

static void test_bytes(void) { in_loop(odd_bytes); }

static void blocks(gpointer data) {
  g_autoptr(Pattern) block = pattern("^b\nc$", PATTERN_BLOCK);
  g_autoptr(Pattern) whole = pattern("a\nb\nc$", PATTERN_RE2);
  OutputMatch match = {0};
  guint64 next;
  print("a\nb\nc");
  g_assert_cmpint(output_find(it.output, block, 0, true, false, &next, NULL, NULL), ==, PATTERN_NO);
  g_assert_cmpuint(next, ==, 0);
  g_assert_cmpint(output_find(it.output, whole, 0, true, true, NULL, NULL, NULL), ==, PATTERN_YES);
  print("\nd\n");
  g_assert_cmpint(output_find(it.output, block, next, true, false, &next, &match, NULL), ==, PATTERN_YES);
  g_assert_cmpstr(match.text, ==, "b\nc");
  g_assert_cmpuint(match.line_start, ==, 2);
  g_assert_cmpuint(match.line_end, ==, 5);
  output_match_clear(&match);
  g_assert_cmpint(output_find(it.output, block, next, true, true, &next, NULL, NULL), ==, PATTERN_NO);
}

static void test_blocks(void) { in_loop(blocks); }

/* 3.5 MiB without a line end, with words across the borders of the windows. */
static void long_line(gpointer data) {
  gsize len = 3584 * 1024;
  g_autofree char *line = g_malloc(len);
  guint64 from = 0;
  memset(line, '.', len);
  memcpy(line + 1024 * 1024 - 3, "border", 6);
  memcpy(line + 2 * 1024 * 1024 + 100, "second", 6);
  memcpy(line + len - 4, "last", 4);
  print_bytes(line, len);
  g_autoptr(Pattern) border = pattern("border", PATTERN_LINES);
  OutputMatch match = {0};
  g_assert_cmpint(output_find(it.output, border, 0, false, false, NULL, &match, NULL), ==, PATTERN_YES);
  g_assert_nonnull(memmem(match.text, match.len, "border", 6));
  output_match_clear(&match);
  assert_found("last", &from, false, "-");
  g_assert_cmpuint(from, >, 2 * 1024 * 1024);
  from = 0;
  assert_found("\\.last$", &from, false, "-");
  print("\nnext\n");
  from = 0;
  assert_found("^\\.{10}second", &from, false, "-");
  from = 0;
  assert_found("^next$", &from, false, "next");
  /* The end of a window is not the end of the line. */
  from = 0;
  g_autoptr(Pattern) end = pattern("[.r]$", PATTERN_LINES);
  g_assert_cmpint(output_find(it.output, end, 0, false, true, NULL, NULL, NULL), ==, PATTERN_NO);
  g_autoptr(Pattern) last = pattern("last$", PATTERN_LINES);
  g_assert_cmpint(output_find(it.output, last, 0, false, false, NULL, NULL, NULL), ==, PATTERN_YES);
}

static void test_long(void) { in_loop(long_line); }

static void tails(gpointer data) {
  g_autofree char *nothing = output_tail(it.output, 5);
  g_assert_cmpstr(nothing, ==, "");
  for (int i = 0; i < 5000; i++) {
    g_autofree char *line = g_strdup_printf("line %d\n", i);
    print(line);
  }
  print("no end");
  g_autofree char *three = output_tail(it.output, 3), *most = output_tail(it.output, 100000);
  g_assert_cmpstr(three, ==, "line 4998\nline 4999\nno end\n");
  g_assert_cmpuint(strlen(most), <=, 16 * 1024);
  g_assert_true(g_str_has_prefix(most, "line 3"));
  gsize len;
  g_autofree char *part = output_read(it.output, 5, 7, &len), *beyond = output_read(it.output, 1 << 30, 7, &len);
  g_assert_cmpstr(part, ==, "0\nline ");
  g_assert_cmpstr(beyond, ==, "");
  g_assert_cmpuint(len, ==, 0);
}

static void test_tails(void) { in_loop(tails); }

/* ---- Growing, turning, truncated */

static void print_later(gpointer data) {
  wait_until(deadline_after(20000));
  print("now\n");
}

static void wakes(gpointer data) {
  Fiber *printer = fiber_spawn("printer", print_later, NULL);
  gint64 began = g_get_monotonic_time();
  g_assert_cmpint(wait_cond(output_changed(it.output), deadline_after(5 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_cmpint(g_get_monotonic_time() - began, <, G_USEC_PER_SEC);
  g_assert_cmpuint(output_size(it.output), ==, 4);
  fiber_join(printer, DEADLINE_NONE);
  g_assert_cmpint(wait_cond(output_changed(it.output), deadline_after(30000)), ==, WAIT_TIMEOUT);
}

static void test_wakes(void) { in_loop(wakes); }

static bool put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool done = fd >= 0 && write(fd, text, strlen(text)) == (gssize)strlen(text);
  if (fd >= 0) close(fd);
  return done;
}

/* In a user namespace of its own, where nobody else can miss them, there are no instances of inotify. */
static bool lose_inotify(void) {
  g_autofree char *map = g_strdup_printf("%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
  return unshare(CLONE_NEWUSER) == 0 && put("/proc/self/uid_map", map) &&
         put("/proc/sys/user/max_inotify_instances", "0") && inotify_init1(IN_CLOEXEC) < 0;
}

static void test_wakes_without_inotify(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    if (!lose_inotify()) _exit(77);
    in_loop(wakes);
    _exit(0);
  }
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return g_test_skip("no user namespace can be made here");
  g_assert_cmpint(status, ==, 0);
}

static void renamed_and_truncated(gpointer data) {
  g_autofree char *elsewhere = g_strconcat(it.path, ".1", NULL);
  guint64 from = 0;
  print("one\n");
  assert_found("one", &from, false, "one");
  g_assert_cmpint(rename(it.path, elsewhere), ==, 0);
  print("two\n");
  assert_found(".", &from, false, "two");
  g_assert_cmpint(truncate(elsewhere, 0), ==, 0);
  g_assert_cmpint(wait_cond(output_changed(it.output), deadline_after(100000)), ==, WAIT_TIMEOUT);
  g_assert_cmpuint(output_size(it.output), ==, 8);
  print("three\n");
  g_assert_cmpuint(output_size(it.output), ==, 14);
  assert_found(".", &from, false, "three");
  assert_found(".", &from, false, "-");
  from = 0;
  assert_found(".", &from, false, "three");
  unlink(elsewhere);
}

static void test_renamed(void) { in_loop(renamed_and_truncated); }

static void two_outputs(gpointer data) {
  g_autofree char *path = g_build_filename(it.dir, "other.log", NULL);
  Output *other = output_new(path, 10, NULL);
  Cond *both[] = {output_changed(it.output), output_changed(other)};
  g_assert_cmpint(write(output_fd(other), "12345678901", 11), ==, 11);
  g_assert_cmpint(wait_cond(output_changed(it.output), deadline_after(30000)), ==, WAIT_TIMEOUT);
  g_assert_true(output_over_cap(other));
  g_assert_false(output_over_cap(it.output));
  print("x");
  g_assert_cmpint(wait_any(-1, 0, NULL, 2, both, deadline_after(5 * G_USEC_PER_SEC)), ==, WAIT_READY);
  output_free(other);
  unlink(path);
}

static void test_two(void) { in_loop(two_outputs); }

/* ---- A flood */

static long peak_kb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

static void flooded(gpointer data) {
  g_autofree char *program = g_test_build_filename(G_TEST_BUILT, "misbehave", NULL);
  const char *argv[] = {program, "--flood", data, NULL}, *env[] = {NULL};
  int fd = output_fd(it.output);
  g_autoptr(Pattern) over = pattern("^misbehave: flood over$", PATTERN_LINES);
  long before = peak_kb();
  loop_longest_turn();
  Process *server = process_spawn(&(Spawn){.argv = argv, .envp = env, .in = -1, .out = fd, .err = fd}, NULL);
  guint64 from = 0;
  while (output_find(it.output, over, from, false, false, &from, NULL, NULL) != PATTERN_YES)
    g_assert_cmpint(wait_cond(output_changed(it.output), deadline_after(60 * G_USEC_PER_SEC)), ==, WAIT_READY);
  g_assert_cmpuint(output_size(it.output), >, (guint64)g_ascii_strtoull(data, NULL, 10));
  g_test_message("%ld KiB more, longest turn %d us", peak_kb() - before, (int)loop_longest_turn());
#if !defined(__SANITIZE_ADDRESS__)
  g_assert_cmpint(peak_kb() - before, <, 8192);
#endif
  g_assert_true(output_over_cap(it.output));
  process_signal(server, SIGTERM);
  process_wait(server, DEADLINE_NONE);
  process_free(server);
}

static void flooded_256m(gpointer data) { flooded((gpointer) "268435456"); }

static void test_flood(void) { in_loop_capped(flooded_256m, 1000000); }

static void test_refused(void) {
  g_autoptr(GError) error = NULL;
  g_assert_null(output_new("/no/such/dir/log", 1, &error));
  g_assert_cmpstr(error->message, ==, "open '/no/such/dir/log' for appending: No such file or directory");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/output/each complete line once", test_lines);
  g_test_add_func("/output/any bytes", test_bytes);
  g_test_add_func("/output/blocks and whole outputs", test_blocks);
  g_test_add_func("/output/a line without end", test_long);
  g_test_add_func("/output/tails and pieces", test_tails);
  g_test_add_func("/output/growth wakes", test_wakes);
  g_test_add_func("/output/growth wakes without inotify", test_wakes_without_inotify);
  g_test_add_func("/output/renamed and truncated", test_renamed);
  g_test_add_func("/output/two at once, a cap", test_two);
  g_test_add_func("/output/a flood", test_flood);
  g_test_add_func("/output/cannot be made", test_refused);
  return g_test_run();
}
