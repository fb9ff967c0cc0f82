/* check.c - what is wrong with a whole test: names that nothing has, checks that can never run. */
#include "yamldef/decode.h"

void check_test(Loader *l, const Test *test) {
}
