/* http: a web service is asked, and its answer held against what it must be. */
#include <string.h>
#include "runner/compare.h"
#include "runner/http.h"
#include "runner/step.h"
#include "runner/visible.h"
#include "yamldef/json.h"

#define SHOWN 4000

/* The request, rendered; owns its texts. */
typedef struct Asked {
  char *url, *method, *body;
  gsize body_len;
  GPtrArray *headers;
} Asked;

static void asked_clear(Asked *asked) {
  g_free(asked->url);
  g_free(asked->method);
  g_free(asked->body);
  if (asked->headers) g_ptr_array_unref(asked->headers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Asked, asked_clear)

static bool add_header(Asked *asked, const Pair *pair, Scope *scope, GError **error) {
  if (pair->is_null) {
    g_ptr_array_add(asked->headers, g_strdup_printf("%s:", pair->key));
    return true;
  }
  g_autofree char *value = scope_render(scope, &pair->value, NULL, error);
  if (!value) return false;
  /* libcurl's way to say that there is nothing behind the name */
  g_ptr_array_add(asked->headers,
                  *value ? g_strdup_printf("%s: %s", pair->key, value) : g_strdup_printf("%s;", pair->key));
  return true;
}

static bool render(Asked *asked, const HttpStep *http, Scope *scope, GError **error) {
  asked->headers = g_ptr_array_new_with_free_func(g_free);
  asked->url = scope_render(scope, &http->url, NULL, error);
  if (!asked->url) return false;
  asked->method = scope_render(scope, &http->method, NULL, error);
  if (!asked->method && http->method.raw) return false;
  asked->body = scope_render(scope, &http->body, &asked->body_len, error);
  if (!asked->body && http->body.raw) return false;
  for (guint i = 0; i < http->headers.n; i++)
    if (!add_header(asked, &http->headers.v[i], scope, error)) return false;
  g_ptr_array_add(asked->headers, NULL);
  return true;
}

static const char *method_of(const Asked *asked) {
  return asked->method ? asked->method : asked->body ? "POST" : "GET";
}

static void show(const Asked *asked, const HttpAnswer *answer, Outcome *outcome) {
  g_autoptr(GString) body = g_string_new(NULL);
  visible_append(body, answer->body->str, MIN(answer->body->len, SHOWN), VISIBLE_LINES);
  outcome_addf(outcome, "  asked: %s %s", method_of(asked), asked->url);
  outcome_addf(outcome, "  answered: %ld%s%s", answer->status, body->len > 0 ? ", " : "", body->str);
}

static bool check_status(const HttpStep *http, const HttpAnswer *answer, Outcome *outcome) {
  if (http->status == 0) {
    bool good = answer->status >= 200 && answer->status <= 299;
    return good || outcome_fail(outcome, "its status is %ld, none of 200 to 299", answer->status);
  }
  return answer->status == http->status ||
         outcome_fail(outcome, "its status is %ld, not %d", answer->status, http->status);
}

static bool check_matches(Context *context, const HttpStep *http, const HttpAnswer *answer, Outcome *outcome) {
  for (guint i = 0; i < http->matches.n; i++) {
    g_autoptr(Pattern) made = NULL;
    GError *error = NULL;
    const Pattern *pattern = scope_pattern(&context->scope, &http->matches.v[i], PATTERN_BLOCK, &made, &error);
    if (!pattern) return outcome_take_error(outcome, error);
    const char *why = NULL;
    PatternResult found = pattern_search(pattern, answer->body->str, answer->body->len, 0, NULL, NULL, &why);
    if (found == PATTERN_YES) continue;
    if (found == PATTERN_NO) outcome_fail(outcome, "its answer does not match /%s/", pattern_text(pattern));
    else outcome_error(outcome, "pattern /%s/ over its answer could not be decided: %s", pattern_text(pattern), why);
    outcome->at = http->matches.v[i].text.at;
    return false;
  }
  return true;
}

static char *render_for_compare(const Text *text, gsize *len, gpointer data, GError **error) {
  return scope_render(data, text, len, error);
}

static bool check_part(Context *context, const JsonCell *wanted, const JsonPart *root, Outcome *outcome) {
  const CompareOptions options = {.render = render_for_compare, .data = &context->scope, .flavour = PATTERN_BLOCK};
  const JsonPart *part = json_part_find(root, wanted->path);
  if (!part) {
    outcome_fail(outcome, "its answer has no '%s'", wanted->path);
    outcome->at = wanted->cell.at;
    return false;
  }
  g_autofree char *text = json_part_text(part);
  const char *why = NULL;
  GError *error = NULL;
  bool same = cell_matches(&wanted->cell, &options, text, text ? strlen(text) : 0, !text, &why, &error);
  if (same && !why) return true;
  g_autofree char *wish = cell_text(&wanted->cell, &options), *got = text ? visible_line(text) : NULL;
  if (error) outcome_take_error(outcome, error);
  else if (why) outcome_error(outcome, "whether '%s' is %s could not be decided: %s", wanted->path, wish, why);
  else
    outcome_fail(outcome, "'%s' of its answer is %s%s%s, not %s", wanted->path, got ? "'" : "", got ? got : "null",
                 got ? "'" : "", wish);
  outcome->at = wanted->cell.at;
  return false;
}

static bool check_json(Context *context, const HttpStep *http, const HttpAnswer *answer, Outcome *outcome) {
  if (http->json.n == 0) return true;
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonDocument) document = json_document_new(answer->body->str, answer->body->len, &error);
  if (!document) return outcome_fail(outcome, "its answer is no JSON: %s", error->message);
  for (guint i = 0; i < http->json.n; i++)
    if (!check_part(context, &http->json.v[i], json_document_root(document), outcome)) return false;
  return true;
}

void step_http(Context *context, const Step *step, Outcome *outcome) {
  const HttpStep *http = &step->http;
  g_auto(Asked) asked = {0};
  g_auto(HttpAnswer) answer = {0};
  GError *error = NULL;
  if (!render(&asked, http, &context->scope, &error)) {
    outcome_take_error(outcome, error);
    return;
  }
  const HttpRequest request = {.url = asked.url,
                               .method = asked.method,
                               .body = asked.body,
                               .body_len = asked.body_len,
                               .headers = (const char *const *)asked.headers->pdata};
  WaitResult result = http_ask(&request, context->limit, &answer);
  if (!wait_outcome(context, result, outcome, "no answer in time to %s %s", method_of(&asked), asked.url)) return;
  if (answer.problem) {
    outcome_fail(outcome, "no answer to %s %s: %s", method_of(&asked), asked.url, answer.problem);
    return;
  }
  if (check_status(http, &answer, outcome) && check_matches(context, http, &answer, outcome) &&
      check_json(context, http, &answer, outcome))
    return;
  show(&asked, &answer, outcome);
}
