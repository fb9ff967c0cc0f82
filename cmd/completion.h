/* completion.h - shells' completions of commands, options and their values, made from the tables of options.h. */
#ifndef CMD_COMPLETION_H
#define CMD_COMPLETION_H

#include <glib.h>

/* shell: bash or fish. */
void completion_print(const char *shell, GString *out);

#endif
