/* http.h - one HTTP request, from a fiber (libcurl; nothing blocks, no proxy, no redirect, nothing of the environment). */
#ifndef RUNNER_HTTP_H
#define RUNNER_HTTP_H

#include "runner/loop.h"

typedef struct HttpAnswer {
  long status;                   /* 0: no answer */
  GString *body;                 /* at most 1 MiB */
  char *problem;                 /* why there was no answer, or NULL */
} HttpAnswer;
void http_answer_clear(HttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpAnswer, http_answer_clear)

typedef struct HttpRequest {
  const char *url, *method;      /* method NULL: GET, or POST with a body */
  const char *const *headers;    /* "Name: value"; "Name:" takes one of libcurl's own away; NULL-terminated, or NULL */
  const char *body;              /* NULL: none */
  gsize body_len;
} HttpRequest;

/* WAIT_READY: answer->status or answer->problem is set. */
WaitResult http_ask(const HttpRequest *request, Deadline deadline, HttpAnswer *answer);
/* GET. WAIT_READY: answer->status or answer->problem is set. */
WaitResult http_get(const char *url, Deadline deadline, HttpAnswer *answer);

#endif
