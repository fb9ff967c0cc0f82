/* template.h - {{calls}} in scalars: parsing them, and rendering them when what they name is known.
 *
 *   {{name "argument"}}   {{var x}}   {{port s1}}   {{port (var node)}}   {{get_port \"x\"}} (as YAML may leave it)
 *
 * A `{{` that does not begin a call of a known name is literal text: '{{1,2},{3,4}}' is SQL.
 *
 *   call                      gives
 *   get_port NAME             a free port, the same for the same name within a test
 *   get_tempdir NAME          a directory, the same for the same name within a test
 *   port SERVER[.EXTRA]       its port, or a further one of its `ports`
 *   host SERVER               127.0.0.1, or an external server's
 *   conninfo SERVER           libpq words: host, port, user, dbname
 *   dir SERVER                where its files are relative to
 *   data SERVER               the database's own directory, where that is not `dir`
 *   socket SERVER             a socket path short enough to be bound
 *   link NAME                 a relay's port
 *   program NAME              the path of a program, as the server's bindir and search path find it
 *   env NAME                  from the environment the run was started in
 *   var NAME                  a constant, or what a step captured
 *   each SERVERS TEXT SEP     TEXT for each member of the cluster, % standing for its SERVERS port: {{each peer "127.0.0.1:%" ","}}
 */
#ifndef YAMLDEF_TEMPLATE_H
#define YAMLDEF_TEMPLATE_H

#include "yamldef/definition.h"

/* What a call stands for, newly allocated; NULL with error set when it stands for nothing. */
typedef char *(*TemplateResolve)(TemplateCall call, guint n_args, const char *const *args, gpointer data,
                                 GError **error);

/* The text with its calls resolved; *len (may be NULL) is its length, as texts may hold NUL.  A text that was not given
 * renders to NULL without an error. */
char *text_render(const Text *text, TemplateResolve resolve, gpointer data, gsize *len, GError **error);

/* For `runner plan`: the text with its calls as they were written. */
static inline bool text_is_constant(const Text *text) { return text->n_parts == 0; }

const char *template_call_name(TemplateCall call);

#endif
