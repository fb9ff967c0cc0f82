#include "cmd/reports.h"
#include "cmd/bazel.h"
#include "cmd/commands.h"
#include "yamldef/problem.h"
#include <string.h>

#define FAIL(...) (g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__), false)

static bool unknown_report(const char *given, const char *name, GError **error) {
  guint n;
  const Report *table = report_table(&n);
  g_autofree const char **names = g_new(const char *, n);
  for (guint i = 0; i < n; i++) names[i] = table[i].name;
  const char *near = nearest_word(name, names, n);
  if (near) return FAIL("--report '%s': there is no report '%s': did you mean '%s'?", given, name, near);
  return FAIL("--report '%s': there is no report '%s', but tap, junit and jsonl", given, name);
}

static bool parse_report(const char *given, WantedReport *wanted, GError **error) {
  const char *equals = strchr(given, '=');
  if (!equals || !equals[1]) return FAIL("--report '%s': NAME=FILE is wanted", given);
  g_autofree char *name = g_strndup(given, (gsize)(equals - given));
  wanted->report = report_find(name);
  wanted->path = equals + 1;
  return wanted->report || unknown_report(given, name, error);
}

GArray *reports_wanted(const Options *options, GError **error) {
  g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(WantedReport));
  for (const char *const *given = options_list(options->reports); given && *given; given++) {
    WantedReport wanted;
    if (!parse_report(*given, &wanted, error)) return NULL;
    for (guint i = 0; i < all->len; i++)
      if (g_str_equal(g_array_index(all, WantedReport, i).path, wanted.path)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--report '%s': another report goes there",
                    *given);
        return NULL;
      }
    g_array_append_val(all, wanted);
  }
  const char *bazel = bazel_says(options, "XML_OUTPUT_FILE");
  WantedReport for_bazel = {report_find("junit"), bazel};
  if (bazel) g_array_append_val(all, for_bazel);
  return g_steal_pointer(&all);
}

bool reports_take_stdout(const GArray *wanted) {
  for (guint i = 0; i < wanted->len; i++)
    if (g_str_equal(g_array_index(wanted, WantedReport, i).path, "-")) return true;
  return false;
}

bool reports_write(const GArray *wanted, const Options *options, const RunRecord *record, const char *const *events) {
  ReportOptions report_options = {.tap_version = options->tap_version, .events = events};
  bool all = true;
  for (guint i = 0; i < wanted->len; i++) {
    const WantedReport *one = &g_array_index(wanted, WantedReport, i);
    g_autoptr(GError) error = NULL;
    if (report_write_file(record, one->report, &report_options, one->path, &error)) continue;
    tell(STATUS_ENVIRONMENT, "the %s report: %s", one->report->name, error->message);
    all = false;
  }
  return all;
}
