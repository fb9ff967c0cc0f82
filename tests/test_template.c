/* test_template.c - which scalars hold calls, what constants do to them, and what they render to. */
#include "yamldef/template_parse.h"

#include <string.h>

/* Constants: mode=async, n=3, list (no text). */
static ConstantFound constants(const char *name, const char **text, gsize *len, gpointer data) {
  static const char *const KNOWN[][2] = {{"mode", "async"}, {"n", "3"}, {"quote", "{{port x}}"}};
  if (strcmp(name, "list") == 0)
    return CONSTANT_NO_TEXT;
  for (guint i = 0; i < G_N_ELEMENTS(KNOWN); i++) {
    if (strcmp(name, KNOWN[i][0]) == 0) {
      *text = KNOWN[i][1];
      *len = strlen(*text);
      return CONSTANT_TEXT;
    }
  }
  return CONSTANT_NONE;
}

/* Every call as NAME(arg|arg), except `env`, which stands for nothing. */
static char *name_and_args(TemplateCall call, guint n_args, const char *const *args, gpointer data, GError **error) {
  if (call == CALL_ENV) {
    g_set_error(error, g_quark_from_static_string("test"), 0, "no variable '%s'", args[0]);
    return NULL;
  }
  g_autoptr(GString) text = g_string_new(template_call_name(call));
  for (guint i = 0; i < n_args; i++)
    g_string_append_printf(text, "%c%s", i == 0 ? '(' : '|', args[i]);
  g_string_append_c(text, ')');
  return g_string_free(g_steal_pointer(&text), FALSE);
}

static void assert_renders(const char *written, guint n_parts, const char *expected) {
  g_autoptr(Arena) arena = arena_new();
  g_autoptr(GError) error = NULL;
  Text text;
  g_assert_true(template_parse(arena, written, strlen(written), (Place){"f", 1, 1}, constants, NULL, &text, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(text.n_parts, ==, n_parts);
  gsize len;
  g_autofree char *got = text_render(&text, name_and_args, NULL, &len, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(got, ==, expected);
  g_assert_cmpuint(len, ==, strlen(expected));
}

static void assert_refused(const char *written, const char *why) {
  g_autoptr(Arena) arena = arena_new();
  g_autoptr(GError) error = NULL;
  Text text;
  g_assert_false(template_parse(arena, written, strlen(written), (Place){"f", 1, 1}, constants, NULL, &text, &error));
  g_assert_nonnull(error);
  g_assert_cmpstr(error->message, ==, why);
}

static void plain_text_has_no_parts(void) {
  assert_renders("", 0, "");
  assert_renders("SELECT 1", 0, "SELECT 1");
  assert_renders("a { b } {", 0, "a { b } {");
}

static void braces_that_begin_no_call_are_text(void) {
  assert_renders("'{{1,2},{3,4}}'", 0, "'{{1,2},{3,4}}'");
  assert_renders("{{", 0, "{{");
  assert_renders("{{port}}", 0, "{{port}}");
  assert_renders("{{portal x}}", 0, "{{portal x}}");
  assert_renders("{{var,x}}", 0, "{{var,x}}");
  assert_renders("{{ }}", 0, "{{ }}");
  assert_renders("{{unknown \"x\"}}", 0, "{{unknown \"x\"}}");
}

static void calls_become_parts(void) {
  assert_renders("{{port s1}}", 1, "port(s1)");
  assert_renders("{{port \"s1.rest\"}}", 1, "port(s1.rest)");
  assert_renders("{{ get_port   \"x\" }}", 1, "get_port(x)");
  assert_renders("a{{port s1}}b{{host s2}}", 4, "aport(s1)bhost(s2)");
  assert_renders("{{port s1}}{{port s2}}", 2, "port(s1)port(s2)");
  assert_renders("{{{port x}}}", 3, "{port(x)}");
  assert_renders("{{each peer \"127.0.0.1:%\" \",\"}}", 1, "each(peer|127.0.0.1:%|,)");
}

static void quotes_may_be_escaped_as_yaml_leaves_them(void) {
  assert_renders("{{get_port \\\"x\\\"}}", 1, "get_port(x)");
  assert_renders("{{get_port\\\"x y\\\"}}", 1, "get_port(x y)");
  assert_renders("{{get_port \"a\\\"b\\\\\"}}", 1, "get_port(a\"b\\)");
  assert_renders("{{get_port \"\"}}", 1, "get_port()");
}

static void every_call_is_known(void) {
  static const char *const NAMES[] = {"get_port", "get_tempdir", "port", "host",    "conninfo", "dir",
                                      "data",     "socket",      "link", "program", "var"};
  for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
    g_autofree char *written = g_strdup_printf("{{%s zz}}", NAMES[i]), *expected = g_strdup_printf("%s(zz)", NAMES[i]);
    assert_renders(written, 1, expected);
  }
}

static void constants_are_put_in(void) {
  assert_renders("{{var mode}}", 0, "async");
  assert_renders("s{{var n}} is {{var \"mode\"}}", 0, "s3 is async");
  assert_renders("{{var n}} of {{var lsn}}", 2, "3 of var(lsn)");
}

/* What a constant holds is not read again. */
static void constants_are_not_templates(void) { assert_renders("{{var quote}}", 0, "{{port x}}"); }

static void calls_may_be_arguments(void) {
  assert_renders("{{port (var node)}}", 1, "port(var(node))");
  assert_renders("{{port (var mode)}}", 1, "port(async)");
  assert_renders("{{port ( var \"n\" ) }}", 1, "port(3)");
}

static void what_is_begun_must_be_right(void) {
  assert_refused("{{port x", "'{{port' is not closed by '}}'");
  assert_refused("{{port x}", "'{{port' is not closed by '}}'");
  assert_refused("{{port x y}}", "'port' takes 1 argument");
  assert_refused("{{each x}}", "'each' takes 3 arguments");
  assert_refused("{{port \"x}}", "the quotes of an argument are not closed");
  assert_refused("{{port (x)}}", "in parentheses stands a call such as (var x)");
  assert_refused("{{port (var x}}", "a parenthesis is not closed");
  assert_refused("a {{var list}}", "a list or mapping has no place within a text");
}

static void nesting_is_bounded(void) {
  g_autoptr(GString) text = g_string_new("{{port ");
  for (int i = 0; i < 100000; i++)
    g_string_append(text, "(port ");
  assert_refused(text->str, "calls are nested too deep");
}

static void a_call_that_stands_for_nothing_is_an_error(void) {
  g_autoptr(Arena) arena = arena_new();
  g_autoptr(GError) error = NULL;
  const char *written = "a {{port (env NOPE)}} b";
  Text text;
  g_assert_true(template_parse(arena, written, strlen(written), (Place){"f", 1, 1}, NULL, NULL, &text, NULL));
  g_assert_null(text_render(&text, name_and_args, NULL, NULL, &error));
  g_assert_nonnull(error);
  g_assert_cmpstr(error->message, ==, "no variable 'NOPE'");
}

static void what_was_not_given_renders_to_nothing(void) {
  g_autoptr(GError) error = NULL;
  gsize len = 7;
  g_assert_null(text_render(&(Text){0}, name_and_args, NULL, &len, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(len, ==, 0);
}

static void nul_bytes_are_kept(void) {
  g_autoptr(Arena) arena = arena_new();
  Text text;
  gsize len;
  g_assert_true(template_parse(arena, "a\0{{port x}}\0b", 15, (Place){"f", 1, 1}, NULL, NULL, &text, NULL));
  g_autofree char *got = text_render(&text, name_and_args, NULL, &len, NULL);
  g_assert_cmpmem(got, len, "a\0port(x)\0b\0", 12);
}

static void raw_shows_calls_as_written(void) {
  g_autoptr(Arena) arena = arena_new();
  Text text;
  const char *written = "{{var mode}}-{{ port  \"x\" }}!";
  g_assert_true(template_parse(arena, written, strlen(written), (Place){"f", 1, 1}, constants, NULL, &text, NULL));
  g_assert_cmpstr(text.raw, ==, "async-{{port  \"x\" }}!");
}

static void a_single_variable_is_recognised(void) {
  static const char *const YES[] = {"{{var x}}", "{{ var \"x\" }}"};
  static const char *const NO[] = {"{{var x}} ", "a{{var x}}", "{{port x}}",        "{{var (var x)}}",
                                   "x",          "",           "{{var x}}{{var x}}"};
  for (guint i = 0; i < G_N_ELEMENTS(YES); i++) {
    g_autofree char *name = template_single_var(YES[i], strlen(YES[i]));
    g_assert_cmpstr(name, ==, "x");
  }
  for (guint i = 0; i < G_N_ELEMENTS(NO); i++)
    g_assert_null(template_single_var(NO[i], strlen(NO[i])));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/template/plain", plain_text_has_no_parts);
  g_test_add_func("/template/braces", braces_that_begin_no_call_are_text);
  g_test_add_func("/template/calls", calls_become_parts);
  g_test_add_func("/template/escaped-quotes", quotes_may_be_escaped_as_yaml_leaves_them);
  g_test_add_func("/template/every-call", every_call_is_known);
  g_test_add_func("/template/constants", constants_are_put_in);
  g_test_add_func("/template/constants-once", constants_are_not_templates);
  g_test_add_func("/template/arguments", calls_may_be_arguments);
  g_test_add_func("/template/refused", what_is_begun_must_be_right);
  g_test_add_func("/template/nesting", nesting_is_bounded);
  g_test_add_func("/template/nothing", a_call_that_stands_for_nothing_is_an_error);
  g_test_add_func("/template/not-given", what_was_not_given_renders_to_nothing);
  g_test_add_func("/template/nul", nul_bytes_are_kept);
  g_test_add_func("/template/raw", raw_shows_calls_as_written);
  g_test_add_func("/template/single-variable", a_single_variable_is_recognised);
  return g_test_run();
}
