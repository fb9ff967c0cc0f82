/* What a definition file may hold is anybody's; loading it must only ever end in a model or in problems with places. The corpus
 * is the definitions of the tests: `make fuzz SECONDS=600`. */
#include <stddef.h>
#include <stdint.h>
#include "yamldef/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  g_autoptr(Definition) definition = definition_load_bytes("fuzz.yaml", (const char *)bytes, len, "/");
  for (guint i = 0; i < definition_n_problems(definition); i++) {
    g_autofree char *text = problem_text(definition_problem(definition, i));
    if (!text || !*text) __builtin_trap();
  }
  return 0;
}
