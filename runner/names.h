/* names.h - what the calls in templates stand for, at the start of a test and in its steps. */
#ifndef RUNNER_NAMES_H
#define RUNNER_NAMES_H

#include "runner/node.h"

/* Who a recipe's "self", "primary" and "peer" are; members NULL outside of recipes. */
typedef struct Roles { Node *self, *primary, *peer; } Roles;

/* Where names are looked up: a test, the roles of a recipe, and variables of its own before the test's. */
typedef struct Scope {
  Cluster *cluster;
  Roles roles;
  GHashTable *own;               /* name -> char *, owned texts; may be NULL */
  const char *dir_as;            /* what {{dir "self"}} is while a template directory is being made, or NULL */
  const char *home_as;
  bool direct;                   /* ports are the servers' own, also where a link stands between */
} Scope;

/* A captured value. */
typedef struct Variable { char *bytes; gsize len; } Variable;
void variable_set(Cluster *cluster, const char *name, const char *bytes, gsize len);
const Variable *variable_get(Cluster *cluster, const char *name);
/* What a step captures: into the scope's own variables when it has some, else the test's. */
void scope_capture(Scope *scope, const char *name, const char *bytes, gsize len);

/* NULL with error: what it names is not there. A text that was not given gives NULL without error. */
char *scope_render(Scope *scope, const Text *text, gsize *len, GError **error);
/* The same for lists; NULL-terminated. */
char **scope_render_all(Scope *scope, const Texts *texts, GError **error);
/* A pattern, compiled now when it holds what only a run knows: *made (NULL before) is that one, to be freed by the caller.
 * NULL with error. */
const Pattern *scope_pattern(Scope *scope, const PatternText *wanted, PatternFlavour flavour, Pattern **made,
                             GError **error);
/* Roles first, then the test's servers; NULL with error: unknown. */
Node *scope_node(Scope *scope, const char *name, GError **error);
int cluster_port_name(Cluster *cluster, const char *name, GError **error);   /* get_port; 0: error */
/* "host=127.0.0.1 port=... user=... dbname=..." */
char *node_conninfo(Node *node, Scope *scope, GError **error);
const char *node_host(const Node *node);

#endif
