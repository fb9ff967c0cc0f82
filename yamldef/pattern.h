/* pattern.h - regular expressions over what servers print (PCRE2, JIT where there is one).
 *
 * Patterns are searches, not whole matches.  Text may hold any bytes: invalid UTF-8 never matches a character but does
 * no harm.  Matching is limited in steps and memory; a pattern that runs into a limit gives PATTERN_UNDECIDED, which
 * a caller must report as an error and never as "no match".
 *
 * A Pattern is constant once compiled and may be shared over fork().  Free with pattern_free().
 */
#ifndef YAMLDEF_PATTERN_H
#define YAMLDEF_PATTERN_H

#include <glib.h>
#include <stdbool.h>

typedef struct Pattern Pattern;

typedef enum PatternFlavour {
  PATTERN_LINES,    /* ours: ^ and $ match at the text's ends; the caller gives one line, or a block */
  PATTERN_BLOCK,    /* (?m): ^ and $ match at line ends too */
  PATTERN_RE2,      /* as Go's regexp would decide: over the whole text, no multi-line, \z-like $ */
} PatternFlavour;

typedef enum PatternResult { PATTERN_NO, PATTERN_YES, PATTERN_UNDECIDED } PatternResult;

/* NULL with error set (its message has the offset and PCRE2's words) when it does not compile. */
Pattern *pattern_new(const char *text, gsize len, PatternFlavour flavour, GError **error);
void pattern_free(Pattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pattern, pattern_free)

/* Searches subject from `from`.  On PATTERN_YES start and end (bytes; may be NULL) say where.  On PATTERN_UNDECIDED
 * *why (may be NULL) is a static text. */
PatternResult pattern_search(const Pattern *pattern, const char *subject, gsize len, gsize from, gsize *start,
                             gsize *end, const char **why);

/* After the newest PATTERN_YES of this pattern: the bytes of a group, by number or name, newly allocated; NULL when
 * the group took no part or does not exist. */
char *pattern_group(const Pattern *pattern, const char *group);
bool pattern_has_group(const Pattern *pattern, const char *group);
const char *pattern_text(const Pattern *pattern);

#endif
