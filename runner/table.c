/* table.c - see table.h. */
#include "runner/table.h"

#include <string.h>

enum {
  TABLE_WIDTH = 140,             /* columns of the display that cells may fill before some are left out */
  MOST_MARKS_ON_ONE = 8,         /* combining characters drawn on one base */
};

/* How much is spelt out, so that what differs looks different. */
typedef enum Spelling { SPELL_PLAIN, SPELL_BACKSLASHES, SPELL_ASCII, N_SPELLINGS } Spelling;

/* ---- One character ----------------------------------------------------------------------------------------------- */

typedef struct Glyph { char text[16]; int width; gsize size; } Glyph;

static bool is_invisible(gunichar c) {
  switch (g_unichar_type(c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT:
  case G_UNICODE_SURROGATE:
  case G_UNICODE_UNASSIGNED:
  case G_UNICODE_PRIVATE_USE:
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return true;
  default:
    return false;
  }
}

static void glyph_ascii(Glyph *glyph, guint8 byte, Spelling spelling) {
  static const char NAMED[] = "\nn\tt\rr";
  const char *named = byte == '\0' ? NULL : strchr(NAMED, byte);
  glyph->size = 1;
  if (byte < 0x20 && named != NULL)
    g_snprintf(glyph->text, sizeof glyph->text, "\\%c", named[1]);
  else if (byte < 0x20 || byte == 0x7f)
    g_snprintf(glyph->text, sizeof glyph->text, "\\x%02x", byte);
  else if (byte == '\\' && spelling >= SPELL_BACKSLASHES)
    g_strlcpy(glyph->text, "\\\\", sizeof glyph->text);
  else
    g_snprintf(glyph->text, sizeof glyph->text, "%c", byte);
  glyph->width = (int)strlen(glyph->text);
}

/* The character at `at`; `first`: nothing stands before it that a combining mark could combine with. */
static Glyph glyph_at(const char *at, const char *end, Spelling spelling, bool first) {
  Glyph glyph = {.size = 1};
  guint8 byte = (guint8)*at;
  if (byte < 0x80) {
    glyph_ascii(&glyph, byte, spelling);
    return glyph;
  }
  gunichar c = g_utf8_get_char_validated(at, MIN(end - at, 6));
  if (c == (gunichar)-1 || c == (gunichar)-2) {
    g_snprintf(glyph.text, sizeof glyph.text, "\\x%02x", byte);
    glyph.width = 4;
    return glyph;
  }
  glyph.size = (gsize)g_utf8_skip[byte];
  bool combines = g_unichar_iszerowidth(c);
  if (spelling == SPELL_ASCII || is_invisible(c) || (combines && first)) {
    g_snprintf(glyph.text, sizeof glyph.text, "\\u{%x}", c);
    glyph.width = (int)strlen(glyph.text);
    return glyph;
  }
  memcpy(glyph.text, at, glyph.size);
  glyph.width = combines ? 0 : g_unichar_iswide(c) ? 2 : 1;
  return glyph;
}

int display_width(const char *text) {
  int width = 0;
  for (const char *end = text + strlen(text), *at = text; at < end;) {
    Glyph glyph = glyph_at(at, end, SPELL_PLAIN, at == text);
    width += glyph.width;
    at += glyph.size;
  }
  return width;
}

/* The beginning of the character before `at`; an invalid byte is one of its own. */
static gsize char_before(const char *bytes, gsize len, gsize at) {
  for (gsize back = 1; back <= 4 && back <= at; back++) {
    Glyph glyph = glyph_at(bytes + at - back, bytes + len, SPELL_PLAIN, false);
    if (glyph.size == back)
      return at - back;
  }
  return at - 1;
}

/* ---- A value within a budget ------------------------------------------------------------------------------------- */

typedef struct Excerpt {
  gsize start;                   /* offset of the first byte shown */
  gsize from, to;                /* bytes that differ */
  int budget;
  Spelling spelling;
} Excerpt;

static bool needs_quotes(const char *bytes, gsize len, Quote quote) {
  if (quote != QUOTE_DOUBTFUL)
    return quote == QUOTE_ALWAYS;
  return len == 0 || bytes[0] == ' ' || bytes[len - 1] == ' ' || bytes[0] == '\'' ||
         (len == 4 && memcmp(bytes, "NULL", 4) == 0);
}

/* Draws from excerpt->start on; *whole tells whether the end was reached. */
static char *draw(const char *bytes, gsize len, const Excerpt *excerpt, bool quotes, DrawnCell *marks, bool *whole) {
  GString *out = g_string_new(quotes ? "'" : "");
  int width = quotes ? 1 : 0, limit = excerpt->budget + width, combined = 0;
  if (excerpt->start > 0) {
    g_string_append(out, "…");
    width++;
  }
  int from = -1, to = -1;
  gsize at = excerpt->start;
  bool first = true;
  while (at < len) {
    Glyph glyph = glyph_at(bytes + at, bytes + len, excerpt->spelling, first);
    combined = glyph.width == 0 ? combined + 1 : 0;
    if (combined > MOST_MARKS_ON_ONE) {
      g_snprintf(glyph.text, sizeof glyph.text, "…");
      glyph.width = 1;
    }
    if (width + glyph.width > limit)
      break;
    from = from < 0 && at >= excerpt->from ? width : from;
    to = to < 0 && at >= excerpt->to ? width : to;
    g_string_append(out, glyph.text);
    width += glyph.width;
    at += glyph.size;
    first = false;
  }
  *whole = at >= len;
  if (!*whole)
    g_string_append(out, "…");
  if (quotes)
    g_string_append_c(out, '\'');
  if (marks != NULL) {
    marks->from = from < 0 ? width : from;
    marks->to = MAX(to < 0 ? width + !*whole : to, marks->from + 1);
  }
  return g_string_free(out, FALSE);
}

char *text_drawn(const char *bytes, gsize len, int budget, Quote quote) {
  if (bytes == NULL)
    return g_strdup("NULL");
  bool whole;
  Excerpt excerpt = {.budget = budget};
  return draw(bytes, len, &excerpt, needs_quotes(bytes, len, quote), NULL, &whole);
}

/* ---- Two values that differ -------------------------------------------------------------------------------------- */

static bool is_inside(const char *bytes, gsize len, gsize at) {
  return at < len && (((guint8)bytes[at] & 0xc0) == 0x80 ||
                      glyph_at(bytes + at, bytes + len, SPELL_PLAIN, false).width == 0);
}

/* What two texts share at their beginning and their end, in whole characters with their combining marks. */
static void common_ends(const DbCell *a, const DbCell *b, gsize *prefix, gsize *suffix) {
  gsize most = MIN(a->len, b->len), n = 0;
  while (n < most && a->bytes[n] == b->bytes[n])
    n++;
  /* Bounded: a run of stray continuation bytes is nobody's character. */
  for (int back = 0; back < 64 && n > 0 && (is_inside(a->bytes, a->len, n) || is_inside(b->bytes, b->len, n)); back++)
    n--;
  *prefix = n;
  gsize end = 0;
  while (end < most - n && a->bytes[a->len - 1 - end] == b->bytes[b->len - 1 - end])
    end++;
  for (int forth = 0; forth < 64 && end > 0 && is_inside(a->bytes, a->len, a->len - end); forth++)
    end--;
  *suffix = end;
}

/* Where to begin so that a third of the budget stands before the difference. */
static gsize start_before(const DbCell *cell, gsize difference, int budget, Spelling spelling) {
  int width = 0;
  gsize at = difference;
  while (at > 0) {
    gsize before = char_before(cell->bytes, cell->len, at);
    width += glyph_at(cell->bytes + before, cell->bytes + cell->len, spelling, false).width;
    if (width > budget / 3)
      break;
    at = before;
  }
  return at;
}

static bool look_alike(const char *a, const char *b) {
  g_autofree char *x = g_utf8_normalize(a, -1, G_NORMALIZE_ALL), *y = g_utf8_normalize(b, -1, G_NORMALIZE_ALL);
  return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static void draw_pair(const DbCell *want, const DbCell *got, int budget, Quote quote, Spelling spelling, DrawnCell *w,
                      DrawnCell *g) {
  gsize prefix, suffix;
  common_ends(want, got, &prefix, &suffix);
  Excerpt we = {.from = prefix, .to = want->len - suffix, .budget = budget, .spelling = spelling}, ge = we;
  ge.to = got->len - suffix;
  bool wq = needs_quotes(want->bytes, want->len, quote), gq = needs_quotes(got->bytes, got->len, quote);
  bool w_whole, g_whole;
  w->text = draw(want->bytes, want->len, &we, wq, w, &w_whole);
  g->text = draw(got->bytes, got->len, &ge, gq, g, &g_whole);
  if (w_whole && g_whole)
    return;
  we.start = ge.start = start_before(want, prefix, budget, spelling);
  if (we.start == 0)
    return;
  g_free(w->text);
  g_free(g->text);
  w->text = draw(want->bytes, want->len, &we, wq, w, &w_whole);
  g->text = draw(got->bytes, got->len, &ge, gq, g, &g_whole);
}

static void mark_whole(DrawnCell *cell) {
  cell->from = 0;
  cell->to = MAX(display_width(cell->text), 1);
}

void pair_drawn(const DbCell *want, const char *word, const DbCell *got, int budget, Quote quote, DrawnCell *w,
                DrawnCell *g) {
  if (word != NULL || want->bytes == NULL || got->bytes == NULL) {
    w->text = word == NULL ? text_drawn(want->bytes, want->len, budget, quote)
                           : text_drawn(word, strlen(word), budget, QUOTE_NEVER);
    g->text = text_drawn(got->bytes, got->len, budget, quote);
    mark_whole(w);
    mark_whole(g);
    return;
  }
  for (Spelling spelling = SPELL_PLAIN; spelling < N_SPELLINGS; spelling++) {
    draw_pair(want, got, budget, quote, spelling, w, g);
    if (spelling == SPELL_ASCII || !look_alike(w->text, g->text))
      return;
    g_free(w->text);
    g_free(g->text);
  }
}

/* ---- Rows and the table ------------------------------------------------------------------------------------------ */

DrawnRow *drawn_row_new(guint n) {
  DrawnRow *row = g_new(DrawnRow, 1);
  *row = (DrawnRow){.n = n, .cells = g_new0(DrawnCell, n)};
  return row;
}

DrawnRow *drawn_row_copy(const DrawnRow *row) {
  DrawnRow *copy = drawn_row_new(row->n);
  for (guint i = 0; i < row->n; i++) {
    copy->cells[i] = row->cells[i];
    copy->cells[i].text = g_strdup(row->cells[i].text);
  }
  return copy;
}

void drawn_row_free(DrawnRow *row) {
  if (row == NULL)
    return;
  for (guint i = 0; i < row->n; i++)
    g_free(row->cells[i].text);
  g_free(row->cells);
  g_free(row);
}

typedef struct Line {
  char mark;
  DrawnRow *row;                 /* NULL: words */
  const char *note;
  char *words;
  bool pointers;
} Line;

struct Table {
  GArray *lines;
  guint n;                       /* columns of the widest row */
};

static void line_clear(gpointer data) {
  Line *line = data;
  drawn_row_free(line->row);
  g_free(line->words);
}

Table *table_new(guint n, const char *const *names) {
  Table *table = g_new0(Table, 1);
  table->lines = g_array_new(FALSE, FALSE, sizeof(Line));
  g_array_set_clear_func(table->lines, line_clear);
  DrawnRow *row = drawn_row_new(n);
  for (guint i = 0; i < n; i++)
    row->cells[i].text = text_drawn(names[i], strlen(names[i]), table_budget(n), QUOTE_DOUBTFUL);
  if (n > 0)
    table_row(table, ' ', row, NULL, false);
  else
    drawn_row_free(row);
  return table;
}

void table_free(Table *table) {
  if (table == NULL)
    return;
  g_array_unref(table->lines);
  g_free(table);
}

void table_row(Table *table, char mark, DrawnRow *row, const char *note, bool pointers) {
  Line line = {.mark = mark, .row = row, .note = note, .pointers = pointers};
  g_array_append_val(table->lines, line);
  table->n = MAX(table->n, row->n);
}

void table_say(Table *table, const char *format, ...) {
  va_list args;
  va_start(args, format);
  Line line = {.mark = ' ', .words = g_strdup_vprintf(format, args)};
  va_end(args);
  g_array_append_val(table->lines, line);
}

int table_budget(guint n_columns) { return CLAMP(TABLE_WIDTH / (int)MAX(MIN(n_columns, 64), 1), 24, 100); }

/* Which columns are shown: those that differ, the first two, and others from the left while there is room. */
static void choose_columns(const int *widths, const bool *differs, guint n, bool *shown) {
  int room = TABLE_WIDTH;
  for (guint i = 0; i < n; i++) {
    shown[i] = i < 2 || (differs[i] && room > 0);
    room -= shown[i] ? widths[i] + 3 : 0;
  }
  for (guint i = 0; i < n; i++) {
    if (shown[i])
      continue;
    room -= widths[i] + 3;
    if (room < 0)
      break;
    shown[i] = true;
  }
}

static void measure(const Table *table, int *widths, bool *differs) {
  for (guint l = 0; l < table->lines->len; l++) {
    const Line *line = &g_array_index(table->lines, Line, l);
    for (guint i = 0; line->row != NULL && i < line->row->n; i++) {
      const DrawnCell *cell = &line->row->cells[i];
      int width = cell->text == NULL ? 0 : display_width(cell->text);
      widths[i] = MAX(widths[i], MAX(width, line->pointers ? cell->to : 0));
      differs[i] = differs[i] || cell->to > 0;
    }
  }
}

static void put_repeated(GString *out, char c, int n) {
  for (int i = 0; i < n; i++)
    g_string_append_c(out, c);
}

static void put_cell(GString *out, const DrawnCell *cell, int width, bool pointer) {
  g_string_append_c(out, ' ');
  int used = 0;
  if (pointer && cell->to > 0) {
    put_repeated(out, ' ', cell->from);
    put_repeated(out, '^', cell->to - cell->from);
    used = cell->to;
  } else if (!pointer && cell->text != NULL) {
    g_string_append(out, cell->text);
    used = display_width(cell->text);
  }
  put_repeated(out, ' ', width - used);
  g_string_append(out, " |");
}

static void put_row(GString *out, const Table *table, const Line *line, const int *widths, const bool *shown,
                    bool pointer) {
  static const DrawnCell NOTHING;
  g_string_append_printf(out, "%c |", pointer ? ' ' : line->mark);
  bool gap = false;
  for (guint i = 0; i < table->n; i++) {
    if (shown[i])
      put_cell(out, i < line->row->n ? &line->row->cells[i] : &NOTHING, widths[i], pointer);
    else if (!gap)
      g_string_append(out, " … |");
    gap = !shown[i];
  }
  if (line->note != NULL && !pointer)
    g_string_append_printf(out, "        %s", line->note);
  g_string_append_c(out, '\n');
}

char *table_text(const Table *table) {
  g_autofree int *widths = g_new0(int, table->n + 1);
  g_autofree bool *differs = g_new0(bool, table->n + 1), *shown = g_new0(bool, table->n + 1);
  measure(table, widths, differs);
  choose_columns(widths, differs, table->n, shown);
  GString *out = g_string_new(NULL);
  for (guint l = 0; l < table->lines->len; l++) {
    const Line *line = &g_array_index(table->lines, Line, l);
    if (line->row == NULL) {
      g_string_append_printf(out, "%c %s\n", line->mark, line->words);
      continue;
    }
    put_row(out, table, line, widths, shown, false);
    if (line->pointers)
      put_row(out, table, line, widths, shown, true);
  }
  return g_string_free(out, FALSE);
}
