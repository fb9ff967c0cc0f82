/* relay_private.h - what the two ends of a relay's control socket (SOCK_SEQPACKET) say to each other. */
#ifndef RUNNER_RELAY_PRIVATE_H
#define RUNNER_RELAY_PRIVATE_H

#include "runner/relay.h"

#define RELAY_BATCH 256          /* orders, or answers, in one message */

/* n_orders 0: a question for the status of up to RELAY_BATCH links from `first` on. */
typedef struct RelayRequest {
  guint32 number;                /* an answer has that of its request */
  guint32 n_orders, first;
  RelayOrder orders[RELAY_BATCH];
} RelayRequest;

typedef struct RelayAnswer {
  guint32 number;
  int failed;                    /* errno, 0: all is in force */
  guint32 link;                  /* which one it failed for */
  guint32 n_status;
  RelayStatus status[RELAY_BATCH];
} RelayAnswer;

/* The process: an answer numbered 0 says whether all links listen; ends when the other end of control is closed. */
int relay_serve(int control, const RelayLink *links, guint n_links, guint64 seed);

#endif
