#include "dbclient/postgresql_error.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

/* "FATAL:  28P01: text" anywhere in a line: where its severity begins and ends, its code and its text. */
typedef struct Said { const char *severity; gsize severity_len; const char *code, *text; } Said;

static bool is_sqlstate(const char *s) {
  for (int i = 0; i < 5; i++)
    if (!g_ascii_isupper(s[i]) && !g_ascii_isdigit(s[i]))
      return false;
  return s[5] == ':' && s[6] == ' ';
}

static bool server_said(const char *line, Said *said) {
  for (const char *colon = strstr(line, ":  "); colon != NULL; colon = strstr(colon + 1, ":  ")) {
    if (!is_sqlstate(colon + 3))
      continue;
    const char *start = colon;
    while (start > line && start[-1] != ' ')
      start--;
    *said = (Said){start, (gsize)(colon - start), colon + 3, colon + 10};
    return true;
  }
  return false;
}

/* "DETAIL:  text" becomes "DETAIL: text"; LOCATION, and lines of the server's that are not for users, go. */
static void add_line(GString *text, const char *line) {
  static const char *const kept[] = {"DETAIL:", "HINT:"}, *const left_out[] = {"LOCATION:", "CONTEXT:", "STATEMENT:"};
  for (guint i = 0; i < G_N_ELEMENTS(left_out); i++)
    if (g_str_has_prefix(line, left_out[i]))
      return;
  g_string_append_c(text, '\n');
  for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
    if (g_str_has_prefix(line, kept[i])) {
      g_string_append_printf(text, "%s %s", kept[i], line + strlen(kept[i]) + strspn(line + strlen(kept[i]), " "));
      return;
    }
  }
  g_string_append(text, line);
}

char *postgresql_connect_error(const char *message, char **sqlstate) {
  g_autofree char *trimmed = g_strchomp(g_strdup(message));
  g_auto(GStrv) lines = g_strsplit(trimmed, "\n", -1);
  g_autoptr(GString) text = g_string_new(NULL);
  bool ours = false;
  *sqlstate = NULL;
  for (guint i = 0; lines[i] != NULL; i++) {
    Said said;
    if (server_said(lines[i], &said)) {
      g_free(*sqlstate);
      *sqlstate = g_strndup(said.code, 5);
      g_string_printf(text, "%.*s (%s): %s", (int)said.severity_len, said.severity, *sqlstate, said.text);
      ours = true;
    } else if (g_str_has_prefix(lines[i], "connection to server ")) {
      ours = false;   /* another attempt, in which no server spoke */
    } else if (ours) {
      add_line(text, lines[i]);
    }
  }
  return *sqlstate != NULL ? g_strdup(text->str) : g_steal_pointer(&trimmed);
}
