#include "cmd/completion.h"
#include "cmd/options.h"
#include <string.h>

static void append_command_names(GString *out) {
  guint n;
  const Subcommand *table = command_table(&n);
  for (guint i = 0; i < n; i++) g_string_append_printf(out, "%s%s", i ? " " : "", table[i].name);
}

static void append_option_names(GString *out, int commands) {
  guint n;
  const Option *table = option_table(&n);
  gsize before = out->len;
  for (guint i = 0; i < n; i++)
    if (table[i].commands & commands)
      g_string_append_printf(out, "%s--%s", out->len > before ? " " : "", table[i].name);
}

/* a|b|c as words of the shell */
static char *spaced(const char *words) {
  char *copy = g_strdup(words);
  return g_strdelimit(copy, "|", ' ');
}

/* Single quotes end at a single quote; it is closed, written and opened again. */
static char *quoted(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, "'", -1);
  g_autofree char *joined = g_strjoinv("'\\''", parts);
  return g_strdup_printf("'%s'", joined);
}

/* ---- bash */

static void bash_values(GString *out) {
  guint n;
  const Option *table = option_table(&n);
  g_string_append(out, "  case \"$before\" in\n");
  for (guint i = 0; i < n; i++) {
    if (!table[i].value) continue;
    g_autofree char *words = table[i].words ? spaced(table[i].words) : NULL;
    g_string_append_printf(out, "  --%s", table[i].name);
    if (table[i].letter) g_string_append_printf(out, "|-%c", table[i].letter);
    if (words) g_string_append_printf(out, ") COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", words);
    else g_string_append(out, ") return;;\n");
  }
  g_string_append(out, "  esac\n");
}

static void bash(GString *out) {
  guint n;
  const Subcommand *table = command_table(&n);
  g_string_append(
      out, "_runner() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\" options\n"
           "  COMPREPLY=()\n");
  bash_values(out);
  g_string_append(out, "  case \"${COMP_WORDS[1]}\" in\n");
  for (guint i = 0; i < n; i++) {
    g_string_append_printf(out, "  %s) options='", table[i].name);
    append_option_names(out, table[i].bit);
    g_string_append(out, "';;\n");
  }
  g_string_append(out, "  *) options='");
  append_option_names(out, CMD_RUN);
  g_string_append(out, "';;\n  esac\n  if [[ $word == -* ]]; then\n    COMPREPLY=($(compgen -W \"$options\" -- "
                       "\"$word\"))\n    return\n  fi\n"
                       "  COMPREPLY=($(compgen -f -- \"$word\"))\n"
                       "  if [[ $COMP_CWORD == 1 || ${COMP_WORDS[1]} == help ]]; then\n    COMPREPLY+=($(compgen -W '");
  append_command_names(out);
  g_string_append(out, "' -- \"$word\"))\n  fi\n}\ncomplete -o filenames -F _runner runner\n");
}

/* ---- fish */

static void fish_condition(GString *out, int commands) {
  guint n;
  const Subcommand *table = command_table(&n);
  if (commands == CMD_ALL) return;
  g_string_append(out, " -n '");
  if (commands & CMD_RUN) {
    g_string_append(out, "not __fish_seen_subcommand_from ");
    for (guint i = 0; i < n; i++)
      if (!(table[i].bit & commands)) g_string_append_printf(out, "%s ", table[i].name);
  } else {
    g_string_append(out, "__fish_seen_subcommand_from ");
    for (guint i = 0; i < n; i++)
      if (table[i].bit & commands) g_string_append_printf(out, "%s ", table[i].name);
  }
  out->str[out->len - 1] = '\'';
}

static void fish(GString *out) {
  guint n;
  const Subcommand *commands = command_table(&n);
  for (guint i = 0; i < n; i++) {
    g_autofree char *help = quoted(commands[i].help);
    g_string_append_printf(out, "complete -c runner -n __fish_use_subcommand -a %s -d %s\n", commands[i].name, help);
  }
  const Option *options = option_table(&n);
  for (guint i = 0; i < n; i++) {
    g_autofree char *help = quoted(options[i].help), *words = options[i].words ? spaced(options[i].words) : NULL;
    g_string_append(out, "complete -c runner");
    fish_condition(out, options[i].commands);
    g_string_append_printf(out, " -l %s", options[i].name);
    if (options[i].letter) g_string_append_printf(out, " -s %c", options[i].letter);
    if (options[i].value) g_string_append(out, " -r");
    if (words) g_string_append_printf(out, " -f -a '%s'", words);
    g_string_append_printf(out, " -d %s\n", help);
  }
}

void completion_print(const char *shell, GString *out) {
  if (g_str_equal(shell, "fish")) {
    fish(out);
    return;
  }
  bash(out);
}
