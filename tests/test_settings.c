/* test_settings.c - a server's configuration file, in each of the forms. */
#include "runner/settings.h"


#define LIST(...) G_N_ELEMENTS(((const Setting[]){__VA_ARGS__})), (const Setting[]){__VA_ARGS__}
#define BEGIN "# ---- runner: settings of this test\n"
#define END "# ---- runner: end\n"

static void is(char *got, const char *wanted) {
  g_assert_cmpstr(got, ==, wanted);
  g_free(got);
}

/* Every value is quoted; what would end the quotes or begin an escape is doubled. */
static void conf(void) {
  is(settings_text(FORM_CONF, false, NULL, NULL,
                   LIST({"port", "5432"}, {"a.b", "it's"}, {"path", "c:\\x"}, {"empty", ""})),
     BEGIN "port = '5432'\na.b = 'it''s'\npath = 'c:\\\\x'\nempty = ''\n" END);
}

/* What stood there stays in front of ours, whose words win; ours of before, or of the server it was copied from, go. */
static void conf_appended(void) {
  g_autofree char *first = settings_text(FORM_CONF, true, NULL, "shared = 1", LIST({"port", "1"}));
  g_assert_cmpstr(first, ==, "shared = 1\n" BEGIN "port = '1'\n" END);
  g_autofree char *before = g_strconcat(first, "later = 2\n", NULL);
  is(settings_text(FORM_CONF, true, NULL, before, LIST({"port", "2"})),
     "shared = 1\nlater = 2\n" BEGIN "port = '2'\n" END);
  is(settings_text(FORM_CONF, true, NULL, NULL, 0, NULL), BEGIN END);
}

/* A mark without its end is no block of ours: nothing of it is lost. */
static void conf_damaged(void) {
  is(settings_text(FORM_CONF, true, NULL, BEGIN "port = '1'\n", LIST({"port", "2"})),
     BEGIN "port = '1'\n" BEGIN "port = '2'\n" END);
}

/* An empty value is a flag. */
static void ini(void) {
  is(settings_text(FORM_INI, false, "mysqld", "ours as a whole",
                   LIST({"port", "3306"}, {"skip-name-resolve", ""}, {"sql_mode", "A,B"})),
     "[mysqld]\nport = 3306\nskip-name-resolve\nsql_mode = A,B\n");
  is(settings_text(FORM_INI, false, NULL, NULL, 0, NULL), "[server]\n");
}

/* Dots go one level down, keys stay in their order. */
static void yaml(void) {
  is(settings_text(FORM_YAML, false, NULL, NULL,
                   LIST({"listener.port", "1"}, {"log", "a: b"}, {"listener.tls.on", "true"}, {"listener.host", "x"})),
     "listener:\n  port: 1\n  tls:\n    on: true\n  host: \"x\"\nlog: \"a: b\"\n");
}

static void json(void) {
  is(settings_text(FORM_JSON, false, NULL, NULL,
                   LIST({"a.b", "1"}, {"c", "say \"x\"\n\\"}, {"a.d", "null"}, {"e", ""})),
     "{\"a\": {\"b\": 1, \"d\": null}, \"c\": \"say \\\"x\\\"\\n\\\\\", \"e\": \"\"}\n");
  is(settings_text(FORM_JSON, false, NULL, NULL, 0, NULL), "{}\n");
}

/* What is bare must be a number to the reader as well: JSON has no hexadecimal, no infinity, no leading zero. */
static void numbers(void) {
  static const struct { const char *value; bool bare;
  } cases[] = {
      {"0", true},     {"-1", true},    {"3.25", true}, {"1e5", true},    {"1E-5", true},       {"-0.5", true},
      {"true", true},  {"false", true}, {"null", true}, {"", false},      {"-", false},         {"0x10", false},
      {"-inf", false}, {"-nan", false}, {"007", false}, {"1.", false},    {".5", false},        {"1e", false},
      {"+1", false},   {" 1", false},   {"1 ", false},  {"1.2.3", false}, {"127.0.0.1", false}, {"10ms", false},
      {"True", false}, {"--1", false},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *wanted = g_strdup_printf(cases[i].bare ? "{\"k\": %s}\n" : "{\"k\": \"%s\"}\n", cases[i].value);
    g_autofree char *got = settings_text(FORM_JSON, false, NULL, NULL, LIST({"k", cases[i].value}));
    g_assert_cmpstr(got, ==, wanted);
  }
}

/* No control character stays as it is. */
static void json_controls(void) {
  for (int c = 1; c < 32; c++) {
    const char value[] = {'x', (char)c, 'y', '\0'};
    g_autofree char *wanted =
        c == '\n' ? g_strdup("{\"k\": \"x\\ny\"}\n") : g_strdup_printf("{\"k\": \"x\\u%04xy\"}\n", (unsigned)c);
    is(settings_text(FORM_JSON, false, NULL, NULL, LIST({"k", value})), wanted);
  }
}

/* A name that is a value in one place and a mapping in another. */
static void the_later_wins(void) {
  is(settings_text(FORM_YAML, false, NULL, NULL, LIST({"a", "1"}, {"a.b", "2"})), "a:\n  b: 2\n");
  is(settings_text(FORM_YAML, false, NULL, NULL, LIST({"a.b", "2"}, {"a", "1"})), "a: 1\n");
}

static void none(void) { is(settings_text(FORM_NONE, false, NULL, "x", LIST({"a", "1"})), ""); }

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/settings/conf", conf);
  g_test_add_func("/settings/conf_appended", conf_appended);
  g_test_add_func("/settings/conf_damaged", conf_damaged);
  g_test_add_func("/settings/ini", ini);
  g_test_add_func("/settings/yaml", yaml);
  g_test_add_func("/settings/json", json);
  g_test_add_func("/settings/numbers", numbers);
  g_test_add_func("/settings/json_controls", json_controls);
  g_test_add_func("/settings/the_later_wins", the_later_wins);
  g_test_add_func("/settings/none", none);
  return g_test_run();
}
