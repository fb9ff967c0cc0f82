/* check.h - what check.c and check_steps.c share while one test is checked. */
#ifndef YAMLDEF_CHECK_H
#define YAMLDEF_CHECK_H

#include "yamldef/decode.h"

typedef struct Check {
  Loader *l;
  const Test *test;
  GHashTable *used;         /* Server *, Link *: something speaks of it */
  GHashTable *step_names;   /* char *: of the steps so far */
  GHashTable *sessions;     /* char * -> SessionUse *: open now */
  GPtrArray *opened;        /* SessionUse *: all there ever were */
  GHashTable *backgrounds;  /* char *: not awaited so far */
  GHashTable *workloads;    /* char * -> const WorkloadStep *: begun, not stopped so far */
  GHashTable *invariants;   /* char *: begun, not ended so far */
  bool repeats;             /* within a frame with `within` or `stays` */
} Check;

typedef struct SessionUse { Name name; const char *server; guint uses; } SessionUse;

/* check_looks.c */
void check_http(Check *c, const HttpStep *http);
void check_file(Check *c, const Step *step);
/* NULL, and a problem with a hint, when no server has this name. */
const Server *use_server(Check *c, Name name);
/* "the engine 'x'": for messages. */
const char *engine_title(Loader *l, const Engine *engine);
/* The servers it names, and that they can be asked. */
void check_target(Check *c, const Target *target);
/* check_load.c */
void check_latency(Check *c, const LatencyExpectation *latency);
void check_workload(Check *c, const Step *step);
void check_look(Check *c, const Step *step);
void check_invariant(Check *c, const Step *step);
void check_end_invariant(Check *c, const Step *step);
/* Workloads that nothing has stopped. */
void check_stopped(Check *c);
/* check_links.c */
const Link *find_link(const Test *test, const char *name);
char *link_hint(const Test *test, const char *name);   /* "did you mean 'x'?" or NULL, newly allocated */
void check_links(Check *c);
void check_link_step(Check *c, const Step *step);
void warn_unused_links(Check *c);
/* Steps of a test in order, then those of `finally`. */
void check_steps(Check *c, const Steps *steps);

#endif
