/* bazel.h - what Bazel tells a test beside its shard, heeded with --shard auto:
 *
 *   TEST_SHARD_STATUS_FILE   to be touched by a test that knows of shards
 *   XML_OUTPUT_FILE          where a JUnit report is wanted
 *   TESTBRIDGE_TEST_ONLY     --test_filter: taken as -t, when no -t is given
 */
#ifndef CMD_BAZEL_H
#define CMD_BAZEL_H

#include "cmd/options.h"

/* The value of such a variable; NULL without --shard auto, or when it is unset or empty. */
const char *bazel_says(const Options *options, const char *variable);

#endif
