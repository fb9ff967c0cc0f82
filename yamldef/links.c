/* links.c - relays between servers: those a test has, and the words of the step that disturbs them. */
#include "yamldef/decode.h"

#include <math.h>
#include <string.h>

void read_link_sides(Loader *l, const Node *node, LinkSides *out) {
  static const Word SIDE = {.key = "between", .type = WORD_NAMES};
  guint n;
  const Node *const *items = items_of(l, node, &n);
  *out = (LinkSides){.given = true, .at = node->at};
  for (guint i = 0; i < MIN(n, 2); i++)
    read_word(l, items[i], &SIDE, &out->sides[i]);
  if (n != 2 || out->sides[0].n == 0 || out->sides[1].n == 0)
    complain(l, node->at, NULL, "'between' needs two lists of servers: [[a], [b, c]]");
}

void read_bandwidth(Loader *l, const Node *node, const char *what, gint64 *out) {
  static const struct {
    const char *unit;
    double bytes;
  } UNITS[] = {{"B", 1},        {"kB", 1e3},          {"KiB", 1024}, {"MB", 1e6}, {"MiB", 1024 * 1024},
               {"GB", 1e9}, {"GiB", 1024 * 1024 * 1024}};
  const char *text = read_constant(l, node, what);
  if (text == NULL)
    return;
  char *unit;
  double value = g_ascii_strtod(text, &unit);
  g_autofree char *bare = g_str_has_suffix(unit, "/s") ? g_strndup(unit, strlen(unit) - 2) : g_strdup(unit);
  for (guint i = 0; unit > text && g_ascii_isdigit(*text) && i < G_N_ELEMENTS(UNITS); i++)
    if (strcmp(bare, UNITS[i].unit) == 0 && value * UNITS[i].bytes >= 1 && value * UNITS[i].bytes < 1e15) {
      *out = (gint64)floor(value * UNITS[i].bytes);
      return;
    }
  complain(l, node->at, NULL, "'%s' must be bytes a second such as 500B, 64KiB or 10MB, not '%s'", what, text);
}

/* `n2.peer` is a further port of n2, unless a server is called so. */
static void split_port(Loader *l, const Test *test, Link *link) {
  const char *dot = link->to.s == NULL ? NULL : strrchr(link->to.s, '.');
  for (guint i = 0; dot != NULL && i < test->n_servers; i++)
    if (strcmp(test->servers[i].name.s, link->to.s) == 0)
      return;
  if (dot == NULL)
    return;
  link->extra = arena_string(l->arena, dot + 1);
  link->to.s = arena_bytes(l->arena, link->to.s, (gsize)(dot - link->to.s));
}

void read_links(Loader *l, const Node *topology, const Node *own, Test *test) {
  g_autoptr(GArray) list = g_array_new(FALSE, TRUE, sizeof(Link));
  const Node *const parts[] = {topology, own};
  for (guint part = 0; part < G_N_ELEMENTS(parts); part++) {
    guint n = 0;
    const Node *const *items = parts[part] == NULL ? NULL : items_of(l, parts[part], &n);
    for (guint i = 0; i < n; i++) {
      Link link = {0};
      enter(l, "link %u", i + 1);
      if (want_map(l, items[i], "a link"))
        read_record(l, items[i], &VOCAB_LINK, &link);
      leave(l);
      split_port(l, test, &link);
      if (link.name.s != NULL && link.from.s != NULL && link.to.s != NULL)
        g_array_append_val(list, link);
    }
  }
  test->n_links = list->len;
  test->links = arena_array(l->arena, Link, list);
}
