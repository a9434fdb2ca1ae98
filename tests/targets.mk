# SPDX-License-Identifier: GPL-2.0-or-later
# The verbs that test; included by the Makefile, which holds the build.
#: make all            build cordon and cordond
#: make demo           install what is missing, build, show the main job in namespaces
#: make check          install what is missing, build with gcc and clang, run every test
#: make check-quick    unit tests and suite of one build; T="NAME..." runs only those
#: make check-asan     unit tests, suite and fuzz corpora under ASan and UBSan
#: make check-long     the oracle against explain, kernel and replay for MINUTES
#: make mutants        seed bugs one by one in a copy: each has to be caught by a test
#: make bench          timings beside a peer in the same run
#: make fuzz           libFuzzer on each target, FUZZ_SECONDS each
#: make lint           format and static checks
#: make deps           install the Debian packages that are missing
#: make install        PREFIX, DESTDIR, SYSCONFDIR, UNITDIR as usual; make uninstall
FUZZ_SECONDS ?= 60
MINUTES      ?= 30
T            ?=
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BIN := $(addprefix $(BUILD)/fuzz/,$(FUZZERS))
BENCH    := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
test_cc = mkdir -p $(@D) && $(CC) $(CSTD) $(CPPFLAGS) -Itests/lib $(PKG_CFLAGS) $(OPT) $(WARN) $(HARD) \
  $(CFLAGS) -MMD -MP -MF $@.d $(LDHARD) -o $@ $< $(filter %.o,$^) $(AR_ALL) $(PKG_LIBS)
ARCHIVES := $(BUILD)/librules.a $(BUILD)/libwire.a $(BUILD)/libdaemon.a

# Not `demo: deps all`: with -j the compiler would run before it is installed.
demo: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(BUILD)) sh tests/lab/demo.sh

# All three are run, whatever fails in the first.
check: deps
	@bad=0; make="$(MAKE) --no-print-directory"; \
	echo "== gcc"; $$make check-quick CC=gcc BUILD=$(BUILD) || bad=1; \
	echo "== clang"; $$make check-quick CC=clang BUILD=$(BUILD)/clang || bad=1; \
	echo "== sanitizers"; $$make check-asan CC=gcc BUILD=$(BUILD) || bad=1; \
	sh tests/lib/total.sh $(BUILD) $(BUILD)/clang $(BUILD)/san || bad=1; exit $$bad

check-quick: all $(UNIT)
	@sh tests/lib/run.sh $(abspath $(BUILD)) tests/suite $(T)
check-unit: all $(UNIT)
	@sh tests/lib/run.sh $(abspath $(BUILD)) /dev/null
check-asan:
	@$(MAKE) --no-print-directory SAN=1 BUILD=$(BUILD)/san check-san-inner
check-san-inner: all $(UNIT) $(FUZZ_BIN)
	@sh tests/lib/run.sh $(abspath $(BUILD)) tests/suite-asan $(T)

fuzz:
	@for f in $(FUZZERS); do $(MAKE) --no-print-directory CC=clang SAN=1 FUZZ=1 BUILD=$(BUILD)/libfuzzer \
	  $(BUILD)/libfuzzer/fuzz/$$f && mkdir -p $(BUILD)/corpus/$$f && \
	  $(BUILD)/libfuzzer/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	  $(BUILD)/corpus/$$f tests/fuzz/corpus/$${f#fuzz_} || exit 1; done

check-long: all
	@sh tests/oracle/run.sh $(abspath $(BUILD)) 0 400 - $$(($(MINUTES) * 60))
mutants:
	@sh tests/mutants/run.sh $(T)

bench: all $(BENCH)
	@sh tests/bench/run.sh $(abspath $(BUILD))

lint:
	@sh tests/lib/tree-check.sh
	@n=$$(for f in $$(git ls-files '*.c' '*.h'); do clang-format "$$f" | cmp -s - "$$f" || echo 1; done | wc -l); \
	  echo "clang-format would change $$n files (not an error: tables are laid out by hand)"

# Parts of the CLI under test, which no archive holds.
$(BUILD)/tests/test_jsonbuf: $(call obj,daemon/cli/jsonbuf.c daemon/cli/jsonbuf_json.c)
$(BUILD)/tests/test_out: $(call obj,daemon/cli/out.c daemon/cli/out_table.c daemon/cli/jsonbuf.c)
$(BUILD)/tests/test_replay_ct: $(call obj,daemon/cli/replay_ct.c daemon/cli/replay_ct_window.c)
$(BUILD)/tests/%: tests/unit/%.c $(ARCHIVES)
	$(call say,TEST,$@)
	$(Q)$(test_cc) -lcmocka
$(BUILD)/bench/%: tests/bench/%.c $(ARCHIVES)
	$(call say,BENCH,$@)
	$(Q)$(test_cc)
# Without FUZZ=1 a target reads files: the corpora are replayed by `make check`.
$(BUILD)/fuzz/%: tests/fuzz/%.c $(ARCHIVES)
	$(call say,FUZZ,$@)
	$(Q)$(test_cc) $(if $(FUZZ),-fsanitize=fuzzer,-DFUZZ_REPLAY)

.PHONY: demo check check-long mutants check-quick check-unit check-asan check-san-inner fuzz bench lint
