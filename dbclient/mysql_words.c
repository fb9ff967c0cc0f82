#include "dbclient/mysql_words.h"

#include <string.h>

typedef bool (*Setter)(void *field, const char *value);

/* As Go's driver reads a truth value. */
static bool read_bool(const char *value, bool *out) {
  static const char *const yes[] = {"1", "true", "TRUE", "True", NULL};
  static const char *const no[] = {"0", "false", "FALSE", "False", NULL};
  *out = g_strv_contains(yes, value);
  return *out || g_strv_contains(no, value);
}

static bool set_bool(void *field, const char *value) { return read_bool(value, field); }

static bool set_inverse(void *field, const char *value) {
  bool truth;
  if (!read_bool(value, &truth))
    return false;
  *(bool *)field = !truth;
  return true;
}

static bool only_false(void *field, const char *value) {
  bool truth;
  return read_bool(value, &truth) && !truth;
}

/* "1m30s", "500ms", as Go writes durations. */
static bool set_duration(void *field, const char *value) {
  static const struct { const char *unit; double microseconds; } units[] = {
      {"ns", 1e-3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};
  double sum = 0;
  if (value[0] == '\0')
    return false;
  while (*value != '\0' && strcmp(value, "0") != 0) {
    char *end;
    if (!g_ascii_isdigit(*value))
      return false;
    double number = g_ascii_strtod(value, &end);
    gsize len = strspn(end, "nsumh");
    guint i = 0;
    while (i < G_N_ELEMENTS(units) && !(strlen(units[i].unit) == len && strncmp(units[i].unit, end, len) == 0))
      i++;
    if (i == G_N_ELEMENTS(units))
      return false;
    sum += number * units[i].microseconds;
    value = end + len;
  }
  *(gint64 *)field = (gint64)MIN(sum, 1e15);
  return true;
}

static bool set_size(void *field, const char *value) {
  return g_ascii_string_to_unsigned(value, 10, 0, 1 << 30, field, NULL);
}

static bool set_name(void *field, const char *value) {
  if (value[0] == '\0' ||
      strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(value))
    return false;
  g_free(*(char **)field);
  *(char **)field = g_strdup(value);
  return true;
}

/* Go tries a list of them in order; the first one is always known to a server that is asked for it here. */
static bool set_first_name(void *field, const char *value) {
  g_autofree char *first = g_strndup(value, strcspn(value, ","));
  return set_name(field, first);
}

static bool set_attributes(void *field, const char *value) {
  g_auto(GStrv) pairs = g_strsplit(value, ",", -1);
  for (guint i = 0; pairs[i] != NULL; i++)
    if (strchr(pairs[i], ':') == NULL)
      return false;
  g_free(*(char **)field);
  *(char **)field = g_strdup(value);
  return true;
}

static bool set_tls(void *field, const char *value) {
  static const struct { const char *word; DbTls tls; } modes[] = {
      {"false", DB_TLS_OFF}, {"0", DB_TLS_OFF}, {"preferred", DB_TLS_PREFER}, {"skip-verify", DB_TLS_REQUIRE},
      {"true", DB_TLS_VERIFY}, {"1", DB_TLS_VERIFY}};
  for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
    if (g_ascii_strcasecmp(modes[i].word, value) == 0) {
      *(DbTls *)field = modes[i].tls;
      return true;
    }
  }
  return false;
}

#define FIELD(name) G_STRUCT_OFFSET(MysqlWords, name)

static const struct {
  const char *key;
  Setter set;            /* NULL: refused, for this reason: */
  gsize field;
  const char *reason;    /* or what a value must be */
} words_known[] = {
    {"allowAllFiles", set_inverse, FIELD(no_infile), "true or false"},
    {"allowCleartextPasswords", set_bool, FIELD(cleartext), "true or false"},
    {"allowFallbackToPlaintext", only_false, 0, "false: a session is never made weaker than tls: says"},
    {"allowNativePasswords", set_inverse, FIELD(no_native), "true or false"},
    {"allowOldPasswords", only_false, 0, "false: the old passwords are not offered"},
    {"charset", set_first_name, FIELD(charset), "a character set's name"},
    {"checkConnLiveness", NULL, 0, "it steers the Go driver's pool, and there is none here"},
    {"clientFoundRows", set_bool, FIELD(found_rows), "true or false"},
    {"collation", set_name, FIELD(collation), "a collation's name"},
    {"columnsWithAlias", only_false, 0, "false: columns are named as the server names them"},
    {"compress", set_bool, FIELD(compress), "true or false"},
    {"connectionAttributes", set_attributes, FIELD(attributes), "key:value pairs with commas between"},
    {"interpolateParams", only_false, 0, "false: args are always bound by the server"},
    {"loc", NULL, 0, "times are compared as the server writes them"},
    {"maxAllowedPacket", set_size, FIELD(max_packet), "a number of bytes, at most 1 GiB"},
    {"multiStatements", set_bool, FIELD(multi_statements), "true or false"},
    {"parseTime", only_false, 0, "false: times are compared as the server writes them"},
    {"readTimeout", set_duration, FIELD(read_timeout), "a duration such as 30s or 500ms"},
    {"rejectReadOnly", NULL, 0, "it steers the Go driver's pool, and there is none here"},
    {"serverPubKey", NULL, 0, "it names a key registered inside a Go program"},
    {"timeTruncate", NULL, 0, "times are compared as the server writes them"},
    {"timeout", set_duration, FIELD(timeout), "a duration such as 30s or 500ms"},
    {"tls", set_tls, FIELD(tls), "true, false, preferred or skip-verify"},
    {"writeTimeout", set_duration, FIELD(write_timeout), "a duration such as 30s or 500ms"},
};

bool mysql_word_set(MysqlWords *words, const char *key, const char *value, GError **error) {
  for (guint i = 0; i < G_N_ELEMENTS(words_known); i++) {
    if (strcmp(words_known[i].key, key) != 0)
      continue;
    if (words_known[i].set == NULL)
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "parameter '%s' is refused: %s", key,
                  words_known[i].reason);
    else if (value != NULL && !words_known[i].set((char *)words + words_known[i].field, value))
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "parameter '%s' cannot be '%s': it takes %s", key,
                  value, words_known[i].reason);
    else
      return words->tls_given |= strcmp(key, "tls") == 0, true;
    return false;
  }
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "the MySQL client has no parameter '%s'", key);
  return false;
}

void mysql_words_clear(MysqlWords *words) {
  g_free(words->charset);
  g_free(words->collation);
  g_free(words->attributes);
  *words = (MysqlWords){0};
}
