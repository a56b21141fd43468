# A thin face on CMake, npm and the scripts. `make run` and `make test` are all that a user needs.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: run build test check unit integration browser conformance asan tsan fuzz scale bench format \
        lint clean deps-build deps-test deps-check deps-fuzz deps-bench

PORT ?= 8000
DEMO_DB ?= data/demo.duckdb
# Compilers at a time.
JOBS ?= $(shell nproc)

# The unit tests in which threads meet (scripts/run-tests.sh has the same list).
THREADED_TESTS = test_mailbox test_publisher test_generator test_metrics test_questions \
                 test_net_server test_net_websocket test_net_questions
space := $(empty) $(empty)

# What the tests run: Node's runner, one file at a time, since each starts servers of its own.
NODE_TEST = node --test --test-concurrency=1

configure = cmake --preset $(1) -DDUCKDB_ROOT="$$(scripts/fetch-duckdb.sh)" \
            $(if $(wildcard build$(2)/CMakeCache.txt),>/dev/null,)
compile = cmake --build build$(1) --parallel $(JOBS)

## run: install what is missing, build, and serve a simulated market at http://127.0.0.1:8000
run: build
	@echo "heatcast: the live page is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends)"
	@exec build/heatcast serve --demo --db $(DEMO_DB) --listen 127.0.0.1:$(PORT)

## build: the release binary, build/heatcast
build: deps-build node_modules/.installed
	@$(call configure,release,)
	@$(call compile,)

## test: install what is missing, build, run all tests
test: deps-test node_modules/.installed
	@scripts/run-tests.sh

## check: everything that CI runs, and the linters
check: deps-check node_modules/.installed
	@scripts/run-tests.sh
	@$(MAKE) --no-print-directory lint

## asan: the tests against a build with AddressSanitizer and UndefinedBehaviorSanitizer
asan: deps-test node_modules/.installed
	@$(call configure,asan,-asan)
	@$(call compile,-asan)
	@ctest --test-dir build-asan --output-on-failure
	@HEATCAST_BINARY=$(CURDIR)/build-asan/heatcast $(NODE_TEST) tests/integration/ tests/conformance/*.test.mjs

## conformance: the cases of the public WebSocket suite in full length, which takes a while
conformance: build
	@HEATCAST_CONFORMANCE=full $(NODE_TEST) tests/conformance/*.test.mjs

## tsan: the threads' unit tests under ThreadSanitizer
tsan: deps-test node_modules/.installed
	@$(call configure,tsan,-tsan)
	@$(call compile,-tsan) --target $(THREADED_TESTS)
	@ctest --test-dir build-tsan --output-on-failure -R '$(subst $(space),|,$(THREADED_TESTS))'

## fuzz: each fuzz target under libFuzzer for FUZZ_SECONDS (60)
fuzz: deps-fuzz
	@$(call configure,fuzz,-fuzz)
	@$(call compile,-fuzz) --target fuzz_targets
	@scripts/fuzz.sh

## scale: three servers, Redis and 15,000 subscribers on this machine; prints the ratios of docs/scaling.md
scale: build deps-test
	@HEATCAST_BINARY=$(CURDIR)/build/heatcast node tests/scale/scale.mjs

## bench: heatcast beside its peers and the physical limit, as a table of ratios; QUICK=1: 2 minutes
bench: deps-bench build bench/node_modules/.installed
	@$(call configure,release,)
	@$(call compile,) --target bench_programs
	@node bench/run.mjs build

## lint: formatting, static analysis, types
lint: deps-check node_modules/.installed
	@scripts/lint.sh

## format: rewrite the C files in the project's layout
format:
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-dev build-test build-asan build-tsan build-fuzz build-coverage node_modules \
	    bench/node_modules

deps-build:
	@scripts/install-deps.sh build
deps-test:
	@scripts/install-deps.sh test
deps-check:
	@scripts/install-deps.sh check
deps-fuzz:
	@scripts/install-deps.sh fuzz
deps-bench:
	@scripts/install-deps.sh bench

node_modules/.installed: package-lock.json package.json client/package.json web/package.json \
                         tests/package.json | deps-build
	@echo "heatcast: installing npm packages"
	@npm ci --ignore-scripts --silent --no-progress || \
	    { echo "heatcast: npm could not install the packages of package-lock.json" >&2; exit 1; }
	@touch $@

# A peer that npm cannot bring is left out of the benchmark, which says so.
bench/node_modules/.installed: bench/package.json bench/package-lock.json | deps-build
	@echo "heatcast: installing the benchmark's npm packages"
	@cd bench && npm ci --ignore-scripts --silent --no-progress || \
	    echo "heatcast: npm could not install the packages of bench/package-lock.json" >&2
	@mkdir -p bench/node_modules && touch $@
