#!/usr/bin/env bash
# All tests, or the sections named: `run-tests.sh unit asan`. They run in the order in which a fault
# is cheapest to understand. Each builds what it needs and runs whether or not one before it failed;
# the last lines say how long each took and how it ended.
#
#   lint      layout, static analysis and types (scripts/lint.sh)
#   unit      C units, replays of the fuzz inputs, and what the tree keeps to (scripts/tidy.mjs)
#   system    the real binary over real sockets, the page in a real browser
#   asan      units, and the binary over real sockets, under AddressSanitizer and UBSan
#   tsan      what starts threads, the whole server, fetch and live data, under ThreadSanitizer
#
# Sections that need the same build share its folder, and compile nothing twice.
set -uo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc)}
# Files of Node tests at a time. They wait more than they compute, and each starts its own servers
# on free ports.
files=${TEST_FILES:-$((2 * jobs))}
runner=(node --test --test-reporter=spec)
duckdb=$(scripts/fetch-duckdb.sh) || exit 1

build() { # preset target...
    cmake --preset "$1" -DDUCKDB_ROOT="$duckdb" >/dev/null || return 1
    cmake --build "build-$1" --parallel "$jobs" --target "${@:2}"
}

node_tests() { # preset file-or-folder...
    local tests
    # The slow ones first, so that none of them is left running alone in the end.
    local slow='/(page|extremes|database|cluster|client-network|collect-week|faults|map)\.'
    mapfile -t tests < <(find "${@:2}" -name '*.test.mjs' | sort)
    mapfile -t tests < <(printf '%s\n' "${tests[@]}" | grep -E "$slow"
                         printf '%s\n' "${tests[@]}" | grep -vE "$slow")
    HEATCAST_BINARY=$PWD/build-$1/heatcast \
        "${runner[@]}" --test-concurrency="$files" "${tests[@]}"
}

lint() {
    scripts/lint.sh
}

unit() {
    build test all && ctest --test-dir build-test --parallel "$jobs" --output-on-failure
}

system() {
    build test all && node_tests test tests/browser tests/integration tests/conformance
}

asan() {
    build asan all || return 1
    local status=0
    ctest --test-dir build-asan --parallel "$jobs" --output-on-failure -LE tidy || status=1
    node_tests asan tests/integration tests/conformance/{echo,limits,tls}.test.mjs || status=1
    return $status
}

# ThreadSanitizer of gcc 12 does not start if the kernel randomises addresses over more bits than it
# supports (vm.mmap_rnd_bits above 28). Then it runs without randomisation.
fixed_addresses() {
    if [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)" -gt 28 ] && setarch -R true; then
        setarch -R "$@"
    else
        "$@"
    fi
}

tsan() {
    build tsan heatcast query threaded_tests || return 1
    local status=0
    export TSAN_OPTIONS="suppressions=$PWD/tests/support/tsan.supp ${TSAN_OPTIONS:-}"
    fixed_addresses ctest --test-dir build-tsan --parallel "$jobs" --output-on-failure -L threads ||
        status=1
    HEATCAST_BINARY=$PWD/build-tsan/heatcast \
        fixed_addresses "${runner[@]}" tests/integration/{threads,fetch}.test.mjs || status=1
    HEATCAST_BINARY=$PWD/build-tsan/heatcast fixed_addresses "${runner[@]}" \
        --test-name-pattern='serve --collect' tests/integration/collect-live.test.mjs || status=1
    return $status
}

# The names of the tests that failed, and what a sanitizer said, out of a section's output.
failures() { # file
    grep -E '^ *✖ |^\s+[0-9]+ - .*\((Failed|Timeout|SEGFAULT|Subprocess aborted|Not Run)|^SUMMARY: ' "$1" |
        sed -E 's/^\s+//' | awk '/failing tests:$/ { next } !seen[$0]++' | head -n 50
}

[ $# -gt 0 ] || set -- lint unit system asan tsan
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
failed=0
report=
for section in "$@"; do
    printf '\n== %s\n' "$section"
    start=$SECONDS
    outcome=passed names=
    "$section" 2>&1 | tee "$output" || { outcome=FAILED; failed=1; names=$(failures "$output"); }
    report+=$(printf '%-8s %4d s  %s' "$section" $((SECONDS - start)) "$outcome")$'\n'
    [ -z "$names" ] || report+=$(sed 's/^/         /' <<<"$names")$'\n'
done
printf '\n%s' "$report"
if [ "$failed" -ne 0 ]; then
    echo "heatcast: some tests failed (see above)" >&2
    exit 1
fi
