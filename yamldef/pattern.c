/* pattern.c - see pattern.h.  A match restarts its count of steps at each start position, so the limits are low. */
#include "yamldef/pattern.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { LINE_LIMIT = 1000000, BLOCK_LIMIT = 10000000, HEAP_LIMIT_KIB = 256 * 1024, JIT_STACK_BYTES = 1024 * 1024 };

/* What the newest match left: not part of a pattern's value. */
typedef struct Newest {
  pcre2_match_data *match;
  GString *bytes; /* of the subject, from `base` on: all that groups can have taken */
  gsize base;
} Newest;

struct Pattern {
  char *text;
  guint32 limit;
  pcre2_code *code;
  Newest *newest;
};

#define PATTERN_ERROR g_quark_from_static_string("pattern-error")

/* One for the process, which has one thread: a stack for JIT is 1 MiB. */
static pcre2_match_context *match_context(void) {
  static pcre2_match_context *context;
  if (context == NULL) {
    context = pcre2_match_context_create(NULL);
    pcre2_jit_stack *stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK_BYTES, NULL);
    if (context == NULL || stack == NULL)
      g_error("out of memory for patterns");
    pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
    pcre2_jit_stack_assign(context, NULL, stack);
  }
  return context;
}

/* ---- RE2 in PCRE2's words ---------------------------------------------------------------------------------------- */

static bool refuse(GError **error, gsize offset, const char *what, const char *of, gsize len) {
  g_set_error(error, PATTERN_ERROR, 0, "offset %zu: RE2 knows no %s '%.*s'", offset, what, (int)len, of);
  return false;
}

/* \s is without \v in RE2, and \v is the vertical tab alone. */
static void put_escape(GString *out, char c, bool in_class) {
  switch (c) {
  case 's': g_string_append(out, in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]"); break;
  case 'S': g_string_append(out, in_class ? "\\S\\x0B" : "[^\\t\\n\\f\\r\\x20]"); break;
  case 'v': g_string_append(out, "\\x0B"); break;
  default: g_string_append_printf(out, "\\%c", c);
  }
}

/* Groups that would look around, be atomic or conditional, and verbs. */
static bool group_fits(const char *text, gsize len, gsize i, GError **error) {
  static const char *const FOREIGN[] = {"(*",  "(?=", "(?!", "(?<=", "(?<!", "(?>",  "(?|", "(?#",
                                        "(?(", "(?R", "(?&", "(?C",  "(?P=", "(?P>", "(?0", "(?1",
                                        "(?2", "(?3", "(?4", "(?5",  "(?6",  "(?7",  "(?8", "(?9"};
  for (guint k = 0; k < G_N_ELEMENTS(FOREIGN); k++) {
    gsize n = strlen(FOREIGN[k]);
    if (len - i >= n && memcmp(text + i, FOREIGN[k], n) == 0)
      return refuse(error, i, "group", FOREIGN[k], n);
  }
  return true;
}

/* A copy until the end of \Q...\E; returns the offset behind it. */
static gsize copy_literal(const char *text, gsize len, gsize i, GString *out) {
  const char *end = memmem(text + i + 2, len - i - 2, "\\E", 2);
  gsize behind = end == NULL ? len : (gsize)(end - text) + 2;
  g_string_append_len(out, text + i, (gssize)(behind - i));
  return behind;
}

static char *from_re2(const char *text, gsize len, gsize *out_len, GError **error) {
  g_autoptr(GString) out = g_string_sized_new(len + 16);
  bool in_class = false;
  for (gsize i = 0; i < len; i++) {
    char c = text[i];
    if (c == '\\' && i + 1 < len) {
      char e = text[i + 1];
      if (e == 'Q') {
        i = copy_literal(text, len, i, out) - 1;
        continue;
      }
      if (strchr("ZGKRXNhHVkgEc", e) != NULL && e != '\0') {
        refuse(error, i, "escape", text + i, 2);
        return NULL;
      }
      if (e >= '1' && e <= '9' && !(i + 2 < len && e < '8' && g_ascii_isdigit(text[i + 2]))) {
        refuse(error, i, "back reference", text + i, 2);
        return NULL;
      }
      put_escape(out, e, in_class);
      i++;
      continue;
    }
    if (c == '[' && in_class && i + 1 < len && text[i + 1] == ':') {
      const char *end = memmem(text + i, len - i, ":]", 2);
      gsize behind = end == NULL ? i + 1 : (gsize)(end - text) + 2;
      g_string_append_len(out, text + i, (gssize)(behind - i));
      i = behind - 1;
      continue;
    }
    if (c == '(' && !in_class && !group_fits(text, len, i, error))
      return NULL;
    g_string_append_c(out, c);
    if (c == '[' && !in_class) {
      in_class = true;
      if (i + 1 < len && text[i + 1] == '^')
        g_string_append_c(out, text[++i]);
      if (i + 1 < len && text[i + 1] == ']')
        g_string_append_c(out, text[++i]);
    } else if (c == ']') {
      in_class = false;
    }
  }
  *out_len = out->len;
  return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- Compiling --------------------------------------------------------------------------------------------------- */

static pcre2_code *compile(const char *text, gsize len, PatternFlavour flavour, GError **error) {
  guint32 options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY |
                    PCRE2_ALT_CIRCUMFLEX | (flavour == PATTERN_BLOCK ? PCRE2_MULTILINE : 0);
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  if (context == NULL)
    g_error("out of memory for patterns");
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
  int code = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, len, options, &code, &offset, context);
  pcre2_compile_context_free(context);
  if (compiled == NULL) {
    char words[256];
    pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof words);
    g_set_error(error, PATTERN_ERROR, code, "offset %zu: %s", (gsize)offset, words);
  }
  return compiled;
}

Pattern *pattern_new(const char *text, gsize len, PatternFlavour flavour, GError **error) {
  g_autofree char *translated = NULL;
  const char *source = text;
  gsize source_len = len;
  if (flavour == PATTERN_RE2) {
    translated = from_re2(text, len, &source_len, error);
    if (translated == NULL)
      return NULL;
    source = translated;
  }
  pcre2_code *code = compile(source, source_len, flavour, error);
  if (code == NULL)
    return NULL;
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without JIT the interpreter answers */
  Pattern *pattern = g_new0(Pattern, 1);
  pattern->text = g_strndup(text, len);
  pattern->limit = flavour == PATTERN_LINES ? LINE_LIMIT : BLOCK_LIMIT;
  pattern->code = code;
  pattern->newest = g_new0(Newest, 1);
  return pattern;
}

void pattern_free(Pattern *pattern) {
  if (pattern == NULL)
    return;
  pcre2_match_data_free(pattern->newest->match);
  if (pattern->newest->bytes != NULL)
    g_string_free(pattern->newest->bytes, TRUE);
  g_free(pattern->newest);
  pcre2_code_free(pattern->code);
  g_free(pattern->text);
  g_free(pattern);
}

/* ---- Searching --------------------------------------------------------------------------------------------------- */

static pcre2_match_data *match_data(const Pattern *pattern) {
  Newest *newest = pattern->newest;
  if (newest->match == NULL) {
    newest->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    if (newest->match == NULL)
      g_error("out of memory for patterns");
  }
  return newest->match;
}

static int match(const Pattern *pattern, const char *subject, gsize len, gsize from) {
  pcre2_match_context *context = match_context();
  pcre2_set_match_limit(context, pattern->limit);
  pcre2_set_depth_limit(context, pattern->limit);
  PCRE2_SPTR bytes = (PCRE2_SPTR)subject;
  int got = pcre2_match(pattern->code, bytes, len, from, 0, match_data(pattern), context);
  if (got != PCRE2_ERROR_JIT_STACKLIMIT)
    return got;
  pcre2_match_data_free(pattern->newest->match); /* fresh, since the interpreter's memory stays with it */
  pattern->newest->match = NULL;
  return pcre2_match(pattern->code, bytes, len, from, PCRE2_NO_JIT, match_data(pattern), context);
}

static const char *undecided(int code) {
  switch (code) {
  case PCRE2_ERROR_MATCHLIMIT: return "the pattern takes too many steps on this text";
  case PCRE2_ERROR_DEPTHLIMIT: return "the pattern nests too deep on this text";
  case PCRE2_ERROR_HEAPLIMIT:
  case PCRE2_ERROR_NOMEMORY: return "the pattern takes too much memory on this text";
  default: return "the pattern cannot be decided on this text";
  }
}

/* Groups may lie outside the match (look-around), so the span of all is kept. */
static void keep_groups(const Pattern *pattern, const char *subject) {
  Newest *newest = pattern->newest;
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(newest->match);
  guint32 n = pcre2_get_ovector_count(newest->match);
  gsize low = G_MAXSIZE, high = 0;
  for (guint32 i = 0; i < n; i++) {
    if (v[2 * i] == PCRE2_UNSET)
      continue;
    low = MIN(low, MIN(v[2 * i], v[2 * i + 1]));
    high = MAX(high, v[2 * i + 1]);
  }
  if (newest->bytes == NULL)
    newest->bytes = g_string_new(NULL);
  g_string_truncate(newest->bytes, 0);
  newest->base = low;
  if (high > low)
    g_string_append_len(newest->bytes, subject + low, (gssize)(high - low));
}

PatternResult pattern_search(const Pattern *pattern, const char *subject, gsize len, gsize from, gsize *start,
                             gsize *end, const char **why) {
  if (from > len)
    return PATTERN_NO;
  int got = match(pattern, len == 0 ? "" : subject, len, from);
  if (got == PCRE2_ERROR_NOMATCH)
    return PATTERN_NO;
  if (got < 0) {
    if (why != NULL)
      *why = undecided(got);
    return PATTERN_UNDECIDED;
  }
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(pattern->newest->match);
  if (start != NULL)
    *start = v[0];
  if (end != NULL)
    *end = v[1];
  keep_groups(pattern, subject);
  return PATTERN_YES;
}

/* -1: there is no such group. */
static int group_number(const Pattern *pattern, const char *group) {
  guint32 count = 0;
  pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &count);
  guint64 number;
  if (g_ascii_string_to_unsigned(group, 10, 0, count, &number, NULL))
    return (int)number;
  return MAX(pcre2_substring_number_from_name(pattern->code, (PCRE2_SPTR)group), -1);
}

bool pattern_has_group(const Pattern *pattern, const char *group) { return group_number(pattern, group) >= 0; }

char *pattern_group(const Pattern *pattern, const char *group) {
  const Newest *newest = pattern->newest;
  int number = group_number(pattern, group);
  if (number < 0 || newest->bytes == NULL)
    return NULL;
  const PCRE2_SIZE *v = pcre2_get_ovector_pointer(newest->match);
  PCRE2_SIZE low = v[2 * number], high = v[2 * number + 1];
  return low == PCRE2_UNSET || high < low ? NULL : g_strndup(newest->bytes->str + (low - newest->base), high - low);
}

const char *pattern_text(const Pattern *pattern) { return pattern->text; }
