/* vocab.c - see vocab.h. */
#include "yamldef/vocab.h"

#include <stddef.h>
#include <string.h>

/* key, type, struct and field, help; with _OF: what it is of; with _HAS: the bool that tells it was given. */
#define AT(key, type, s, field, help) {key, WORD_##type, false, offsetof(s, field), 0, NULL, help}
#define MUST(key, type, s, field, help) {key, WORD_##type, true, offsetof(s, field), 0, NULL, help}
#define AT_OF(key, type, s, field, of, help) {key, WORD_##type, false, offsetof(s, field), 0, of, help}
#define AT_HAS(key, type, s, field, has, help)                                                                         \
  {key, WORD_##type, false, offsetof(s, field), 1 + offsetof(s, has), NULL, help}
#define SPECIAL(key, help) {key, WORD_SPECIAL, false, 0, 0, NULL, help}
#define MUST_SPECIAL(key, help) {key, WORD_SPECIAL, true, 0, 0, NULL, help}
/* Keys that speak of several fields of the struct they stand in. */
#define WHOLE(key, type, of, help) {key, WORD_##type, false, 0, 0, of, help}

#define WORDS(table) .words = table, .n_words = G_N_ELEMENTS(table)

/* ---- Sessions and SQL -------------------------------------------------------------------------------------------- */

static const Choice TLS_CHOICES[] = {
    {"off", TLS_OFF}, {"prefer", TLS_PREFER}, {"require", TLS_REQUIRE}, {"verify", TLS_VERIFY}, {NULL, 0}};

#define SESSION_DEFAULTS(s, words)                                                                                     \
  AT("user", TEXT, s, words.user, "who connects"), AT("password", TEXT, s, words.password, "the password"),            \
      AT("password_file", TEXT, s, words.password_file, "a file whose trimmed text is the password"),                  \
      AT("database", TEXT, s, words.database, "the database to connect to"),                                           \
      AT_OF("tls", CHOICE, s, words.tls, TLS_CHOICES, "off, prefer, require or verify"),                               \
      AT("ca", TEXT, s, words.ca, "file of the certificates that verify trusts"),                                      \
      AT("cert", TEXT, s, words.cert, "file of the client's certificate"),                                             \
      AT("key", TEXT, s, words.key, "file of the client's key")

static const Word SESSION_WORDS[] = {
    SESSION_DEFAULTS(SqlStep, words),
    AT("params", PAIRS, SqlStep, words.params, "the client library's own words"),
};
const Vocabulary VOCAB_SESSION = {"a session", WORDS(SESSION_WORDS), .size = sizeof(SqlStep)};

static const Word CONNECT_ERROR_WORDS[] = {
    AT("code", TEXTS, ConnectError, code, "SQLSTATE or the engine's number; any of them"),
    AT("match", PATTERN, ConnectError, match, "pattern on the error's text"),
};
static const Vocabulary VOCAB_CONNECT_ERROR = {"a connect_error", WORDS(CONNECT_ERROR_WORDS), .obvious = "match",
                                               .size = sizeof(ConnectError), .place = 1 + offsetof(ConnectError, at)};

static const Word CELL_WORDS[] = {
    SPECIAL("re", "the cell must match this pattern"),
    SPECIAL("any", "any value, also NULL"),
    SPECIAL("approx", "[value, tolerance]"),
    SPECIAL("bytes", "hexadecimal digits of the cell's bytes"),
};
const Vocabulary VOCAB_CELL = {"a cell", WORDS(CELL_WORDS), .size = sizeof(Cell)};

static const Word RESULT_WORDS[] = {
    AT_HAS("columns", TEXTS, ResultExpectation, columns, has_columns, "the columns' names, in order"),
    WHOLE("rows", ROWS, NULL, "the rows, or {or: [rows, rows]}"),
    AT("pick", NAMES, ResultExpectation, pick, "compare these columns only, in this order"),
    WHOLE("rows_file", ROWS_FILE, NULL, "a CSV file with the rows"),
    AT("ordered", BOOL, ResultExpectation, ordered, "false: rows may come in any order"),
    AT("row_count", SIZE, ResultExpectation, row_count, "how many rows"),
    AT("same_as", NAME, ResultExpectation, same_as, "the server that must answer the same"),
};
static const ResultExpectation RESULT_DEFAULTS = {.ordered = true, .row_count = -1};
const Vocabulary VOCAB_RESULT = {"a result", WORDS(RESULT_WORDS), .obvious = "rows", .size = sizeof(ResultExpectation),
                                 .defaults = &RESULT_DEFAULTS, .place = 1 + offsetof(ResultExpectation, at)};

static const Choice LEVEL_CHOICES[] = {
    {"INFO", NOTICE_INFO}, {"NOTICE", NOTICE_NOTICE}, {"WARNING", NOTICE_WARNING}, {NULL, 0}};
static const Word NOTICE_WORDS[] = {
    AT_OF("level", CHOICE, NoticeExpectation, level, LEVEL_CHOICES, "INFO, NOTICE or WARNING"),
    AT("re", PATTERN, NoticeExpectation, re, "pattern on its text"),
    AT("text", TEXT, NoticeExpectation, text, "its text"),
};
const Vocabulary VOCAB_NOTICE = {"a notice", WORDS(NOTICE_WORDS), .obvious = "text", .size = sizeof(NoticeExpectation),
                                 .place = 1 + offsetof(NoticeExpectation, at)};

#define LIMIT(key, field, help)                                                                                        \
  AT_HAS(key, DURATION, LatencyExpectation, field.most, field.given, help)
static const Word LATENCY_WORDS[] = {
    LIMIT("p50", p50, "half of all took no longer"),
    LIMIT("p90", p90, "nine of ten took no longer"),
    LIMIT("p99", p99, "99 of 100 took no longer"),
    LIMIT("p999", p999, "999 of 1000 took no longer"),
    LIMIT("max", max, "none took longer"),
};
static const Vocabulary VOCAB_LATENCY = {"a latency", WORDS(LATENCY_WORDS), .size = sizeof(LatencyExpectation),
                                         .place = 1 + offsetof(LatencyExpectation, at)};
#define LATENCY(s, help)                                                                                               \
  {"latency", WORD_RECORD, false, offsetof(s, latency), 1 + offsetof(s, latency.given), &VOCAB_LATENCY, help}

static const Word ENTRY_WORDS[] = {
    SPECIAL("query", "one statement whose result counts"),
    SPECIAL("exec", "one statement whose result does not count"),
    SPECIAL("script", "many statements, sent one by one, stopping at the first error"),
    {"args", WORD_ARGS, false, offsetof(SqlEntry, n_args), 1 + offsetof(SqlEntry, has_args), NULL,
     "bound as parameters of a prepared statement"},
    AT("value", CELL_POINTER, SqlEntry, value, "the one cell of a one-row, one-column result"),
    AT("result", RESULT, SqlEntry, result, "the result"),
    AT("error_match", PATTERN, SqlEntry, error_match, "pattern on the error that must come"),
    AT("error_code", TEXTS, SqlEntry, error_code,
       "SQLSTATE or number of the error that must come; any of them; ok: or none"),
    AT("warnings", NOTICES, SqlEntry, warnings, "warnings that must come"),
    AT("notices", NOTICES, SqlEntry, notices, "notices that must come"),
    {"affected", WORD_CELL, false, offsetof(SqlEntry, affected), 1 + offsetof(SqlEntry, has_affected), NULL,
     "rows affected"},
    AT("retry_attempts", COUNT, SqlEntry, retry_attempts, "tries, with short pauses; `within` is the better word"),
    AT("capture", CAPTURES, SqlEntry, capture, "keep the first cell, or columns, in variables"),
    AT("times", COUNT, SqlEntry, times, "how often it is run"),
    AT("rate", COUNT, SqlEntry, rate, "how often a second; latencies then count from when each was due"),
    LATENCY(SqlEntry, "the most that percentiles of its `times` latencies may be"),
};
static const SqlEntry ENTRY_DEFAULTS = {.times = 1};
const Vocabulary VOCAB_ENTRY = {"a query", WORDS(ENTRY_WORDS), .size = sizeof(SqlEntry), .defaults = &ENTRY_DEFAULTS,
                                .place = 1 + offsetof(SqlEntry, at)};

static const Word DOLT_QUERY_WORDS[] = {
    SPECIAL("query", "one statement whose result counts"),
    SPECIAL("exec", "one statement whose result does not count"),
    {"args", WORD_ARGS, false, offsetof(SqlEntry, n_args), 1 + offsetof(SqlEntry, has_args), NULL,
     "bound as parameters of a prepared statement"},
    AT("result", RESULT, SqlEntry, result, "the result"),
    AT("error_match", PATTERN, SqlEntry, error_match, "pattern on the error that must come"),
    AT("retry_attempts", COUNT, SqlEntry, retry_attempts, "tries, 50 ms apart"),
};
const Vocabulary VOCAB_DOLT_QUERY = {"a query", WORDS(DOLT_QUERY_WORDS), .size = sizeof(SqlEntry),
                                     .defaults = &ENTRY_DEFAULTS, .place = 1 + offsetof(SqlEntry, at)};

static const Word TARGET_WORDS[] = {
    MUST("role", STRING, Target, role, "whoever is primary, or replica, at that moment"),
};
const Vocabulary VOCAB_TARGET = {"`on`", WORDS(TARGET_WORDS), .size = sizeof(Target)};

static const Word SQL_STEP_WORDS[] = {
    AT("on", TARGET, SqlStep, on, "a server, a list of servers, all, or {role: primary}"),
    AT("session", NAME, SqlStep, session, "a session that stays open over steps"),
    {"connect_error", WORD_RECORD, false, offsetof(SqlStep, connect_error), 1 + offsetof(SqlStep, connect_error.given),
     &VOCAB_CONNECT_ERROR, "the session must not come about"},
    AT("queries", ENTRIES, SqlStep, n_entries, "statements, one after the other in one session"),
    SPECIAL("restart_server", "stop the server afterwards and start it again, with these args and envs from then on"),
};
const Vocabulary VOCAB_SQL_STEP = {"a step", WORDS(SQL_STEP_WORDS), .size = sizeof(SqlStep)};

/* ---- Lives and roles --------------------------------------------------------------------------------------------- */

#define LIFE(key, type, field, help) AT(key, type, LifeStep, field, help)
#define LIFE_HAS(key, type, field, has, help) AT_HAS(key, type, LifeStep, field, has, help)
#define LIFE_SERVERS MUST("server", NAMES, LifeStep, servers, "which server, or servers")
#define LIFE_VOCAB(name, title, table)                                                                                 \
  static const Vocabulary name = {title, WORDS(table), .obvious = "server", .size = sizeof(LifeStep)}

static const Word START_WORDS[] = {
    LIFE_SERVERS,
    LIFE("settings", PAIRS, settings, "into its configuration file, from now on"),
    LIFE_HAS("args", TEXTS, args, has_args, "added to the command line of this run"),
    LIFE_HAS("envs", ENV_TEXTS, envs, has_envs, "added to the environment of this run"),
    LIFE("bindir", TEXT, bindir, "where its programs are from now on"),
    LIFE_HAS("fails", PATTERNS, fails, has_fails, "it must exit non-zero, and its output match each of these"),
};
LIFE_VOCAB(VOCAB_START, "a start", START_WORDS);
LIFE_VOCAB(VOCAB_RESTART, "a restart", START_WORDS);

static const Word STOP_WORDS[] = {LIFE_SERVERS,
                                  LIFE("mode", TEXT, mode, "as the profile names it: fast, immediate ...")};
LIFE_VOCAB(VOCAB_STOP, "a stop", STOP_WORDS);

static const Word RELOAD_WORDS[] = {LIFE_SERVERS,
                                    LIFE("settings", PAIRS, settings, "into its configuration file first")};
LIFE_VOCAB(VOCAB_RELOAD, "a reload", RELOAD_WORDS);

static const Word KILL_WORDS[] = {LIFE_SERVERS, LIFE("tree", BOOL, tree, "everything it started too")};
LIFE_VOCAB(VOCAB_KILL, "a kill", KILL_WORDS);

static const Word SERVER_ONLY_WORDS[] = {LIFE_SERVERS};
LIFE_VOCAB(VOCAB_PAUSE, "a pause", SERVER_ONLY_WORDS);
LIFE_VOCAB(VOCAB_RESUME, "a resume", SERVER_ONLY_WORDS);
LIFE_VOCAB(VOCAB_PROMOTE, "a promote", SERVER_ONLY_WORDS);

static const Word SIGNAL_WORDS[] = {
    LIFE_SERVERS,
    MUST("signal", TEXT, LifeStep, signal, "HUP, SIGHUP or 1"),
    LIFE("pid", TEXT, pid, "a process of that server's, instead of its main one"),
};
LIFE_VOCAB(VOCAB_SIGNAL, "a signal", SIGNAL_WORDS);

static const Word EXITED_WORDS[] = {
    LIFE_SERVERS,
    LIFE_HAS("status", STATUS, status, has_status, "its exit status"),
    LIFE("signal", TEXT, signal, "the signal it died of"),
};
LIFE_VOCAB(VOCAB_EXITED, "an exited", EXITED_WORDS);

static const Word CLONE_WORDS[] = {
    LIFE_SERVERS,
    LIFE("from", NAME, from, "the server to copy; default its replica_of"),
    LIFE_HAS("args", TEXTS, args, has_args, "added to the recipe's command"),
};
LIFE_VOCAB(VOCAB_CLONE, "a clone", CLONE_WORDS);

static const Word FOLLOW_WORDS[] = {LIFE_SERVERS,
                                    MUST("primary", NAME, LifeStep, from, "the primary to follow from now on")};
LIFE_VOCAB(VOCAB_FOLLOW, "a follow", FOLLOW_WORDS);
LIFE_VOCAB(VOCAB_REJOIN, "a rejoin", FOLLOW_WORDS);

/* Dolt's connection has on; ours has it beside, in the step. */
static const Word RESTART_SERVER_WORDS[] = {
    LIFE_HAS("args", TEXTS, args, has_args, "its arguments from now on"),
    LIFE_HAS("envs", ENV_TEXTS, envs, has_envs, "its environment from now on"),
};
const Vocabulary VOCAB_RESTART_SERVER = {"a restart_server", WORDS(RESTART_SERVER_WORDS), .size = sizeof(LifeStep)};

/* ---- Replication, looking, flow ---------------------------------------------------------------------------------- */

static const Choice STAGE_CHOICES[] = {
    {"applied", STAGE_APPLIED}, {"flushed", STAGE_FLUSHED}, {"written", STAGE_WRITTEN}, {NULL, 0}};
static const Word SYNC_WORDS[] = {
    MUST("from", NAME, SyncStep, from, "whose commits"),
    MUST("to", NAMES, SyncStep, to, "who must have them"),
    AT_OF("stage", CHOICE, SyncStep, stage, STAGE_CHOICES, "applied (the default), flushed or written"),
};
static const Vocabulary VOCAB_SYNC = {"a sync", WORDS(SYNC_WORDS), .size = sizeof(SyncStep)};

static const Word EQUAL_WORDS[] = {
    MUST("on", TARGET, EqualStep, on, "the servers to compare"),
    AT("query", TEXT, EqualStep, query, "what to ask"),
    AT("tables", TEXTS, EqualStep, tables, "tables to compare whole"),
    AT("allow_empty", BOOL, EqualStep, allow_empty, "no rows anywhere is right too"),
    SESSION_DEFAULTS(EqualStep, words),
    AT("params", PAIRS, EqualStep, words.params, "the client library's own words"),
};
static const Vocabulary VOCAB_EQUAL = {"an equal", WORDS(EQUAL_WORDS), .size = sizeof(EqualStep)};

static const Word LOG_WORDS[] = {
    MUST("server", NAME, LogStep, server, "whose output"),
    AT("matches", PATTERNS, LogStep, matches, "each must match"),
    AT("not_matches", PATTERNS, LogStep, not_matches, "none may match"),
    AT("since", TEXT, LogStep, since, "start, or a step's name; default: the step before"),
    AT("block", BOOL, LogStep, block, "match over lines, not line by line"),
    AT("capture", PAIRS, LogStep, capture, "{variable: group}"),
};
static const Vocabulary VOCAB_LOG = {"a log", WORDS(LOG_WORDS), .size = sizeof(LogStep)};

static const Word RUN_WORDS[] = {
    MUST("command", TEXTS, RunStep, command, "a program and its arguments, no shell"),
    AT("server", NAME, RunStep, server, "whose programs and directory"),
    AT_HAS("stdin", TEXT, RunStep, stdin_text, has_stdin, "standard input; default empty"),
    WHOLE("exit", EXIT, NULL, "its exit status, or nonzero; default 0"),
    AT("stdout", PATTERNS, RunStep, out, "each must match its standard output"),
    AT("stderr", PATTERNS, RunStep, err, "each must match its standard error"),
    AT("capture", NAME, RunStep, capture, "keep its standard output in a variable"),
    AT("keep_running", NAME, RunStep, keep_running, "go on while it runs, under this name"),
};
static const Vocabulary VOCAB_RUN = {"a run", WORDS(RUN_WORDS), .obvious = "command", .size = sizeof(RunStep)};

static const Word HTTP_WORDS[] = {
    MUST("url", TEXT, HttpStep, url, "what is asked, http://... or https://..."),
    AT("method", TEXT, HttpStep, method, "default GET, with a body POST"),
    AT("headers", PAIRS, HttpStep, headers, "added to the request; null takes one of its own away"),
    AT("body", TEXT, HttpStep, body, "what is sent"),
    AT("status", HTTP_STATUS, HttpStep, status, "what must be answered; default any of 200 to 299"),
    AT("matches", PATTERNS, HttpStep, matches, "each must match what comes"),
    AT("json", JSON_CELLS, HttpStep, json, "{path: cell}: what parts of it must be"),
};
static const Vocabulary VOCAB_HTTP = {"a request", WORDS(HTTP_WORDS), .obvious = "url", .size = sizeof(HttpStep)};

static const Word FILE_STEP_WORDS[] = {
    MUST("server", NAME, FileStep, server, "in whose directory"),
    MUST("path", TEXT, FileStep, path,
         "below that directory; where it only looks a pattern such as *.log, which must match one"),
    AT("exists", BOOL, FileStep, exists, "true: it is there"),
    AT("absent", BOOL, FileStep, absent, "true: it is not there"),
    AT("matches", PATTERNS, FileStep, matches, "each must match what is in it"),
    AT("equals", TEXT, FileStep, equals, "what is in it, byte for byte"),
    AT("write", TEXT, FileStep, write, "put this into it, instead of what is there"),
    AT("append", TEXT, FileStep, append, "add this to its end"),
    AT("remove", BOOL, FileStep, remove, "true: remove it; a directory with all that is in it"),
    AT("copy_from", TEXT, FileStep, copy_from, "what to copy there: an absolute path, or one below the same directory"),
    AT_HAS("truncate", BYTES, FileStep, truncate, has_truncate, "make it so long, such as 0, 512 or 64KiB"),
    AT_HAS("mode", MODE, FileStep, mode, has_mode, "its permissions, octal; also of what is written"),
};
static const Vocabulary VOCAB_FILE_STEP = {"a file step", WORDS(FILE_STEP_WORDS), .size = sizeof(FileStep)};

static const Choice DEED_CHOICES[] = {{"cut", LINK_CUT},     {"blackhole", LINK_BLACKHOLE}, {"reset", LINK_RESET},
                                      {"delay", LINK_DELAY}, {"heal", LINK_HEAL},           {NULL, 0}};
static const Choice WAY_CHOICES[] = {
    {"both", WAY_BOTH}, {"forward", WAY_FORWARD}, {"backward", WAY_BACKWARD}, {NULL, 0}};
static const Word LINK_STEP_WORDS[] = {
    AT("name", NAMES, LinkStep, names, "which link, or links"),
    AT("between", LINK_SIDES, LinkStep, between, "[[a], [b, c]]: all links from one side to the other"),
    {"do", WORD_CHOICE, true, offsetof(LinkStep, deed), 0, DEED_CHOICES, "cut, blackhole, reset, delay or heal"},
    AT_OF("direction", CHOICE, LinkStep, way, WAY_CHOICES,
          "both (the default), forward (from `from` to `to`, or from the first side to the second) or backward"),
    AT("latency", DURATION, LinkStep, latency, "of a delay: how long what is sent is under way"),
    AT("jitter", DURATION, LinkStep, jitter, "of a delay: so much more or less, evenly; order is kept"),
    AT("bandwidth", BANDWIDTH, LinkStep, bandwidth, "of a delay: bytes a second, such as 64KiB"),
};
static const Vocabulary VOCAB_LINK_STEP = {"a link", WORDS(LINK_STEP_WORDS), .size = sizeof(LinkStep)};

static const Word AWAIT_WORDS[] = {
    MUST("name", NAME, AwaitStep, background, "a background step"),
    AT("blocked", BOOL, AwaitStep, blocked, "it must be waiting for a lock"),
};
static const Vocabulary VOCAB_AWAIT = {"an await", WORDS(AWAIT_WORDS), .obvious = "name", .size = sizeof(AwaitStep)};

static const Word LOOP_WORDS[] = {
    MUST("times", COUNT, LoopStep, times, "how often"),
    MUST("steps", STEPS, LoopStep, steps, "the steps"),
};
static const Vocabulary VOCAB_LOOP = {"a loop", WORDS(LOOP_WORDS), .size = sizeof(LoopStep)};

static const Word CALL_WORDS[] = {
    MUST("procedure", NAME, CallWords, procedure, "which procedure"),
    SPECIAL("with", "its arguments, a mapping"),
};
const Vocabulary VOCAB_CALL = {"a call", WORDS(CALL_WORDS), .obvious = "procedure", .size = sizeof(CallWords)};

static const Word FOR_EACH_WORDS[] = {
    MUST("var", NAME, ForEachWords, var, "the constant's name"),
    MUST_SPECIAL("in", "its values, one for each round"),
    MUST_SPECIAL("steps", "the steps"),
};
const Vocabulary VOCAB_FOR_EACH = {"a for_each", WORDS(FOR_EACH_WORDS), .size = sizeof(ForEachWords)};

/* ---- Load -------------------------------------------------------------------------------------------------------- */

static const Word COUNT_WORDS[] = {
    AT_HAS("exactly", SIZE, Bounds, exactly, has_exactly, "so many"),
    AT_HAS("min", SIZE, Bounds, min, has_min, "so many or more"),
    AT_HAS("max", SIZE, Bounds, max, has_max, "so many or fewer"),
};
static const Vocabulary VOCAB_COUNT = {"a count", WORDS(COUNT_WORDS), .obvious = "exactly", .size = sizeof(Bounds),
                                       .place = 1 + offsetof(Bounds, at)};
static const Word LENGTH_WORDS[] = {
    AT_HAS("min", DURATION, Bounds, min, has_min, "so long or longer"),
    AT_HAS("max", DURATION, Bounds, max, has_max, "so long or shorter"),
};
static const Vocabulary VOCAB_LENGTH = {"a duration", WORDS(LENGTH_WORDS), .obvious = "max", .size = sizeof(Bounds),
                                        .place = 1 + offsetof(Bounds, at)};

#define EXPECT_OF(key, field, vocabulary, help)                                                                        \
  {key, WORD_RECORD, false, offsetof(WorkloadExpectation, field), 1 + offsetof(WorkloadExpectation, field.given),      \
   &vocabulary, help}
static const Word WORKLOAD_EXPECT_WORDS[] = {
    EXPECT_OF("lost", lost, VOCAB_COUNT, "acknowledged writes that are not there; default 0"),
    EXPECT_OF("duplicated", duplicated, VOCAB_COUNT, "writes that are there more than once; default 0"),
    EXPECT_OF("errors", errors, VOCAB_COUNT, "writes that a server refused"),
    EXPECT_OF("unknown", unknown, VOCAB_COUNT, "writes whose answer never came"),
    EXPECT_OF("acknowledged", acknowledged, VOCAB_COUNT, "writes that a server acknowledged; default 1 or more"),
    EXPECT_OF("unavailable", unavailable, VOCAB_LENGTH, "the longest time without an acknowledged write"),
    EXPECT_OF("throughput", throughput, VOCAB_COUNT, "acknowledged writes a second"),
    LATENCY(WorkloadExpectation, "the most that percentiles of acknowledged writes' latencies may be"),
};
static const Vocabulary VOCAB_WORKLOAD_EXPECT = {"what a workload expects", WORDS(WORKLOAD_EXPECT_WORDS),
                                                 .size = sizeof(WorkloadExpectation),
                                                 .place = 1 + offsetof(WorkloadExpectation, at)};

static const Word WORKLOAD_WORDS[] = {
    MUST("name", NAME, WorkloadStep, name, "what other steps call it"),
    MUST("on", TARGET, WorkloadStep, on, "a server, a list, all, or {role: primary}, asked again at each connection"),
    AT("clients", COUNT, WorkloadStep, clients, "how many write at once; default 1"),
    AT("rate", COUNT, WorkloadStep, rate,
       "writes a second of all together; latencies then count from when each was due"),
    MUST("write", TEXT, WorkloadStep, write, "SQL with {{var \"id\"}}, a number that no two writes have"),
    AT("read", TEXT, WorkloadStep, read, "SQL that gives the ids that are there, in one column"),
    AT("reconnect", BOOL, WorkloadStep, reconnect, "a writer whose session is lost opens another"),
    AT("timeout", DURATION, WorkloadStep, timeout, "a limit for one write; default 30s"),
    SESSION_DEFAULTS(WorkloadStep, words),
    AT("params", PAIRS, WorkloadStep, words.params, "the client library's own words"),
};
static const Vocabulary VOCAB_WORKLOAD = {"a workload", WORDS(WORKLOAD_WORDS), .size = sizeof(WorkloadStep)};

#define LOOK_ON AT_HAS("on", TARGET, WorkloadLook, on, has_on, "where it is read back; default where it was written")
#define LOOK_EXPECT                                                                                                    \
  {"expect", WORD_RECORD, false, offsetof(WorkloadLook, expect), 1 + offsetof(WorkloadLook, expect.given),             \
   &VOCAB_WORKLOAD_EXPECT, "what must have become of its writes"}
static const Word CHECK_WORKLOAD_WORDS[] = {
    MUST("name", NAME, WorkloadLook, name, "which workload"),
    LOOK_ON,
    AT("progress", COUNT, WorkloadLook, progress, "waits until so many more writes are acknowledged"),
    LOOK_EXPECT,
};
static const Vocabulary VOCAB_CHECK_WORKLOAD = {"a check_workload", WORDS(CHECK_WORKLOAD_WORDS),
                                                .size = sizeof(WorkloadLook)};
static const Word STOP_WORKLOAD_WORDS[] = {
    MUST("name", NAME, WorkloadLook, name, "which workload"),
    LOOK_ON,
    LOOK_EXPECT,
};
static const Vocabulary VOCAB_STOP_WORKLOAD = {"a stop_workload", WORDS(STOP_WORKLOAD_WORDS), .obvious = "name",
                                               .size = sizeof(WorkloadLook)};

static const Word INVARIANT_COUNT_WORDS[] = {
    MUST("value", CELL_POINTER, InvariantCount, value, "an answer"),
    AT_HAS("max", SIZE, InvariantCount, max, has_max, "no more servers than this may give it at once"),
};
static const Vocabulary VOCAB_INVARIANT_COUNT = {
    "a count", WORDS(INVARIANT_COUNT_WORDS), .size = sizeof(InvariantCount), .place = 1 + offsetof(InvariantCount, at)};

static const Word INVARIANT_WORDS[] = {
    MUST("name", NAME, InvariantStep, name, "what other steps call it"),
    MUST("on", TARGET, InvariantStep, on, "the servers that are asked"),
    AT("query", TEXT, InvariantStep, query, "what each is asked; one cell answers"),
    AT("role", BOOL, InvariantStep, role, "true: each is asked for its role"),
    AT("value", CELL_POINTER, InvariantStep, value, "what each must answer each time"),
    AT("monotonic", BOOL, InvariantStep, monotonic, "true: a server's number never becomes smaller"),
    {"count", WORD_RECORD, false, offsetof(InvariantStep, count), 1 + offsetof(InvariantStep, count.given),
     &VOCAB_INVARIANT_COUNT, "{value, max}: on how many servers at once"},
    AT("every", DURATION, InvariantStep, every, "the time from one sample to the next; default 50ms"),
    SESSION_DEFAULTS(InvariantStep, words),
    AT("params", PAIRS, InvariantStep, words.params, "the client library's own words"),
};
static const Vocabulary VOCAB_INVARIANT = {"an invariant", WORDS(INVARIANT_WORDS), .size = sizeof(InvariantStep)};

static const Word STEP_WORDS[] = {
    AT("name", STRING, Step, name, "what `since` and messages call it"),
    AT("when", WHEN, Step, when, "a condition on a constant, or SERVER is running"),
    AT("timeout", DURATION, Step, timeout, "a limit for one try"),
    AT("within", DURATION, Step, within, "repeat until it holds, give up then"),
    AT("stays", DURATION, Step, stays, "it must hold at every sample for that long"),
    AT("background", NAME, Step, background, "go on; `await` collects it"),
};
static const Step STEP_DEFAULTS = {.timeout = -1, .within = -1, .stays = -1};
const Vocabulary VOCAB_STEP = {"a step", WORDS(STEP_WORDS), .size = sizeof(Step), .defaults = &STEP_DEFAULTS,
                               .place = 1 + offsetof(Step, at)};

#define VERB(key, type, field, of, verb, help) {{key, WORD_##type, false, offsetof(Step, field), 0, of, help}, verb}

const VerbWord VERBS[] = {
    VERB("close", NAMES, close.sessions, NULL, VERB_CLOSE, "ends a session"),
    VERB("await", RECORD, await, &VOCAB_AWAIT, VERB_AWAIT, "collects a background step and its expectations"),
    VERB("start", RECORD, life, &VOCAB_START, VERB_START, "starts a server"),
    VERB("restart", RECORD, life, &VOCAB_RESTART, VERB_RESTART, "stops a server and starts it again"),
    VERB("stop", RECORD, life, &VOCAB_STOP, VERB_STOP, "stops a server"),
    VERB("reload", RECORD, life, &VOCAB_RELOAD, VERB_RELOAD, "makes a server read its configuration"),
    VERB("kill", RECORD, life, &VOCAB_KILL, VERB_KILL, "SIGKILL, as a crash"),
    VERB("pause", RECORD, life, &VOCAB_PAUSE, VERB_PAUSE, "freezes a server with all it started"),
    VERB("resume", RECORD, life, &VOCAB_RESUME, VERB_RESUME, "thaws it"),
    VERB("signal", RECORD, life, &VOCAB_SIGNAL, VERB_SIGNAL, "sends a signal"),
    VERB("exited", RECORD, life, &VOCAB_EXITED, VERB_EXITED, "a server is to end by itself"),
    VERB("clone", RECORD, life, &VOCAB_CLONE, VERB_CLONE, "makes a server from another"),
    VERB("promote", RECORD, life, &VOCAB_PROMOTE, VERB_PROMOTE, "makes a replica a primary"),
    VERB("follow", RECORD, life, &VOCAB_FOLLOW, VERB_FOLLOW, "points a replica at another primary"),
    VERB("rejoin", RECORD, life, &VOCAB_REJOIN, VERB_REJOIN, "makes a former primary a replica"),
    VERB("sync", RECORD, sync, &VOCAB_SYNC, VERB_SYNC, "waits until all that was committed has arrived"),
    VERB("equal", RECORD, equal, &VOCAB_EQUAL, VERB_EQUAL, "waits until all servers answer the same"),
    VERB("log", RECORD, log, &VOCAB_LOG, VERB_LOG, "looks into a server's output"),
    VERB("run", RECORD, run, &VOCAB_RUN, VERB_RUN, "runs a command"),
    VERB("http", RECORD, http, &VOCAB_HTTP, VERB_HTTP, "asks a web service"),
    VERB("file", RECORD, file, &VOCAB_FILE_STEP, VERB_FILE, "looks at, or changes, a file of a server"),
    VERB("link", RECORD, link, &VOCAB_LINK_STEP, VERB_LINK, "disturbs or heals what goes between servers"),
    VERB("sleep", DURATION, sleep.length, NULL, VERB_SLEEP, "waits; a condition is nearly always better"),
    VERB("together", LANES, together, NULL, VERB_TOGETHER, "runs lists of steps beside each other"),
    VERB("loop", RECORD, loop, &VOCAB_LOOP, VERB_LOOP, "runs steps several times"),
    VERB("workload", RECORD, workload, &VOCAB_WORKLOAD, VERB_WORKLOAD,
         "starts writers and keeps what became of each write"),
    VERB("check_workload", RECORD, look, &VOCAB_CHECK_WORKLOAD, VERB_CHECK_WORKLOAD, "looks at a workload that runs"),
    VERB("stop_workload", RECORD, look, &VOCAB_STOP_WORKLOAD, VERB_STOP_WORKLOAD, "ends a workload and judges it"),
    VERB("invariant", RECORD, invariant, &VOCAB_INVARIANT, VERB_INVARIANT, "is looked at again and again from now on"),
    VERB("end_invariant", NAMES, end_invariant.names, NULL, VERB_END_INVARIANT, "ends an invariant and judges it"),
    VERB("call", SPECIAL, group, NULL, VERB_GROUP, "runs a procedure"),
    VERB("for_each", SPECIAL, group, NULL, VERB_GROUP, "runs steps once for each value"),
};
const guint N_VERB_WORDS = G_N_ELEMENTS(VERBS);

/* Two words may make a group; a message says which verb it was by its label. */
const char *verb_word(Verb verb) {
  if (verb == VERB_SQL)
    return "SQL";
  for (guint i = 0; i < N_VERB_WORDS; i++)
    if (VERBS[i].verb == verb)
      return VERBS[i].word.key;
  return "?";
}

/* ---- Servers and engines ----------------------------------------------------------------------------------------- */

static const Word WITH_FILE_WORDS[] = {
    MUST("name", TEXT, WithFile, name, "its path below the server's directory"),
    AT("contents", TEXT, WithFile, contents, "what it holds"),
    AT("source_path", TEXT, WithFile, source_path,
       "a file to copy, beside the definition or below the current directory"),
    AT("mode", MODE, WithFile, mode, "its permissions, octal"),
    AT("append", BOOL, WithFile, append, "add to what is there"),
};
static const WithFile WITH_FILE_DEFAULTS = {.mode = -1};
const Vocabulary VOCAB_WITH_FILE = {"a file", WORDS(WITH_FILE_WORDS), .size = sizeof(WithFile),
                                    .defaults = &WITH_FILE_DEFAULTS, .place = 1 + offsetof(WithFile, at)};

static const Word COMMAND_WORDS[] = {
    MUST("run", TEXTS, Command, argv, "a program and its arguments, no shell"),
    AT("cwd", STRING, Command, cwd, "where, relative to the server's directory"),
};
const Vocabulary VOCAB_COMMAND = {"a command", WORDS(COMMAND_WORDS), .obvious = "run", .size = sizeof(Command),
                                  .place = 1 + offsetof(Command, at)};

static const Word STOP_RUNG_WORDS[] = {
    MUST("signal", TEXT, StopRung, signal, "INT, TERM ..."),
    AT("within", DURATION, StopRung, within, "how long to wait for its end; default 10s"),
};
static const StopRung STOP_RUNG_DEFAULTS = {.within = 10 * G_USEC_PER_SEC};
static const Vocabulary VOCAB_STOP_RUNG = {"a stop", WORDS(STOP_RUNG_WORDS), .obvious = "signal",
                                           .size = sizeof(StopRung), .defaults = &STOP_RUNG_DEFAULTS};

static const Word READY_WORDS[] = {
    SPECIAL("session", "true: when a session can be opened"),
    SPECIAL("tcp", "when this port accepts connections"),
    SPECIAL("http", "when this URL answers"),
    AT("status", COUNT, Ready, status, "with this status; default 200"),
    SPECIAL("log", "when a line of its output matches"),
    AT("within", DURATION, Ready, within, "give up then; default 30s"),
};
static const Ready READY_DEFAULTS = {.status = 200, .within = -1};
const Vocabulary VOCAB_READY = {"ready", WORDS(READY_WORDS), .size = sizeof(Ready), .defaults = &READY_DEFAULTS,
                                .place = 1 + offsetof(Ready, at)};

static const Word EXTERNAL_WORDS[] = {
    MUST("host", TEXT, Server, external_host, "its numeric address"),
    MUST("port", TEXT, Server, external_port, "its port"),
};
static const Vocabulary VOCAB_EXTERNAL = {"an external server", WORDS(EXTERNAL_WORDS), .size = sizeof(Server)};

static const Word SERVER_WORDS[] = {
    MUST("name", NAME, Server, name, "its name"),
    SPECIAL("engine", "its profile"),
    AT("bindir", TEXT, Server, bindir, "where its programs are"),
    AT("replica_of", NAME, Server, replica_of, "cloned from this server and following it"),
    AT("settings", PAIRS, Server, settings, "into its configuration file; null removes one"),
    AT_OF("with_files", RECORDS, Server, files, &VOCAB_WITH_FILE, "files in its directory"),
    AT("cluster", STRING, Server, cluster, "servers with the same cluster form one"),
    AT("ports", NAMES, Server, ports, "names of further free ports"),
    AT("create_args", TEXTS, Server, create_args, "added to the profile's creation command"),
    AT("prepare", COMMANDS, Server, prepare, "commands after creation and before the first start"),
    AT("init", SQL_INIT, Server, init, "SQL run once after the first start"),
    AT("args", TEXTS, Server, args, "added to the command line"),
    AT("envs", ENVS, Server, envs, "added to the environment"),
    AT("port", TEXT, Server, port, "a fixed port"),
    AT("dynamic_port", TEXT, Server, dynamic_port, "the name of a get_port"),
    AT("start", BOOL, Server, start, "false: started by a step"),
    AT("debug_port", TEXT, Server, debug_port, "the port of a debugger's listener"),
    AT("debugger", TEXT, Server, debugger, "dlv, gdbserver, lldb-server or valgrind"),
    AT("log_matches", PATTERNS, Server, log_matches, "each must match its output, after it stopped"),
    AT("log_not_matches", PATTERNS, Server, log_not_matches, "none may match its output"),
    AT_HAS("error_matches", PATTERNS, Server, error_matches, has_error_matches,
           "the first start must fail, its output match each"),
    AT("allow_log", PATTERNS, Server, allow_log, "lines that are not fatal here"),
    SESSION_DEFAULTS(Server, words),
    AT("command", TEXTS, Server, command, "how it is started, instead of the profile's"),
    AT("ready", READY, Server, ready, "when it is ready, instead of the profile's"),
    AT_OF("stop", RECORDS, Server, stop, &VOCAB_STOP_RUNG, "how it is stopped, instead of the profile's"),
    {"external", WORD_RECORD, false, 0, 1 + offsetof(Server, external), &VOCAB_EXTERNAL,
     "{host, port}: not ours to start"},
};
static const Server SERVER_DEFAULTS = {.start = true, .runs = true, .ready = {.within = -1}};
const Vocabulary VOCAB_SERVER = {"a server", WORDS(SERVER_WORDS), .obvious = "name", .size = sizeof(Server),
                                 .defaults = &SERVER_DEFAULTS, .place = 1 + offsetof(Server, at)};

static const Choice CLIENT_CHOICES[] = {
    {"none", CLIENT_NONE}, {"postgresql", CLIENT_POSTGRESQL}, {"mysql", CLIENT_MYSQL}, {NULL, 0}};
static const Choice FORM_CHOICES[] = {
    {"conf", FORM_CONF}, {"ini", FORM_INI}, {"yaml", FORM_YAML}, {"json", FORM_JSON}, {NULL, 0}};

static const Word PROGRAM_WORDS[] = {
    AT("search", TEXTS, Engine, search, "directories or globs; PATH stands for its directories"),
    AT("need", NAMES, Engine, need, "programs without which tests are skipped"),
};
static const Vocabulary VOCAB_PROGRAMS = {"programs", WORDS(PROGRAM_WORDS), .obvious = "need", .size = sizeof(Engine)};

static const Word SETTINGS_FILE_WORDS[] = {
    MUST("path", TEXT, Engine, settings_path, "below the server's directory"),
    {"form", WORD_CHOICE, true, offsetof(Engine, settings_form), 0, FORM_CHOICES, "conf, ini, yaml or json"},
    AT("append", BOOL, Engine, settings_append, "add to what is there"),
    AT("section", STRING, Engine, settings_section, "of an ini file"),
};
static const Vocabulary VOCAB_SETTINGS_FILE = {"a settings_file", WORDS(SETTINGS_FILE_WORDS), .size = sizeof(Engine)};

static const Word RELOAD_HOW_WORDS[] = {
    AT("signal", TEXT, Engine, reload_signal, "to the main process"),
    AT("command", COMMANDS, Engine, reload_command, "commands"),
    AT("loaded", TEXT, Engine, loaded, "a query whose answer changes when the configuration was read"),
};
static const Vocabulary VOCAB_RELOAD_HOW = {"reload", WORDS(RELOAD_HOW_WORDS), .obvious = "signal",
                                            .size = sizeof(Engine)};

static const Word RECIPE_WORDS[] = {
    AT_HAS("clone", STEPS, Engine, clone, has_clone, "self from primary"),
    AT_HAS("promote", STEPS, Engine, promote, has_promote, "self becomes a primary"),
    AT_HAS("follow", STEPS, Engine, follow, has_follow, "self follows primary"),
    AT_HAS("rejoin", STEPS, Engine, rejoin, has_rejoin, "self, once a primary, follows primary"),
};
static const Vocabulary VOCAB_RECIPES = {"recipes", WORDS(RECIPE_WORDS), .size = sizeof(Engine)};

static const Word ENGINE_WORDS[] = {
    AT_OF("client", CHOICE, Engine, client, CLIENT_CHOICES, "postgresql, mysql or none"),
    WHOLE("programs", RECORD, &VOCAB_PROGRAMS, "{search, need}"),
    SESSION_DEFAULTS(Engine, words),
    AT("params", PAIRS, Engine, words.params, "the client library's own words"),
    AT("unprivileged", BOOL, Engine, unprivileged, "refuses to run as root"),
    AT("envs", ENVS, Engine, envs, "added to every server's environment"),
    AT("ports", NAMES, Engine, ports, "names of further free ports every server has"),
    AT("create", COMMANDS, Engine, create, "makes the directory; done once and copied"),
    AT("create_stdin", TEXTS, Engine, create_stdin, "standard input of those commands"),
    AT("setup", COMMANDS, Engine, setup, "after create, for each server anew"),
    {"settings_file", WORD_RECORD, false, 0, 1 + offsetof(Engine, has_settings_file), &VOCAB_SETTINGS_FILE,
     "{path, form, append, section}"},
    AT("settings", PAIRS, Engine, settings, "in that file, unless a definition says otherwise"),
    AT_OF("with_files", RECORDS, Engine, files, &VOCAB_WITH_FILE, "files in the server's directory"),
    AT("command", TEXTS, Engine, command, "starts a server"),
    AT("prepare", COMMANDS, Engine, prepare, "after files are written and before the first start"),
    AT("ready", READY, Engine, ready, "when a server is ready"),
    AT_OF("stop", RECORDS, Engine, stop, &VOCAB_STOP_RUNG, "signals in turn, each with its time"),
    AT("stop_modes", STOP_MODES, Engine, n_stop_modes, "{name: signal}"),
    WHOLE("reload", RECORD, &VOCAB_RELOAD_HOW, "{signal} or {command}, {loaded}"),
    AT("debugger", TEXT, Engine, debugger, "dlv, gdbserver, lldb-server or valgrind"),
    AT("fatal_log", PATTERNS, Engine, fatal_log, "lines that fail a test"),
    AT("hold_port", BOOL, Engine, hold_port, "false: the server cannot bind a port that is held for it"),
    AT("role", TEXT, Engine, role, "a query that says primary or replica"),
    AT("position", POSITION, Engine, position, "makes all that was committed durable, and captures `position`"),
    AT("attached", TEXT, Engine, attached, "asked of a replica: it streams"),
    AT("applied", TEXT, Engine, applied, "asked of a replica: it has applied `position`"),
    AT("flushed", TEXT, Engine, flushed, "asked of a replica: it has made `position` durable"),
    AT("written", TEXT, Engine, written, "asked of a replica: it has received `position`"),
    AT("subscriptions", TEXT, Engine, subscriptions, "asked of a subscriber: its slots at `primary`, as an SQL list"),
    AT("copied", TEXT, Engine, copied, "asked of a subscriber: its table copies are done"),
    AT("subscriber", TEXT, Engine, subscriber, "asked of the publisher: `subscriptions` have confirmed `position`"),
    AT("follows", TEXT, Engine, follows, "asked of a replica: its upstream's port"),
    AT("diverged", TEXT, Engine, diverged, "asked of a replica: it can never get to `position`"),
    AT("blocked", TEXT, Engine, blocked, "whether the session of number `session_id` waits for a lock"),
    AT("explain", TEXTS, Engine, explain, "queries for the report of a failed sync"),
    AT("data", TEXT, Engine, data, "the database's own directory, where it is not the server's"),
    AT("init", SQL_INIT, Engine, init, "SQL of the profile's own after the first start"),
    AT("clone_created", BOOL, Engine, clone_created, "clone begins from what create makes, not from nothing"),
    AT("clone_unstarted", BOOL, Engine, clone_unstarted,
       "a test's replicas are cloned before their upstream first starts, if it has no init"),
    WHOLE("recipes", RECORD, &VOCAB_RECIPES, "{clone, promote, follow, rejoin}"),
};
static const Engine ENGINE_DEFAULTS = {.hold_port = true, .ready = {.within = -1}};
const Vocabulary VOCAB_ENGINE = {"an engine", WORDS(ENGINE_WORDS), .size = sizeof(Engine), .defaults = &ENGINE_DEFAULTS,
                                 .place = 1 + offsetof(Engine, at)};

/* ---- Tests and files --------------------------------------------------------------------------------------------- */

static const Word NEEDS_WORDS[] = {
    AT("programs", NAMES, Needs, programs, "programs"),
    AT("files", NAMES, Needs, files, "files"),
    AT("root", BOOL, Needs, root, "to run as root"),
};
const Vocabulary VOCAB_NEEDS = {"needs", WORDS(NEEDS_WORDS), .size = sizeof(Needs)};

static const Word LINK_WORDS[] = {
    MUST("name", NAME, Link, name, "its name"),
    MUST("from", NAME, Link, from, "the server that connects"),
    MUST("to", NAME, Link, to, "the server that it connects to; n2.peer: to this further port of it"),
};
const Vocabulary VOCAB_LINK = {"a link", WORDS(LINK_WORDS), .size = sizeof(Link), .place = 1 + offsetof(Link, at)};

static const Word TOPOLOGY_WORDS[] = {
    MUST_SPECIAL("servers", "the servers"),
    SPECIAL("links", "relays between them"),
};
const Vocabulary VOCAB_TOPOLOGY = {"a topology", WORDS(TOPOLOGY_WORDS), .obvious = "servers"};

static const Word PROCEDURE_WORDS[] = {
    SPECIAL("params", "names of its parameters"),
    MUST_SPECIAL("steps", "its steps"),
};
const Vocabulary VOCAB_PROCEDURE = {"a procedure", WORDS(PROCEDURE_WORDS), .obvious = "steps"};

static const Word TEST_WORDS[] = {
    MUST("name", STRING, Test, base_name, "what reports call it"),
    AT("tags", NAMES, Test, tags, "for --tag"),
    AT("skip", STRING, Test, skip, "a reason not to run it"),
    SPECIAL("needs", "programs, files, versions without which it is skipped"),
    SPECIAL("matrix", "{name: [values]}: one test for each combination"),
    SPECIAL("vars", "constants"),
    AT("timeout", DURATION, Test, timeout, "a limit for the whole test; default 5m"),
    AT("exclusive", BOOL, Test, exclusive, "alone on the machine"),
    SPECIAL("topology", "the name of a topology"),
    SPECIAL("servers", "its servers"),
    SPECIAL("links", "relays between servers: [{name, from, to}]"),
    SPECIAL("steps", "its steps"),
    SPECIAL("finally", "steps that always run"),
};
static const Test TEST_DEFAULTS = {.timeout = -1};
const Vocabulary VOCAB_TEST = {"a test", WORDS(TEST_WORDS), .size = sizeof(Test), .defaults = &TEST_DEFAULTS,
                               .place = 1 + offsetof(Test, at)};

static const Word FILE_WORDS[] = {
    SPECIAL("parallel", "false: tests of this file run one after the other"),
    SPECIAL("include", "files with engines, topologies and procedures"),
    SPECIAL("engines", "engine profiles"),
    SPECIAL("vars", "constants"),
    SPECIAL("topologies", "named lists of servers"),
    SPECIAL("procedures", "named lists of steps"),
    SPECIAL("tests", "the tests"),
};
const Vocabulary VOCAB_FILE = {"a file", WORDS(FILE_WORDS)};

/* ---- Dolt's dialect ---------------------------------------------------------------------------------------------- */

static const Word DOLT_TEST_WORDS[] = {
    MUST("name", STRING, Test, base_name, "what reports call it"),
    SPECIAL("repos", "databases, each in a directory of its own"),
    SPECIAL("multi_repos", "directories with several databases"),
    SPECIAL("connections", "what is asked, one session each"),
    AT("skip", STRING, Test, skip, "a reason not to run it"),
};
const Vocabulary VOCAB_DOLT_TEST = {"a test", WORDS(DOLT_TEST_WORDS), .size = sizeof(Test), .defaults = &TEST_DEFAULTS,
                                    .place = 1 + offsetof(Test, at)};

static const Word DOLT_SERVER_WORDS[] = {
    AT("name", NAME, DoltServer, name, "its name; default the repo's"),
    AT("args", TEXTS, DoltServer, args, "of dolt sql-server"),
    AT("envs", ENVS, DoltServer, envs, "added to its environment"),
    AT("port", TEXT, DoltServer, port, "a fixed port"),
    AT("dynamic_port", TEXT, DoltServer, dynamic_port, "the name of a get_port"),
    AT("debug_port", TEXT, DoltServer, debug_port, "the port of dlv"),
    AT("log_matches", PATTERNS, DoltServer, log_matches, "each must match its output"),
    AT("log_not_matches", PATTERNS, DoltServer, log_not_matches, "none may match its output"),
    AT_HAS("error_matches", PATTERNS, DoltServer, error_matches, has_error_matches,
           "it must fail, its output match each"),
};
const Vocabulary VOCAB_DOLT_SERVER = {"a server", WORDS(DOLT_SERVER_WORDS), .size = sizeof(DoltServer),
                                      .place = 1 + offsetof(DoltServer, at)};

static const Word DOLT_EXTERNAL_WORDS[] = {
    AT("name", NAME, DoltExternal, name, "its name"),
    MUST("host", TEXT, DoltExternal, host, "its address"),
    MUST("port", TEXT, DoltExternal, port, "its port"),
    AT("user", TEXT, DoltExternal, words.user, "who connects"),
    AT("password", TEXT, DoltExternal, words.password, "the password"),
};
const Vocabulary VOCAB_DOLT_EXTERNAL = {"an external-server", WORDS(DOLT_EXTERNAL_WORDS), .size = sizeof(DoltExternal)};

static const Word DOLT_REMOTE_WORDS[] = {
    MUST("name", TEXT, DoltRemote, name, "the remote's name"),
    MUST("url", TEXT, DoltRemote, url, "the remote's url"),
};
const Vocabulary VOCAB_DOLT_REMOTE = {"a remote", WORDS(DOLT_REMOTE_WORDS), .size = sizeof(DoltRemote)};

static const Word DOLT_REPO_WORDS[] = {
    MUST("name", NAME, DoltRepo, name, "the database's name and directory"),
    AT_OF("with_files", RECORDS, DoltRepo, files, &VOCAB_WITH_FILE, "files in its directory"),
    AT_OF("with_remotes", RECORDS, DoltRepo, remotes, &VOCAB_DOLT_REMOTE, "remotes of it"),
    {"server", WORD_RECORD, false, offsetof(DoltRepo, server), 1 + offsetof(DoltRepo, has_server), &VOCAB_DOLT_SERVER,
     "a server for it"},
    {"external-server", WORD_RECORD, false, offsetof(DoltRepo, external), 1 + offsetof(DoltRepo, has_external),
     &VOCAB_DOLT_EXTERNAL, "a server that runs already"},
};
const Vocabulary VOCAB_DOLT_REPO = {"a repo", WORDS(DOLT_REPO_WORDS), .size = sizeof(DoltRepo),
                                    .place = 1 + offsetof(DoltRepo, at)};

static const Word DOLT_MULTI_REPO_WORDS[] = {
    MUST("name", NAME, DoltMultiRepo, name, "its directory"),
    AT_OF("repos", RECORDS, DoltMultiRepo, repos, &VOCAB_DOLT_REPO, "databases below it"),
    AT_OF("with_files", RECORDS, DoltMultiRepo, files, &VOCAB_WITH_FILE, "files in its directory"),
    {"server", WORD_RECORD, false, offsetof(DoltMultiRepo, server), 1 + offsetof(DoltMultiRepo, has_server),
     &VOCAB_DOLT_SERVER, "a server for all of them"},
};
const Vocabulary VOCAB_DOLT_MULTI_REPO = {"a multi_repo", WORDS(DOLT_MULTI_REPO_WORDS), .size = sizeof(DoltMultiRepo),
                                          .place = 1 + offsetof(DoltMultiRepo, at)};

static const Word DOLT_CONNECTION_WORDS[] = {
    MUST("on", NAME, DoltConnection, on, "the server's name"),
    AT("user", TEXT, DoltConnection, words.user, "who connects; default root"),
    AT("password", TEXT, DoltConnection, words.password, "the password"),
    AT("password_file", TEXT, DoltConnection, words.password_file, "a file whose trimmed text is the password"),
    AT("driver_params", PAIRS, DoltConnection, words.params, "words of the MySQL driver for Go"),
    AT("queries", ENTRIES, DoltConnection, entries, "statements, one after the other"),
    {"restart_server", WORD_RECORD, false, offsetof(DoltConnection, restart), 1 + offsetof(DoltConnection, has_restart),
     &VOCAB_RESTART_SERVER, "stop the server afterwards and start it again"},
    AT("retry_attempts", COUNT, DoltConnection, retry_attempts, "tries of the whole connection, 50 ms apart"),
};
const Vocabulary VOCAB_DOLT_CONNECTION = {"a connection", WORDS(DOLT_CONNECTION_WORDS), .size = sizeof(DoltConnection),
                                          .place = 1 + offsetof(DoltConnection, at)};

const Word *vocab_find(const Vocabulary *vocabulary, const char *key) {
  for (guint i = 0; i < vocabulary->n_words; i++)
    if (strcmp(vocabulary->words[i].key, key) == 0)
      return &vocabulary->words[i];
  return NULL;
}
