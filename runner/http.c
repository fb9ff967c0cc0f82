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
    Deadline next = transfer->timeout_ms < 0 ? deadline : deadline_first(deadline, deadline_after(transfer->timeout_ms * 1000));
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

WaitResult http_get(const char *url, Deadline deadline, HttpAnswer *answer) {
  char words[CURL_ERROR_SIZE] = "";
  Transfer transfer = {.socket = CURL_SOCKET_BAD, .timeout_ms = -1};
  CURLM *multi = curl_multi_init();
  CURL *easy = curl_easy_init();
  answer->body = g_string_new(NULL);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &transfer);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
  curl_multi_add_handle(multi, easy);
  WaitResult result = drive(multi, &transfer, deadline);
  if (result == WAIT_READY) take_result(multi, easy, words, answer);
  curl_multi_remove_handle(multi, easy);
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  return result;
}
