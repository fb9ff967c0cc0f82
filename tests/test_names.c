/* test_names.c - what the calls in templates stand for in a test, and what is said when they stand for nothing.
 *
 * The test under way is made of structs alone: nothing is started here.
 */
#include "runner/names.h"

#include <string.h>
#include "runner/node.h"
#include "runner/session.h"
#include "yamldef/template_parse.h"

static const Engine engine = {.name = "e",
                              .words = {.user = {.raw = "postgres", .len = 8}, .database = {.raw = "db", .len = 2}}};
static const Server servers[] = {
  {.name = {"a", {0}}, .engine = &engine, .cluster = "x", .runs = true},
  {.name = {"b", {0}}, .engine = &engine, .cluster = "x", .runs = true, .words = {.user = {.raw = "own", .len = 3}}},
  {.name = {"c.d", {0}}, .engine = &engine, .runs = true, .external = true},
  {.name = {"repo", {0}}, .engine = &engine},
};

typedef struct Fixture {
  Cluster cluster;
  Node nodes[G_N_ELEMENTS(servers)];
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  static const int ports[] = {20001, 20002, 20003, 0};
  static const Test test = {0};
  static const PlannedTest planned = {.test = &test};
  static const ClusterOptions options = {0};
  f->cluster = (Cluster){.nodes = g_ptr_array_new(), .test = &test, .planned = &planned, .options = &options,
                         .port_names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
  for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
    f->nodes[i] = (Node){.cluster = &f->cluster,
                         .server = &servers[i],
                         .engine = &engine,
                         .name = servers[i].name.s,
                         .port = ports[i],
                         .dir = g_strdup_printf("/test/%s", servers[i].name.s),
                         .extra_ports = g_hash_table_new(g_str_hash, g_str_equal)};
    g_ptr_array_add(f->cluster.nodes, &f->nodes[i]);
  }
  f->nodes[2].host = g_strdup("192.0.2.1");
  g_hash_table_insert(f->nodes[0].extra_ports, (gpointer)(guintptr)"rest", GINT_TO_POINTER(21001));
  g_hash_table_insert(f->nodes[1].extra_ports, (gpointer)(guintptr)"rest", GINT_TO_POINTER(21002));
  f->cluster.socket_dir = g_strdup("/s");
}

static void tear_down(Fixture *f, gconstpointer data) {
  for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
    g_free(f->nodes[i].dir);
    g_free(f->nodes[i].host);
    g_hash_table_unref(f->nodes[i].extra_ports);
  }
  g_ptr_array_unref(f->cluster.nodes);
  g_hash_table_unref(f->cluster.port_names);
  if (f->cluster.vars) g_hash_table_unref(f->cluster.vars);
  g_free(f->cluster.socket_dir);
}

/* What the text renders to, or "! " and the error. */
static char *rendered(Scope *scope, const char *written) {
  g_autoptr(Arena) arena = arena_new();
  g_autoptr(GError) error = NULL;
  Text text;
  g_assert_true(template_parse(arena, written, strlen(written), (Place){"f", 1, 1}, NULL, NULL, &text, &error));
  char *got = scope_render(scope, &text, NULL, &error);
  g_assert_true((got == NULL) == (error != NULL));
  return got ? got : g_strconcat("! ", error->message, NULL);
}

static void assert_renders(Scope *scope, const char *written, const char *wanted) {
  g_autofree char *got = rendered(scope, written);
  g_assert_cmpstr(got, ==, wanted);
}

static void of_servers(Fixture *f, gconstpointer data) {
  Scope scope = {.cluster = &f->cluster};
  assert_renders(&scope, "{{port a}} {{port a.rest}} {{port c.d}}", "20001 21001 20003");
  assert_renders(&scope, "{{host a}} {{host c.d}}", "127.0.0.1 192.0.2.1");
  assert_renders(&scope, "{{conninfo a}}", "host=127.0.0.1 port=20001 user=postgres dbname=db");
  assert_renders(&scope, "{{conninfo b}}", "host=127.0.0.1 port=20002 user=own dbname=db");
  assert_renders(&scope, "{{dir a}} {{data a}}", "/test/a /test/a");
  assert_renders(&scope, "{{socket a}}", "/s/20001.s");
}

static void of_nobody(Fixture *f, gconstpointer data) {
  Scope scope = {.cluster = &f->cluster};
  assert_renders(&scope, "{{port nobody}}", "! there is no server 'nobody' here");
  assert_renders(&scope, "{{dir self}}", "! there is no server 'self' here");
  assert_renders(&scope, "{{port a.peer}}", "! server 'a' has no port 'peer'; name it in its 'ports'");
  assert_renders(&scope, "{{port repo}}", "! server 'repo' has no port");
  assert_renders(&scope, "{{var x}}", "! variable 'x' has no value yet");
  assert_renders(&scope, "{{link x}}", "! there is no link 'x' in this test");
  g_unsetenv("RUNNER_TEST_NAMES");
  assert_renders(&scope, "{{env RUNNER_TEST_NAMES}}",
                 "! the environment variable RUNNER_TEST_NAMES is not set where runner was started");
  assert_renders(&scope, "{{each peer \"%\" \",\"}}", "! 'each' is for what an engine says of its own cluster");
}

/* In a recipe the roles' names are servers; outside of one they are nobody, or servers of that name. */
static void roles(Fixture *f, gconstpointer data) {
  Scope scope = {.cluster = &f->cluster, .roles = {.self = &f->nodes[0], .primary = &f->nodes[1]}};
  assert_renders(&scope, "{{var self}} {{var primary}} {{port self}} {{port primary.rest}}", "a b 20001 21002");
  assert_renders(&scope, "{{port peer}}", "! there is no server 'peer' here");
  scope.dir_as = "/template";
  assert_renders(&scope, "{{dir self}} {{data self}} {{dir primary}}", "/template /template /test/b");
}

static void members(Fixture *f, gconstpointer data) {
  Scope scope = {.cluster = &f->cluster, .roles = {.self = &f->nodes[0]}};
  assert_renders(&scope, "{{each peer \"h:%\" \",\"}}", "h:20001,h:20002");
  assert_renders(&scope, "{{each peer.rest \"%=%\" \" \"}}", "21001=21001 21002=21002");
  assert_renders(&scope, "{{each peer.nothing \"%\" \",\"}}",
                 "! in '{{each peer.nothing}}': server 'a' has no such port");
  /* One of no cluster is alone, whoever else is of none. */
  scope.roles.self = &f->nodes[2];
  assert_renders(&scope, "{{each peer \"%\" \",\"}}", "20003");
}

/* A step's variables; those of an engine's question come first. */
static void variables(Fixture *f, gconstpointer data) {
  g_autoptr(GHashTable) own = g_hash_table_new(g_str_hash, g_str_equal);
  Scope scope = {.cluster = &f->cluster};
  variable_set(&f->cluster, "x", "one", 3);
  assert_renders(&scope, "{{var x}}", "one");
  variable_set(&f->cluster, "x", "", 0);
  assert_renders(&scope, "<{{var x}}>", "<>");
  g_assert_cmpuint(variable_get(&f->cluster, "x")->len, ==, 0);
  g_assert_null(variable_get(&f->cluster, "y"));
  g_hash_table_insert(own, (gpointer)(guintptr)"x", (gpointer)(guintptr)"own");
  scope.own = own;
  assert_renders(&scope, "{{var x}}", "own");
}

/* A socket's path has to fit: 107 bytes. */
static void socket_too_long(Fixture *f, gconstpointer data) {
  Scope scope = {.cluster = &f->cluster};
  g_free(f->cluster.socket_dir);
  f->cluster.socket_dir = g_strnfill(99, 's');
  g_autofree char *fits = rendered(&scope, "{{socket a}}");
  g_assert_cmpuint(strlen(fits), ==, 107);
  g_free(f->cluster.socket_dir);
  f->cluster.socket_dir = g_strnfill(100, 's');
  g_autofree char *wanted = g_strdup_printf(
      "! the socket path '%s/20001.s' is 108 bytes long, the system takes 107: set TMPDIR to a shorter directory",
      f->cluster.socket_dir);
  assert_renders(&scope, "{{socket a}}", wanted);
}

/* What engines print for true, and nothing else. */
static void truth(Fixture *f, gconstpointer data) {
  static const char *const yes[] = {"t", "true", "TRUE", "1", "on", "Yes"}, *const no[] = {NULL, "",      "f",
                                                                                           "0",  "2",     "tr",
                                                                                           " t", "false", "NULL"};
  for (guint i = 0; i < G_N_ELEMENTS(yes); i++) g_assert_true(answer_is_true(yes[i]));
  for (guint i = 0; i < G_N_ELEMENTS(no); i++) g_assert_false(answer_is_true(no[i]));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  static const struct { const char *path; void (*fn)(Fixture *f, gconstpointer data);
  } cases[] = {
      {"/names/of_servers", of_servers}, {"/names/of_nobody", of_nobody}, {"/names/roles", roles},
      {"/names/members", members},       {"/names/variables", variables}, {"/names/socket_too_long", socket_too_long},
      {"/names/truth", truth},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
    g_test_add(cases[i].path, Fixture, NULL, set_up, cases[i].fn, tear_down);
  return g_test_run();
}
