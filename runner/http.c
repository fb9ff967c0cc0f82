#include "runner/http.h"

#include <curl/curl.h>
#include <string.h>

#define BODY_CAP (1024u * 1024)

void http_answer_clear(HttpAnswer *answer) {
  if (answer->body) g_string_free(answer->body, TRUE);
  g_free(answer->problem);
  memset(answer, 0, sizeof *answer);
}

/* One request has one socket at a time; libcurl says which, and for what it waits. */
typedef struct Transfer {
  curl_socket_t socket;
  short events;
  long timeout_ms;               /* -1: none */
} Transfer;

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *data, void *socket_data) {
  Transfer *transfer = data;
  if (what == CURL_POLL_REMOVE) {
    if (transfer->socket == socket) transfer->socket = CURL_SOCKET_BAD;
    return 0;
  }
  transfer->socket = socket;
  transfer->events = (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
  return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *data) {
  ((Transfer *)data)->timeout_ms = timeout_ms;
  return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *data) {
  HttpAnswer *answer = data;
  gsize room = BODY_CAP - answer->body->len;
  g_string_append_len(answer->body, bytes, (gssize)MIN(room, size * n));
  return size * n;
}

static WaitResult drive(CURLM *multi, Transfer *transfer, Deadline deadline) {
  int running = 1;
  curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  while (running > 0) {
    Deadline next =
        transfer->timeout_ms < 0 ? deadline : deadline_first(deadline, deadline_after(transfer->timeout_ms * 1000));
    short revents = 0;
    WaitResult result = wait_fd(transfer->socket, transfer->events, &revents, next);
    if (result == WAIT_CANCELLED || (result == WAIT_TIMEOUT && deadline_passed(deadline))) return result;
    if (result == WAIT_TIMEOUT) {
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    } else {
      int mask = (revents & POLLIN ? CURL_CSELECT_IN : 0) | (revents & POLLOUT ? CURL_CSELECT_OUT : 0) |
                 (revents & (POLLERR | POLLHUP) ? CURL_CSELECT_ERR : 0);
      curl_multi_socket_action(multi, transfer->socket, mask, &running);
    }
  }
  return WAIT_READY;
}

static void take_result(CURLM *multi, CURL *easy, const char *words, HttpAnswer *answer) {
  int left = 0;
  CURLMsg *message = curl_multi_info_read(multi, &left);
  CURLcode code = message ? message->data.result : CURLE_OK;
  if (code == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
  else answer->problem = g_strdup(*words ? words : curl_easy_strerror(code));
}

/* Redirects would be followed to who knows where, and a file:// is no web service. */
static void set_request(CURL *easy, const HttpRequest *request, struct curl_slist *headers) {
  curl_easy_setopt(easy, CURLOPT_URL, request->url);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  if (request->body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
  }
  if (request->method && strcmp(request->method, "HEAD") == 0) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else if (request->method) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static struct curl_slist *make_headers(const char *const *headers) {
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");   /* no asking first whether a body may come */
  for (guint i = 0; headers && headers[i]; i++) list = curl_slist_append(list, headers[i]);
  return list;
}

WaitResult http_ask(const HttpRequest *request, Deadline deadline, HttpAnswer *answer) {
  char words[CURL_ERROR_SIZE] = "";
  Transfer transfer = {.socket = CURL_SOCKET_BAD, .timeout_ms = -1};
  answer->body = g_string_new(NULL);
  if (!g_str_has_prefix(request->url, "http://") && !g_str_has_prefix(request->url, "https://")) {
    answer->problem = g_strdup("a URL begins with http:// or https://");
    return WAIT_READY;
  }
  CURLM *multi = curl_multi_init();
  CURL *easy = curl_easy_init();
  struct curl_slist *headers = make_headers(request->headers);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &transfer);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &transfer);
  set_request(easy, request, headers);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
  curl_multi_add_handle(multi, easy);
  WaitResult result = drive(multi, &transfer, deadline);
  if (result == WAIT_READY) take_result(multi, easy, words, answer);
  curl_multi_remove_handle(multi, easy);
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return result;
}

WaitResult http_get(const char *url, Deadline deadline, HttpAnswer *answer) {
  const HttpRequest request = {.url = url};
  return http_ask(&request, deadline, answer);
}
