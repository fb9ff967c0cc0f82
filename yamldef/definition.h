/* definition.h - what a definition file says, after its constants were put in.
 *
 * One model for both dialects: a file in Dolt's format and a file with servers and steps become the same structs, so
 * nothing outside yamldef/ knows which was written.  The loader checks everything here before anything is started:
 * names refer to what exists, patterns compile, durations are bounded.  What it hands out is constant.
 *
 * Ages of a field: everything here is "as written" (with `vars`, `matrix`, procedure arguments and `for_each` items
 * already put in, and anchors, merges and includes resolved).  What only a run can know stays a Text with parts.
 *
 * Ownership: a Definition owns all that can be reached from it, in one arena; definition_free() ends it all at once.
 * Pointers and strings handed out live until then.  Absent strings are NULL, absent durations are -1.
 */
#ifndef YAMLDEF_DEFINITION_H
#define YAMLDEF_DEFINITION_H

#include <glib.h>
#include <stdbool.h>
#include "yamldef/pattern.h"

/* Where something was written.  Lines and columns count from 1; line 0: nowhere in particular. */
typedef struct Place {
  const char *file;
  int line, col;
} Place;

/* ---- Texts and templates ------------------------------------------------------------------------------------------ */

typedef struct Text Text;

/* The calls that wait for the start of a test or for a step; see template.h for what each takes. */
typedef enum TemplateCall {
  CALL_GET_PORT, CALL_GET_TEMPDIR, CALL_PORT, CALL_HOST, CALL_CONNINFO, CALL_DIR, CALL_DATA, CALL_SOCKET, CALL_LINK,
  CALL_PROGRAM, CALL_ENV, CALL_VAR, CALL_EACH,
} TemplateCall;

/* A piece of a text: literal bytes, or a call whose arguments are texts themselves. */
typedef struct TextPart {
  bool is_call;
  const char *literal;     /* !is_call: len bytes, NUL after them */
  gsize len;
  TemplateCall call;       /* is_call */
  const Text *args;
  guint n_args;
} TextPart;

/* A scalar.  `raw` is what was written, constants put in; it is the value when n_parts is 0.  Otherwise rendering the
 * parts in order gives the value.  raw == NULL: not given. */
struct Text {
  const char *raw;
  gsize len;
  Place at;
  const TextPart *parts;
  guint n_parts;
};

typedef struct Texts { guint n; const Text *v; } Texts;

/* A word that must be a constant: a server, session, variable or procedure.  s == NULL: not given. */
typedef struct Name { const char *s; Place at; } Name;
typedef struct Names { guint n; const Name *v; } Names;

typedef struct Pair { const char *key; Place key_at; Text value; bool is_null; } Pair;
typedef struct Pairs { guint n; const Pair *v; } Pairs;

/* A pattern; `compiled` is NULL when the text has parts, and is compiled when they are known. */
typedef struct PatternText { Text text; const Pattern *compiled; } PatternText;
typedef struct PatternTexts { guint n; const PatternText *v; } PatternTexts;

/* One command: argv, no shell; cwd relative to the server's directory, NULL for the directory itself. */
typedef struct Command { Texts argv; const char *cwd; Place at; } Command;
typedef struct Commands { guint n; const Command *v; } Commands;

/* ---- Expectations ------------------------------------------------------------------------------------------------- */

typedef enum CellKind { CELL_TEXT, CELL_NULL, CELL_BOOL, CELL_RE, CELL_ANY, CELL_APPROX, CELL_BYTES } CellKind;

/* What a cell must be.  CELL_TEXT compares bytes with what the server prints.  CELL_BOOL (plain true or false) equals
 * the text itself and what an engine prints for it (t/f, 1/0).  CELL_APPROX: |value - got| <= tolerance. */
typedef struct Cell {
  CellKind kind;
  Place at;
  Text text;                 /* TEXT, BOOL ("true" or "false") */
  bool null_too;             /* TEXT of Dolt's dialect that reads NULL: SQL NULL matches too */
  PatternText re;
  double value, tolerance;
  const guint8 *bytes;       /* BYTES */
  gsize n_bytes;
} Cell;

typedef struct Row { guint n; const Cell *v; Place at; } Row;
typedef struct Rows { guint n; const Row *v; Place at; } Rows;

/* What a result must be.  With n_either > 1 one of them must hold as a whole (`or`). */
typedef struct ResultExpectation {
  Place at;
  bool has_columns;
  Texts columns;
  Names pick;                /* compare these columns only, in this order; n 0: all */
  bool has_rows;             /* rows or rows_file was given */
  guint n_either;
  const Rows *either;
  const char *rows_file; /* CSV, path resolved against the definition, NULL if not given; read at load into either[0] */
  bool ordered;              /* default true */
  gint64 row_count;          /* -1: not asked */
  Name same_as;              /* another server's answer to the same query */
} ResultExpectation;

typedef enum NoticeLevel { NOTICE_ANY, NOTICE_INFO, NOTICE_NOTICE, NOTICE_WARNING } NoticeLevel;
typedef struct NoticeExpectation { NoticeLevel level; Text text; PatternText re; Place at; } NoticeExpectation;
typedef struct NoticeExpectations { bool given; guint n; const NoticeExpectation *v; Place at; } NoticeExpectations;

/* capture: name from the column, or from the first cell when column is NULL. */
typedef struct Capture { Name name; const char *column; } Capture;
typedef struct Captures { guint n; const Capture *v; } Captures;

typedef enum SqlKind { SQL_QUERY, SQL_EXEC, SQL_SCRIPT } SqlKind;

/* What a count or a duration (microseconds) must be; what was not said does not count. */
typedef struct Bounds {
  bool given;
  Place at;
  bool has_exactly, has_min, has_max;
  gint64 exactly, min, max;
} Bounds;

/* The most that percentiles of latencies may be, microseconds. */
typedef struct LatencyLimit { bool given; gint64 most; } LatencyLimit;
typedef struct LatencyExpectation { bool given; Place at; LatencyLimit p50, p90, p99, p999, max; } LatencyExpectation;

/* An argument bound to a statement. */
typedef struct SqlArg { Text text; bool is_null; } SqlArg;

typedef struct SqlEntry {
  Place at;
  SqlKind kind;
  Text sql;
  guint n_args;
  const SqlArg *args;
  bool has_args;
  const ResultExpectation *result;   /* NULL: none */
  const Cell *value;                 /* NULL: none */
  PatternText error_match;           /* text.raw NULL: none */
  Texts error_code;                  /* any of them; "ok": or none */
  NoticeExpectations warnings, notices;
  bool has_affected;
  Cell affected;
  guint retry_attempts;              /* 0: not given */
  Captures capture;
  guint times;                       /* 1 unless given */
  guint rate;                        /* so many a second, 0: one as soon as the other is done */
  LatencyExpectation latency;        /* of all `times` */
} SqlEntry;

/* ---- Steps -------------------------------------------------------------------------------------------------------- */

typedef struct Step Step;
typedef struct Steps { guint n; const Step *v; } Steps;

/* Where a step acts: some servers, all, or whoever has a role at that moment. */
typedef struct Target {
  Place at;
  bool all;
  const char *role;          /* "primary" or "replica"; NULL: not by role */
  Names servers;
} Target;

typedef enum TlsMode { TLS_UNSET, TLS_OFF, TLS_PREFER, TLS_REQUIRE, TLS_VERIFY } TlsMode;

/* How to open a session.  What is not given comes from the server, then from its engine. */
typedef struct SessionWords {
  Text user, password, password_file, database;
  TlsMode tls;
  Text ca, cert, key;
  Pairs params;
} SessionWords;

typedef struct ConnectError { bool given; Texts code; PatternText match; Place at; } ConnectError;

/* How Dolt's dialect wants a server begun again after a connection. */
typedef struct SqlStep {
  Target on;
  Name session;
  SessionWords words;
  ConnectError connect_error;
  guint n_entries;
  const SqlEntry *entries;
  guint connection_attempts; /* Dolt: retry_attempts of the connection; 0: not given */
} SqlStep;

typedef struct CloseStep { Names sessions; } CloseStep;
typedef struct AwaitStep { Name background; bool blocked; } AwaitStep;

/* start, restart, stop, reload, kill, pause, resume, exited, clone, promote, follow, rejoin: one struct, as each is
 * "a server and a few words".  Only the words that a verb knows can be given. */
typedef struct LifeStep {
  Names servers;             /* at least one */
  Pairs settings;            /* start, restart, reload */
  bool has_args, has_envs;
  Texts args; /* start, restart: of this run and later ones in Dolt's dialect; clone: added to the recipe's */
  Texts envs;
  Text bindir;
  bool lasting;              /* Dolt's restart_server: args and envs stay */
  bool has_fails;
  PatternTexts fails;
  Text mode;                 /* stop */
  bool tree;                 /* kill */
  Text signal;               /* signal: INT, SIGINT or a number; exited: that it ends by this one */
  Text pid;                  /* signal */
  bool has_status;
  int status;                /* exited */
  Name from;                 /* clone from; follow and rejoin: the new primary */
} LifeStep;

typedef enum SyncStage { STAGE_APPLIED, STAGE_FLUSHED, STAGE_WRITTEN } SyncStage;
typedef struct SyncStep { Name from; Names to; SyncStage stage; } SyncStep;

typedef struct EqualStep { Target on; Text query; Texts tables; bool allow_empty; SessionWords words; } EqualStep;

/* Groups of a log's match to keep: name -> group (a number or a name). */
typedef struct LogStep {
  Name server;
  PatternTexts matches, not_matches;
  Text since;                /* raw NULL: where the log stood before the preceding step; "start"; a step's name */
  bool block;
  Pairs capture;
} LogStep;

typedef enum ExitWish { EXIT_ZERO, EXIT_NONZERO, EXIT_STATUS } ExitWish;
typedef struct RunStep {
  Texts command;
  Name server;
  Text stdin_text;
  bool has_stdin;
  ExitWish exit_wish;
  int exit_status;
  PatternTexts out, err;
  Name capture;              /* stdout, last newline cut */
  Name keep_running;
} RunStep;

/* What a part of a JSON text must be; path as json.h says. */
typedef struct JsonCell { const char *path; Cell cell; } JsonCell;
typedef struct JsonCells { guint n; const JsonCell *v; } JsonCells;
typedef struct HttpStep {
  Text url, method, body;    /* method.raw NULL: GET, or POST with a body */
  Pairs headers;
  int status;                /* 0: any of 200 to 299 */
  PatternTexts matches;
  JsonCells json;
} HttpStep;

/* What is done with, or must be of, a file or directory of a server. */
typedef enum FileDeed { FILE_LOOK, FILE_WRITE, FILE_APPEND, FILE_REMOVE, FILE_COPY, FILE_TRUNCATE, FILE_MODE } FileDeed;
typedef struct FileStep {
  Name server;
  Text path;                 /* below its directory; a glob where it only looks */
  bool exists, absent, remove;
  PatternTexts matches;
  Text equals, write, append, copy_from;
  bool has_truncate, has_mode;
  gint64 truncate;
  int mode;
} FileStep;
/* The one thing it does: FILE_LOOK when nothing, FILE_MODE when it only gives permissions. */
FileDeed file_deed(const FileStep *file);

typedef struct TogetherStep { guint n; const Steps *lanes; } TogetherStep;
typedef struct LoopStep { guint times; Steps steps; } LoopStep;
/* A call of a procedure or one round of for_each, already expanded: its steps run as if written there. */
typedef struct GroupStep { const char *label; Steps steps; } GroupStep;
typedef struct SleepStep { gint64 length; } SleepStep;

/* link: what is done to relays between servers (links of the test); forward is from a link's `from` to its `to`, or from the
 * first side of `between` to the second. */
typedef enum LinkDeed { LINK_CUT, LINK_BLACKHOLE, LINK_RESET, LINK_DELAY, LINK_HEAL } LinkDeed;
typedef enum LinkWay { WAY_BOTH, WAY_FORWARD, WAY_BACKWARD } LinkWay;
typedef struct LinkSides { bool given; Names sides[2]; Place at; } LinkSides;
typedef struct LinkStep {
  Names names;               /* or between */
  LinkSides between;         /* all links that lead from one side to the other */
  LinkDeed deed;
  LinkWay way;
  gint64 latency, jitter;    /* delay: microseconds; 0: none */
  gint64 bandwidth;          /* delay: bytes a second; 0: not limited */
} LinkStep;

/* Writers that go on while other steps run; `id` is a variable of `write` alone. */
typedef struct WorkloadStep {
  Name name;
  Target on;
  guint clients;             /* 0: one */
  guint rate;                /* writes a second of all clients; 0: as fast as they can */
  Text write, read;          /* read.raw NULL: what is there is not read back */
  bool reconnect;
  gint64 timeout;            /* of one write, microseconds; 0: the default */
  SessionWords words;
} WorkloadStep;

typedef struct WorkloadExpectation {
  Place at;
  bool given;
  Bounds lost, duplicated, errors, unknown, acknowledged, unavailable, throughput;
  LatencyExpectation latency;
} WorkloadExpectation;

/* check_workload, stop_workload */
typedef struct WorkloadLook {
  Name name;
  bool has_on;
  Target on;                 /* where it is read back; default where it was written */
  guint progress;            /* check_workload: so many more are to be acknowledged; 0: not asked */
  WorkloadExpectation expect;
} WorkloadLook;

/* On how many servers a value may be seen at once. */
typedef struct InvariantCount { bool given; Place at; const Cell *value; bool has_max; gint64 max; } InvariantCount;

typedef struct InvariantStep {
  Name name;
  Target on;
  Text query;
  bool role;                 /* instead of a query: the engine's own question */
  const Cell *value;         /* NULL: none */
  bool monotonic;
  InvariantCount count;
  gint64 every;              /* microseconds; 0: the default */
  SessionWords words;
} InvariantStep;

typedef struct EndInvariantStep { Names names; } EndInvariantStep;

typedef enum Verb {
  VERB_SQL, VERB_CLOSE, VERB_AWAIT,
  VERB_START, VERB_RESTART, VERB_STOP, VERB_RELOAD, VERB_KILL, VERB_PAUSE, VERB_RESUME, VERB_SIGNAL, VERB_EXITED,
  VERB_CLONE, VERB_PROMOTE, VERB_FOLLOW, VERB_REJOIN,
  VERB_SYNC, VERB_EQUAL, VERB_LOG, VERB_RUN, VERB_HTTP, VERB_FILE, VERB_LINK, VERB_SLEEP,
  VERB_TOGETHER, VERB_LOOP, VERB_GROUP,
  VERB_WORKLOAD, VERB_CHECK_WORKLOAD, VERB_STOP_WORKLOAD, VERB_INVARIANT, VERB_END_INVARIANT,
  N_VERBS
} Verb;

/* when: that a server is running (or not).  A condition on constants is decided by the loader, which leaves the step
 * out. */
typedef struct When { bool given; Name server; bool negated; } When;

struct Step {
  Place at;
  Verb verb;
  const char *name;          /* NULL: none */
  guint number;              /* counted from 1 in its list, as a reader would count */
  When when;
  gint64 timeout;            /* microseconds for one try, -1: the default */
  gint64 within, stays;
  Name background;
  union {
    SqlStep sql; CloseStep close; AwaitStep await; LifeStep life; SyncStep sync; EqualStep equal; LogStep log;
    RunStep run;
    HttpStep http;
    FileStep file;
    LinkStep link;
    TogetherStep together;
    LoopStep loop;
    GroupStep group;
    SleepStep sleep;
    WorkloadStep workload; WorkloadLook look; InvariantStep invariant; EndInvariantStep end_invariant;
  };
};

/* ---- Servers and engines ------------------------------------------------------------------------------------------ */

typedef struct StopRung { Text signal; gint64 within; } StopRung;
typedef struct StopLadder { guint n; const StopRung *v; } StopLadder;

typedef enum ReadyKind { READY_UNSET, READY_SESSION, READY_TCP, READY_HTTP, READY_LOG, READY_NONE } ReadyKind;
typedef struct Ready {
  ReadyKind kind;
  Text port;                 /* TCP: a port */
  Text url;                  /* HTTP */
  int status;
  PatternText log;
  gint64 within;             /* -1: the default, 30 s */
  Place at;
} Ready;

typedef enum SettingsForm { FORM_NONE, FORM_CONF, FORM_INI, FORM_YAML, FORM_JSON } SettingsForm;

/* A file of a server.  Exactly one of contents and source_path; a source that is a constant was found and read at load
 * (`contents` then holds it byte for byte; its templates count in Dolt's dialect only). */
typedef struct WithFile {
  Text name, contents, source_path;
  int mode;                  /* -1: 0644 */
  bool append;
  Place at;
} WithFile;
typedef struct WithFiles { guint n; const WithFile *v; } WithFiles;

typedef enum ClientKind { CLIENT_NONE, CLIENT_POSTGRESQL, CLIENT_MYSQL } ClientKind;

typedef struct SignalMode { const char *name; Text signal; } SignalMode;

/* An engine profile: see "Engine profile" in the README.  Steps in it speak of "self", "primary" and "peer". */
typedef struct Engine {
  const char *name;
  Place at;
  ClientKind client;
  Texts search;              /* directories or globs; "PATH" */
  Names need;                /* programs without which the test is skipped */
  SessionWords words;
  bool unprivileged;
  Pairs envs;
  Names ports;               /* further ports every server has */
  Commands create;           /* cached */
  Texts create_stdin;        /* standard input for create commands, joined; n 0: empty */
  Commands setup;            /* never cached, after create */
  bool has_settings_file;
  Text settings_path;
  SettingsForm settings_form;
  bool settings_append;
  const char *settings_section;  /* INI */
  Pairs settings;
  WithFiles files;
  Texts command;
  Commands prepare;
  Ready ready;
  StopLadder stop;
  guint n_stop_modes;
  const SignalMode *stop_modes;
  Text reload_signal;        /* raw NULL: by reload_command, or not at all */
  Commands reload_command;
  Text loaded;               /* its answer changes when a reload has taken effect; raw NULL: nobody can tell */
  Text debugger;
  PatternTexts fatal_log;
  bool hold_port;            /* default true */
  Text role;                 /* a query; raw NULL: none */
  Steps position;            /* must capture `position` */
  Text attached, applied, flushed, written;
  Text
      subscriptions; /* asked of a subscriber whose publisher is "primary": its slots there, as an SQL list; NULL: none */
  Text copied;               /* asked of a subscriber: its table copies are done */
  Text subscriber;           /* asked of the publisher, with var "position" and var "subscriptions" */
  Text follows;              /* asked of a replica: its upstream's port */
  Text diverged;             /* asked of a replica; true: it can never get there */
  Text blocked;              /* with var "session_id": the number of the session asked about */
  Texts explain;
  Text data;                 /* where the database's own directory is; raw NULL: dir */
  Steps init;                /* SQL of the profile's own after the first start, unlogged where that would show */
  Steps clone, promote, follow, rejoin;
  bool has_clone, has_promote, has_follow, has_rejoin;
  bool clone_created;        /* clone begins from what `create` makes; default: from an empty directory */
  bool
      clone_unstarted; /* replicas made with the test are cloned before their upstream's first start, unless it has an `init` */
} Engine;

typedef struct Server {
  Name name;
  const Engine *engine;      /* never NULL: a server with `command` has an empty profile of its own */
  Text bindir;
  Name replica_of;
  Pairs settings;
  WithFiles files;
  const char *cluster;
  Names ports;
  Texts create_args;
  Commands setup, prepare;   /* before and after its files are written */
  Steps init;                /* of SQL on "self" */
  Texts args;
  Pairs envs;
  Text port;                 /* a fixed port; raw NULL: its own free port */
  Text dynamic_port;         /* the name of a get_port */
  bool start;                /* default true */
  bool runs;                 /* false: only a directory (a Dolt repo without a server) */
  Text debug_port, debugger;
  PatternTexts log_matches, log_not_matches, error_matches, allow_log;
  bool has_error_matches;
  SessionWords words;
  Texts command;
  Ready ready;
  StopLadder stop;           /* n 0: the engine's */
  bool external;
  Text external_host, external_port;
  const char *dir;           /* relative to the test's directory; default the name */
  const char *home;          /* relative to the test's directory; HOME and the profile's create go there; default dir */
  bool lazy_ready;           /* Dolt's dialect: readiness is asked when a session is wanted */
  bool clone_by_step;        /* a clone step makes it */
  Place at;
} Server;

/* A relay between two servers: what `from` is told of `to`'s port is the relay's (of several the first one's). */
typedef struct Link {
  Name name, from, to;
  const char *extra;         /* `to: n2.peer`: a further port of it (`to` is then n2); NULL: its own */
  Place at;
} Link;

/* ---- Tests and files ---------------------------------------------------------------------------------------------- */

typedef struct Needs {
  Names programs, files;
  Text versions_engine; Text version;          /* postgresql: ">= 17" */
  bool root;
} Needs;

typedef struct Test {
  const char *name;          /* with the matrix's values: "name [mode=async]" */
  const char *base_name;     /* without */
  Place at;
  bool dolt; /* Dolt's limits: statement 20 s, pauses of 50 ms at most, patterns over the whole output */
  Names tags;
  const char *skip;          /* NULL: runs */
  Needs needs;
  gint64 timeout;
  bool exclusive;
  bool parallel;             /* may run beside others of its file */
  guint n_servers;
  const Server *servers;
  guint n_links;
  const Link *links;
  Steps steps, finally;
} Test;

typedef struct Definition Definition;

/* What was wrong, or doubtful, in a file: one line a problem, `file:line:col: what`, ` in step 3 of test 'x'`,
 * `hint: ...`. */
typedef struct Problem {
  Place at;
  bool warning;
  const char *what;          /* "unknown key 'retry_attempt'" */
  const char *where;         /* "in step 3 of test 'failover'"; NULL: the file itself */
  const char *hint;          /* "did you mean 'retry_attempts'?"; NULL: none */
} Problem;

/* `file:line:col: what` (a warning: `file:line:col: warning: what`), then the indented lines `where` and `hint: ...`
 * where there are such; each ends with a newline.  Newly allocated. */
char *problem_text(const Problem *problem);

/* Loads one file whole.  Never NULL: ask definition_n_errors().  Reads the file, its includes and the files it names;
 * starts nothing and changes nothing.  `cwd` is where relative source paths are looked for second (Dolt's way). */
Definition *definition_load(const char *path, const char *cwd);
/* The same from memory, for tests and fuzzers; path is only for messages and to find what it names. */
Definition *definition_load_bytes(const char *path, const char *bytes, gsize len, const char *cwd);
void definition_free(Definition *definition);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_free)

guint definition_n_tests(const Definition *definition);
const Test *definition_test(const Definition *definition, guint i);
guint definition_n_problems(const Definition *definition);
const Problem *definition_problem(const Definition *definition, guint i);
guint definition_n_errors(const Definition *definition);

/* "primary", "step 'name'" ...: the word a user writes for a verb. */
const char *verb_word(Verb verb);

/* The engine that ships under this name, or NULL. The text is the YAML itself, for `runner schema` and the README. */
const char *engine_shipped(const char *name, gsize *len);
/* Their names in turn; NULL behind the last. */
const char *engine_shipped_name(guint i);

#endif
