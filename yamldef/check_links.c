/* check_links.c - links that cannot be, and steps that disturb what is not there. */
#include "yamldef/check.h"

#include <string.h>

char *link_hint(const Test *test, const char *name) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < test->n_links; i++)
    g_ptr_array_add(names, (gpointer)(guintptr)test->links[i].name.s);
  return did_you_mean(name, (const char *const *)names->pdata, names->len);
}

const Link *find_link(const Test *test, const char *name) {
  for (guint i = 0; i < test->n_links; i++)
    if (strcmp(test->links[i].name.s, name) == 0)
      return &test->links[i];
  return NULL;
}

/* ---- Links -------------------------------------------------------------------------------------------------------- */

static void check_twice(Check *c, const Link *link) {
  for (const Link *other = c->test->links; other < link; other++)
    if (strcmp(other->name.s, link->name.s) == 0)
      complain(c->l, link->name.at, NULL, "another link is called '%s' too, in line %d", link->name.s,
               other->name.at.line);
}

static bool has_extra(const Server *server, const char *extra) {
  const Names *lists[] = {&server->ports, &server->engine->ports};
  for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
    for (guint k = 0; k < lists[i]->n; k++)
      if (strcmp(lists[i]->v[k].s, extra) == 0)
        return true;
  return false;
}

void check_links(Check *c) {
  for (const Link *link = c->test->links; link < c->test->links + c->test->n_links; link++) {
    enter(c->l, "link '%s'", link->name.s);
    const Server *from = use_server(c, link->from), *to = use_server(c, link->to);
    check_twice(c, link);
    if (from != NULL && from == to)
      complain(c->l, link->at, NULL, "a link leads from one server to another, and this one from '%s' to itself",
               link->from.s);
    else if (to != NULL && link->extra != NULL && !has_extra(to, link->extra))
      complain(c->l, link->to.at, NULL, "the server '%s' has no port called '%s': see its 'ports'", link->to.s,
               link->extra);
    else if (to != NULL && link->extra == NULL && !to->runs && !to->external)
      complain(c->l, link->to.at, NULL, "'%s' is only a directory: no server runs there", link->to.s);
    leave(c->l);
  }
}

void warn_unused_links(Check *c) {
  for (guint i = 0; i < c->test->n_links; i++)
    if (c->test->steps.n > 0 && !g_hash_table_contains(c->used, &c->test->links[i]))
      doubt(c->l, c->test->links[i].name.at, NULL, "nothing disturbs or names the link '%s'", c->test->links[i].name.s);
}

/* ---- Steps -------------------------------------------------------------------------------------------------------- */

static bool on_side(const Names *side, const char *name) {
  for (guint i = 0; i < side->n; i++)
    if (strcmp(side->v[i].s, name) == 0)
      return true;
  return false;
}

static bool parted(const LinkSides *sides, const char *a, const char *b) {
  return (on_side(&sides->sides[0], a) && on_side(&sides->sides[1], b)) ||
         (on_side(&sides->sides[1], a) && on_side(&sides->sides[0], b));
}

/* A replica that reaches its upstream without a link is not parted from it. */
static void check_way_round(Check *c, const LinkSides *sides) {
  for (guint i = 0; i < c->test->n_servers; i++) {
    const Server *server = &c->test->servers[i];
    bool linked = false;
    if (server->replica_of.s == NULL || !parted(sides, server->name.s, server->replica_of.s))
      continue;
    for (guint k = 0; k < c->test->n_links; k++)
      linked = linked || (strcmp(c->test->links[k].from.s, server->name.s) == 0 &&
                          strcmp(c->test->links[k].to.s, server->replica_of.s) == 0);
    if (!linked)
      complain(c->l, sides->at, NULL, "no link leads from '%s' to '%s', which it follows: this would not part them",
               server->name.s, server->replica_of.s);
  }
}

static void check_sides(Check *c, const LinkSides *sides) {
  guint n = 0;
  if (sides->sides[0].n == 0 || sides->sides[1].n == 0)
    return; /* that was said */
  for (int side = 0; side < 2; side++)
    for (guint i = 0; i < sides->sides[side].n; i++) {
      use_server(c, sides->sides[side].v[i]);
      if (side == 1 && on_side(&sides->sides[0], sides->sides[1].v[i].s))
        complain(c->l, sides->sides[1].v[i].at, NULL, "'%s' stands on both sides", sides->sides[1].v[i].s);
    }
  for (guint i = 0; i < c->test->n_links; i++) {
    if (!parted(sides, c->test->links[i].from.s, c->test->links[i].to.s))
      continue;
    g_hash_table_add(c->used, (gpointer)(guintptr)&c->test->links[i]);
    n++;
  }
  if (n == 0)
    complain(c->l, sides->at, NULL, "no link leads from one side to the other: see 'links' of the test");
  else
    check_way_round(c, sides);
}

static void check_names(Check *c, const Names *names) {
  for (guint i = 0; i < names->n; i++) {
    const Link *link = find_link(c->test, names->v[i].s);
    if (link != NULL) {
      g_hash_table_add(c->used, (gpointer)(guintptr)link);
      continue;
    }
    g_autofree char *hint = link_hint(c->test, names->v[i].s);
    complain(c->l, names->v[i].at, hint, "no link is called '%s'", names->v[i].s);
  }
}

void check_link_step(Check *c, const Step *step) {
  const LinkStep *link = &step->link;
  bool shaped = link->latency > 0 || link->jitter > 0 || link->bandwidth > 0;
  if ((link->names.n > 0) == link->between.given)
    complain(c->l, step->at, NULL, "'link' needs either 'name' or 'between'");
  else if (link->between.given)
    check_sides(c, &link->between);
  check_names(c, &link->names);
  if (link->deed == LINK_DELAY && !shaped)
    complain(c->l, step->at, NULL, "'do: delay' needs 'latency', 'jitter' or 'bandwidth'");
  else if (link->deed != LINK_DELAY && shaped)
    complain(c->l, step->at, NULL, "'latency', 'jitter' and 'bandwidth' belong to 'do: delay'");
  if (link->way != WAY_BOTH && (link->deed == LINK_CUT || link->deed == LINK_RESET))
    complain(c->l, step->at, NULL, "a connection can only be %s as a whole: 'direction' does not belong here",
             link->deed == LINK_CUT ? "cut" : "reset");
}
