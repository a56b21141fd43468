# A thin face on CMake, npm and the scripts. `make run` and `make test` are all that a user needs;
# `make quick` is what a developer needs between two edits. `make help` lists all.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: help run fetch build quick test check lint unit system asan tsan conformance fuzz scale \
        bench sbom reproducible format hooks clean deps-build deps-quick deps-test deps-fuzz \
        deps-bench

PORT ?= 8000
DEMO_DB ?= data/demo.duckdb
# What `make fetch` fetches: symbols, and the first of the days up to yesterday.
SYMBOL ?= BTCUSDT,ETHUSDT
FROM ?= $(shell date -u -d '30 days ago' +%F)
# Compilers at a time.
JOBS ?= $(shell nproc)

configure = cmake --preset $(1) -DDUCKDB_ROOT="$$(scripts/fetch-duckdb.sh)" \
            $(if $(wildcard build$(2)/CMakeCache.txt),>/dev/null,)
compile = cmake --build build$(1) --parallel $(JOBS)
node_test = HEATCAST_BINARY=$(CURDIR)/build-test/heatcast node --test

## run: install what is missing, build, and serve a simulated market at http://127.0.0.1:8000
run: build
	@echo "heatcast: the live page is at http://127.0.0.1:$(PORT)/ (Ctrl-C ends)"
	@exec build/heatcast serve --demo --db $(DEMO_DB) --listen 127.0.0.1:$(PORT)

## fetch: build, and fetch the market of the last 30 days (SYMBOL=BTCUSDT FROM=2025-12-01)
fetch: build
	@build/heatcast fetch --symbol $(SYMBOL) --from $(FROM)

## build: the release binary, build/heatcast, optimised across files: it takes long to link
build: deps-build node_modules/.installed
	@$(call configure,release,)
	@$(call compile,)

## quick: between two edits: all C units, then the Node tests in TEST (TEST=websocket)
quick: deps-quick node_modules/.installed
	@$(call configure,test,-test)
	@$(call compile,-test)
	@ctest --test-dir build-test --parallel $(JOBS) --output-on-failure
	@$(if $(TEST),$(node_test) $(wildcard $(TEST:%=tests/*/%.test.mjs)))

## test: install what is missing, build, run all tests: lint, unit, system, asan, tsan
test: deps-test node_modules/.installed
	@scripts/run-tests.sh

## check: the same as test, which is what CI runs
check: test

## lint: layout, static analysis, types
lint: deps-test node_modules/.installed
	@scripts/run-tests.sh lint

## unit: C units, replays of the fuzz inputs, and what the tree keeps to (scripts/tidy.mjs)
unit: deps-quick node_modules/.installed
	@scripts/run-tests.sh unit

## system: the real binary over real sockets, the page in a real browser
system: deps-test node_modules/.installed
	@scripts/run-tests.sh system

## asan: units and the real binary under AddressSanitizer and UndefinedBehaviorSanitizer
asan: deps-test node_modules/.installed
	@scripts/run-tests.sh asan

## tsan: what starts threads, and the whole server, under ThreadSanitizer
tsan: deps-test node_modules/.installed
	@scripts/run-tests.sh tsan

## conformance: the cases of the public WebSocket suite in full length, which takes a while
conformance: deps-quick node_modules/.installed
	@$(call configure,test,-test)
	@$(call compile,-test)
	@HEATCAST_CONFORMANCE=full $(node_test) tests/conformance/

## fuzz: each fuzz target under libFuzzer for FUZZ_SECONDS (60)
fuzz: deps-fuzz
	@$(call configure,fuzz,-fuzz)
	@$(call compile,-fuzz) --target fuzz_targets
	@scripts/fuzz.sh

## scale: three servers, Redis and 15,000 subscribers here: the ratios of docs/scaling.md
scale: build deps-test
	@HEATCAST_BINARY=$(CURDIR)/build/heatcast node tests/scale/scale.mjs

## bench: heatcast beside its peers and the physical limit, as ratios; QUICK=1: 4 minutes
bench: deps-bench build bench/node_modules/.installed
	@$(call configure,release,)
	@$(call compile,) --target bench_programs
	@node bench/run.mjs build

## sbom: the software bill of materials of build/heatcast (CycloneDX), build/heatcast.cdx.json
sbom: build
	@node scripts/sbom.mjs build/heatcast >build/heatcast.cdx.json
	@echo "heatcast: build/heatcast.cdx.json"

## reproducible: whether two clones in different folders build the same release binary
reproducible: deps-build node_modules/.installed
	@scripts/reproducible.sh

## format: rewrite C, TypeScript, JavaScript and CSS in the project's layout
format: node_modules/.installed
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs clang-format -i
	@npm run --silent format

## hooks: from now on each commit in this clone is checked first, in a second (scripts/hooks)
hooks:
	@git config core.hooksPath scripts/hooks

## clean: remove all that was built and the npm packages
clean:
	rm -rf build build-dev build-test build-asan build-tsan build-fuzz build-coverage node_modules \
	    bench/node_modules

## help: this list
help:
	@sed -n 's/^## \([a-z]*\): \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

deps-build deps-quick deps-test deps-fuzz deps-bench:
	@scripts/install-deps.sh $(@:deps-%=%)

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
