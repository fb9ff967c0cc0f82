/* loader.h - what the parts of the loader share while one definition is read.
 *
 * A Loader knows where it is (the file, "step 3 of test 'x'"), which constants are visible, and collects problems.  Its
 * parts call each other in this order: load.c (files, tests) -> dolt.c, servers.c, engine.c, steps.c -> expect.c ->
 * decode.c (types of the vocabulary) -> constants.c, yaml_tree.c.  check.c looks at the finished model.
 */
#ifndef YAMLDEF_LOADER_H
#define YAMLDEF_LOADER_H

#include "yamldef/problem.h"
#include "yamldef/vocab.h"
#include "yamldef/yaml_tree.h"

typedef struct Scope Scope;

/* What check.c must know and the model does not say: templates and captures, in the order in which they are met. */
typedef enum NoteKind { NOTE_TEXT, NOTE_CAPTURE, NOTE_FORGET } NoteKind;
typedef struct Note {
  NoteKind kind;
  Text text;          /* NOTE_TEXT: with parts */
  Name name;          /* NOTE_CAPTURE; NOTE_FORGET: it has no value from here on */
  bool late;          /* in a server, which may start after any step */
  const char *where;
} Note;

typedef struct Loader {
  Arena *arena;
  Problems *problems;
  GPtrArray *patterns;        /* Pattern, to be freed with the definition */
  const char *cwd;
  bool dolt;                  /* the dialect */
  bool in_engine;             /* recipes: the servers are self, primary and peer */
  bool in_server;
  PatternFlavour flavour;
  GPtrArray *where;           /* char *, outermost first */
  const Scope *scope, *file_scope;
  GHashTable *engines;        /* name -> const Node, of the file and its includes */
  GHashTable *decoded;        /* name -> const Engine, or NULL for a broken one */
  GHashTable *topologies, *procedures; /* name -> const Node */
  GPtrArray *calling;         /* names of procedures, outermost first */
  GArray *notes;              /* Note, of the test being read */
  guint n_steps;              /* of the test being read, after expansion */
  bool full;                  /* too much was made of it: said, and nothing more is read */
  guint n_errors_before;      /* the test being read */
  GArray *tests;              /* Test */
} Loader;

/* ---- Saying what is wrong: printf-like; hint may be NULL --------------------------------------------------------- */

void complain(Loader *l, Place at, const char *hint, const char *format, ...) G_GNUC_PRINTF(4, 5);
void doubt(Loader *l, Place at, const char *hint, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* Adds "step 3" to where we are; leave() takes it off again. */
void enter(Loader *l, const char *format, ...) G_GNUC_PRINTF(2, 3);
void leave(Loader *l);
/* "in step 3 of test 'x'", of the loader's arena; NULL at the top. */
const char *where_now(Loader *l);
/* Candidates for did_you_mean(): a table's keys, const char *. */
GPtrArray *keys_of(GHashTable *table);
/* "did you mean 'x'?" or NULL; newly allocated. */
char *did_you_mean(const char *word, const char *const *candidates, guint n);

/* ---- Constants (constants.c) ------------------------------------------------------------------------------------- */

/* A scope on top of another one; names are added in turn. Freed with the arena. */
const Scope *scope_push(Loader *l);
void scope_pop(Loader *l);
void scope_add(Loader *l, const char *name, const Node *value);
/* `case.port` looks into a mapping, `list.0` into a list; NULL: no such constant. */
const Node *scope_find(const Scope *scope, const char *name);
/* Every `name: value` of a mapping, each seeing those before it. */
void scope_add_all(Loader *l, const Node *map);

/* A scalar that is one {{var x}} of a constant: the constant; else the node itself. */
const Node *resolve(Loader *l, const Node *node);
/* The same for all below it, so that it means the same in any scope. */
const Node *close_over(Loader *l, const Node *node);
/* The items of a list, constants resolved and list constants spliced in; a node that is no list is the one item,
 * and nothing at all (`key:`) an empty list. */
const Node *const *items_of(Loader *l, const Node *node, guint *n);

/* False, and once a problem, when calls, rounds, matrices and constants make more of a file than any test needs, or nest
 * deeper: files are bounded, and what they expand to must be too. */
bool has_room(Loader *l, Place at);

/* A scalar's text.  False, and a problem, when it is no scalar; `what` is the key it belongs to. */
bool read_text(Loader *l, const Node *node, const char *what, Text *out);
/* The same for what must be known at load; NULL when it is not. */
const char *read_constant(Loader *l, const Node *node, const char *what);

#endif
