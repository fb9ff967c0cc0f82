/* help.h - what --help prints and the manual page, made from the tables of options.h. */
#ifndef CMD_HELP_H
#define CMD_HELP_H

#include "cmd/options.h"
#include <stdio.h>

/* The short form, for a command line that says nothing. */
void help_usage(FILE *to);
/* Each prints to stdout and gives an exit status. whole: of the program, not only of this command. */
int help_version(void);
int help_command(const Subcommand *command, bool whole);
int help_man(void);

#endif
