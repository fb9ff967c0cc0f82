/* debugger.h - the debuggers that runner knows: how each is started over a server, or attached to one, and how a person then
 * reaches it.  Words only; debug.h has the life of it.
 */
#ifndef RUNNER_DEBUGGER_H
#define RUNNER_DEBUGGER_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum DebuggerKind { DEBUGGER_DLV, DEBUGGER_GDBSERVER, DEBUGGER_LLDB_SERVER, DEBUGGER_VALGRIND } DebuggerKind;

typedef struct Debugger {
  DebuggerKind kind;
  const char *name;              /* of the program, and in definitions */
  const char *client;            /* the program a person types into */
  bool takes_socket; /* speaks over its stdin: the listener is ours.  gdbserver would listen on all addresses */
  bool own_process;  /* the server stays a process below it; false: it becomes the server's process (valgrind) */
  bool can_attach;
} Debugger;

/* NULL: none has this name. */
const Debugger *debugger_find(const char *name);
/* "dlv, gdbserver, ..."; newly allocated. */
char *debugger_names(void);

/* What a debugger is told: where the server's output goes, which directory is its own for files. */
typedef struct DebuggerPlace { int port; const char *log, *dir; } DebuggerPlace;

/* argv of the listener, NULL-terminated; program: its path. Newly allocated, g_ptr_array_unref() frees the strings. */
GPtrArray *debugger_start(const Debugger *debugger, const char *program, const DebuggerPlace *place,
                          const char *const *server_argv);
GPtrArray *debugger_attach(const Debugger *debugger, const char *program, const DebuggerPlace *place, pid_t pid);

/* What a person is told, for one server that is (or may be) debugged. */
typedef struct DebugTarget {
  const char *test, *server, *program;   /* program: the server's, a path */
  const char *file;              /* how its files are called */
  int port;
  pid_t pid;                     /* of who is debugged; 0: not known yet */
  const char *dir;               /* where the files are */
  const char *user;              /* who the server runs as, when that is not who we are; else NULL */
} DebugTarget;

/* One command that attaches; newly allocated. */
char *debugger_command(const Debugger *debugger, const DebugTarget *target);
/* Contents of the client's command file, and its name's ending ("gdb"); NULL: that client needs none. */
char *debugger_script(const Debugger *debugger, const DebugTarget *target, const char **ending);
/* One entry of VS Code's launch.json: an object, indented by four. NULL: none for this one. */
char *debugger_launch_entry(const Debugger *debugger, const DebugTarget *target, bool lldb);
/* The same for JetBrains' IDEs, nvim-dap and others, in words. */
char *debugger_words(const Debugger *debugger, const DebugTarget *target);

#endif
