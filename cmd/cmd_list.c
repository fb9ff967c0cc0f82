#include "cmd/commands.h"
#include "cmd/selection.h"

int cmd_list(const Options *options) {
  Selection selection;
  int status = selection_make(options, &selection);
  if (selection.plan && status == STATUS_PASSED) {
    g_autoptr(GString) out = g_string_new(NULL);
    plan_list(selection.plan, out);
    status = print_result(out, STATUS_PASSED);
  }
  selection_clear(&selection);
  return status;
}
