/* debug_files.h - ready-made configurations for debuggers' clients, in the test's directory below debug/. */
#ifndef RUNNER_DEBUG_FILES_H
#define RUNNER_DEBUG_FILES_H

#include "runner/credentials.h"
#include "runner/debugger.h"

typedef struct DebugEntry { const Debugger *debugger; DebugTarget target; } DebugEntry;

/* Writes launch.json (VS Code: Go, cppdbg, CodeLLDB) and README (JetBrains, nvim-dap) for all entries, and the command file
 * of each that has one. */
bool debug_files_write(const char *test_dir, const DebugEntry *entries, guint n, const Credentials *user,
                       GError **error);

#endif
