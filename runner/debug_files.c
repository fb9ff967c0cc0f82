#include "runner/debug_files.h"
#include "runner/dirs.h"

static bool write_file(const char *test_dir, const char *name, const GString *text, const Credentials *user,
                       GError **error) {
  g_autofree char *path = g_build_filename("debug", name, NULL);
  return dirs_write(test_dir, path, text->str, text->len, 0644, false, user, error);
}

static bool write_launch(const char *test_dir, const DebugEntry *entries, guint n, const Credentials *user,
                         GError **error) {
  g_autoptr(GString) text = g_string_new("{\n  \"version\": \"0.2.0\",\n  \"configurations\": [\n");
  guint written = 0;
  for (guint i = 0; i < 2 * n; i++) {
    g_autofree char *entry = debugger_launch_entry(entries[i / 2].debugger, &entries[i / 2].target, i % 2 == 1);
    if (entry) g_string_append_printf(text, "%s%s", written++ > 0 ? ",\n" : "", entry);
  }
  g_string_append(text, "\n  ]\n}\n");
  return write_file(test_dir, "launch.json", text, user, error);
}

static bool write_words(const char *test_dir, const DebugEntry *entries, guint n, const Credentials *user,
                        GError **error) {
  g_autoptr(GString) text =
      g_string_new("How to reach the debugged servers of this test. VS Code: copy launch.json to .vscode/.\n\n");
  for (guint i = 0; i < n; i++) {
    g_autofree char *words = debugger_words(entries[i].debugger, &entries[i].target);
    g_autofree char *command = debugger_command(entries[i].debugger, &entries[i].target);
    g_string_append_printf(text, "%s  command line: %s\n\n", words, command);
  }
  return write_file(test_dir, "README", text, user, error);
}

static bool write_script(const char *test_dir, const DebugEntry *entry, const Credentials *user, GError **error) {
  const char *ending = NULL;
  g_autofree char *script = debugger_script(entry->debugger, &entry->target, &ending);
  if (!script) return true;
  g_autofree char *name = g_strdup_printf("%s.%s", entry->target.file, ending);
  g_autoptr(GString) text = g_string_new(script);
  return write_file(test_dir, name, text, user, error);
}

bool debug_files_write(const char *test_dir, const DebugEntry *entries, guint n, const Credentials *user,
                       GError **error) {
  g_autofree char *made = dirs_make(test_dir, "debug", 0755, user, error);
  if (!made) return false;
  for (guint i = 0; i < n; i++)
    if (!write_script(test_dir, &entries[i], user, error)) return false;
  return write_launch(test_dir, entries, n, user, error) && write_words(test_dir, entries, n, user, error);
}
