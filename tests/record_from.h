/* record_from.h - a record of hand-written events, for tests of what is made from records. */
#ifndef TESTS_RECORD_FROM_H
#define TESTS_RECORD_FROM_H

#include "runner/record.h"
#include <string.h>

/* Each line is `KIND` and the fields after "e": EV("begun", 1, 1, "\"dir\":\"/x\""); t counts up from 1 s by 1 ms. */
#define EV_RUN(kind, fields) "{\"v\":1,\"run\":\"r1\",\"t\":1000000,\"e\":\"" kind "\"" fields "}\n"
#define EV(kind, test, attempt, fields) \
  "{\"v\":1,\"run\":\"r1\",\"t\":2000000,\"e\":\"" kind "\",\"test\":" #test ",\"attempt\":" #attempt fields "}\n"
#define PLANNED(test, name, file, line)                                                                                \
  EV("planned", test, 1,                                                                                               \
     ",\"name\":\"" name "\",\"base_name\":\"" name "\",\"file\":\"" file "\",\"line\":" #line ",\"tags\":[]")
#define VERDICT(test, attempt, word, us, fields)                                                                       \
  EV("verdict", test, attempt, ",\"verdict\":\"" word "\",\"us\":" #us fields)

static inline void record_add(RunRecord *record, const char *lines,
                              void (*on)(const RecordChange *change, gpointer data), gpointer data) {
  g_auto(GStrv) all = g_strsplit(lines, "\n", -1);
  for (char **line = all; *line; line++) {
    RecordChange change = {0};
    if (**line && run_record_line(record, *line, strlen(*line), &change) && on) on(&change, data);
  }
}

static inline RunRecord *record_from(const char *lines) {
  RunRecord *record = run_record_new();
  record_add(record, lines, NULL, NULL);
  g_assert_cmpuint(run_record_bad_lines(record), ==, 0);
  return record;
}

#endif
