/* Events may come from another machine, or be cut off: reading them and making reports of them must not care. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "runner/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  g_autoptr(RunRecord) record = run_record_new();
  const char *at = (const char *)bytes, *end = at + len;
  while (at < end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    const char *stop = newline ? newline : end;
    RecordChange change;
    run_record_line(record, at, (gsize)(stop - at), &change);
    at = stop + 1;
  }
  guint n = 0;
  const Report *reports = report_table(&n);
  ReportOptions options = {.tap_version = "13"};
  for (guint i = 0; i < n; i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    if (reports[i].write) reports[i].write(record, &options, out);
  }
  return 0;
}
