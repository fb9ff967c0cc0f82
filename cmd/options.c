#include "cmd/options.h"
#include "cmd/commands.h"
#include "yamldef/problem.h"
#include <getopt.h>
#include <stddef.h>
#include <string.h>

static const Subcommand commands[] = {
    {"run", CMD_RUN, "FILE|DIR...", 1, G_MAXUINT, "Run tests; what is done when no command is named.", cmd_run},
    {"check", CMD_CHECK, "FILE|DIR...", 1, G_MAXUINT, "Look for mistakes in definitions; nothing is started.",
     cmd_check},
    {"list", CMD_LIST, "FILE|DIR...", 1, G_MAXUINT, "List the tests that would run.", cmd_list},
    {"plan", CMD_PLAN, "FILE|DIR...", 1, G_MAXUINT,
     "Print what would run: servers, files and steps, as far as it can be known.", cmd_plan},
    {"report", CMD_REPORT, "EVENTS...", 1, G_MAXUINT,
     "Make reports of recorded runs (--report jsonl=FILE), several merged into one.", cmd_report},
    {"cleanup", CMD_CLEANUP, "", 0, 0, "End what runs that were killed have left behind.", cmd_cleanup},
    {"schema", CMD_SCHEMA, "", 0, 0, "Print a JSON Schema of definitions, for editors.", cmd_schema},
    {"help", CMD_HELP, "[COMMAND]", 0, 1, "Explain a command; print the manual page or a shell's completion.",
     cmd_help},
};

#define SELECTING (CMD_RUN | CMD_LIST | CMD_PLAN)
#define FIELD(name) offsetof(Options, name)

static const Option options_known[] = {
    {"test", 't', OPTION_LIST, "GLOB|/RE/", NULL, SELECTING, FIELD(tests), 0, 0,
     "Only tests whose name matches: * and ? in a glob, or a regular expression. May be repeated."},
    {"tag", 0, OPTION_LIST, "TAG", NULL, SELECTING, FIELD(tags), 0, 0, "Only tests with this tag, or one of these."},
    {"skip-tag", 0, OPTION_LIST, "TAG", NULL, SELECTING, FIELD(skip_tags), 0, 0, "No test with this tag."},
    {"shard", 0, OPTION_TEXT, "I/N|auto", NULL, SELECTING, FIELD(shard), 0, 0,
     "Every N-th test, from the I-th on; auto: as the CI system or job array tells."},
    {"repeat", 0, OPTION_NUMBER, "N", NULL, SELECTING, FIELD(repeat), 1, 1000000, "Each test N times."},
    {"jobs", 'j', OPTION_NUMBER, "N", NULL, CMD_RUN, FIELD(jobs), 1, 4096,
     "N tests at once. Without it: as many as the machine bears."},
    {"until-fail", 0, OPTION_FLAG, NULL, NULL, CMD_RUN, FIELD(until_fail), 0, 0,
     "Again and again until a test fails: 1000 times at most, or as --repeat says."},
    {"retries", 0, OPTION_NUMBER, "N", NULL, CMD_RUN, FIELD(retries), 0, 1000,
     "A failed test gets N more tries; one that then passes is flaky, and said to be."},
    {"fail-fast", 0, OPTION_FLAG, NULL, NULL, CMD_RUN, FIELD(fail_fast), 0, 0,
     "Begin no further test after a failure."},
    {"require-all", 0, OPTION_FLAG, NULL, NULL, CMD_RUN, FIELD(require_all), 0, 0,
     "A test that would be skipped for a missing program fails."},
    {"timeout-scale", 0, OPTION_FACTOR, "X", NULL, CMD_RUN, FIELD(timeout_scale), 0, 0,
     "Stretch all limits by this factor."},
    {"set", 0, OPTION_LIST, "ENGINE.KEY=VALUE", NULL, CMD_RUN, FIELD(sets), 0, 0,
     "A setting for all servers of an engine."},
    {"user", 0, OPTION_TEXT, "NAME", NULL, CMD_RUN, FIELD(user), 0, 0,
     "Who servers and commands run as when runner is started by root."},
    {"seed", 0, OPTION_NUMBER, "N", NULL, CMD_RUN, FIELD(seed), 0, G_MAXINT64,
     "The beginning of what is random in a run, to have the same again."},
    {"debug", 0, OPTION_LIST, "SERVER[:PORT]|all", NULL, CMD_RUN, FIELD(debugs), 0, 0,
     "Start this server under its debugger (dlv, gdbserver, ...), which waits for a client; no limit counts. May be "
     "repeated."},
    {"debug-attach", 0, OPTION_LIST, "SERVER[:PORT]|all", NULL, CMD_RUN, FIELD(attaches), 0, 0,
     "Let a debugger's client attach to this server at any time; it runs until then. May be repeated."},
    {"wrap", 0, OPTION_LIST, "SERVER=COMMAND", NULL, CMD_RUN, FIELD(wraps), 0, 0,
     "Start this server (or all) by a command before its own: valgrind, strace, rr record. May be repeated."},
    {"keep", 0, OPTION_FLAG, NULL, NULL, CMD_RUN, FIELD(keep), 0, 0, "Keep the directories of passed tests too."},
    {"report", 0, OPTION_LIST, "NAME=FILE", NULL, CMD_RUN | CMD_REPORT, FIELD(reports), 0, 0,
     "Write a report: tap, junit or jsonl; - is stdout. May be repeated."},
    {"tap-version", 0, OPTION_TEXT, "13|14", "13|14", CMD_RUN | CMD_REPORT, FIELD(tap_version), 0, 0,
     "Of the tap report: 13, which prove reads, unless said."},
    {"color", 0, OPTION_TEXT, "WHEN", "auto|always|never", CMD_RUN | CMD_REPORT, FIELD(colour), 0, 0,
     "auto (on a terminal), always or never."},
    {"verbose", 'v', OPTION_COUNTED, NULL, NULL, CMD_RUN | CMD_REPORT, FIELD(verbose), 0, 0, "Say each step too."},
    {"man", 0, OPTION_FLAG, NULL, NULL, CMD_HELP, FIELD(man), 0, 0, "Print the manual page, for man -l."},
    {"completion", 0, OPTION_TEXT, "SHELL", "bash|fish", CMD_HELP, FIELD(completion), 0, 0,
     "Print the completion for a shell: bash or fish."},
    {"help", 'h', OPTION_FLAG, NULL, NULL, CMD_ALL, FIELD(help), 0, 0, "Explain the command."},
    {"version", 0, OPTION_FLAG, NULL, NULL, CMD_ALL, FIELD(version), 0, 0, "Print the version."},
};

const Subcommand *command_table(guint *n) {
  *n = G_N_ELEMENTS(commands);
  return commands;
}

const Option *option_table(guint *n) {
  *n = G_N_ELEMENTS(options_known);
  return options_known;
}

const Subcommand *command_find(const char *name) {
  for (guint i = 0; name && i < G_N_ELEMENTS(commands); i++)
    if (g_str_equal(commands[i].name, name)) return &commands[i];
  return NULL;
}

/* ---- Parsing */

#define FAIL(...) (g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, __VA_ARGS__), false)

static bool is_word(const char *words, const char *value) {
  g_auto(GStrv) known = g_strsplit(words, "|", -1);
  return g_strv_contains((const char *const *)known, value);
}

static bool take_value(Options *options, const Option *option, char *value, GError **error) {
  void *field = (char *)options + option->field;
  switch (option->kind) {
  case OPTION_FLAG: *(bool *)field = true; return true;
  case OPTION_COUNTED: ++*(gint64 *)field; return true;
  case OPTION_LIST: g_ptr_array_add(*(GPtrArray **)field, value); return true;
  case OPTION_TEXT:
    if (option->words && !is_word(option->words, value))
      return FAIL("--%s '%s': one of %s is wanted", option->name, value, option->words);
    *(const char **)field = value;
    return true;
  case OPTION_NUMBER:
    if (g_ascii_string_to_signed(value, 10, option->least, option->most, field, NULL)) return true;
    if (option->most == G_MAXINT64) return FAIL("--%s '%s': a whole number is wanted", option->name, value);
    return FAIL("--%s '%s': a whole number from %d to %d is wanted", option->name, value, (int)option->least,
                (int)option->most);
  case OPTION_FACTOR: {
    char *end;
    double factor = g_ascii_strtod(value, &end);
    if (end == value || *end || !(factor >= 0.01 && factor <= 1000))
      return FAIL("--%s '%s': a number from 0.01 to 1000 is wanted", option->name, value);
    *(double *)field = factor;
    return true;
  }
  }
  return false;
}

static bool unknown_option(const char *given, GError **error) {
  const char *names[G_N_ELEMENTS(options_known)];
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++) names[i] = options_known[i].name;
  g_autofree char *word = g_strndup(given + 2, strcspn(given + 2, "="));
  const char *near = nearest_word(word, names, G_N_ELEMENTS(names));
  if (near) return FAIL("unknown option '--%s': did you mean '--%s'?", word, near);
  return FAIL("unknown option '--%s'", word);
}

/* What getopt_long() wants to know, made from the table; val is the index plus one. */
typedef struct GetoptWords {
  struct option longs[G_N_ELEMENTS(options_known) + 1];
  char shorts[2 * G_N_ELEMENTS(options_known) + 2];
} GetoptWords;

static void getopt_words(GetoptWords *words) {
  *words = (GetoptWords){0};
  char *p = words->shorts;
  *p++ = ':';                    /* a missing value is ':', not '?' */
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++) {
    const Option *option = &options_known[i];
    words->longs[i] =
        (struct option){option->name, option->value ? required_argument : no_argument, NULL, 256 + (int)i};
    if (!option->letter) continue;
    *p++ = option->letter;
    if (option->value) *p++ = ':';
  }
}

static const Option *option_of(int found) {
  if (found >= 256) return &options_known[found - 256];
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++)
    if (options_known[i].letter == found) return &options_known[i];
  return NULL;
}

/* getopt_long() told ':' or '?'; before is the argument before the one that is next: the one it speaks of, when that is
 * long. */
static bool bad_option(int found, const char *before, GError **error) {
  const Option *option = optopt ? option_of(optopt) : NULL;
  if (!optopt) return unknown_option(before, error);
  if (!option) return FAIL("unknown option '-%c'", optopt);
  if (found == '?') return FAIL("--%s has no value", option->name);
  return FAIL("--%s: a value is wanted: %s", option->name, option->value);
}

static bool take_option(Options *options, int found, GError **error) {
  if (found == ':' || found == '?') return bad_option(found, options->sorted[optind - 1], error);
  const Option *option = option_of(found);
  if (!(option->commands & options->command->bit))
    return FAIL("--%s is no option of 'runner %s'", option->name, options->command->name);
  return take_value(options, option, optarg, error);
}

static bool take_arguments(Options *options, char **files, GError **error) {
  guint n = g_strv_length(files);
  const Subcommand *command = options->command;
  options->files = files;
  if (options->help || options->version) return true;
  if (n < command->least) return FAIL("'runner %s' wants %s", command->name, command->arguments);
  if (n > command->most && !command->most) return FAIL("'runner %s' takes no arguments: '%s'", command->name, files[0]);
  if (n > command->most) return FAIL("'runner %s': one argument too many: '%s'", command->name, files[command->most]);
  return true;
}

static void end_lists(Options *options) {
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++)
    if (options_known[i].kind == OPTION_LIST)
      g_ptr_array_add(*(GPtrArray **)((char *)options + options_known[i].field), NULL);
}

static Options *options_new(int argc, char **argv) {
  Options *options = g_new0(Options, 1);
  options->program = argv[0];
  options->argv = argv;
  options->seed = -1;
  options->timeout_scale = 1;
  options->tap_version = "13";
  options->colour = "auto";
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++)
    if (options_known[i].kind == OPTION_LIST)
      *(GPtrArray **)((char *)options + options_known[i].field) = g_ptr_array_new();
  options->command = argc > 1 ? command_find(argv[1]) : NULL;
  return options;
}

Options *options_parse(int argc, char **argv, GError **error) {
  g_autoptr(Options) options = options_new(argc, argv);
  bool named = options->command != NULL;
  if (!named) options->command = &commands[0];
  GetoptWords words;
  getopt_words(&words);
  /* getopt_long() sorts its argv; what is recorded of the run is the one that was given. */
  options->sorted = g_memdup2(argv + named, (gsize)(argc + 1 - named) * sizeof *argv);
  optind = 0;
  opterr = 0;
  for (int found; (found = getopt_long(argc - named, options->sorted, words.shorts, words.longs, NULL)) >= 0;)
    if (!take_option(options, found, error)) return NULL;
  if (!take_arguments(options, options->sorted + optind, error)) return NULL;
  end_lists(options);
  return g_steal_pointer(&options);
}

void options_free(Options *options) {
  if (!options) return;
  for (guint i = 0; i < G_N_ELEMENTS(options_known); i++)
    if (options_known[i].kind == OPTION_LIST)
      g_ptr_array_unref(*(GPtrArray **)((char *)options + options_known[i].field));
  g_free(options->sorted);
  g_free(options);
}

const char *const *options_list(const GPtrArray *list) {
  return list->len > 1 ? (const char *const *)list->pdata : NULL;
}
