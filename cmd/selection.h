/* selection.h - from the command line to a plan: definitions loaded and found good, tests selected. */
#ifndef CMD_SELECTION_H
#define CMD_SELECTION_H

#include "cmd/options.h"
#include "runner/plan.h"

typedef struct Selection {
  GPtrArray *definitions;        /* the plan points into them */
  Plan *plan;                    /* at least one test */
  const char *shard_source;      /* the system that told the shard; NULL: none */
  guint shard, shards;
} Selection;

/* An exit status; when it is not STATUS_PASSED, all that there is to say about it has been said on stderr. */
int selection_make(const Options *options, Selection *selection);
void selection_clear(Selection *selection);

#endif
