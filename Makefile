# runner: build, test, install.  Everything made goes below $(BUILD).
#   make            the program, build/runner
#   make run        installs what is missing, builds, runs testdefs/ against real servers
#   make test       installs what is missing, builds, runs all tests
#   make check      the tests of the program's parts alone (VARIANT=asan: under the sanitizers)
#   make deps       installs what is missing, by apt-get
#   make bench      measures, with VARIANT=release, what tests and statements cost beside the same by hand
#   make install    PREFIX=/usr/local DESTDIR=
# Variants: VARIANT=debug (the default), release, asan; see also lint, coverage and fuzz below.  V=1 shows commands whole.

VARIANT ?= debug
BUILD   ?= build$(if $(filter-out debug,$(VARIANT)),/$(VARIANT))
PREFIX  ?= /usr/local
VERSION := 0.1

PACKAGES := glib-2.0 libsystemd yaml-0.1 libpcre2-8 libpq libmariadb json-glib-1.0 libcurl

CC       ?= cc
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wvla \
            -Wno-unused-parameter -Wno-missing-field-initializers $(if $(CI),-Werror)
FLAGS_debug   := -O1 -g
FLAGS_release := -O2 -g -DNDEBUG
FLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer -Wno-unknown-warning-option
FLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_ALL    = -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DG_LOG_DOMAIN='"runner"' -I. $(WARNINGS) $(FLAGS_$(VARIANT)) \
                $(shell pkg-config --cflags $(PACKAGES)) $(CPPFLAGS) $(CFLAGS)
LIBS          = $(shell pkg-config --libs $(PACKAGES))

say       = $(if $(V),,@printf '%-5s%s\n' $(1) $(2) && )

LIBRARY  := $(wildcard yamldef/*.c dbclient/*.c runner/*.c)
COMMAND  := $(filter-out cmd/main.c,$(wildcard cmd/*.c))
TESTS    := $(wildcard tests/test_*.c)
TOOLS    := $(filter-out $(TESTS),$(wildcard tests/*.c))
OBJ      := $(BUILD)/obj
object    = $(patsubst %.c,$(OBJ)/%.o,$(1))
TEST_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TESTS))
TOOL_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TOOLS))

.PHONY: all run test check bench measure programs-for-tests install clean deps lint coverage fuzz fuzzers
all: $(BUILD)/runner

$(BUILD)/libyamldef.a:  $(call object,$(wildcard yamldef/*.c))
$(BUILD)/libdbclient.a: $(call object,$(wildcard dbclient/*.c))
$(BUILD)/librunner.a:   $(call object,$(wildcard runner/*.c))
$(BUILD)/libcmd.a:      $(call object,$(COMMAND))
$(BUILD)/%.a:
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

# One way down: cmd -> runner -> (yamldef, dbclient).
$(BUILD)/runner: $(OBJ)/cmd/main.o $(BUILD)/libcmd.a $(BUILD)/librunner.a $(BUILD)/libyamldef.a $(BUILD)/libdbclient.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS) -lm

$(TEST_PROGRAMS) $(TOOL_PROGRAMS): $(BUILD)/tests/%: $(OBJ)/tests/%.o $(BUILD)/libcmd.a $(BUILD)/librunner.a $(BUILD)/libyamldef.a $(BUILD)/libdbclient.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS) -lm

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The shipped profiles are part of the program.
$(OBJ)/yamldef/engines.o: $(wildcard yamldef/engines/*.yaml)

programs-for-tests: $(TEST_PROGRAMS) $(TOOL_PROGRAMS)

deps:
	@tests/install.sh

# Definitions to run, and options of `runner run`: make run TESTDEFS=testdefs/postgresql_failover.yaml OPTIONS='-j 2'
TESTDEFS ?= testdefs/*.yaml
OPTIONS  ?=
run-testdefs = tests/with_dolt.sh $(BUILD)/runner run $(OPTIONS) $(TESTDEFS)

run: deps
	@$(MAKE) --no-print-directory all
	$(run-testdefs)

check: all programs-for-tests
	BUILD=$(abspath $(BUILD)) tests/run.sh $(abspath $(TEST_PROGRAMS)) $(wildcard tests/test_*.sh tests/test_*.py)

test: deps
	@$(MAKE) --no-print-directory check
	$(run-testdefs)

bench:
	@$(MAKE) --no-print-directory VARIANT=release measure

measure: all $(BUILD)/tests/bench_statement
	@BUILD=$(BUILD) tests/bench/bench.py $(BENCH)

# The manual page and the completions come out of the program's own tables.
INSTALL = install -D -m 644
install: $(BUILD)/runner
	$< help --man >$(BUILD)/runner.1
	for shell in bash fish; do $< help --completion $$shell >$(BUILD)/completion.$$shell || exit 1; done
	install -D -m 755 $< $(DESTDIR)$(PREFIX)/bin/runner
	$(INSTALL) $(BUILD)/runner.1 $(DESTDIR)$(PREFIX)/share/man/man1/runner.1
	$(INSTALL) $(BUILD)/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/runner
	$(INSTALL) $(BUILD)/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/runner.fish

# Development: what the compilers' other tools say, how much the tests reach, what random input does.
lint:
	cppcheck --quiet --std=c11 --library=gtk --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=memleak \
	  --error-exitcode=1 -I. $(LIBRARY) $(wildcard cmd/*.c)
	clang-tidy --quiet --warnings-as-errors='*' $(LIBRARY) $(wildcard cmd/*.c) -- $(filter-out -Werror,$(CFLAGS_ALL))

coverage:
	$(MAKE) BUILD=$(BUILD)/coverage CFLAGS=--coverage LDFLAGS=--coverage check
	lcov --quiet --capture --directory $(BUILD)/coverage --no-external --output-file $(BUILD)/coverage.info
	lcov --list $(BUILD)/coverage.info

FUZZERS  := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(wildcard tests/fuzz/*.c))
FUZZTIME ?= 60
$(FUZZERS): $(BUILD)/%: $(OBJ)/tests/fuzz/%.o $(BUILD)/librunner.a $(BUILD)/libyamldef.a $(BUILD)/libdbclient.a
	$(call say,LINK,$@)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) -lm

fuzzers: $(FUZZERS)
	@mkdir -p $(addprefix $(BUILD)/corpus/,$(notdir $(FUZZERS)))
	@cp -n testdefs/*.yaml tests/broken/*.yaml tests/verdicts/*.yaml $(BUILD)/corpus/fuzz_definition
	@for fuzzer in $(FUZZERS); do \
	  $$fuzzer -max_total_time=$(FUZZTIME) -timeout=10 -artifact_prefix=$$fuzzer- $(BUILD)/corpus/$$(basename $$fuzzer) || exit 1; done

fuzz:
	$(MAKE) VARIANT=fuzz CC=clang BUILD=$(BUILD)/fuzz fuzzers

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
