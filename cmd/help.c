#include "cmd/help.h"
#include "cmd/commands.h"
#include <string.h>

#define WIDTH 79
#define COLUMN 26

static const char *const examples[][2] = {
  {"runner testdefs", "Run all definitions of a directory."},
  {"runner -t 'failover*' --repeat 20 --fail-fast failover.yaml", "Look for a test that fails sometimes."},
  {"runner --report junit=report.xml --shard auto testdefs", "In a CI job, one of several."},
  {"runner --report tap=- testdefs >run.tap", "TAP on stdout; what a person reads goes to stderr."},
  {"runner report --report junit=all.xml a.jsonl b.jsonl", "One report of several machines' runs."},
  {"runner check testdefs", "Look for mistakes; start nothing."},
};

static const char *const statuses[][2] = {
  {"0", "all tests passed (or were skipped)"},
  {"1", "a test failed"},
  {"2", "the command line or a definition is wrong; nothing was started"},
  {"3", "the environment: a full disk, a report that could not be written, a fault of runner's own"},
  {"4", "no test was selected"},
};

static const char *const environment[][2] = {
    {"NO_COLOR", "Not empty: no colour, where --color is not given."},
    {"FORCE_COLOR, CLICOLOR_FORCE", "Not empty and not 0: colour, also where the output is no terminal."},
    {"TERM", "dumb: no colour and nothing is redrawn."},
    {"COLUMNS", "The width to write for, where the terminal does not tell."},
    {"TMPDIR", "Below it each test gets its directory; /tmp when unset."},
    {"XDG_CACHE_HOME", "Below it fresh data directories are kept to be copied; ~/.cache when unset."},
    {"XDG_RUNTIME_DIR", "Below it runs are registered, for runner cleanup."},
    {"SUDO_UID", "Who servers run as when root started runner through sudo."},
    {"TEST_SHARD_INDEX, TEST_TOTAL_SHARDS, TEST_SHARD_STATUS_FILE", "Bazel's, for --shard auto."},
    {"XML_OUTPUT_FILE, TESTBRIDGE_TEST_ONLY",
     "Bazel's, with --shard auto: a JUnit report goes there, only matching tests run."},
    {"CI_NODE_INDEX, CI_NODE_TOTAL", "GitLab's, for --shard auto."},
    {"CIRCLE_NODE_INDEX, CIRCLE_NODE_TOTAL", "CircleCI's, for --shard auto."},
    {"BUILDKITE_PARALLEL_JOB, BUILDKITE_PARALLEL_JOB_COUNT", "Buildkite's, for --shard auto."},
    {"SLURM_ARRAY_TASK_ID, _COUNT, _MIN, _STEP", "Slurm's job arrays, for --shard auto."},
    {"JOB_COMPLETION_INDEX", "Kubernetes' indexed jobs, for --shard auto/N."},
    {"AWS_BATCH_JOB_ARRAY_INDEX, AWS_BATCH_JOB_ARRAY_SIZE", "AWS Batch's array jobs, for --shard auto."},
};

static const char *const files[][2] = {
  {"*.yaml, *.yml", "Definitions; a directory on the command line means those in it, sorted by name."},
  {"$TMPDIR/runner-*", "The directory of a run; what is left of it after a failure is named in the report."},
};

static const char description[] = "runner starts clusters of real database servers as definition files describe them, "
                                  "runs SQL and faults against them, "
                                  "and says for each test what held, what did not, and why.";

/* ---- Plain text */

/* Text in a column of its own, broken between words. */
static void wrap(GString *out, const char *text, guint indent, guint at) {
  g_auto(GStrv) words = g_strsplit(text, " ", -1);
  for (guint i = 0; words[i]; i++) {
    guint len = (guint)g_utf8_strlen(words[i], -1);
    if (i && at + 1 + len > WIDTH) {
      g_string_append_printf(out, "\n%*s", indent, "");
      at = indent;
    } else if (i) {
      g_string_append_c(out, ' ');
      at++;
    }
    g_string_append(out, words[i]);
    at += len;
  }
  g_string_append_c(out, '\n');
}

static void entry(GString *out, const char *term, const char *text) {
  if (strlen(term) + 4 > COLUMN) g_string_append_printf(out, "  %s\n%*s", term, COLUMN, "");
  else g_string_append_printf(out, "  %-*s", COLUMN - 2, term);
  wrap(out, text, COLUMN, COLUMN);
}

/* "-t, --test=GLOB|/RE/" */
static char *option_term(const Option *option) {
  g_autofree char *letter = option->letter ? g_strdup_printf("-%c, ", option->letter) : g_strdup("    ");
  return g_strconcat(letter, "--", option->name, option->value ? " " : "", option->value ? option->value : "", NULL);
}

static void append_options(GString *out, int commands) {
  guint n;
  const Option *table = option_table(&n);
  g_string_append(out, "\nOptions:\n");
  for (guint i = 0; i < n; i++) {
    if (!(table[i].commands & commands)) continue;
    g_autofree char *term = option_term(&table[i]);
    entry(out, term, table[i].help);
  }
}

static void append_commands(GString *out) {
  guint n;
  const Subcommand *table = command_table(&n);
  g_string_append(out, "\nCommands:\n");
  for (guint i = 0; i < n; i++) {
    g_autofree char *term = g_strconcat(table[i].name, *table[i].arguments ? " " : "", table[i].arguments, NULL);
    entry(out, term, table[i].help);
  }
}

static void append_examples(GString *out) {
  g_string_append(out, "Examples:\n");
  for (guint i = 0; i < G_N_ELEMENTS(examples); i++)
    g_string_append_printf(out, "  %s\n      %s\n", examples[i][0], examples[i][1]);
}

static void append_usage(GString *out, const Subcommand *command, bool whole) {
  const char *open = whole ? "[" : "", *close = whole ? "]" : "", *space = *command->arguments ? " " : "";
  g_string_append_printf(out, "usage: runner %s%s%s [OPTIONS]%s%s\n", open, command->name, close, space,
                         command->arguments);
}

void help_usage(FILE *to) {
  fputs("usage: runner [run] [OPTIONS] FILE|DIR...\n"
        "       runner check|list|plan FILE|DIR...\n"
        "runner --help explains more.\n", to);
}

int help_version(void) {
  g_autoptr(GString) out = g_string_new("runner " VERSION "\n");
  return print_result(out, STATUS_PASSED);
}

int help_command(const Subcommand *command, bool whole) {
  g_autoptr(GString) out = g_string_new(NULL);
  append_usage(out, command, whole);
  g_string_append_c(out, '\n');
  if (whole) {
    append_examples(out);
    append_commands(out);
    append_options(out, command->bit);
    g_string_append(out, "\nExit status:\n");
    for (guint i = 0; i < G_N_ELEMENTS(statuses); i++)
      g_string_append_printf(out, "  %s  %s\n", statuses[i][0], statuses[i][1]);
  } else {
    wrap(out, command->help, 0, 0);
    append_options(out, command->bit);
  }
  return print_result(out, STATUS_PASSED);
}

/* ---- The manual page */

/* roff reads \ anywhere, . and ' at the beginning of a line, and takes - for a hyphen. */
static void roff(GString *out, const char *text) {
  if (*text == '.' || *text == '\'') g_string_append(out, "\\&");
  for (; *text; text++) switch (*text) {
    case '\\': g_string_append(out, "\\e"); break;
    case '-': g_string_append(out, "\\-"); break;
    case '\'': g_string_append(out, "\\(aq"); break;
    case '~': g_string_append(out, "\\(ti"); break;
    default: g_string_append_c(out, *text);
    }
}

static void roff_entry(GString *out, const char *term, const char *text) {
  g_string_append(out, ".TP\n\\fB");
  roff(out, term);
  g_string_append(out, "\\fR\n");
  roff(out, text);
  g_string_append_c(out, '\n');
}

static void roff_pairs(GString *out, const char *section, const char *const (*pairs)[2], guint n) {
  g_string_append_printf(out, ".SH %s\n", section);
  for (guint i = 0; i < n; i++) roff_entry(out, pairs[i][0], pairs[i][1]);
}

static void roff_commands(GString *out) {
  guint n;
  const Subcommand *table = command_table(&n);
  g_string_append(out, ".SH COMMANDS\n");
  for (guint i = 0; i < n; i++) {
    g_autofree char *term =
        g_strconcat("runner ", table[i].name, *table[i].arguments ? " " : "", table[i].arguments, NULL);
    roff_entry(out, term, table[i].help);
  }
}

/* "run, list, plan" */
static char *commands_of(const Option *option) {
  guint n;
  const Subcommand *table = command_table(&n);
  GString *names = g_string_new(NULL);
  for (guint i = 0; i < n; i++)
    if (table[i].bit & option->commands) g_string_append_printf(names, "%s%s", names->len ? ", " : "", table[i].name);
  return g_string_free(names, FALSE);
}

static void roff_options(GString *out) {
  guint n;
  const Option *table = option_table(&n);
  g_string_append(out, ".SH OPTIONS\nIn brackets: the commands that know it.\n");
  for (guint i = 0; i < n; i++) {
    g_autofree char *term = option_term(&table[i]), *commands = commands_of(&table[i]);
    g_autofree char *text = table[i].commands == CMD_ALL ? g_strdup(table[i].help)
                                                         : g_strdup_printf("%s (%s)", table[i].help, commands);
    roff_entry(out, g_strchug(term), text);
  }
}

int help_man(void) {
  g_autoptr(GString) out =
      g_string_new(".TH RUNNER 1 \"\" \"runner " VERSION "\" \"User commands\"\n"
                   ".SH NAME\nrunner \\- tests replicated database clusters, written in YAML\n"
                   ".SH SYNOPSIS\n.B runner\n[\\fBrun\\fR] [\\fIOPTIONS\\fR] \\fIFILE\\fR|\\fIDIR\\fR...\n.br\n"
                   ".B runner\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n"
                   ".SH DESCRIPTION\n");
  roff(out, description);
  g_string_append_c(out, '\n');
  roff_commands(out);
  roff_options(out);
  roff_pairs(out, "EXIT STATUS", statuses, G_N_ELEMENTS(statuses));
  g_string_append(out, ".PP\nA run that a signal ended (SIGINT, SIGTERM, SIGHUP) stops all servers, writes its reports "
                       "and ends by that signal.\n");
  roff_pairs(out, "ENVIRONMENT", environment, G_N_ELEMENTS(environment));
  roff_pairs(out, "FILES", files, G_N_ELEMENTS(files));
  roff_pairs(out, "EXAMPLES", examples, G_N_ELEMENTS(examples));
  return print_result(out, STATUS_PASSED);
}
