/* decode.h - reads nodes into structs as the vocabulary says.
 *
 * Every problem is added to the loader and reading goes on; what could not be read stays as its defaults.
 */
#ifndef YAMLDEF_DECODE_H
#define YAMLDEF_DECODE_H

#include "yamldef/loader.h"

/* Fills *base, which the caller has set to vocabulary->defaults, from a mapping (or the value of its obvious key). */
void read_record(Loader *l, const Node *node, const Vocabulary *vocabulary, void *base);
/* One value into its field of *base. */
void read_word(Loader *l, const Node *node, const Word *word, void *base);

/* False, and a problem that calls it `what`, unless it is a mapping. */
bool want_map(Loader *l, const Node *node, const char *what);
/* Says so, with the nearest candidate, or that a comma has cut off a text. */
void unknown_key(Loader *l, const Node *map, const Node *key, const char *what, const char *const *candidates, guint n);
/* Candidates for unknown_key(): const char *. */
void add_words(GPtrArray *candidates, const Vocabulary *vocabulary);

bool read_name(Loader *l, const Node *node, const char *what, Name *out);
bool read_count(Loader *l, const Node *node, const char *what, guint64 least, guint64 most, guint64 *out);
bool read_duration(Loader *l, const Node *node, const char *what, gint64 *out);
bool read_bool(Loader *l, const Node *node, const char *what, bool *out);
bool read_pattern(Loader *l, const Node *node, const char *what, PatternText *out);

/* Lists of the model all are {guint n; const T *v}. */
void set_list(Loader *l, void *field, const GArray *from, gsize item_size);

/* expect.c: cells, results, notices, captures, entries, targets. */
void read_cell(Loader *l, const Node *node, const char *what, Cell *out);
void read_cell_pointer(Loader *l, const Node *node, const char *what, const Cell **out);
void read_result(Loader *l, const Node *node, const ResultExpectation **out);
void read_rows(Loader *l, const Node *node, ResultExpectation *out);
void read_rows_file(Loader *l, const Node *node, ResultExpectation *out);
void read_notices(Loader *l, const Node *node, NoticeExpectations *out);
void read_captures(Loader *l, const Node *node, void *field);
void read_entries(Loader *l, const Node *node, void *field);
/* Fills what only the whole mapping tells: the kind and its SQL. Pairs of other keys must have been read. */
void read_entry_kind(Loader *l, const Node *map, SqlEntry *entry);
void note_capture(Loader *l, Name name);

/* steps.c */
void read_steps(Loader *l, const Node *node, Steps *out);
void read_lanes(Loader *l, const Node *node, TogetherStep *out);
void read_sql_init(Loader *l, const Node *node, Steps *out);
void read_position(Loader *l, const Node *node, Steps *out);
void read_target(Loader *l, const Node *node, Target *out);
void read_when(Loader *l, const Node *node, When *out);

/* servers.c */
void read_server(Loader *l, const Node *node, Server *out);
void read_servers(Loader *l, const Node *node, GArray *out);
void read_ready(Loader *l, const Node *node, Ready *out);
void read_stop_modes(Loader *l, const Node *node, void *field);
/* That what is given is the name or the number of a signal, and a constant. */
void check_signal(Loader *l, const Text *signal);
void check_stop(Loader *l, const StopLadder *stop);
/* A with_file after its words were read: checks its name, finds and reads a source. */
void finish_with_file(Loader *l, WithFile *file);
/* A leading $TESTGENDIR replaced; newly allocated, NULL when it is not set. */
char *put_testgendir(Loader *l, Place at, const char *path);
/* Beside the definition, then below the current directory; newly allocated, NULL when there is none. */
char *find_source(Loader *l, Place at, const char *path);

/* looks.c */
void read_http_status(Loader *l, const Node *node, const char *what, int *out);
void read_bytes_count(Loader *l, const Node *node, const char *what, gint64 *out);
void read_json_cells(Loader *l, const Node *node, const char *what, JsonCells *out);

/* links.c */
void read_link_sides(Loader *l, const Node *node, LinkSides *out);
void read_bandwidth(Loader *l, const Node *node, const char *what, gint64 *out);
/* The links of a test, its topology's first; its servers are known. */
void read_links(Loader *l, const Node *topology, const Node *own, Test *test);

/* engine.c */
const Engine *find_engine(Loader *l, const char *name, Place at);
/* Whether this is the name of an engine, without reading it. */
bool engine_exists(Loader *l, const char *name);
const Engine *empty_engine(Loader *l);
GPtrArray *engine_names(Loader *l);
/* What Dolt's own driver does for a server. */
const Engine *dolt_driver_engine(Loader *l);

/* dolt.c */
void read_dolt_test(Loader *l, const Node *node, Test *test);

/* recipe.c: names in a profile's steps that are not self, primary or peer. */
void check_recipe(Loader *l, const Steps *steps);

/* check.c: all that is wrong with a whole test. */
void check_test(Loader *l, const Test *test);

#endif
