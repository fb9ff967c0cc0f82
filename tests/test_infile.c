/* LOAD DATA LOCAL reads the file that the statement names, below the allowed directories, and no other. */
#include "dbclient/infile.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *sql, *name; } statements[] = {
    {"LOAD DATA LOCAL INFILE 'a.csv' INTO TABLE t", "a.csv"},
    {"load data local infile \"a.csv\" into table t", "a.csv"},
    {" -- hello\n# there\n/* LOAD */ LOAD\tDATA\nLOW_PRIORITY LOCAL INFILE 'x/y.csv'", "x/y.csv"},
    {"LOAD DATA CONCURRENT LOCAL INFILE 'a' REPLACE INTO TABLE t", "a"},
    {"LOAD XML LOCAL INFILE 'a.xml' INTO TABLE t", "a.xml"},
    {"LOAD DATA LOCAL INFILE 'it''s \\'so\\' \\\\ \\n' INTO TABLE t", "it's 'so' \\ \n"},
    {"LOAD DATA LOCAL INFILE'a' INTO TABLE t", "a"},
    {"LOAD DATA INFILE 'a.csv' INTO TABLE t", NULL},
    {"LOAD DATA LOCALLY INFILE 'a.csv'", NULL},
    {"SELECT 'LOAD DATA LOCAL INFILE ''a'''", NULL},
    {"SELECT 1; LOAD DATA LOCAL INFILE 'a' INTO TABLE t", NULL},
    {"/*! LOAD DATA LOCAL INFILE 'a' INTO TABLE t */", NULL},
    {"LOAD DATA /*! LOCAL */ INFILE 'a' INTO TABLE t", NULL},
    {"LOAD DATA /*M! LOCAL */ INFILE 'a' INTO TABLE t", NULL},
    {"LOAD DATA LOCAL INFILE 'a", NULL},
    {"LOAD DATA LOCAL INFILE 'a\\0b'", NULL},
    {"LOAD DATA LOCAL INFILE ?", NULL},
    {"LOAD DATA LOCAL INFILE", NULL},
    {"--LOAD DATA LOCAL INFILE 'a'", NULL},
    {"", NULL},
};

static void the_name_is_read_from_the_statement(void) {
  for (guint i = 0; i < G_N_ELEMENTS(statements); i++) {
    g_autofree char *name = infile_named(statements[i].sql, strlen(statements[i].sql));
    g_assert_cmpstr(name, ==, statements[i].name);
  }
}

/* The sanitizers watch that no statement is read past its end. */
static void a_statement_may_end_anywhere(void) {
  static const char sql[] = "/* a */ -- b\nLOAD DATA LOCAL INFILE 'a\\'bc'";
  for (gsize len = 0; len < sizeof sql; len++) {
    g_autofree char *part = g_memdup2(sql, MAX(len, 1));
    g_autofree char *name = infile_named(part, len);
    g_assert_cmpstr(name, ==, len >= sizeof sql - 1 ? "a'bc" : NULL);
  }
}

typedef struct Place { char *root, *allowed, *second; } Place;

static char *put(const char *dir, const char *name, const char *contents) {
  char *path = g_build_filename(dir, name, NULL);
  g_assert_true(g_file_set_contents(path, contents, -1, NULL));
  return path;
}

static void set_up(Place *place, gconstpointer data) {
  place->root = g_dir_make_tmp("infile-XXXXXX", NULL);
  place->allowed = g_build_filename(place->root, "allowed", NULL);
  place->second = g_build_filename(place->root, "second", NULL);
  g_autofree char *sub = g_build_filename(place->allowed, "sub", NULL);
  g_assert_cmpint(g_mkdir_with_parents(sub, 0700), ==, 0);
  g_assert_cmpint(g_mkdir(place->second, 0700), ==, 0);
  g_free(put(place->allowed, "a.csv", "first"));
  g_free(put(place->allowed, "sub/b.csv", "below"));
  g_free(put(place->second, "a.csv", "second"));
  g_free(put(place->second, "c.csv", "only second"));
  g_free(put(place->root, "secret", "secret"));
}

static void tear_down(Place *place, gconstpointer data) {
  char rm[] = "rm", force[] = "-rf", *argv[] = {rm, force, place->root, NULL};
  g_assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
  g_free(place->root);
  g_free(place->allowed);
  g_free(place->second);
}

/* What the file holds, or the error's text. */
static char *contents(const Place *place, const char *name) {
  const char *dirs[] = {place->allowed, place->second, NULL};
  g_autoptr(GError) error = NULL;
  int fd = infile_open(name, dirs, &error);
  if (fd < 0)
    return g_strdup(error->message);
  char buffer[64] = "";
  g_assert_cmpint(read(fd, buffer, sizeof buffer - 1), >=, 0);
  close(fd);
  return g_strdup(buffer);
}

static void assert_contents(const Place *place, const char *name, const char *expected) {
  g_autofree char *found = contents(place, name);
  g_assert_cmpstr(found, ==, expected);
}

static void assert_refused(const Place *place, const char *name, const char *why) {
  g_autofree char *text = g_strdup_printf("open '%s' for LOAD DATA LOCAL: %s", name, why);
  assert_contents(place, name, text);
}

static void files_below_are_found(Place *place, gconstpointer data) {
  assert_contents(place, "a.csv", "first");
  assert_contents(place, "sub/b.csv", "below");
  assert_contents(place, "sub/../a.csv", "first");
  assert_contents(place, "c.csv", "only second");
  g_autofree char *absolute = g_build_filename(place->allowed, "sub", "b.csv", NULL);
  assert_contents(place, absolute, "below");
}

static void nothing_else_is(Place *place, gconstpointer data) {
  static const char outside[] = "it lies outside the directories that are allowed";
  assert_refused(place, "../secret", outside);
  assert_refused(place, "sub/../../secret", outside);
  assert_refused(place, "/etc/passwd", outside);
  g_autofree char *absolute = g_build_filename(place->allowed, "..", "secret", NULL);
  assert_refused(place, absolute, outside);
  g_autofree char *beside = g_strconcat(place->allowed, "-not/x", NULL);
  assert_refused(place, beside, outside);
  assert_refused(place, "none.csv", "No such file or directory");
  assert_refused(place, "sub", "it is not a regular file");
}

static void links_do_not_lead_out(Place *place, gconstpointer data) {
  g_autofree char *out = g_build_filename(place->allowed, "out", NULL);
  g_autofree char *up = g_build_filename(place->allowed, "up", NULL);
  g_autofree char *within = g_build_filename(place->allowed, "within", NULL);
  g_assert_cmpint(symlink("/etc/passwd", out), ==, 0);
  g_assert_cmpint(symlink("..", up), ==, 0);
  g_assert_cmpint(symlink("sub/b.csv", within), ==, 0);
  assert_refused(place, "out", "it lies outside the directories that are allowed");
  assert_refused(place, "up/secret", "it lies outside the directories that are allowed");
  assert_contents(place, "within", "below");
}

/* A FIFO would hold up whoever opens it. */
static void a_fifo_is_no_file(Place *place, gconstpointer data) {
  g_autofree char *fifo = g_build_filename(place->allowed, "fifo", NULL);
  g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
  assert_refused(place, "fifo", "it is not a regular file");
}

static void without_directories_nothing_is_allowed(void) {
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(infile_open("a.csv", NULL, &error), ==, -1);
  g_assert_cmpstr(error->message, ==, "open 'a.csv' for LOAD DATA LOCAL: No such file or directory");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/infile/the name is read from the statement", the_name_is_read_from_the_statement);
  g_test_add_func("/infile/a statement may end anywhere", a_statement_may_end_anywhere);
  g_test_add("/infile/files below are found", Place, NULL, set_up, files_below_are_found, tear_down);
  g_test_add("/infile/nothing else is", Place, NULL, set_up, nothing_else_is, tear_down);
  g_test_add("/infile/links do not lead out", Place, NULL, set_up, links_do_not_lead_out, tear_down);
  g_test_add("/infile/a fifo is no file", Place, NULL, set_up, a_fifo_is_no_file, tear_down);
  g_test_add_func("/infile/without directories nothing is allowed", without_directories_nothing_is_allowed);
  return g_test_run();
}
