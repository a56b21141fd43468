#!/usr/bin/env bash
# All tests, in the order in which a fault is cheapest to understand: C units, the include rules and
# types, the real binary over real sockets, the page in a real browser. Ends with a closing line
# that counts them all.
set -uo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc)}
duckdb=$(scripts/fetch-duckdb.sh) || exit 1
failed=0

section() { printf '\n== %s\n' "$*"; }

section "build (warnings are errors)"
cmake --preset test -DDUCKDB_ROOT="$duckdb" >/dev/null || exit 1
cmake --build build-test --parallel "$jobs" || exit 1
export HEATCAST_BINARY=$PWD/build-test/heatcast

section "unit tests"
ctest --test-dir build-test --output-on-failure || failed=1

section "types of the client and the page"
npm run --silent typecheck || failed=1

section "unit tests under AddressSanitizer and UndefinedBehaviorSanitizer"
cmake --preset asan -DDUCKDB_ROOT="$duckdb" >/dev/null || exit 1
cmake --build build-asan --parallel "$jobs" || exit 1
ctest --test-dir build-asan --output-on-failure || failed=1

section "the tests in which threads meet, under ThreadSanitizer"
threaded=(test_mailbox test_publisher test_generator test_metrics test_questions test_net_server
          test_net_websocket test_net_questions)
cmake --preset tsan -DDUCKDB_ROOT="$duckdb" >/dev/null || exit 1
cmake --build build-tsan --parallel "$jobs" --target "${threaded[@]}" || exit 1
ctest --test-dir build-tsan --output-on-failure -R "$(IFS='|'; echo "${threaded[*]}")" || failed=1

section "integration, conformance and browser tests"
node --test --test-concurrency=1 \
    $(find tests/integration tests/conformance tests/browser -name '*.test.mjs' | sort) || failed=1

section "integration and conformance tests against the sanitized server"
HEATCAST_BINARY=$PWD/build-asan/heatcast \
    node --test --test-concurrency=1 $(find tests/integration -name '*.test.mjs' | sort) \
    tests/conformance/{echo,limits,tls}.test.mjs || failed=1

if [ "$failed" -ne 0 ]; then
    echo "heatcast: some tests failed (see above)" >&2
    exit 1
fi
