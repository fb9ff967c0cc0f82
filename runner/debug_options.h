/* debug_options.h - what the command line and the environment want debugged: --debug, --debug-attach, --wrap, RUNNER_DEBUG.
 *
 * Made before anything is started; constant afterwards.
 */
#ifndef RUNNER_DEBUG_OPTIONS_H
#define RUNNER_DEBUG_OPTIONS_H

#include "runner/plan.h"

typedef struct DebugOptions DebugOptions;

/* debugs, attaches: "SERVER", "SERVER:PORT" or "all"; wraps: "SERVER=COMMAND..." (split as a shell would split it). Each
 * NULL: none. NULL with error: what is wrong. */
DebugOptions *debug_options_new(const char *const *debugs, const char *const *attaches, const char *const *wraps,
                                GError **error);
void debug_options_free(DebugOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DebugOptions, debug_options_free)

/* A server that was named, but is none of the plan's tests; NULL: all are. */
const char *debug_options_unknown(const DebugOptions *options, const Plan *plan);
/* Whether somebody is to sit at a debugger: then tests run one at a time. */
bool debug_options_interactive(const DebugOptions *options);
/* The same way again: " --debug 'a' --wrap 'b=c'", as a shell reads it; newly allocated, "" for nothing. */
char *debug_options_again(const DebugOptions *options);

/* Asked of one server. */
bool debug_options_wants(const DebugOptions *options, const char *server, bool *attach,
                         int *port); /* port 0: any free one */
const char *const *debug_options_wrap(const DebugOptions *options, const char *server);               /* NULL: none */
/* RUNNER_DEBUG in the environment (neither empty nor 0), for Dolt's dialect DOLT_SQL_SERVER_TEST_DEBUG too. */
bool debug_environment(const Test *test);

#endif
