#include "dbclient/postgresql_words.h"

#include <arpa/inet.h>
#include <string.h>

typedef bool (*ValueCheck)(const char *value);

static bool is_any(const char *value) { return true; }

static bool is_number(const char *value) {
  return g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, NULL, NULL);
}

static bool is_switch(const char *value) { return strcmp(value, "0") == 0 || strcmp(value, "1") == 0; }

static bool is_disable(const char *value) { return strcmp(value, "disable") == 0; }

static bool is_address(const char *value) {
  unsigned char bytes[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, value, bytes) == 1 || inet_pton(AF_INET6, value, bytes) == 1;
}

static bool all_of(const char *value, ValueCheck check) {
  g_auto(GStrv) parts = g_strsplit(value, ",", -1);
  bool all = parts[0] != NULL;
  for (guint i = 0; parts[i] != NULL; i++)
    all = all && check(parts[i]);
  return all;
}

static bool are_addresses(const char *value) { return all_of(value, is_address); }

static bool is_port(const char *value) {
  return g_ascii_string_to_unsigned(value, 10, 1, 65535, NULL, NULL);
}

static bool are_ports(const char *value) { return all_of(value, is_port); }

static bool is_one_of(const char *value, const char *const *words) { return g_strv_contains(words, value); }

static bool is_truth(const char *value) { return is_one_of(value, (const char *const[]){"true", "false", NULL}); }

static bool is_replication(const char *value) {
  return is_one_of(value, (const char *const[]){"database", "on", "off", "true", "false", "yes", "no", "1", "0", NULL});
}

static bool is_session_attrs(const char *value) {
  return is_one_of(value, (const char *const[]){"any", "read-write", "read-only", "primary", "standby",
                                                "prefer-standby", NULL});
}

static bool is_binding(const char *value) {
  return is_one_of(value, (const char *const[]){"disable", "prefer", "require", NULL});
}

/* `auto` would ask the locale of whoever started the run. */
static bool is_encoding(const char *value) { return value[0] != '\0' && g_ascii_strcasecmp(value, "auto") != 0; }

static bool is_tls_version(const char *value) {
  return is_one_of(value, (const char *const[]){"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL});
}

static const struct {
  const char *key;
  ValueCheck check;       /* NULL: refused, for this reason: */
  const char *reason;     /* or what a value must be */
} words[] = {
    {"allowCleartextPasswords", is_truth, "true or false"},   /* ours, and the MySQL client's: libpq has none */
    {"application_name", is_any, NULL},
    {"channel_binding", is_binding, "disable, prefer or require"},
    {"client_encoding", is_encoding, "an encoding's name, and not auto, which would ask the locale"},
    {"connect_timeout", is_number, "a number of seconds"},
    {"dbname", NULL, "say database: instead"},
    {"fallback_application_name", is_any, NULL},
    {"gssencmode", is_disable, "disable: nothing else is offered"},
    {"gsslib", NULL, "GSSAPI is not offered"},
    {"host", are_addresses, "numeric addresses with commas between: names would have to be looked up"},
    {"hostaddr", are_addresses, "numeric addresses with commas between"},
    {"keepalives", is_switch, "0 or 1"},
    {"keepalives_count", is_number, "a number"},
    {"keepalives_idle", is_number, "a number of seconds"},
    {"keepalives_interval", is_number, "a number of seconds"},
    {"krbsrvname", NULL, "GSSAPI is not offered"},
    {"options", is_any, NULL},
    {"passfile", NULL, "it would read a file of passwords; say password: or password_file: instead"},
    {"password", NULL, "say password: instead"},
    {"port", are_ports, "port numbers with commas between"},
    {"replication", is_replication, "database, or a truth value"},
    {"requirepeer", NULL, "it is for Unix sockets"},
    {"service", NULL, "it would read a service file"},
    {"sslcert", NULL, "say cert: instead"},
    {"sslcompression", is_switch, "0 or 1"},
    {"sslcrl", is_any, NULL},
    {"sslcrldir", is_any, NULL},
    {"sslkey", NULL, "say key: instead"},
    {"sslmode", NULL, "say tls: instead"},
    {"sslpassword", is_any, NULL},
    {"sslrootcert", NULL, "say ca: instead"},
    {"sslsni", is_switch, "0 or 1"},
    {"ssl_max_protocol_version", is_tls_version, "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
    {"ssl_min_protocol_version", is_tls_version, "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
    {"target_session_attrs", is_session_attrs, "any, read-write, read-only, primary, standby or prefer-standby"},
    {"tcp_user_timeout", is_number, "a number of milliseconds"},
    {"user", NULL, "say user: instead"},
};

bool postgresql_word_check(const char *key, const char *value, GError **error) {
  for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
    if (strcmp(words[i].key, key) != 0)
      continue;
    if (words[i].check == NULL)
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "parameter '%s' is refused: %s", key,
                  words[i].reason);
    else if (value != NULL && !words[i].check(value))
      g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "parameter '%s' cannot be '%s': it takes %s", key,
                  value, words[i].reason);
    else
      return true;
    return false;
  }
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "libpq has no parameter '%s'", key);
  return false;
}
