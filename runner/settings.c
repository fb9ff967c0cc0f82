#include "runner/settings.h"

#include <string.h>

#define BEGIN_MARK "# ---- runner: settings of this test\n"
#define END_MARK "# ---- runner: end\n"

/* PostgreSQL takes quoted values for every type; a quote is doubled. */
static void add_conf(GString *out, const Setting *setting) {
  g_string_append_printf(out, "%s = '", setting->key);
  for (const char *c = setting->value; *c; c++) {
    if (*c == '\'') g_string_append(out, "''");
    else if (*c == '\\') g_string_append(out, "\\\\");
    else g_string_append_c(out, *c);
  }
  g_string_append(out, "'\n");
}

static void add_without_block(GString *out, const char *before) {
  const char *begin = strstr(before, BEGIN_MARK);
  const char *end = begin ? strstr(begin, END_MARK) : NULL;
  if (!end) {
    g_string_append(out, before);
  } else {
    g_string_append_len(out, before, begin - before);
    g_string_append(out, end + strlen(END_MARK));
  }
  if (out->len > 0 && out->str[out->len - 1] != '\n') g_string_append_c(out, '\n');
}

static char *conf_text(bool append, const char *before, guint n, const Setting *settings) {
  GString *out = g_string_new(NULL);
  if (append && before) add_without_block(out, before);
  g_string_append(out, BEGIN_MARK);
  for (guint i = 0; i < n; i++) add_conf(out, &settings[i]);
  g_string_append(out, END_MARK);
  return g_string_free(out, FALSE);
}

static char *ini_text(const char *section, guint n, const Setting *settings) {
  GString *out = g_string_new(NULL);
  g_string_append_printf(out, "[%s]\n", section ? section : "server");
  for (guint i = 0; i < n; i++) {
    /* An empty value is a flag: skip-name-resolve. */
    if (*settings[i].value) g_string_append_printf(out, "%s = %s\n", settings[i].key, settings[i].value);
    else g_string_append_printf(out, "%s\n", settings[i].key);
  }
  return g_string_free(out, FALSE);
}

/* ---- Nested forms: a tree of keys in the order they came. */

typedef struct Branch {
  char *key;
  const char *value;             /* NULL: has branches */
  GPtrArray *branches;
} Branch;

static void branch_free(gpointer data) {
  Branch *branch = data;
  g_free(branch->key);
  g_ptr_array_unref(branch->branches);
  g_free(branch);
}

static Branch *branch_of(GPtrArray *branches, const char *key) {
  for (guint i = 0; i < branches->len; i++) {
    Branch *branch = g_ptr_array_index(branches, i);
    if (strcmp(branch->key, key) == 0) return branch;
  }
  Branch *branch = g_new0(Branch, 1);
  branch->key = g_strdup(key);
  branch->branches = g_ptr_array_new_with_free_func(branch_free);
  g_ptr_array_add(branches, branch);
  return branch;
}

static bool skip_digits(const char **c) {
  const char *begin = *c;
  while (g_ascii_isdigit(**c)) (*c)++;
  return *c > begin;
}

/* Numbers, as JSON writes them, true, false and null stay bare: a reader that wants a number takes no string. */
static bool bare(const char *value) {
  if (!strcmp(value, "true") || !strcmp(value, "false") || !strcmp(value, "null")) return true;
  const char *c = *value == '-' ? value + 1 : value;
  if (c[0] == '0' && g_ascii_isdigit(c[1])) return false;
  if (!skip_digits(&c)) return false;
  if (*c == '.' && (c++, !skip_digits(&c))) return false;
  if (*c != 'e' && *c != 'E') return *c == '\0';
  c++;
  if (*c == '-' || *c == '+') c++;
  return skip_digits(&c) && *c == '\0';
}

static void add_quoted(GString *out, const char *text) {
  g_string_append_c(out, '"');
  for (const guchar *c = (const guchar *)text; *c; c++) {
    if (*c == '"' || *c == '\\') g_string_append_printf(out, "\\%c", *c);
    else if (*c == '\n') g_string_append(out, "\\n");
    else if (*c < 0x20) g_string_append_printf(out, "\\u%04x", *c);
    else g_string_append_c(out, (char)*c);
  }
  g_string_append_c(out, '"');
}

static void add_value(GString *out, const char *value) {
  if (bare(value)) g_string_append(out, value);
  else add_quoted(out, value);
}

static void add_yaml(GString *out, GPtrArray *branches, guint depth) {
  for (guint i = 0; i < branches->len; i++) {
    Branch *branch = g_ptr_array_index(branches, i);
    g_string_append_printf(out, "%*s%s:", (int)depth * 2, "", branch->key);
    if (branch->value) {
      g_string_append_c(out, ' ');
      add_value(out, branch->value);
      g_string_append_c(out, '\n');
    } else {
      g_string_append_c(out, '\n');
      add_yaml(out, branch->branches, depth + 1);
    }
  }
}

static void add_json(GString *out, GPtrArray *branches) {
  g_string_append_c(out, '{');
  for (guint i = 0; i < branches->len; i++) {
    Branch *branch = g_ptr_array_index(branches, i);
    if (i > 0) g_string_append(out, ", ");
    add_quoted(out, branch->key);
    g_string_append(out, ": ");
    if (branch->value) add_value(out, branch->value);
    else add_json(out, branch->branches);
  }
  g_string_append_c(out, '}');
}

static char *nested_text(SettingsForm form, guint n, const Setting *settings) {
  g_autoptr(GPtrArray) top = g_ptr_array_new_with_free_func(branch_free);
  for (guint i = 0; i < n; i++) {
    g_auto(GStrv) keys = g_strsplit(settings[i].key, ".", -1);
    GPtrArray *at = top;
    for (char **key = keys; *key; key++) {
      Branch *branch = branch_of(at, *key);
      at = branch->branches;
      branch->value = key[1] ? NULL : settings[i].value;
    }
  }
  GString *out = g_string_new(NULL);
  if (form == FORM_YAML) add_yaml(out, top, 0);
  else add_json(out, top);
  if (form == FORM_JSON) g_string_append_c(out, '\n');
  return g_string_free(out, FALSE);
}

char *settings_text(SettingsForm form, bool append, const char *section, const char *before, guint n,
                    const Setting *settings) {
  switch (form) {
  case FORM_CONF: return conf_text(append, before, n, settings);
  case FORM_INI: return ini_text(section, n, settings);
  case FORM_YAML: case FORM_JSON: return nested_text(form, n, settings);
  case FORM_NONE: break;
  }
  return g_strdup("");
}
