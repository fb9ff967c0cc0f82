/* options.h - the command line: one constant table of commands and options, and what was given.
 *
 * --help, the manual page and the shells' completions are made from the tables (help.h, completion.h), so they cannot
 * differ from what is parsed.  An option that a command does not use is an error, not ignored.  File names are bytes.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <glib.h>
#include <stdbool.h>

typedef struct Options Options;

typedef enum CommandBit {
  CMD_RUN = 1 << 0, CMD_CHECK = 1 << 1, CMD_LIST = 1 << 2, CMD_PLAN = 1 << 3, CMD_REPORT = 1 << 4, CMD_CLEANUP = 1 << 5,
  CMD_HELP = 1 << 6, CMD_SCHEMA = 1 << 7,
  CMD_ALL = (1 << 7) - 1,
} CommandBit;

typedef struct Subcommand {
  const char *name;
  CommandBit bit;
  const char *arguments;         /* "FILE|DIR...", "" for none */
  guint least, most;             /* how many */
  const char *help;              /* one line */
  int (*run)(const Options *options);    /* gives the exit status */
} Subcommand;

typedef enum OptionKind {
  OPTION_FLAG,
  OPTION_COUNTED,
  OPTION_NUMBER,
  OPTION_FACTOR,
  OPTION_TEXT,
  OPTION_LIST
} OptionKind;

typedef struct Option {
  const char *name;              /* without the dashes */
  char letter;                   /* 0: none */
  OptionKind kind;
  const char *value;             /* how its value is called, NULL: it has none */
  const char *words;             /* the values it may have, separated by |; NULL: any */
  int commands;                  /* CommandBits it belongs to */
  gsize field;                   /* in Options */
  gint64 least, most;            /* NUMBER */
  const char *help;              /* one line */
} Option;

struct Options {
  const Subcommand *command;
  const char *program;           /* argv[0] */
  char **argv;                   /* all of it */
  char **sorted;                 /* argv from the command on, options first */
  char **files;                  /* what stands beside options; NULL-terminated */
  bool help, version;
  gint64 jobs, repeat, retries, seed;    /* seed -1: not given */
  double timeout_scale;
  bool until_fail, fail_fast, keep, require_all, man;
  gint64 verbose;
  const char *shard, *user, *tap_version, *colour, *completion;
  GPtrArray *debugs, *attaches, *wraps;
  GPtrArray *tests, *tags, *skip_tags, *sets, *reports;    /* char *, borrowed, NULL-terminated once parsed */
};

const Subcommand *command_table(guint *n);
const Option *option_table(guint *n);
const Subcommand *command_find(const char *name);

/* NULL with error set: what is wrong, and what may have been meant. argv must outlive it. */
Options *options_parse(int argc, char **argv, GError **error);
void options_free(Options *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

/* A list option's values, NULL when it was not given. */
const char *const *options_list(const GPtrArray *list);

#endif
