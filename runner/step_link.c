/* link: disturbs, or heals, what goes between servers.  The relay (relay.h) says when it is in force. */
#include "runner/links.h"
#include "runner/step.h"

#define ORDER_LIMIT (5 * G_USEC_PER_SEC)

void step_link(Context *context, const Step *step, Outcome *outcome) {
  Deadline limit = deadline_first(context->limit, deadline_in(ORDER_LIMIT));
  links_disturb(context->scope.cluster, &step->link, context->label, limit, outcome);
}
