/* vocab.h - the whole vocabulary of definition files, as constant tables.
 *
 * Each mapping that can stand in a file is a Vocabulary; each key of it a Word with its type, where its value goes, and
 * one line of help.  Decoding, "did you mean", the JSON schema and the manual's tables all read these tables, so they
 * cannot drift apart.  No code here: what a type means is in decode.h.
 */
#ifndef YAMLDEF_VOCAB_H
#define YAMLDEF_VOCAB_H

#include "yamldef/definition.h"

typedef enum WordType {
  WORD_TEXT,            /* Text: any scalar, with templates */
  WORD_TEXTS,           /* Texts */
  WORD_NAME,            /* Name: a constant */
  WORD_NAMES,           /* Names */
  WORD_STRING,          /* const char *: a constant */
  WORD_BOOL,            /* bool */
  WORD_COUNT,           /* guint, 1 or more */
  WORD_SIZE,            /* gint64, 0 or more */
  WORD_STATUS,          /* int, 0 to 255 */
  WORD_MODE,            /* int, octal */
  WORD_DURATION,        /* gint64, microseconds */
  WORD_PAIRS,           /* Pairs: a mapping, its keys free */
  WORD_ENVS,            /* Pairs: a mapping, or a list of K=V */
  WORD_ENV_TEXTS,       /* Texts K=V: the same */
  WORD_PATTERN,         /* PatternText */
  WORD_PATTERNS,        /* PatternTexts */
  WORD_COMMANDS,        /* Commands: argument lists, or {run, cwd} */
  WORD_CHOICE,          /* int, one of `of` (a Choice table) */
  WORD_RECORD,          /* the struct of `of` (a Vocabulary), in place */
  WORD_RECORDS,         /* {n, v}: a list of them */
  WORD_CELL,            /* Cell */
  WORD_CELL_POINTER,    /* const Cell * */
  WORD_RESULT,          /* const ResultExpectation * */
  WORD_ROWS,            /* ResultExpectation: lists of cells, or {or: [...]} */
  WORD_ROWS_FILE,       /* ResultExpectation: a CSV file's */
  WORD_NOTICES,         /* NoticeExpectations */
  WORD_CAPTURES,        /* Captures: a name, or {name: column} */
  WORD_ARGS,            /* SqlArg list */
  WORD_ENTRIES,         /* SqlEntry list */
  WORD_TARGET,          /* Target */
  WORD_WHEN,            /* When */
  WORD_EXIT,            /* RunStep: a status or `nonzero` */
  WORD_STEPS,           /* Steps */
  WORD_LANES,           /* TogetherStep */
  WORD_SQL_INIT,        /* Steps: SQL texts, or steps, on "self" */
  WORD_POSITION,        /* Steps: a query whose cell is the position, or steps */
  WORD_READY,           /* Ready */
  WORD_STOP_MODES,      /* SignalMode list */
  WORD_LINK_SIDES,      /* LinkSides: two lists of servers */
  WORD_BANDWIDTH,       /* gint64, bytes a second: 64KiB, 10MB */
  WORD_HTTP_STATUS,     /* int, 100 to 599 */
  WORD_BYTES,           /* gint64: 64KiB, 10MB, 512 */
  WORD_JSON_CELLS,      /* JsonCells: {path: cell} */
  WORD_SPECIAL,         /* read by whoever reads the mapping, not by the table */
} WordType;

typedef struct Word {
  const char *key;
  WordType type;
  bool required;
  gsize offset;        /* in the struct of its vocabulary */
  gsize given;         /* 1 + offset of a bool that tells it was given; 0: none */
  const void *of;      /* CHOICE: a Choice table; RECORD, RECORDS: a Vocabulary */
  const char *help;
} Word;

typedef struct Choice { const char *word; int value; } Choice;   /* the last one has word NULL */

typedef struct Vocabulary {
  const char *what;               /* "a server": for messages */
  const Word *words;
  guint n_words;
  const char *obvious;            /* the key for which its value may stand alone; NULL: none */
  gsize size;                     /* of the struct, for lists of them */
  const void *defaults;           /* such a struct as it begins; NULL: zeroed */
  gsize place;                    /* 1 + offset of the Place to be set; 0: none */
} Vocabulary;

/* A verb of the step language: its word says what its value is and where in a Step that goes. */
typedef struct VerbWord { Word word; Verb verb; } VerbWord;

extern const Vocabulary VOCAB_FILE, VOCAB_TEST, VOCAB_DOLT_TEST, VOCAB_NEEDS, VOCAB_TOPOLOGY,
    VOCAB_PROCEDURE, VOCAB_LINK, VOCAB_SERVER, VOCAB_ENGINE, VOCAB_WITH_FILE, VOCAB_COMMAND;
extern const Vocabulary VOCAB_STEP, VOCAB_SQL_STEP, VOCAB_SESSION, VOCAB_ENTRY, VOCAB_RESULT, VOCAB_CELL, VOCAB_NOTICE,
    VOCAB_TARGET, VOCAB_READY, VOCAB_CALL, VOCAB_FOR_EACH, VOCAB_RESTART_SERVER;
extern const Vocabulary VOCAB_DOLT_REPO, VOCAB_DOLT_MULTI_REPO, VOCAB_DOLT_SERVER, VOCAB_DOLT_EXTERNAL,
    VOCAB_DOLT_REMOTE, VOCAB_DOLT_CONNECTION, VOCAB_DOLT_QUERY;

extern const VerbWord VERBS[];
extern const guint N_VERB_WORDS;

const Word *vocab_find(const Vocabulary *vocabulary, const char *key);

/* What for_each and call are made of, before they are expanded. */
typedef struct CallWords { Name procedure; } CallWords;
typedef struct ForEachWords { Name var; } ForEachWords;

/* What Dolt's format says, before it becomes the one model (dolt.c). */
typedef struct DoltExternal { Name name; Text host, port; SessionWords words; } DoltExternal;
typedef struct DoltRemote { Text name, url; } DoltRemote;
typedef struct DoltServer {
  Place at;
  Name name;
  Texts args;
  Pairs envs;
  Text port, dynamic_port, debug_port;
  PatternTexts log_matches, log_not_matches, error_matches;
  bool has_error_matches;
} DoltServer;
typedef struct DoltRepo {
  Place at;
  Name name;
  WithFiles files;
  struct { guint n; const DoltRemote *v; } remotes;
  bool has_server, has_external;
  DoltServer server;
  DoltExternal external;
} DoltRepo;
typedef struct DoltMultiRepo {
  Place at;
  Name name;
  WithFiles files;
  struct { guint n; const DoltRepo *v; } repos;
  bool has_server;
  DoltServer server;
} DoltMultiRepo;
typedef struct DoltConnection {
  Place at;
  Name on;
  SessionWords words;
  struct { guint n; const SqlEntry *v; } entries;
  guint retry_attempts;
  bool has_restart;
  LifeStep restart;
} DoltConnection;

#endif
