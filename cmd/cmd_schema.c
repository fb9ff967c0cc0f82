#include "cmd/commands.h"
#include "yamldef/schema.h"

int cmd_schema(const Options *options) {
  g_autoptr(GString) out = g_string_new(NULL);
  schema_append(out);
  return print_result(out, STATUS_PASSED);
}
