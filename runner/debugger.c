#include "runner/debugger.h"

#include <string.h>

static const Debugger debuggers[] = {
  {DEBUGGER_DLV, "dlv", "dlv", .own_process = true, .can_attach = true},
  {DEBUGGER_GDBSERVER, "gdbserver", "gdb", .takes_socket = true, .own_process = true, .can_attach = true},
  {DEBUGGER_LLDB_SERVER, "lldb-server", "lldb", .own_process = true, .can_attach = true},
  {DEBUGGER_VALGRIND, "valgrind", "gdb"},
};

const Debugger *debugger_find(const char *name) {
  for (guint i = 0; i < G_N_ELEMENTS(debuggers); i++)
    if (strcmp(debuggers[i].name, name) == 0) return &debuggers[i];
  return NULL;
}

char *debugger_names(void) {
  GString *names = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(debuggers); i++)
    g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", debuggers[i].name);
  return g_string_free(names, FALSE);
}

/* ---- Command lines */

static void add(GPtrArray *argv, const char *word) { g_ptr_array_add(argv, g_strdup(word)); }

G_GNUC_PRINTF(2, 3) static void addf(GPtrArray *argv, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_ptr_array_add(argv, g_strdup_vprintf(format, args));
  va_end(args);
}

static void add_words(GPtrArray *argv, const char *const *words) {
  for (; *words; words++) add(argv, *words);
}

/* In the form of Dolt's driver, but on the loopback alone: whoever reaches the port can run what he likes. */
static void add_dlv(GPtrArray *argv, int port, bool many_clients) {
  addf(argv, "--listen=127.0.0.1:%d", port);
  add(argv, "--headless");
  add(argv, "--api-version=2");
  if (many_clients) add(argv, "--accept-multiclient");
  add(argv, "--check-go-version=false");
}

/* lldb-server keeps its inferior's stdout for the client, so a shell points it to the server's log first; the client is told
 * not to stop at the exec. */
static void add_lldb(GPtrArray *argv, const DebuggerPlace *place) {
  add(argv, "gdbserver");
  addf(argv, "127.0.0.1:%d", place->port);
  add(argv, "--");
  add(argv, "/bin/sh");
  add(argv, "-c");
  add(argv, "log=$0; exec \"$@\" </dev/null >>\"$log\" 2>&1");
  add(argv, place->log);
}

GPtrArray *debugger_start(const Debugger *debugger, const char *program, const DebuggerPlace *place,
                          const char *const *server_argv) {
  GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
  add(argv, program);
  switch (debugger->kind) {
  case DEBUGGER_DLV:
    add_dlv(argv, place->port, true);
    add(argv, "exec");
    add(argv, server_argv[0]);
    add(argv, "--");
    add_words(argv, server_argv + 1);
    break;
  case DEBUGGER_GDBSERVER:
    add(argv, "--once");
    add(argv, "--no-startup-with-shell");
    add(argv, "-");
    add_words(argv, server_argv);
    break;
  case DEBUGGER_LLDB_SERVER:
    add_lldb(argv, place);
    add_words(argv, server_argv);
    break;
  case DEBUGGER_VALGRIND:
    add(argv, "--vgdb=yes");
    add(argv, "--vgdb-error=0");
    addf(argv, "--vgdb-prefix=%s/vgdb", place->dir);
    add_words(argv, server_argv);
    break;
  }
  g_ptr_array_add(argv, NULL);
  return argv;
}

GPtrArray *debugger_attach(const Debugger *debugger, const char *program, const DebuggerPlace *place, pid_t pid) {
  GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
  add(argv, program);
  switch (debugger->kind) {
  case DEBUGGER_DLV:
    add_dlv(argv, place->port, false);
    add(argv, "attach");
    addf(argv, "%d", (int)pid);
    break;
  case DEBUGGER_GDBSERVER:
    add(argv, "--once");
    add(argv, "--attach");
    add(argv, "-");
    addf(argv, "%d", (int)pid);
    break;
  case DEBUGGER_LLDB_SERVER:
    add(argv, "gdbserver");
    add(argv, "--attach");
    addf(argv, "%d", (int)pid);
    addf(argv, "127.0.0.1:%d", place->port);
    break;
  case DEBUGGER_VALGRIND: break; /* cannot attach */
  }
  g_ptr_array_add(argv, NULL);
  return argv;
}

/* ---- For a person */

static char *script_path(const DebugTarget *target, const char *ending) {
  return g_strdup_printf("%s/%s.%s", target->dir, target->file, ending);
}

/* dlv talks to its own user only. */
static char *as_user(const DebugTarget *target) {
  if (!target->user) return g_strdup("");
  return g_strdup_printf("setpriv --reuid=%s --regid=%s --init-groups ", target->user, target->user);
}

char *debugger_command(const Debugger *debugger, const DebugTarget *target) {
  g_autofree char *gdb = script_path(target, "gdb"), *lldb = script_path(target, "lldb");
  g_autofree char *gdb_quoted = g_shell_quote(gdb), *lldb_quoted = g_shell_quote(lldb), *user = as_user(target);
  switch (debugger->kind) {
  case DEBUGGER_DLV: return g_strdup_printf("%sdlv connect 127.0.0.1:%d", user, target->port);
  case DEBUGGER_GDBSERVER: return g_strdup_printf("gdb -x %s", gdb_quoted);
  case DEBUGGER_LLDB_SERVER: return g_strdup_printf("lldb -s %s", lldb_quoted);
  case DEBUGGER_VALGRIND: return g_strdup_printf("%sgdb -x %s", user, gdb_quoted);
  }
  return NULL;
}

/* Signals by which servers talk to themselves and are told to end must reach them; SIGINT is left as it is, since it is how
 * gdb itself interrupts. */
static char *gdb_script(const DebugTarget *target, const char *remote) {
  return g_strdup_printf(
      "# server '%s' of test '%s'\n"
      "set debuginfod enabled off\n"
      "set sysroot /\n"
      "set breakpoint pending on\n"
      "file %s\n"
      "handle SIGUSR1 SIGUSR2 SIGCHLD SIGALRM SIGCONT SIGPIPE SIGHUP SIGTERM SIGQUIT nostop noprint pass\n"
      "define again\n  target remote %s\n  continue\nend\n"
      "document again\nAttach to the next one that waits, breakpoints kept, and let it go on.\nend\n"
      "target remote %s\n",
      target->server, target->test, target->program, remote, remote);
}

static char *lldb_script(const DebugTarget *target) {
  return g_strdup_printf(
      "# server '%s' of test '%s'\n"
      "settings set target.process.stop-on-exec false\n"
      "target create %s\n"
      "gdb-remote 127.0.0.1:%d\n"
      "process handle --notify false --stop false --pass true SIGUSR1 SIGUSR2 SIGCHLD SIGALRM SIGCONT SIGPIPE SIGHUP "
      "SIGTERM SIGQUIT SIGINT\n",
      target->server, target->test, target->program, target->port);
}

char *debugger_script(const Debugger *debugger, const DebugTarget *target, const char **ending) {
  g_autofree char *remote =
      debugger->kind == DEBUGGER_VALGRIND
          ? g_strdup_printf("| vgdb --vgdb-prefix=%s/vgdb --pid=%d", target->dir, (int)target->pid)
          : g_strdup_printf("127.0.0.1:%d", target->port);
  *ending = debugger->client;
  if (strcmp(debugger->client, "gdb") == 0) return gdb_script(target, remote);
  return strcmp(debugger->client, "lldb") == 0 ? lldb_script(target) : NULL;
}

static char *json_string(const char *text) {
  GString *out = g_string_new("\"");
  for (const char *p = text; *p; p++) {
    if (*p == '"' || *p == '\\') g_string_append_printf(out, "\\%c", *p);
    else if ((guchar)*p < 0x20) g_string_append_printf(out, "\\u%04x", (guint)(guchar)*p);
    else g_string_append_c(out, *p);
  }
  g_string_append_c(out, '"');
  return g_string_free(out, FALSE);
}

char *debugger_launch_entry(const Debugger *debugger, const DebugTarget *target, bool lldb) {
  g_autofree char *title = g_strdup_printf("runner: %s%s", target->server, lldb ? " (CodeLLDB)" : "");
  g_autofree char *name = json_string(title), *program = json_string(target->program);
  g_autofree char *create = g_strdup_printf("target create %s", target->program), *creates = json_string(create);
  if (debugger->kind == DEBUGGER_DLV && !lldb)
    return g_strdup_printf(
        "    {\"name\": %s, \"type\": \"go\", \"request\": \"attach\", \"mode\": \"remote\", \"host\": \"127.0.0.1\", "
        "\"port\": %d}",
        name, target->port);
  if (debugger->kind == DEBUGGER_GDBSERVER && !lldb)
    return g_strdup_printf(
        "    {\"name\": %s, \"type\": \"cppdbg\", \"request\": \"launch\", \"program\": %s, \"cwd\": "
        "\"${workspaceFolder}\",\n"
        "     \"MIMode\": \"gdb\", \"miDebuggerServerAddress\": \"127.0.0.1:%d\", \"stopAtEntry\": true}",
        name, program, target->port);
  if (debugger->kind == DEBUGGER_LLDB_SERVER && lldb)
    return g_strdup_printf(
        "    {\"name\": %s, \"type\": \"lldb\", \"request\": \"attach\", \"initCommands\": "
        "[\"settings set target.process.stop-on-exec false\"],\n"
        "     \"targetCreateCommands\": [%s], \"processCreateCommands\": [\"gdb-remote 127.0.0.1:%d\"]}",
        name, creates, target->port);
  return NULL;
}

char *debugger_words(const Debugger *debugger, const DebugTarget *target) {
  switch (debugger->kind) {
  case DEBUGGER_DLV:
    return g_strdup_printf("server '%s', dlv on 127.0.0.1:%d\n"
                           "  JetBrains: Run > Edit Configurations > + > Go Remote; host 127.0.0.1, port %d\n"
                           "  nvim-dap:  dap.adapters.go = {type = \"server\", host = \"127.0.0.1\", port = %d}\n"
                           "             dap.configurations.go = {{type = \"go\", name = \"%s\", request = \"attach\", "
                           "mode = \"remote\"}}\n",
                           target->server, target->port, target->port, target->port, target->server);
  case DEBUGGER_GDBSERVER: case DEBUGGER_LLDB_SERVER:
    return g_strdup_printf(
        "server '%s', %s on 127.0.0.1:%d\n"
        "  JetBrains: Run > Edit Configurations > + > Remote Debug; debugger %s, 'target remote' args 127.0.0.1:%d, "
        "symbol file %s\n"
        "  nvim-dap:  the entry of launch.json serves: require(\"dap.ext.vscode\").load_launchjs(\"launch.json\")\n",
        target->server, debugger->name, target->port, debugger->client, target->port, target->program);
  case DEBUGGER_VALGRIND:
    return g_strdup_printf("server '%s', valgrind: gdb reaches it by vgdb, as in %s.gdb\n", target->server,
                           target->file);
  }
  return NULL;
}
