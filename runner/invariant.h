/* invariant.h - what must hold all the time: asked again and again beside a test's steps.
 *
 * Each server has a fiber of its own that asks it every so often, so that a server which does not answer slows no other's
 * samples down.  What is no answer (no session, an error, too late) is no sample, and is counted apart.  A violation does not
 * end the test at once: it is the verdict of `end_invariant`, or of the test's end, with the time of the first.
 *
 * `count` never takes answers of different moments for answers of one: a server counts from when it first gave the value to
 * when it was last asked for it, and those spans must overlap.
 */
#ifndef RUNNER_INVARIANT_H
#define RUNNER_INVARIANT_H

#include "runner/step.h"

typedef struct Invariant Invariant;

/* Begins it; owned by the cluster. */
void invariant_begin(Cluster *cluster, const InvariantStep *step, const Place *at, GPtrArray *nodes);
void invariant_free(gpointer invariant);
/* The one of this name that goes on; NULL: none. */
Invariant *invariant_find(Cluster *cluster, const char *name);
/* Ends it and says whether it held; frees it. */
bool invariant_end(Invariant *invariant, Outcome *outcome);
/* The same for all that go on; the first that did not hold is the outcome's. */
bool invariants_end_all(Cluster *cluster, Outcome *outcome);
/* Those that were violated so far, for the report of a test that failed of something else. */
void invariants_tell(Cluster *cluster, Outcome *outcome);

#endif
