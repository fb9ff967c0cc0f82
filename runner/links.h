/* links.h - the relays between servers of a test under way.
 *
 * A link from `standby` to `primary` has a port of its own.  Wherever standby's texts (settings, recipes, statements of its
 * profile) speak of primary's port they get the link's; {{link name}} gives it to everybody.  Sessions of steps go to the
 * servers themselves, so that a test can look at a server that is cut off.
 *
 * All links are healed before `finally` and before servers are stopped, and it is looked at that they are.
 */
#ifndef RUNNER_LINKS_H
#define RUNNER_LINKS_H

#include "runner/node.h"

typedef struct Links Links;

/* Takes ports and starts the relay; when the servers have their ports, before any is started.  Without links: nothing. */
bool links_open(Cluster *cluster, Outcome *outcome);
/* The port by which `from` reaches this port of `to` (extra NULL: its own); 0: there is no link, or no `from`. */
int links_port(const Cluster *cluster, const Node *from, const Node *to, const char *extra);
/* A link's port by its name; 0: no such link. */
int links_port_named(const Cluster *cluster, const char *name);
/* The server to which the link with this port leads; NULL: no link has it. */
Node *links_target(Cluster *cluster, int port);
/* Heals all; false: they could not be, or the relay says that they are not. */
bool links_heal(Cluster *cluster, Outcome *outcome);
/* Gives all back; NULL relay and no links are allowed. */
void links_close(Cluster *cluster);

/* What a `link` step asks for: done when this returns true. */
bool links_disturb(Cluster *cluster, const LinkStep *step, const char *step_label, Deadline deadline, Outcome *outcome);
/* "cut", "delay forward, latency 50 ms", "blackhole": newly allocated. */
char *link_deed_text(const LinkStep *step, LinkWay way);

#endif
