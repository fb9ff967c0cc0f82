/* cache.h - what an engine's `create` makes (initdb, a bootstrap), made once per program and settings, copied for each server.
 *
 * Below $XDG_CACHE_HOME/runner (else ~/.cache/runner, else the run's directory): one directory per key, which is a hash of the
 * commands, their input, the programs' paths, sizes and times, and the user.  Made under a temporary name and renamed, locked
 * meanwhile, so that many runners share it; a read-only home costs only the sharing.
 */
#ifndef RUNNER_CACHE_H
#define RUNNER_CACHE_H

#include "runner/node.h"

/* Fills `to` (an existing, empty directory of the node's) as the node's engine creates it. */
bool cache_create(Node *node, const char *to, Deadline limit, Outcome *outcome);

#endif
