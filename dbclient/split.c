#include "dbclient/split.h"

#include <string.h>

typedef struct Splitter {
  DbKind kind;
  const char *at, *end;
  guint line;
  GString *delimiter;
  /* the piece being read */
  const char *start;         /* NULL: nothing but blanks so far */
  const char *last;          /* after its last character that is no blank */
  guint start_line;          /* 0: nothing but comments so far */
  /* PostgreSQL: a ';' does not end a statement within parentheses or a body that began with BEGIN ATOMIC */
  guint parens, bodies;
  guint n_words;
  char words[4];             /* first letters of the first words */
} Splitter;

static bool is_word_start(char c) { return g_ascii_isalpha(c) || c == '_' || (c & 0x80); }

static bool is_word(char c) { return is_word_start(c) || g_ascii_isdigit(c) || c == '$'; }

static bool looking_at(const Splitter *s, const char *text) {
  gsize len = strlen(text);
  return (gsize)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

static void advance(Splitter *s, gsize n) {
  for (; n > 0; n--)
    s->line += *s->at++ == '\n';
}

static bool not_closed(const Splitter *s, guint line, const char *what, GError **error) {
  g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_PARSE, "line %u: %s is not closed", line, what);
  return false;
}

/* Up to and with the closing quote.  A doubled quote reads as an end and a new beginning, which comes to the same. */
static bool skip_quoted(Splitter *s, bool backslash, const char *what, GError **error) {
  guint line = s->line;
  char quote = *s->at;
  advance(s, 1);
  while (s->at < s->end && *s->at != quote)
    advance(s, backslash && *s->at == '\\' && s->at + 1 < s->end ? 2 : 1);
  if (s->at == s->end)
    return not_closed(s, line, what, error);
  advance(s, 1);
  return true;
}

static bool skip_comment(Splitter *s, GError **error) {
  guint line = s->line, depth = 1;
  advance(s, 2);
  while (depth > 0 && s->at < s->end) {
    if (looking_at(s, "*/")) {
      advance(s, 2);
      depth--;
    } else if (s->kind == DB_POSTGRESQL && looking_at(s, "/*")) {
      advance(s, 2);
      depth++;
    } else {
      advance(s, 1);
    }
  }
  return depth == 0 || not_closed(s, line, "a comment", error);
}

static bool at_line_comment(const Splitter *s) {
  if (s->kind == DB_POSTGRESQL)
    return looking_at(s, "--");
  if (*s->at == '#')
    return true;
  return looking_at(s, "--") && (s->end - s->at == 2 || g_ascii_isspace(s->at[2]) || g_ascii_iscntrl(s->at[2]));
}

static void skip_line(Splitter *s) {
  const char *newline = memchr(s->at, '\n', (gsize)(s->end - s->at));
  s->at = newline != NULL ? newline : s->end;
}

/* The length of a dollar quote's opening ($$ or $tag$), or 0. */
static gsize dollar_tag(const Splitter *s) {
  const char *p = s->at + 1;
  if (p < s->end && is_word_start(*p))
    while (p < s->end && is_word(*p) && *p != '$')
      p++;
  return p < s->end && *p == '$' ? (gsize)(p + 1 - s->at) : 0;
}

static bool skip_dollar_quoted(Splitter *s, gsize tag, GError **error) {
  const char *body = s->at + tag, *close = memmem(body, (gsize)(s->end - body), s->at, tag);
  if (close == NULL)
    return not_closed(s, s->line, "a dollar-quoted string", error);
  advance(s, (gsize)(close - s->at) + tag);
  return true;
}

static bool is_same(const char *word, gsize len, const char *other) {
  return strlen(other) == len && g_ascii_strncasecmp(word, other, len) == 0;
}

/* As psql does: BEGIN opens a body only in CREATE [OR REPLACE] FUNCTION or PROCEDURE; CASE ... END nests in it. */
static void count_bodies(Splitter *s, const char *word, gsize len) {
  const char *first = s->words;
  if (s->n_words < G_N_ELEMENTS(s->words))
    s->words[s->n_words++] = g_ascii_tolower(word[0]);
  char object = first[1] == 'o' && first[2] == 'r' ? first[3] : first[1];
  if (first[0] != 'c' || (object != 'f' && object != 'p') || s->parens > 0)
    return;
  if (is_same(word, len, "begin") || (s->bodies > 0 && is_same(word, len, "case")))
    s->bodies++;
  else if (s->bodies > 0 && is_same(word, len, "end"))
    s->bodies--;
}

static bool take_word(Splitter *s, GError **error) {
  const char *word = s->at;
  while (s->at < s->end && is_word(*s->at))
    s->at++;
  gsize len = (gsize)(s->at - word);
  if (s->kind != DB_POSTGRESQL)
    return true;
  if (is_same(word, len, "e") && s->at < s->end && *s->at == '\'')
    return skip_quoted(s, true, "a quoted string", error);
  count_bodies(s, word, len);
  return true;
}

static bool take_token(Splitter *s, GError **error) {
  char c = *s->at;
  bool mysql = s->kind == DB_MYSQL;
  if (c == '\'')
    return skip_quoted(s, mysql, "a quoted string", error);
  if (c == '"')
    return skip_quoted(s, mysql, mysql ? "a quoted string" : "a quoted name", error);
  if (c == '`' && mysql)
    return skip_quoted(s, false, "a quoted name", error);
  if (c == '$' && !mysql && dollar_tag(s) > 0)
    return skip_dollar_quoted(s, dollar_tag(s), error);
  if (is_word_start(c) || g_ascii_isdigit(c))
    return take_word(s, error);
  if (c == '(')
    s->parens++;
  else if (c == ')' && s->parens > 0)
    s->parens--;
  advance(s, 1);
  return true;
}

static void end_piece(Splitter *s, GArray *pieces) {
  if (s->start_line > 0) {
    SqlPiece piece = {s->start, (gsize)(s->last - s->start), s->start_line};
    g_array_append_val(pieces, piece);
  }
  s->start = s->last = NULL;
  s->start_line = s->parens = s->bodies = s->n_words = 0;
  memset(s->words, 0, sizeof s->words);
}

static bool at_delimiter(const Splitter *s) {
  return (s->kind == DB_MYSQL || (s->parens == 0 && s->bodies == 0)) && looking_at(s, s->delimiter->str);
}

/* A line of mysql's own: DELIMITER and what ends statements from here on. */
static bool take_delimiter_line(Splitter *s, GError **error) {
  const char *word = s->at + strlen("delimiter");
  guint line = s->line;
  skip_line(s);
  while (word < s->at && g_ascii_isspace(*word))
    word++;
  const char *end = word;
  while (end < s->at && !g_ascii_isspace(*end))
    end++;
  g_string_truncate(s->delimiter, 0);
  g_string_append_len(s->delimiter, word, end - word);
  if (s->delimiter->len > 0)
    return true;
  g_set_error(error, G_MARKUP_ERROR, G_MARKUP_ERROR_PARSE, "line %u: DELIMITER must be followed by one", line);
  return false;
}

static bool at_delimiter_line(const Splitter *s) {
  gsize len = strlen("delimiter");
  return s->kind == DB_MYSQL && s->start == NULL && (gsize)(s->end - s->at) >= len &&
         g_ascii_strncasecmp(s->at, "delimiter", len) == 0 &&
         ((gsize)(s->end - s->at) == len || g_ascii_isspace(s->at[len]));
}

/* Comments count as a piece's beginning when a statement follows (hints are written so), never as a statement; those
 * that MySQL executes are statements. */
static bool take_part(Splitter *s, GError **error) {
  if (s->start == NULL)
    s->start = s->at;
  bool comment = looking_at(s, "/*") && !(s->kind == DB_MYSQL && (looking_at(s, "/*!") || looking_at(s, "/*M!")));
  if (!comment && s->start_line == 0)
    s->start_line = s->line;
  if (!(looking_at(s, "/*") ? skip_comment(s, error) : take_token(s, error)))
    return false;
  s->last = s->at;
  return true;
}

static bool take_script(Splitter *s, GArray *pieces, GError **error) {
  while (s->at < s->end) {
    bool going = true;
    if (at_delimiter(s)) {
      advance(s, s->delimiter->len);
      end_piece(s, pieces);
    } else if (g_ascii_isspace(*s->at)) {
      advance(s, 1);
    } else if (at_line_comment(s)) {
      skip_line(s);
    } else if (at_delimiter_line(s)) {
      going = take_delimiter_line(s, error);
    } else {
      going = take_part(s, error);
    }
    if (!going)
      return false;
  }
  end_piece(s, pieces);
  return true;
}

GArray *sql_split(DbKind kind, const char *script, gsize len, GError **error) {
  Splitter s = {.kind = kind, .at = script, .end = script + len, .line = 1, .delimiter = g_string_new(";")};
  GArray *pieces = g_array_new(FALSE, FALSE, sizeof(SqlPiece));
  if (!take_script(&s, pieces, error))
    g_clear_pointer(&pieces, g_array_unref);
  g_string_free(s.delimiter, TRUE);
  return pieces;
}
