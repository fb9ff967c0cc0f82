/* report_durations.h - how long the rounds of repeated tests took (--repeat, --until-fail). */
#ifndef RUNNER_REPORT_DURATIONS_H
#define RUNNER_REPORT_DURATIONS_H

#include "runner/record.h"

/* A line for each test of which more than one round has ended; nothing for others. */
void durations_append(GString *out, const RunRecord *record);

#endif
