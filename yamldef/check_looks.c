/* check_looks.c - steps that look where nothing can be seen. */
#include "yamldef/check.h"

#include <string.h>

static bool begins_web(const char *url) { return g_str_has_prefix(url, "http://") || g_str_has_prefix(url, "https://"); }

/* A method goes into the request's first line as it is. */
static bool is_token(const char *text) {
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalpha(*p) && *p != '-')
      return false;
  return *text != '\0';
}

void check_http(Check *c, const HttpStep *http) {
  const Text *url = &http->url, *method = &http->method;
  bool known = url->raw != NULL && (url->n_parts == 0 || !url->parts[0].is_call);
  if (known && !begins_web(url->raw))
    complain(c->l, url->at, NULL, "'url' must begin with http:// or https://, not '%s'", url->raw);
  if (method->raw != NULL && method->n_parts == 0 && !is_token(method->raw))
    complain(c->l, method->at, NULL, "'method' must be a word such as GET or POST, not '%s'", method->raw);
}
