/* JSON: parts by path, and what they are compared by. */
#include "yamldef/json.h"

#include <string.h>

static const char TEXT[] =
    "{\"s\":\"a\\nb\",\"n\":7,\"d\":0.1,\"e\":1e300,\"t\":true,\"f\":false,\"z\":null,\"l\":[1,[2,3],{\"x\":\"y\"}],"
    "\"a.b\":{\"c\":\"dots\"},\"big\":9007199254740993}";

static char *text_at(const char *path) {
  g_autoptr(JsonDocument) document = json_document_new(TEXT, strlen(TEXT), NULL);
  g_assert_nonnull(document);
  const JsonPart *part = json_part_find(json_document_root(document), path);
  return part == NULL ? g_strdup("(absent)") : json_part_text(part);
}

static void parts_are_found_by_path(void) {
  static const struct {
    const char *path, *text;
  } CASES[] = {{"s", "a\nb"},
               {"$.s", "a\nb"},
               {"n", "7"},
               {"d", "0.1"},
               {"e", "1e+300"},
               {"t", "true"},
               {"f", "false"},
               {"z", NULL},
               {"l[0]", "1"},
               {"l[1][1]", "3"},
               {"l[1]", "[2,3]"},
               {"l[2].x", "y"},
               {"$['l'][2]['x']", "y"},
               {"['a.b'].c", "dots"},
               {"big", "9007199254740993"},
               {"l[3]", "(absent)"},
               {"l.x", "(absent)"},
               {"s.x", "(absent)"},
               {"s[0]", "(absent)"},
               {"nobody", "(absent)"},
               {"z.x", "(absent)"}};
  for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
    g_assert_true(json_path_valid(CASES[i].path));
    g_autofree char *text = text_at(CASES[i].path);
    g_assert_cmpstr(text, ==, CASES[i].text);
  }
}

static void paths_are_checked(void) {
  static const char *const BAD[] = {"",     ".",     "a.",    "a..b",  "$a", "a[",          "a[]",
                                    "a[x]", "a[-1]", "a['x]", "a['x'", "a]", "[1234567890]"};
  for (guint i = 0; i < G_N_ELEMENTS(BAD); i++) g_assert_false(json_path_valid(BAD[i]));
}

/* Whoever wrote it may have put anything anywhere. */
static void another_type_is_an_absent_part(void) {
  g_autoptr(JsonDocument) document = json_document_new(TEXT, strlen(TEXT), NULL);
  const JsonPart *root = json_document_root(document), *list = json_part_member(root, "l");
  g_assert_true(json_part_is_object(root));
  g_assert_false(json_part_is_object(list));
  g_assert_false(json_part_is_object(NULL));
  g_assert_cmpuint(json_part_n_items(list), ==, 3);
  g_assert_cmpuint(json_part_n_items(root), ==, 0);
  g_assert_null(json_part_item(list, 3));
  g_assert_null(json_part_member(list, "x"));
  g_assert_cmpint(json_part_int(json_part_member(root, "n")), ==, 7);
  g_assert_cmpint(json_part_int(json_part_member(root, "s")), ==, 0);
  g_assert_true(json_part_bool(json_part_member(root, "t")));
  g_assert_false(json_part_bool(json_part_member(root, "n")));
  g_assert_null(json_part_string(json_part_member(root, "n")));
}

static void what_is_no_json_is_said(void) {
  g_autoptr(GError) error = NULL;
  g_assert_null(json_document_new("{", 1, &error));
  g_assert_nonnull(error);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/json/paths", parts_are_found_by_path);
  g_test_add_func("/json/bad-paths", paths_are_checked);
  g_test_add_func("/json/types", another_type_is_an_absent_part);
  g_test_add_func("/json/broken", what_is_no_json_is_said);
  return g_test_run();
}
