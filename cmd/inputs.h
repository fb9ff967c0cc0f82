/* inputs.h - the definition files that were named on the command line.
 *
 * A directory means its *.yaml and *.yml, sorted by name; a file that is named twice counts once.
 */
#ifndef CMD_INPUTS_H
#define CMD_INPUTS_H

#include "yamldef/definition.h"

/* Definition, owned, in order. NULL with error: a file that does not exist, a directory without definitions. */
GPtrArray *inputs_load(char *const *names, GError **error);
/* Prints all problems of all files into out (warnings too when asked for); gives the number of errors. */
guint inputs_problems(const GPtrArray *definitions, bool warnings, guint *n_warnings, GString *out);

#endif
