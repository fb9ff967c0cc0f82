/* test_definition.c - what definitions of both dialects become. */
#include "yamldef/definition.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static Definition *load_text(const char *text) {
  Definition *definition = definition_load_bytes("test.yaml", text, strlen(text), NULL);
  for (guint i = 0; i < definition_n_problems(definition); i++) {
    g_autofree char *said = problem_text(definition_problem(definition, i));
    g_printerr("%s", said);
  }
  g_assert_cmpuint(definition_n_problems(definition), ==, 0);
  return definition;
}

/* A definition of one test with two PostgreSQL servers and these steps. */
static Definition *load_steps(const char *steps) {
  g_autofree char *text = g_strconcat("tests:\n- name: one\n  servers:\n  - {name: primary, engine: postgresql}\n"
                                      "  - {name: standby, engine: postgresql, replica_of: primary}\n  steps:\n",
                                      steps, NULL);
  return load_text(text);
}

static const Step *step(const Definition *definition, guint i) {
  const Test *test = definition_test(definition, 0);
  g_assert_cmpuint(i, <, test->steps.n);
  return &test->steps.v[i];
}

static const SqlEntry *entry(const Definition *definition, guint i) {
  g_assert_cmpint(step(definition, i)->verb, ==, VERB_SQL);
  return &step(definition, i)->sql.entries[0];
}

/* ---- The servers dialect ----------------------------------------------------------------------------------------- */

static void the_first_replication_test_is_read(void) {
  g_autoptr(Definition) d =
      load_steps("  - {on: primary, exec: \"CREATE TABLE t AS SELECT generate_series(1, 3) AS i\"}\n"
                 "  - sync: {from: primary, to: standby}\n"
                 "  - on: standby\n    query: SELECT i FROM t ORDER BY i\n"
                 "    result: {columns: [i], rows: [[1], [2], [3]]}\n"
                 "  - {on: standby, exec: \"INSERT INTO t VALUES (4)\", error_code: \"25006\"}\n"
                 "  - promote: standby\n"
                 "  - {on: standby, exec: \"INSERT INTO t VALUES (4)\"}\n");
  const Test *test = definition_test(d, 0);
  g_assert_cmpstr(test->name, ==, "one");
  g_assert_true(test->parallel);
  g_assert_false(test->dolt);
  g_assert_cmpuint(test->n_servers, ==, 2);
  g_assert_cmpstr(test->servers[0].engine->name, ==, "postgresql");
  g_assert_true(test->servers[0].start && test->servers[0].runs);
  g_assert_cmpstr(test->servers[1].replica_of.s, ==, "primary");
  g_assert_cmpstr(test->servers[1].dir, ==, "standby");
  g_assert_cmpuint(test->steps.n, ==, 6);
  g_assert_cmpint(entry(d, 0)->kind, ==, SQL_EXEC);
  g_assert_cmpint(step(d, 1)->verb, ==, VERB_SYNC);
  g_assert_cmpstr(step(d, 1)->sync.to.v[0].s, ==, "standby");
  g_assert_cmpint(step(d, 1)->sync.stage, ==, STAGE_APPLIED);
  const ResultExpectation *result = entry(d, 2)->result;
  g_assert_cmpuint(result->columns.n, ==, 1);
  g_assert_cmpuint(result->either[0].n, ==, 3);
  g_assert_cmpstr(result->either[0].v[2].v[0].text.raw, ==, "3");
  g_assert_true(result->ordered);
  g_assert_cmpint((int)result->row_count, ==, -1);
  g_assert_cmpstr(entry(d, 3)->error_code.v[0].raw, ==, "25006");
  g_assert_cmpint(step(d, 4)->verb, ==, VERB_PROMOTE);
  g_assert_cmpuint(step(d, 5)->number, ==, 6);
  g_assert_cmpint(step(d, 5)->at.line, ==, 14);
}

static void cells_are_told_apart(void) {
  g_autoptr(Definition) d = load_steps(
      "  - on: primary\n    query: A\n    result: {rows: [[null, ~, 'null', NULL, true, 'true', 1, '1', {re: a+}, "
      "{any: true}, {approx: [3.14, 0.01]}, {bytes: 00fF}, '', no]]}\n");
  static const CellKind KINDS[] = {CELL_NULL, CELL_NULL, CELL_TEXT, CELL_NULL,   CELL_BOOL,  CELL_TEXT, CELL_TEXT,
                                   CELL_TEXT, CELL_RE,   CELL_ANY,  CELL_APPROX, CELL_BYTES, CELL_TEXT, CELL_TEXT};
  const Row *row = &entry(d, 0)->result->either[0].v[0];
  g_assert_cmpuint(row->n, ==, G_N_ELEMENTS(KINDS));
  for (guint i = 0; i < row->n; i++)
    g_assert_cmpint(row->v[i].kind, ==, KINDS[i]);
  g_assert_cmpstr(row->v[4].text.raw, ==, "true");
  g_assert_nonnull(row->v[8].re.compiled);
  g_assert_cmpfloat(row->v[10].value, ==, 3.14);
  g_assert_cmpfloat(row->v[10].tolerance, ==, 0.01);
  g_assert_cmpmem(row->v[11].bytes, row->v[11].n_bytes, "\0\xff", 2);
  g_assert_cmpuint(row->v[12].text.len, ==, 0);
  g_assert_cmpstr(row->v[13].text.raw, ==, "no");
  g_assert_false(row->v[2].null_too);
}

static void results_have_their_short_forms(void) {
  g_autoptr(Definition) d =
      load_steps("  - {on: primary, query: A, result: [[1], [2]]}\n"
                 "  - {on: primary, query: A, result: {rows: {or: [[[1]], [[2], [3]]]}}}\n"
                 "  - {on: primary, query: A, result: {rows: [1, null]}}\n"
                 "  - {on: primary, query: A, result: {rows: []}}\n"
                 "  - {on: primary, query: A, value: null}\n"
                 "  - {on: primary, query: A, result: {row_count: 3, pick: a, ordered: false, same_as: standby}}\n");
  g_assert_cmpuint(entry(d, 0)->result->either[0].n, ==, 2);
  g_assert_cmpuint(entry(d, 1)->result->n_either, ==, 2);
  g_assert_cmpuint(entry(d, 1)->result->either[1].n, ==, 2);
  g_assert_cmpint(entry(d, 2)->result->either[0].v[1].v[0].kind, ==, CELL_NULL);
  g_assert_true(entry(d, 3)->result->has_rows);
  g_assert_cmpuint(entry(d, 3)->result->either[0].n, ==, 0);
  g_assert_cmpint(entry(d, 4)->value->kind, ==, CELL_NULL);
  g_assert_cmpint((int)entry(d, 5)->result->row_count, ==, 3);
  g_assert_cmpstr(entry(d, 5)->result->pick.v[0].s, ==, "a");
  g_assert_false(entry(d, 5)->result->ordered);
  g_assert_cmpstr(entry(d, 5)->result->same_as.s, ==, "standby");
}

static void statements_have_all_their_words(void) {
  g_autoptr(Definition) d = load_steps(
      "  - on: primary\n    session: s\n    user: u\n    tls: require\n    params: {options: -cx=1}\n"
      "    queries:\n"
      "    - {query: A, args: [1, null, 'x'], value: 1, capture: {v: col}, notices: [], times: 3, retry_attempts: 4}\n"
      "    - {exec: B, affected: 2, warnings: [text, {re: x}, {level: INFO, re: y}], error_code: ['1', ok]}\n"
      "  - {on: primary, session: s, query: 'C {{var v}}', capture: w}\n"
      "  - close: s\n"
      "  - {on: primary, user: nobody, connect_error: {code: ['28000', 28P01], match: 'no.*'}}\n");
  const SqlStep *sql = &step(d, 0)->sql;
  g_assert_cmpuint(sql->n_entries, ==, 2);
  g_assert_cmpstr(sql->session.s, ==, "s");
  g_assert_cmpint(sql->words.tls, ==, TLS_REQUIRE);
  g_assert_cmpstr(sql->words.params.v[0].key, ==, "options");
  g_assert_cmpuint(sql->entries[0].n_args, ==, 3);
  g_assert_true(sql->entries[0].args[1].is_null);
  g_assert_cmpstr(sql->entries[0].capture.v[0].name.s, ==, "v");
  g_assert_cmpstr(sql->entries[0].capture.v[0].column, ==, "col");
  g_assert_true(sql->entries[0].notices.given);
  g_assert_cmpuint(sql->entries[0].notices.n, ==, 0);
  g_assert_cmpuint(sql->entries[0].times, ==, 3);
  g_assert_cmpuint(sql->entries[0].retry_attempts, ==, 4);
  g_assert_cmpuint(sql->entries[1].times, ==, 1);
  g_assert_true(sql->entries[1].has_affected);
  g_assert_cmpstr(sql->entries[1].affected.text.raw, ==, "2");
  g_assert_cmpuint(sql->entries[1].warnings.n, ==, 3);
  g_assert_cmpstr(sql->entries[1].warnings.v[0].text.raw, ==, "text");
  g_assert_nonnull(sql->entries[1].warnings.v[1].re.compiled);
  g_assert_cmpint(sql->entries[1].warnings.v[2].level, ==, NOTICE_INFO);
  g_assert_cmpuint(sql->entries[1].error_code.n, ==, 2);
  g_assert_null(step(d, 1)->sql.entries[0].capture.v[0].column);
  g_assert_cmpuint(step(d, 1)->sql.entries[0].sql.n_parts, ==, 2);
  g_assert_cmpint(step(d, 2)->verb, ==, VERB_CLOSE);
  g_assert_true(step(d, 3)->sql.connect_error.given);
  g_assert_cmpuint(step(d, 3)->sql.connect_error.code.n, ==, 2);
}

static void targets_have_their_forms(void) {
  g_autoptr(Definition) d =
      load_steps("  - {on: all, exec: A}\n  - {on: [primary, standby], exec: A}\n  - {on: {role: replica}, exec: A}\n");
  g_assert_true(step(d, 0)->sql.on.all);
  g_assert_cmpuint(step(d, 1)->sql.on.servers.n, ==, 2);
  g_assert_cmpstr(step(d, 2)->sql.on.role, ==, "replica");
}

static void modifiers_stand_beside_any_verb(void) {
  g_autoptr(Definition) d =
      load_steps("  - {name: x, timeout: 20m, within: 250ms, stays: 1.5s, on: primary, query: A, value: 1}\n"
                 "  - {background: b, when: standby is not running, sync: {from: primary, to: [standby]}}\n"
                 "  - {await: {name: b, blocked: true}, within: 5s}\n  - await: b\n");
  g_assert_cmpstr(step(d, 0)->name, ==, "x");
  g_assert_cmpint(step(d, 0)->timeout, ==, 1200 * G_USEC_PER_SEC);
  g_assert_cmpint(step(d, 0)->within, ==, 250000);
  g_assert_cmpint(step(d, 0)->stays, ==, 1500000);
  g_assert_cmpint(step(d, 1)->within, ==, -1);
  g_assert_cmpstr(step(d, 1)->background.s, ==, "b");
  g_assert_true(step(d, 1)->when.given && step(d, 1)->when.negated);
  g_assert_cmpstr(step(d, 1)->when.server.s, ==, "standby");
  g_assert_true(step(d, 2)->await.blocked);
  g_assert_false(step(d, 3)->await.blocked);
}

static void lives_have_their_words(void) {
  g_autoptr(Definition) d =
      load_steps("  - start: [primary, standby]\n"
                 "  - restart: {server: standby, settings: {work_mem: 1MB, x: null}, args: -x, envs: {A: b}, bindir: "
                 "/x, fails: [a, b]}\n"
                 "  - stop: {server: standby, mode: immediate}\n  - kill: {server: standby, tree: true}\n"
                 "  - signal: {server: standby, signal: SIGHUP, pid: 7}\n  - exited: {server: standby, status: 3}\n"
                 "  - clone: {server: standby, from: primary, args: [-X, none]}\n"
                 "  - rejoin: {server: primary, primary: standby}\n  - reload: {server: primary, settings: {a: b}}\n"
                 "  - {pause: primary}\n  - {resume: primary}\n  - {follow: {server: standby, primary: primary}}\n");
  g_assert_cmpuint(step(d, 0)->life.servers.n, ==, 2);
  const LifeStep *restart = &step(d, 1)->life;
  g_assert_cmpuint(restart->settings.n, ==, 2);
  g_assert_true(restart->settings.v[1].is_null);
  g_assert_true(restart->has_args && restart->has_envs && restart->has_fails && !restart->lasting);
  g_assert_cmpstr(restart->args.v[0].raw, ==, "-x");
  g_assert_cmpstr(restart->envs.v[0].raw, ==, "A=b");
  g_assert_cmpuint(restart->fails.n, ==, 2);
  g_assert_cmpstr(step(d, 2)->life.mode.raw, ==, "immediate");
  g_assert_true(step(d, 3)->life.tree);
  g_assert_cmpstr(step(d, 4)->life.pid.raw, ==, "7");
  g_assert_true(step(d, 5)->life.has_status);
  g_assert_cmpint(step(d, 5)->life.status, ==, 3);
  g_assert_cmpuint(step(d, 6)->life.args.n, ==, 2);
  g_assert_true(definition_test(d, 0)->servers[1].clone_by_step);
  g_assert_false(definition_test(d, 0)->servers[0].clone_by_step);
  g_assert_cmpstr(step(d, 7)->life.from.s, ==, "standby");
  g_assert_cmpint(step(d, 8)->verb, ==, VERB_RELOAD);
  g_assert_cmpint(step(d, 11)->verb, ==, VERB_FOLLOW);
}

static void looking_has_its_words(void) {
  g_autoptr(Definition) d = load_steps(
      "  - {name: before, on: primary, exec: A}\n"
      "  - log: {server: primary, matches: ['lsn (\\w+)', b], not_matches: c, since: before, capture: {lsn: 1}}\n"
      "  - log: {server: primary, matches: '^a$', block: true}\n"
      "  - run: [echo, '{{port primary}}']\n"
      "  - run: {command: x, server: primary, stdin: '', exit: nonzero, stdout: [a], stderr: b, capture: o}\n"
      "  - run: {command: x, exit: 3}\n  - run: {command: x, keep_running: k}\n"
      "  - equal: {on: all, tables: [a, b], allow_empty: true}\n");
  g_assert_cmpuint(step(d, 1)->log.matches.n, ==, 2);
  g_assert_cmpstr(step(d, 1)->log.since.raw, ==, "before");
  g_assert_cmpstr(step(d, 1)->log.capture.v[0].key, ==, "lsn");
  g_assert_cmpint(pattern_search(step(d, 1)->log.matches.v[1].compiled, "b", 1, 0, NULL, NULL, NULL), ==, PATTERN_YES);
  g_assert_cmpint(pattern_search(step(d, 2)->log.matches.v[0].compiled, "x\na\ny", 5, 0, NULL, NULL, NULL), ==,
                  PATTERN_YES);
  g_assert_cmpuint(step(d, 3)->run.command.n, ==, 2);
  g_assert_cmpuint(step(d, 3)->run.command.v[1].n_parts, ==, 1);
  g_assert_cmpint(step(d, 3)->run.exit_wish, ==, EXIT_ZERO);
  g_assert_true(step(d, 4)->run.has_stdin);
  g_assert_cmpint(step(d, 4)->run.exit_wish, ==, EXIT_NONZERO);
  g_assert_cmpint(step(d, 5)->run.exit_status, ==, 3);
  g_assert_cmpstr(step(d, 6)->run.keep_running.s, ==, "k");
  g_assert_cmpuint(step(d, 7)->equal.tables.n, ==, 2);
}

static void frames_hold_steps(void) {
  g_autoptr(Definition) d =
      load_steps("  - together:\n    - [{stop: primary}]\n    - [{stop: standby}, {start: standby}]\n"
                 "  - loop: {times: 3, steps: [{start: primary}]}\n");
  g_assert_cmpuint(step(d, 0)->together.n, ==, 2);
  g_assert_cmpuint(step(d, 0)->together.lanes[1].n, ==, 2);
  g_assert_cmpuint(step(d, 1)->loop.times, ==, 3);
  g_assert_cmpint(step(d, 1)->loop.steps.v[0].verb, ==, VERB_START);
}

/* ---- Constants --------------------------------------------------------------------------------------------------- */

static void a_matrix_makes_tests(void) {
  g_autoptr(Definition) d =
      load_text("vars: {limit: 5s}\ntests:\n- name: t\n  matrix: {mode: [on, off], case: [{name: x, n: 2}, {n: 3}]}\n"
                "  vars: {both: '{{var mode}}{{var case.n}}'}\n"
                "  servers: [{name: 's{{var case.n}}', engine: postgresql}]\n"
                "  steps:\n  - {on: 's{{var case.n}}', exec: '{{var both}}', timeout: '{{var limit}}', times: '{{var "
                "case.n}}'}\n");
  g_assert_cmpuint(definition_n_tests(d), ==, 4);
  g_assert_cmpstr(definition_test(d, 0)->name, ==, "t [mode=on, case=x]");
  g_assert_cmpstr(definition_test(d, 1)->name, ==, "t [mode=on, case=#2]");
  g_assert_cmpstr(definition_test(d, 3)->name, ==, "t [mode=off, case=#2]");
  g_assert_cmpstr(definition_test(d, 3)->base_name, ==, "t");
  g_assert_cmpstr(definition_test(d, 3)->servers[0].name.s, ==, "s3");
  const Step *s = &definition_test(d, 3)->steps.v[0];
  g_assert_cmpstr(s->sql.entries[0].sql.raw, ==, "off3");
  g_assert_cmpint(s->timeout, ==, 5 * G_USEC_PER_SEC);
  g_assert_cmpuint(s->sql.entries[0].times, ==, 3);
}

static void list_constants_are_spliced(void) {
  g_autoptr(Definition) d = load_text(
      "vars: {all: [a, b], more: ['{{var all}}', c], row: [[1], [2]]}\ntests:\n- name: t\n  tags: [x, '{{var more}}', "
      "y]\n"
      "  servers: ['{{var list}}']\n  vars: {list: [{name: a, engine: postgresql}, {name: b, engine: postgresql}]}\n"
      "  steps:\n  - {on: '{{var all}}', exec: A}\n  - {on: a, query: B, result: {rows: ['{{var row}}', [3]]}}\n");
  const Test *test = definition_test(d, 0);
  g_assert_cmpuint(test->tags.n, ==, 5);
  g_assert_cmpstr(test->tags.v[3].s, ==, "c");
  g_assert_cmpuint(test->n_servers, ==, 2);
  g_assert_cmpuint(step(d, 0)->sql.on.servers.n, ==, 2);
  g_assert_cmpuint(entry(d, 1)->result->either[0].n, ==, 3);
}

/* A constant keeps what it was: a plain null is NULL wherever it is used. */
static void constants_keep_their_types(void) {
  g_autoptr(Definition) d = load_text(
      "vars: {nothing: null, yes: true, quoted: 'true'}\ntests:\n- name: t\n  servers: [{name: a, engine: postgresql, "
      "start: '{{var yes}}'}]\n"
      "  steps:\n  - {on: a, query: B, result: {rows: [['{{var nothing}}', '{{var yes}}', '{{var quoted}}']]}}\n");
  const Row *row = &entry(d, 0)->result->either[0].v[0];
  g_assert_cmpint(row->v[0].kind, ==, CELL_NULL);
  g_assert_cmpint(row->v[1].kind, ==, CELL_BOOL);
  g_assert_cmpint(row->v[2].kind, ==, CELL_TEXT);
}

static void calls_are_expanded(void) {
  g_autoptr(Definition) d =
      load_text("procedures:\n  fill: {params: [node, tables], steps: [{for_each: {var: t, in: '{{var tables}}', "
                "steps: [{on: '{{var node}}', exec: 'I {{var t}}'}]}}]}\n"
                "  nop: [{start: a}]\n"
                "tests:\n- name: t\n  servers: [{name: a, engine: postgresql}]\n  vars: {node: b, who: a}\n"
                "  steps:\n  - call: {procedure: fill, with: {node: '{{var who}}', tables: [x, y]}}\n  - call: nop\n");
  const Step *call = step(d, 0);
  g_assert_cmpint(call->verb, ==, VERB_GROUP);
  g_assert_cmpstr(call->group.label, ==, "procedure 'fill'");
  const Step *rounds = &call->group.steps.v[0];
  g_assert_cmpint(rounds->verb, ==, VERB_GROUP);
  g_assert_cmpuint(rounds->group.steps.n, ==, 2);
  const Step *second = &rounds->group.steps.v[1];
  g_assert_cmpstr(second->group.label, ==, "t=y");
  g_assert_cmpstr(second->group.steps.v[0].sql.on.servers.v[0].s, ==, "a");
  g_assert_cmpstr(second->group.steps.v[0].sql.entries[0].sql.raw, ==, "I y");
  g_assert_cmpint(step(d, 1)->group.steps.v[0].verb, ==, VERB_START);
}

static void conditions_on_constants_leave_steps_out(void) {
  g_autoptr(Definition) d = load_text(
      "tests:\n- name: t\n  matrix: {mode: [sync, async]}\n  servers: [{name: a, engine: postgresql}]\n  vars: {flag: "
      "false}\n"
      "  steps:\n  - {when: '{{var mode}} == sync', on: a, exec: A}\n  - {when: mode != sync, on: a, exec: B}\n"
      "  - {when: '{{var flag}}', on: a, exec: C}\n  - {when: a is running, on: a, exec: D}\n  - {when: true, on: a, "
      "exec: E}\n");
  static const char *const SQL[2][3] = {{"A", "D", "E"}, {"B", "D", "E"}};
  for (guint t = 0; t < 2; t++) {
    const Test *test = definition_test(d, t);
    g_assert_cmpuint(test->steps.n, ==, 3);
    for (guint i = 0; i < 3; i++)
      g_assert_cmpstr(test->steps.v[i].sql.entries[0].sql.raw, ==, SQL[t][i]);
    g_assert_cmpuint(test->steps.v[1].number, ==, 4); /* as a reader counts */
  }
}

/* ---- Servers ----------------------------------------------------------------------------------------------------- */

static void servers_have_all_their_words(void) {
  g_autoptr(Definition) d =
      load_text("tests:\n- name: t\n  servers:\n  - name: a\n    engine: postgresql\n    bindir: /x\n    settings: {a: "
                "1, b: null}\n"
                "    with_files: {name: x/y, contents: 'p={{port a}}', mode: 0600, append: true}\n    cluster: c\n    "
                "ports: rest\n"
                "    create_args: --x\n    prepare: [[a, b], {run: c, cwd: d}]\n    init: [A; B, {exec: C}]\n    args: "
                "[-x, '{{port a.rest}}']\n"
                "    envs: [A=b=c, 'D={{port a}}']\n    dynamic_port: p\n    start: false\n    debug_port: 40000\n    "
                "debugger: gdbserver\n"
                "    log_matches: a\n    log_not_matches: [b, c]\n    error_matches: d\n    allow_log: e\n    user: "
                "u\n    tls: verify\n    ca: /ca\n"
                "    stop: [INT, {signal: QUIT, within: 2s}]\n    ready: {log: ready, within: 3s}\n");
  const Server *a = &definition_test(d, 0)->servers[0];
  g_assert_cmpuint(a->settings.n, ==, 2);
  g_assert_cmpint(a->files.v[0].mode, ==, 0600);
  g_assert_cmpuint(a->files.v[0].contents.n_parts, ==, 2);
  g_assert_true(a->files.v[0].append);
  g_assert_cmpstr(a->ports.v[0].s, ==, "rest");
  g_assert_cmpuint(a->prepare.n, ==, 2);
  g_assert_cmpuint(a->prepare.v[0].argv.n, ==, 2);
  g_assert_null(a->prepare.v[0].cwd);
  g_assert_cmpstr(a->prepare.v[1].cwd, ==, "d");
  g_assert_cmpuint(a->init.n, ==, 2);
  g_assert_cmpint(a->init.v[0].sql.entries[0].kind, ==, SQL_SCRIPT);
  g_assert_cmpstr(a->init.v[1].sql.on.servers.v[0].s, ==, "self");
  g_assert_cmpstr(a->envs.v[0].key, ==, "A");
  g_assert_cmpstr(a->envs.v[0].value.raw, ==, "b=c");
  g_assert_cmpuint(a->envs.v[1].value.n_parts, ==, 2);
  g_assert_cmpuint(a->envs.v[1].value.parts[0].len, ==, 0);
  g_assert_false(a->start);
  g_assert_cmpuint(a->log_not_matches.n, ==, 2);
  g_assert_true(a->has_error_matches);
  g_assert_cmpint(a->words.tls, ==, TLS_VERIFY);
  g_assert_cmpuint(a->stop.n, ==, 2);
  g_assert_cmpint(a->stop.v[0].within, ==, 10 * G_USEC_PER_SEC);
  g_assert_cmpint(a->stop.v[1].within, ==, 2 * G_USEC_PER_SEC);
  g_assert_cmpint(a->ready.kind, ==, READY_LOG);
  g_assert_cmpint(a->ready.within, ==, 3 * G_USEC_PER_SEC);
}

static void servers_may_do_without_a_profile(void) {
  g_autoptr(Definition) d = load_text(
      "tests:\n- name: t\n  servers:\n  - {name: a, command: [nc, -l, '{{port a}}'], ready: {tcp: '{{port a}}'}}\n"
      "  - {name: b, engine: postgresql, external: {host: 127.0.0.1, port: 5432}}\n");
  const Server *a = &definition_test(d, 0)->servers[0], *b = &definition_test(d, 0)->servers[1];
  g_assert_cmpstr(a->engine->name, ==, "");
  g_assert_cmpint(a->engine->client, ==, CLIENT_NONE);
  g_assert_true(a->engine->hold_port);
  g_assert_cmpstr(a->engine->stop.v[0].signal.raw, ==, "TERM");
  g_assert_cmpint(a->ready.kind, ==, READY_TCP);
  g_assert_true(b->external);
  g_assert_false(b->runs);
  g_assert_cmpstr(b->external_port.raw, ==, "5432");
}

static void a_definition_may_bring_its_engine(void) {
  g_autoptr(Definition) d = load_text(
      "engines:\n  mine:\n    client: mysql\n    programs: {search: [PATH, /x], need: y}\n    user: me\n    create: "
      "[make, it]\n"
      "    settings_file: {path: my.cnf, form: ini, section: mysqld}\n    command: [y]\n    ready: session\n    stop: "
      "TERM\n"
      "    stop_modes: {fast: INT}\n    reload: HUP\n    role: SELECT 1\n    position: SELECT 2\n    hold_port: false\n"
      "    recipes: {clone: [{when: primary is running, run: [copy, '{{port \"primary\"}}']}], promote: [{on: self, "
      "exec: P}]}\n"
      "tests:\n- name: t\n  servers: [{name: a, engine: mine}, {name: b, engine: mine, replica_of: a}]\n  steps: "
      "[{promote: b}]\n");
  const Engine *e = definition_test(d, 0)->servers[0].engine;
  g_assert_true(e == definition_test(d, 0)->servers[1].engine);
  g_assert_cmpint(e->client, ==, CLIENT_MYSQL);
  g_assert_cmpuint(e->search.n, ==, 2);
  g_assert_cmpuint(e->create.n, ==, 1);
  g_assert_cmpuint(e->create.v[0].argv.n, ==, 2);
  g_assert_cmpint(e->settings_form, ==, FORM_INI);
  g_assert_cmpstr(e->settings_section, ==, "mysqld");
  g_assert_cmpstr(e->stop_modes[0].name, ==, "fast");
  g_assert_cmpstr(e->reload_signal.raw, ==, "HUP");
  g_assert_cmpstr(e->position.v[0].sql.entries[0].capture.v[0].name.s, ==, "position");
  g_assert_false(e->hold_port);
  g_assert_true(e->has_clone && e->has_promote && !e->has_follow);
  g_assert_cmpstr(e->clone.v[0].when.server.s, ==, "primary");
}

static void every_shipped_engine_is_right(void) {
  guint n = 0;
  for (; engine_shipped_name(n) != NULL; n++) {
    const char *name = engine_shipped_name(n);
    gsize len;
    g_assert_nonnull(engine_shipped(name, &len));
    if (strcmp(name, "dolt_driver") == 0)
      continue; /* through Dolt's dialect, below */
    g_autofree char *text = g_strdup_printf("tests:\n- {name: t, servers: [{name: a, engine: %s}]}\n", name);
    g_autoptr(Definition) d = load_text(text);
    g_assert_cmpstr(definition_test(d, 0)->servers[0].engine->name, ==, name);
  }
  g_assert_cmpuint(n, >=, 3);
  g_assert_null(engine_shipped("nothing", &(gsize){0}));
}

static void tests_have_their_words(void) {
  g_autoptr(Definition) d = load_text(
      "parallel: false\ntests:\n- name: t\n  tags: [a, b]\n  skip: because\n  timeout: 2m\n  exclusive: true\n"
      "  needs: {programs: x, files: [/y], root: true, postgresql: '>= 17'}\n  servers: [{name: a, engine: "
      "postgresql}]\n"
      "  steps: [{start: a}]\n  finally: [{stop: a}]\n");
  const Test *t = definition_test(d, 0);
  g_assert_false(t->parallel);
  g_assert_cmpuint(t->tags.n, ==, 2);
  g_assert_cmpstr(t->skip, ==, "because");
  g_assert_cmpint(t->timeout, ==, 120 * G_USEC_PER_SEC);
  g_assert_true(t->exclusive && t->needs.root);
  g_assert_cmpstr(t->needs.versions_engine.raw, ==, "postgresql");
  g_assert_cmpstr(t->needs.version.raw, ==, ">= 17");
  g_assert_cmpuint(t->finally.n, ==, 1);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

typedef struct Dir {
  char *path;
} Dir;

static void put_file(const Dir *dir, const char *name, const char *text) {
  g_autofree char *path = g_build_filename(dir->path, name, NULL), *parent = g_path_get_dirname(path);
  g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static Definition *load_in(const Dir *dir, const char *name) {
  g_autofree char *path = g_build_filename(dir->path, name, NULL), *cwd = g_build_filename(dir->path, "cwd", NULL);
  Definition *d = definition_load(path, cwd);
  for (guint i = 0; i < definition_n_problems(d); i++) {
    g_autofree char *said = problem_text(definition_problem(d, i));
    g_printerr("%s", said);
  }
  g_assert_cmpuint(definition_n_problems(d), ==, 0);
  return d;
}

static void dir_set_up(Dir *dir, gconstpointer data) { dir->path = g_dir_make_tmp("test-definition-XXXXXX", NULL); }

static void remove_tree(const char *path) {
  GDir *dir = g_file_test(path, G_FILE_TEST_IS_DIR) ? g_dir_open(path, 0, NULL) : NULL;
  for (const char *name = dir == NULL ? NULL : g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir)) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    remove_tree(below);
  }
  if (dir != NULL)
    g_dir_close(dir);
  g_assert_cmpint(g_remove(path), ==, 0);
}

static void dir_tear_down(Dir *dir, gconstpointer data) {
  remove_tree(dir->path);
  g_free(dir->path);
}

static void includes_bring_their_parts(Dir *dir, gconstpointer data) {
  put_file(dir, "a.yaml",
           "include: [sub/b.yaml, sub/c.yaml]\ntests:\n- name: t\n  topology: pair\n"
           "  servers: [{name: b, settings: {y: 2}}, {name: c, engine: mine}]\n  steps: [{call: p}, {stop: [c, b]}]\n");
  put_file(dir, "sub/b.yaml", "include: ../d.yaml\nprocedures: {p: [{start: a}]}\n");
  put_file(dir, "sub/c.yaml",
           "include: ../d.yaml\ntopologies:\n  pair: [{name: a, engine: mine}, {name: b, engine: mine, settings: {x: "
           "1, y: 1}, start: false}]\n");
  put_file(dir, "d.yaml", "engines: {mine: {command: [x], settings_file: {path: f, form: conf}}}\n");
  g_autoptr(Definition) d = load_in(dir, "a.yaml");
  const Test *t = definition_test(d, 0);
  g_assert_cmpuint(t->n_servers, ==, 3);
  g_assert_cmpstr(t->servers[1].name.s, ==, "b");
  g_assert_false(t->servers[1].start);
  g_assert_cmpuint(t->servers[1].settings.n, ==, 2);
  g_assert_cmpstr(t->servers[1].settings.v[1].value.raw, ==, "2");
  g_assert_cmpstr(t->servers[2].engine->name, ==, "mine");
}

static void sources_are_found_and_read(Dir *dir, gconstpointer data) {
  put_file(dir, "beside.txt", "beside {{port nobody}}");
  put_file(dir, "cwd/below.txt", "below");
  put_file(dir, "cwd/beside.txt", "wrong");
  put_file(dir, "gen/x.txt", "generated");
  g_autofree char *gen = g_build_filename(dir->path, "gen", NULL);
  g_setenv("TESTGENDIR", gen, TRUE);
  put_file(dir, "a.yaml",
           "tests:\n- name: t\n  servers:\n  - name: a\n    engine: postgresql\n    with_files:\n"
           "    - {name: x, source_path: beside.txt}\n    - {name: y, source_path: below.txt}\n    - {name: z, "
           "source_path: $TESTGENDIR/x.txt}\n");
  g_autoptr(Definition) d = load_in(dir, "a.yaml");
  g_setenv("TESTGENDIR", "/gen", TRUE);
  const WithFiles *files = &definition_test(d, 0)->servers[0].files;
  g_assert_cmpstr(files->v[0].contents.raw, ==, "beside {{port nobody}}");
  g_assert_cmpuint(files->v[0].contents.n_parts, ==, 0);
  g_assert_cmpstr(files->v[1].contents.raw, ==, "below");
  g_assert_cmpstr(files->v[2].contents.raw, ==, "generated");
}

static void csv_files_become_rows(Dir *dir, gconstpointer data) {
  put_file(dir, "r.csv", "1,\"a,b\",\n2,\"x\n\"\"y\"\"\",\\N\r\n3,\"\",\"\\N\"");
  put_file(dir, "a.yaml",
           "tests:\n- name: t\n  servers: [{name: a, engine: postgresql}]\n  steps: [{on: a, query: A, result: "
           "{columns: [a, b, c], rows_file: r.csv}}]\n");
  g_autoptr(Definition) d = load_in(dir, "a.yaml");
  const Rows *rows = &entry(d, 0)->result->either[0];
  g_assert_cmpuint(rows->n, ==, 3);
  g_assert_cmpstr(rows->v[0].v[1].text.raw, ==, "a,b");
  g_assert_cmpint(rows->v[0].v[2].kind, ==, CELL_NULL);
  g_assert_cmpstr(rows->v[1].v[1].text.raw, ==, "x\n\"y\"");
  g_assert_cmpint(rows->v[1].v[2].kind, ==, CELL_NULL);
  g_assert_cmpint(rows->v[2].v[1].kind, ==, CELL_TEXT);
  g_assert_cmpstr(rows->v[2].v[1].text.raw, ==, "");
  g_assert_cmpstr(rows->v[2].v[2].text.raw, ==, "\\N");
  g_assert_cmpint(rows->v[2].at.line, ==, 4);
}

static void what_is_no_file_is_refused(Dir *dir, gconstpointer data) {
  g_autofree char *fifo = g_build_filename(dir->path, "fifo", NULL),
                  *expected = g_strdup_printf("%s: read '%s': not a regular file\n", fifo, fifo);
  g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
  g_autoptr(Definition) d = definition_load(fifo, NULL);
  g_assert_cmpuint(definition_n_errors(d), ==, 1);
  g_autofree char *said = problem_text(definition_problem(d, 0));
  g_assert_cmpstr(said, ==, expected);
}

/* ---- Dolt's dialect ---------------------------------------------------------------------------------------------- */

static const char DOLT[] =
    "parallel: true\n"
    "tests:\n"
    "- name: every key\n"
    "  skip: not now\n"
    "  multi_repos:\n"
    "  - name: many\n"
    "    with_files: [{name: top.txt, contents: t}]\n"
    "    repos:\n"
    "    - {name: one, with_files: [{name: f, contents: 'x {{get_port \"p\"}}'}], with_remotes: [{name: origin, url: "
    "'file://{{get_tempdir \"d\"}}'}]}\n"
    "    - {name: two}\n"
    "    server: {args: [-c], port: 3310}\n"
    "  repos:\n"
    "  - name: dir/repo1\n"
    "    with_files:\n"
    "    - {name: server.yaml, contents: \"port: {{get_port \\\"s\\\"}}\\n\"}\n"
    "    with_remotes: [{name: origin, url: http://localhost/x}]\n"
    "    server:\n"
    "      name: srv\n"
    "      args: [--config, server.yaml]\n"
    "      envs: [A=b]\n"
    "      dynamic_port: s\n"
    "      debug_port: 4000\n"
    "      log_matches: ['a\\sb$']\n"
    "      log_not_matches: [panic]\n"
    "      error_matches: ['.*']\n"
    "  - {name: plain}\n"
    "  - {name: far, external-server: {name: out, host: 127.0.0.1, port: 9999, user: u, password: p}}\n"
    "  connections:\n"
    "  - on: srv\n"
    "    user: root\n"
    "    password: x\n"
    "    password_file: $TESTGENDIR/pw\n"
    "    driver_params: {allowCleartextPasswords: 'true', tls: skip-verify, loc: UTC, parseTime: 'false'}\n"
    "    queries:\n"
    "    - {exec: 'create table t (i int)', args: [a]}\n"
    "    - {query: select, result: {columns: [a], rows: [[\"NULL\"], [null], [true]]}, retry_attempts: 5}\n"
    "    - {query: select, result: {columns: [a]}}\n"
    "    - {query: select, result: {columns: [a], rows: {or: [[[\"1\"]], [[\"2\"]]]}}}\n"
    "    - {query: select, error_match: 'a\\sb'}\n"
    "    restart_server: {args: [--x, \"{{get_port \\\"s\\\"}}\"], envs: [C=d]}\n"
    "    retry_attempts: 7\n"
    "  - {on: many, restart_server: {}}\n";

static void dolt_repos_become_servers(void) {
  g_autoptr(Definition) d = load_text(DOLT);
  const Test *t = definition_test(d, 0);
  g_assert_true(t->dolt && t->parallel);
  g_assert_cmpstr(t->skip, ==, "not now");
  g_assert_cmpuint(t->n_servers, ==, 4);
  const Server *srv = &t->servers[0], *plain = &t->servers[1], *out = &t->servers[2], *many = &t->servers[3];
  g_assert_cmpstr(srv->name.s, ==, "srv");
  g_assert_cmpstr(srv->dir, ==, "dir/repo1");
  g_assert_cmpstr(srv->home, ==, "");
  g_assert_true(srv->lazy_ready && srv->runs && srv->has_error_matches);
  g_assert_cmpstr(srv->dynamic_port.raw, ==, "s");
  g_assert_cmpstr(srv->debug_port.raw, ==, "4000");
  g_assert_cmpint(srv->files.v[0].mode, ==, 0550);
  g_assert_cmpuint(srv->files.v[0].contents.n_parts, ==, 3);
  g_assert_cmpuint(srv->setup.n, ==, 1);
  g_assert_cmpstr(srv->setup.v[0].argv.v[1].raw, ==, "init");
  g_assert_null(srv->setup.v[0].cwd);
  g_assert_cmpstr(srv->prepare.v[0].argv.v[2].raw, ==, "add");
  g_assert_false(plain->runs);
  g_assert_cmpuint(plain->setup.n, ==, 1);
  g_assert_true(out->external);
  g_assert_cmpstr(out->name.s, ==, "out");
  g_assert_cmpstr(out->external_port.raw, ==, "9999");
  g_assert_cmpstr(many->home, ==, "many");
  g_assert_cmpuint(many->setup.n, ==, 2);
  g_assert_cmpstr(many->setup.v[1].cwd, ==, "two");
  g_assert_cmpstr(many->prepare.v[0].cwd, ==, "one");
  g_assert_cmpstr(many->files.v[0].name.raw, ==, "one/f");
  g_assert_cmpstr(many->files.v[1].name.raw, ==, "top.txt");
  g_assert_cmpstr(many->port.raw, ==, "3310");
}

static void dolt_connections_become_steps(void) {
  g_autoptr(Definition) d = load_text(DOLT);
  g_assert_cmpuint(definition_test(d, 0)->steps.n, ==, 4);
  const SqlStep *sql = &step(d, 0)->sql;
  g_assert_cmpuint(sql->connection_attempts, ==, 7);
  g_assert_cmpstr(sql->words.password_file.raw, ==, "/gen/pw");
  g_assert_cmpint(sql->words.tls, ==, TLS_REQUIRE);
  g_assert_cmpuint(sql->words.params.n, ==, 1);
  g_assert_cmpstr(sql->words.params.v[0].key, ==, "allowCleartextPasswords");
  g_assert_cmpuint(sql->n_entries, ==, 5);
  g_assert_true(sql->entries[0].has_args);
  const Rows *rows = &sql->entries[1].result->either[0];
  g_assert_true(rows->v[0].v[0].null_too);
  g_assert_cmpint(rows->v[1].v[0].kind, ==, CELL_NULL);
  g_assert_cmpint(rows->v[2].v[0].kind, ==, CELL_TEXT);
  g_assert_false(rows->v[2].v[0].null_too);
  g_assert_cmpuint(sql->entries[1].retry_attempts, ==, 5);
  g_assert_false(sql->entries[2].result->has_rows);
  g_assert_cmpuint(sql->entries[3].result->n_either, ==, 2);
  const LifeStep *restart = &step(d, 1)->life;
  g_assert_cmpint(step(d, 1)->verb, ==, VERB_RESTART);
  g_assert_true(restart->lasting && restart->has_args && restart->has_envs);
  g_assert_cmpstr(restart->servers.v[0].s, ==, "srv");
  g_assert_cmpuint(restart->args.v[1].n_parts, ==, 1);
  g_assert_cmpstr(restart->envs.v[0].raw, ==, "C=d");
  g_assert_cmpuint(step(d, 2)->sql.n_entries, ==, 0);
  g_assert_false(step(d, 3)->life.has_args);
}

/* \s is without the vertical tab in RE2; `$` is the very end. */
static void dolt_patterns_are_re2(void) {
  g_autoptr(Definition) d = load_text(DOLT);
  const Pattern *log = definition_test(d, 0)->servers[0].log_matches.v[0].compiled;
  g_assert_cmpint(pattern_search(log, "a b", 3, 0, NULL, NULL, NULL), ==, PATTERN_YES);
  g_assert_cmpint(pattern_search(log, "a\vb", 3, 0, NULL, NULL, NULL), ==, PATTERN_NO);
  g_assert_cmpint(pattern_search(log, "a b\n", 4, 0, NULL, NULL, NULL), ==, PATTERN_NO);
}

static void dolt_program_is_the_environments(void) {
  g_setenv("DOLT_BIN_PATH", "/opt/my dolt", TRUE);
  g_autoptr(Definition) d = load_text(DOLT);
  g_unsetenv("DOLT_BIN_PATH");
  const Server *srv = &definition_test(d, 0)->servers[0];
  g_assert_cmpstr(srv->engine->command.v[0].raw, ==, "/opt/my dolt");
  g_assert_cmpstr(srv->engine->command.v[1].raw, ==, "sql-server");
  g_assert_cmpstr(srv->setup.v[0].argv.v[0].raw, ==, "/opt/my dolt");
  g_autoptr(Definition) other = load_text(DOLT);
  const Engine *engine = definition_test(other, 0)->servers[0].engine;
  g_assert_cmpstr(engine->command.v[0].raw, ==, "dolt");
  g_assert_cmpuint(engine->create.n, ==, 3);
  g_assert_cmpstr(engine->words.user.raw, ==, "root");
  g_assert_cmpint(engine->words.tls, ==, TLS_PREFER);
}

/* What Go's libraries accept runs here too: null and \"\" for nothing, yes for true, a name twice. */
static void dolt_files_are_read_as_go_reads_them(void) {
  g_autoptr(Definition) d =
      load_text("parallel: yes\ntests:\n- {name: t, skip: \"\", repos: [{name: a, server: {name: \"\", args: null}}]}\n"
                "- {name: t, repos: [{name: a, server: null}], connections: null}\n- {name: t, repos: [{name: a}]}\n");
  g_assert_true(definition_test(d, 0)->parallel);
  g_assert_null(definition_test(d, 0)->skip);
  g_assert_cmpstr(definition_test(d, 0)->servers[0].name.s, ==, "a");
  g_assert_true(definition_test(d, 0)->servers[0].runs);
  g_assert_false(definition_test(d, 1)->servers[0].runs);
  g_assert_cmpstr(definition_test(d, 0)->name, ==, "t");
  g_assert_cmpstr(definition_test(d, 1)->name, ==, "t#01");
  g_assert_cmpstr(definition_test(d, 2)->name, ==, "t#02");
}

static void dolt_files_run_one_after_the_other(void) {
  g_autoptr(Definition) d = load_text("tests:\n- {name: t, repos: [{name: a}]}\n");
  g_assert_false(definition_test(d, 0)->parallel);
}

/* ---- Robustness -------------------------------------------------------------------------------------------------- */

static void load_any(const char *bytes, gsize len) {
  g_autoptr(Definition) d = definition_load_bytes("test.yaml", bytes, len, NULL);
  for (guint i = 0; i < definition_n_problems(d); i++) {
    g_autofree char *said = problem_text(definition_problem(d, i));
    g_assert_cmpstr(said, !=, "");
  }
}

/* No byte that is lost or changed makes more than a message. */
static void mutated_definitions_do_no_harm(gconstpointer data) {
  const char *text = data;
  gsize len = strlen(text);
  static const char BYTES[] = "\0\n\t {}[]:,-'\"&*!|>%@`#?x\xff";
  g_autofree char *copy = g_strdup(text);
  guint32 random = 1;
  for (gsize i = 0; i < len; i += 1 + len / 400)
    load_any(text, i);
  for (guint i = 0; i < 600; i++) {
    random = random * 1664525 + 1013904223;
    gsize at = (random >> 8) % len;
    copy[at] = BYTES[(random >> 3) % (sizeof BYTES - 1)];
    load_any(copy, len);
    copy[at] = text[at];
  }
}

static const char SERVERS[] =
    "vars: {list: [a, b], map: {x: {y: 1}}}\n"
    "procedures: {p: {params: [n], steps: [{on: '{{var n}}', exec: E}, {call: {procedure: q}}]}, q: [{start: a}]}\n"
    "topologies: {two: [{name: a, engine: postgresql, settings: &s {x: 1}}, {name: b, engine: postgresql, replica_of: "
    "a, settings: {<<: *s, y: 2}}]}\n"
    "tests:\n- name: t\n  topology: two\n  matrix: {m: [1, 2]}\n  servers: [{name: b, settings: {z: '{{port a}}'}}]\n  "
    "steps:\n"
    "  - {on: '{{var list}}', query: 'S {{port (var m)}}', within: 5s, result: {rows: {or: [[[1, null]], [[{re: a.b}, "
    "{approx: [1, 2]}]]]}}}\n"
    "  - call: {procedure: p, with: {n: a}}\n  - for_each: {var: i, in: '{{var list}}', steps: [{stop: '{{var i}}'}]}\n"
    "  - together: [[{log: {server: a, matches: 'x(y)', capture: {v: 1}}}], [{kill: b}]]\n"
    "  - {on: a, session: s, queries: [{query: A, capture: c}, {exec: '{{var c}}', error_code: [1, ok]}]}\n  - close: "
    "s\n";

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_unsetenv("DOLT_BIN_PATH");
  g_setenv("TESTGENDIR", "/gen", TRUE);
  g_test_add_func("/definition/first", the_first_replication_test_is_read);
  g_test_add_func("/definition/cells", cells_are_told_apart);
  g_test_add_func("/definition/results", results_have_their_short_forms);
  g_test_add_func("/definition/statements", statements_have_all_their_words);
  g_test_add_func("/definition/targets", targets_have_their_forms);
  g_test_add_func("/definition/modifiers", modifiers_stand_beside_any_verb);
  g_test_add_func("/definition/lives", lives_have_their_words);
  g_test_add_func("/definition/looking", looking_has_its_words);
  g_test_add_func("/definition/frames", frames_hold_steps);
  g_test_add_func("/definition/constants/matrix", a_matrix_makes_tests);
  g_test_add_func("/definition/constants/lists", list_constants_are_spliced);
  g_test_add_func("/definition/constants/types", constants_keep_their_types);
  g_test_add_func("/definition/constants/calls", calls_are_expanded);
  g_test_add_func("/definition/constants/conditions", conditions_on_constants_leave_steps_out);
  g_test_add_func("/definition/servers", servers_have_all_their_words);
  g_test_add_func("/definition/servers/no-profile", servers_may_do_without_a_profile);
  g_test_add_func("/definition/engines/own", a_definition_may_bring_its_engine);
  g_test_add_func("/definition/engines/shipped", every_shipped_engine_is_right);
  g_test_add_func("/definition/tests", tests_have_their_words);
  g_test_add("/definition/files/includes", Dir, NULL, dir_set_up, includes_bring_their_parts, dir_tear_down);
  g_test_add("/definition/files/sources", Dir, NULL, dir_set_up, sources_are_found_and_read, dir_tear_down);
  g_test_add("/definition/files/csv", Dir, NULL, dir_set_up, csv_files_become_rows, dir_tear_down);
  g_test_add("/definition/files/fifo", Dir, NULL, dir_set_up, what_is_no_file_is_refused, dir_tear_down);
  g_test_add_func("/definition/dolt/servers", dolt_repos_become_servers);
  g_test_add_func("/definition/dolt/connections", dolt_connections_become_steps);
  g_test_add_func("/definition/dolt/patterns", dolt_patterns_are_re2);
  g_test_add_func("/definition/dolt/program", dolt_program_is_the_environments);
  g_test_add_func("/definition/dolt/go", dolt_files_are_read_as_go_reads_them);
  g_test_add_func("/definition/dolt/parallel", dolt_files_run_one_after_the_other);
  g_test_add_data_func("/definition/mutated/dolt", DOLT, mutated_definitions_do_no_harm);
  g_test_add_data_func("/definition/mutated/servers", SERVERS, mutated_definitions_do_no_harm);
  return g_test_run();
}
