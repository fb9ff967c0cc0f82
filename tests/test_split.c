/* A script falls into the statements that psql or mysql would send. */
#include "dbclient/split.h"

#include <string.h>

#define MAX_PIECES 6
#define PG DB_POSTGRESQL
#define MY DB_MYSQL

typedef struct Case {
  const char *name;
  DbKind kind;
  const char *script;
  struct { const char *text; guint line; } pieces[MAX_PIECES];
} Case;

static const Case cases[] = {
    {"nothing", PG, "", {{NULL}}},
    {"blanks and empty statements", PG, " ;\n;; \t\n", {{NULL}}},
    {"comments alone", PG, "-- a\n/* b; */ ; -- c", {{NULL}}},
    {"comments alone in MySQL", MY, "# a;\n-- b;\n/* c; */;", {{NULL}}},
    {"two statements", PG, "SELECT 1;\n  SELECT 2 ;", {{"SELECT 1", 1}, {"SELECT 2", 2}}},
    {"no delimiter at the end", PG, "SELECT 1; SELECT 2\n", {{"SELECT 1", 1}, {"SELECT 2", 1}}},
    {"semicolon in a string", PG, "SELECT ';', 'it''s;'; SELECT 2", {{"SELECT ';', 'it''s;'", 1}, {"SELECT 2", 1}}},
    {"semicolon in a name", PG, "SELECT 1 AS \"a;\"\"b\"; SELECT 2", {{"SELECT 1 AS \"a;\"\"b\"", 1}, {"SELECT 2", 1}}},
    {"a backslash is a character", PG, "SELECT '\\'; SELECT 2", {{"SELECT '\\'", 1}, {"SELECT 2", 1}}},
    {"but not in an escape string",
     PG,
     "SELECT E'\\';'; SELECT e'\\\\'; SELECT 3",
     {{"SELECT E'\\';'", 1}, {"SELECT e'\\\\'", 1}, {"SELECT 3", 1}}},
    {"a name ending in e does not make one",
     PG,
     "SELECT date'\\'; SELECT 2",
     {{"SELECT date'\\'", 1}, {"SELECT 2", 1}}},
    {"dollar quotes", PG, "DO $$ BEGIN; END; $$; SELECT 2", {{"DO $$ BEGIN; END; $$", 1}, {"SELECT 2", 1}}},
    {"tagged dollar quotes",
     PG,
     "DO $a_1$ x; $$ $a$ ; $a_1$; SELECT 2",
     {{"DO $a_1$ x; $$ $a$ ; $a_1$", 1}, {"SELECT 2", 1}}},
    {"parameters are no dollar quotes", PG, "SELECT $1, $2; SELECT $1", {{"SELECT $1, $2", 1}, {"SELECT $1", 1}}},
    {"nor is a dollar within a name", PG, "SELECT a$b; SELECT c$b", {{"SELECT a$b", 1}, {"SELECT c$b", 1}}},
    {"line comments", PG, "SELECT 1 -- ; '\n + 1; SELECT 2", {{"SELECT 1 -- ; '\n + 1", 1}, {"SELECT 2", 2}}},
    {"two dashes suffice", PG, "SELECT 1--1;\n;SELECT 2", {{"SELECT 1", 1}, {"SELECT 2", 2}}},
    {"nested comments",
     PG,
     "SELECT /* a /* ; */ ; */ 1; SELECT 2",
     {{"SELECT /* a /* ; */ ; */ 1", 1}, {"SELECT 2", 1}}},
    {"a leading comment is kept for hints", PG, "/*+ SeqScan(t) */\nSELECT 1", {{"/*+ SeqScan(t) */\nSELECT 1", 2}}},
    {"parentheses hold together",
     PG,
     "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
     {{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", 1}, {"SELECT 3", 1}}},
    {"a body with BEGIN ATOMIC",
     PG,
     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
     {{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", 1},
      {"SELECT 3", 1}}},
    {"and in a procedure replaced",
     PG,
     "create or replace procedure p() begin atomic select 1; end; select 2",
     {{"create or replace procedure p() begin atomic select 1; end", 1}, {"select 2", 1}}},
    {"but BEGIN alone ends", PG, "BEGIN; SELECT 1; END;", {{"BEGIN", 1}, {"SELECT 1", 1}, {"END", 1}}},
    {"a hash is an operator", PG, "SELECT 5 # 3; SELECT 2", {{"SELECT 5 # 3", 1}, {"SELECT 2", 1}}},
    {"letters outside ASCII", PG, "SELECT 'ö;' AS größe; SELECT 2", {{"SELECT 'ö;' AS größe", 1}, {"SELECT 2", 1}}},

    {"MySQL: backslash escapes",
     MY,
     "SELECT 'a\\';', \"b\\\";\"; SELECT 2",
     {{"SELECT 'a\\';', \"b\\\";\"", 1}, {"SELECT 2", 1}}},
    {"MySQL: names in backquotes", MY, "SELECT `a;``b\\`; SELECT 2", {{"SELECT `a;``b\\`", 1}, {"SELECT 2", 1}}},
    {"MySQL: a hash begins a comment", MY, "SELECT 1 # ; '\n; SELECT 2", {{"SELECT 1", 1}, {"SELECT 2", 2}}},
    {"MySQL: two dashes need a blank", MY, "SELECT 1--1; SELECT 2 -- ;\n", {{"SELECT 1--1", 1}, {"SELECT 2", 1}}},
    {"MySQL: comments do not nest",
     MY,
     "SELECT /* a /* b */ 1; SELECT 2",
     {{"SELECT /* a /* b */ 1", 1}, {"SELECT 2", 1}}},
    {"MySQL: an executed comment is a statement",
     MY,
     "/*!40101 SET NAMES utf8 */; /*M! SET @a=1 */;",
     {{"/*!40101 SET NAMES utf8 */", 1}, {"/*M! SET @a=1 */", 1}}},
    {"MySQL: dollars mean nothing",
     MY,
     "SELECT '$$'; SELECT 2 AS $$; SELECT 3",
     {{"SELECT '$$'", 1}, {"SELECT 2 AS $$", 1}, {"SELECT 3", 1}}},
    {"MySQL: parentheses do not hold", MY, "SELECT (1; SELECT 2", {{"SELECT (1", 1}, {"SELECT 2", 1}}},
    {"MySQL: DELIMITER",
     MY,
     "SELECT 0;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END //\ndelimiter ;\nCALL p();",
     {{"SELECT 0", 1}, {"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", 3}, {"CALL p()", 5}}},
    {"MySQL: a column named delimiter",
     MY,
     "SELECT\ndelimiter FROM t; SELECT 2",
     {{"SELECT\ndelimiter FROM t", 1}, {"SELECT 2", 2}}},
    {"MySQL: a name beginning so", MY, "delimiters; SELECT 2", {{"delimiters", 1}, {"SELECT 2", 1}}},
};

static void check_case(gconstpointer data) {
  const Case *c = data;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) pieces = sql_split(c->kind, c->script, strlen(c->script), &error);
  g_assert_no_error(error);
  guint n = 0;
  while (n < MAX_PIECES && c->pieces[n].text != NULL)
    n++;
  for (guint i = 0; i < MIN(n, pieces->len); i++) {
    const SqlPiece *piece = &g_array_index(pieces, SqlPiece, i);
    g_autofree char *text = g_strndup(piece->start, piece->len);
    g_assert_cmpstr(text, ==, c->pieces[i].text);
    g_assert_cmpuint(piece->line, ==, c->pieces[i].line);
  }
  g_assert_cmpuint(pieces->len, ==, n);
}

static const struct { const char *name; DbKind kind; const char *script, *message; } broken[] = {
    {"string", PG, "SELECT 1;\nSELECT 'a;\n", "line 2: a quoted string is not closed"},
    {"escape string", PG, "SELECT E'a\\'", "line 1: a quoted string is not closed"},
    {"name", PG, "\n\nSELECT \"a", "line 3: a quoted name is not closed"},
    {"dollar quote", PG, "SELECT $x$ $y$", "line 1: a dollar-quoted string is not closed"},
    {"comment", PG, "SELECT 1 /* /* */", "line 1: a comment is not closed"},
    {"MySQL string", MY, "SELECT \"a", "line 1: a quoted string is not closed"},
    {"MySQL name", MY, "SELECT `a", "line 1: a quoted name is not closed"},
    {"MySQL comment", MY, "SELECT 1;\n/* ;", "line 2: a comment is not closed"},
    {"MySQL delimiter", MY, "SELECT 1;\nDELIMITER \nSELECT 2;", "line 2: DELIMITER must be followed by one"},
};

static void what_is_not_closed_is_an_error(void) {
  for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(sql_split(broken[i].kind, broken[i].script, strlen(broken[i].script), &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, broken[i].message);
  }
}

/* Nothing is read past the end, wherever a script is cut off (the sanitizers watch). */
static void a_script_may_end_anywhere(void) {
  static const char script[] = "SELECT E'\\'', \"a\" /* /* */ */ $a$ x $a$; # 'b'\nDELIMITER //\n-- c\n`d` -- ";
  for (guint kind = DB_POSTGRESQL; kind <= DB_MYSQL; kind++) {
    for (gsize len = 0; len < sizeof script; len++) {
      g_autofree char *part = g_memdup2(script, MAX(len, 1));
      g_autoptr(GArray) pieces = sql_split(kind, part, len, NULL);
      for (guint i = 0; pieces != NULL && i < pieces->len; i++) {
        const SqlPiece *piece = &g_array_index(pieces, SqlPiece, i);
        g_assert_true(piece->start >= part && piece->start + piece->len <= part + len && piece->len > 0);
      }
    }
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *path = g_strdup_printf("/split/%s", cases[i].name);
    g_test_add_data_func(path, &cases[i], check_case);
  }
  g_test_add_func("/split/what is not closed is an error", what_is_not_closed_is_an_error);
  g_test_add_func("/split/a script may end anywhere", a_script_may_end_anywhere);
  return g_test_run();
}
