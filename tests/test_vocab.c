/* test_vocab.c - the vocabulary's tables hold together: they are what messages, schema and manual are made of. */
#include "yamldef/vocab.h"

#include <string.h>

static const Vocabulary *const ALL[] = {
    &VOCAB_FILE,          &VOCAB_TEST,           &VOCAB_DOLT_TEST,       &VOCAB_NEEDS,           &VOCAB_TOPOLOGY,
    &VOCAB_PROCEDURE,     &VOCAB_SERVER,         &VOCAB_ENGINE,          &VOCAB_WITH_FILE,       &VOCAB_COMMAND,
    &VOCAB_STEP,          &VOCAB_SQL_STEP,       &VOCAB_SESSION,         &VOCAB_ENTRY,           &VOCAB_RESULT,
    &VOCAB_CELL,          &VOCAB_NOTICE,         &VOCAB_TARGET,          &VOCAB_READY,           &VOCAB_CALL,
    &VOCAB_FOR_EACH,      &VOCAB_RESTART_SERVER, &VOCAB_DOLT_REPO,       &VOCAB_DOLT_MULTI_REPO, &VOCAB_DOLT_SERVER,
    &VOCAB_DOLT_EXTERNAL, &VOCAB_DOLT_REMOTE,    &VOCAB_DOLT_CONNECTION, &VOCAB_DOLT_QUERY};

static void check_vocabulary(const Vocabulary *vocabulary, guint depth);

static void check_word(const Vocabulary *vocabulary, const Word *word, guint depth) {
  bool table = word->type == WORD_CHOICE || word->type == WORD_RECORD || word->type == WORD_RECORDS;
  g_assert_nonnull(word->help);
  g_assert_cmpuint(strlen(word->help), >, 3);
  g_assert_true(table == (word->of != NULL));
  g_assert_true(vocab_find(vocabulary, word->key) == word); /* no key twice */
  if (word->type != WORD_SPECIAL && vocabulary->size > 0)
    g_assert_cmpuint(word->offset, <, vocabulary->size);
  if (word->type == WORD_RECORD || word->type == WORD_RECORDS)
    check_vocabulary(word->of, depth + 1);
}

static void check_vocabulary(const Vocabulary *vocabulary, guint depth) {
  g_assert_cmpuint(depth, <, 10);
  g_assert_nonnull(vocabulary->what);
  g_assert_cmpuint(vocabulary->n_words, >, 0);
  if (vocabulary->obvious != NULL)
    g_assert_nonnull(vocab_find(vocabulary, vocabulary->obvious));
  for (guint i = 0; i < vocabulary->n_words; i++)
    check_word(vocabulary, &vocabulary->words[i], depth);
}

static void every_word_is_whole(void) {
  for (guint i = 0; i < G_N_ELEMENTS(ALL); i++)
    check_vocabulary(ALL[i], 0);
}

/* A key of a step must mean one thing: a verb, a modifier, or a word of SQL. */
static void steps_keys_do_not_collide(void) {
  static const Vocabulary *const TABLES[] = {&VOCAB_STEP, &VOCAB_SQL_STEP, &VOCAB_SESSION, &VOCAB_ENTRY};
  for (guint i = 0; i < N_VERB_WORDS; i++)
    for (guint t = 0; t < G_N_ELEMENTS(TABLES); t++)
      g_assert_null(vocab_find(TABLES[t], VERBS[i].word.key));
  for (guint t = 0; t < G_N_ELEMENTS(TABLES); t++)
    for (guint u = t + 1; u < G_N_ELEMENTS(TABLES); u++)
      for (guint i = 0; i < TABLES[t]->n_words; i++)
        g_assert_null(vocab_find(TABLES[u], TABLES[t]->words[i].key));
}

static void every_verb_has_its_word(void) {
  for (int verb = 0; verb < N_VERBS; verb++)
    g_assert_cmpstr(verb_word((Verb)verb), !=, "?");
  g_assert_cmpstr(verb_word(VERB_SYNC), ==, "sync");
  g_assert_cmpstr(verb_word(VERB_SQL), ==, "SQL");
}

static void unknown_words_are_not_found(void) {
  g_assert_null(vocab_find(&VOCAB_TEST, "stpes"));
  g_assert_null(vocab_find(&VOCAB_TEST, ""));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vocab/whole", every_word_is_whole);
  g_test_add_func("/vocab/steps", steps_keys_do_not_collide);
  g_test_add_func("/vocab/verbs", every_verb_has_its_word);
  g_test_add_func("/vocab/unknown", unknown_words_are_not_found);
  return g_test_run();
}
