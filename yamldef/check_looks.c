/* check_looks.c - steps that look where nothing can be seen. */
#include "yamldef/check.h"

#include <string.h>

static bool begins_web(const char *url) {
  return g_str_has_prefix(url, "http://") || g_str_has_prefix(url, "https://");
}

/* A method goes into the request's first line as it is. */
static bool is_token(const char *text) {
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalpha(*p) && *p != '-') return false;
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

static bool beside_mode(FileDeed deed) { return deed == FILE_WRITE || deed == FILE_APPEND || deed == FILE_MODE; }

void check_file(Check *c, const Step *step) {
  const FileStep *file = &step->file;
  const Text *path = &file->path;
  FileDeed deed = file_deed(file);
  bool content = file->matches.n > 0 || file->equals.raw != NULL;
  guint deeds = (file->write.raw != NULL) + (file->append.raw != NULL) + (file->copy_from.raw != NULL) + file->remove +
                file->has_truncate;
  use_server(c, file->server);
  if (deeds > 1 || (file->has_mode && !beside_mode(deed)))
    complain(c->l, step->at, NULL,
             "'file' does one thing at a time; only 'mode' may stand beside 'write' and 'append'");
  if (deed != FILE_LOOK && (file->exists || file->absent || content))
    complain(c->l, step->at, "look with a step of its own", "'file' either looks or changes something");
  if (deed == FILE_LOOK && !file->exists && !file->absent && !content)
    complain(c->l, step->at, NULL, "'file' needs what to do or to look for, such as 'exists: true'");
  if (file->absent && (file->exists || content))
    complain(c->l, step->at, NULL, "what is 'absent' has nothing else to be looked at");
  if (deed == FILE_APPEND && c->repeats)
    complain(c->l, step->at, NULL, "this append would be repeated, and adds its text each time");
  if (path->raw != NULL && path->n_parts == 0 && *path->raw == '/')
    complain(c->l, path->at, NULL, "'%s' is an absolute path: it must be relative to the server's directory",
             path->raw);
}
