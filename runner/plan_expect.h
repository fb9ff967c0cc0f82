/* plan_expect.h - what a step expects, in lines, for `runner plan`. */
#ifndef RUNNER_PLAN_EXPECT_H
#define RUNNER_PLAN_EXPECT_H

#include "yamldef/definition.h"

/* One line for each expectation, indented; none when the step has none. */
void plan_append_expectations(GString *out, const Step *step, guint indent);

#endif
