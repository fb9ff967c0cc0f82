/* Versions that a test needs. */
#include "runner/needs.h"

static void test_versions(void) {
  static const struct { const char *version, *wish; bool holds;
  } cases[] = {
      {"15.20", ">= 15", true},          {"15.20", ">= 15.20", true},   {"15.20", ">= 15.21", false},
      {"15.20", ">15", false},           {"15.20", "< 17", true},       {"15.20", "<17", true},
      {"9.6.24", ">= 10", false},        {"10.11.19", "= 10.11", true}, {"10.11.19", "10.6", false},
      {"17.1", "!= 17", false},          {"16.3", "!= 17", true},       {"10.11.19", "<= 10.11", true},
      {"10.11.19", "== 10.11.19", true},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    bool bad = true;
    g_assert_cmpint(version_holds(cases[i].version, cases[i].wish, &bad), ==, cases[i].holds);
    g_assert_false(bad);
  }
}

static void test_no_version(void) {
  bool bad = false;
  g_assert_false(version_holds("15.20", ">= new", &bad));
  g_assert_true(bad);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/needs/versions compare by their numbers", test_versions);
  g_test_add_func("/needs/a wish that is no version is told apart", test_no_version);
  return g_test_run();
}
