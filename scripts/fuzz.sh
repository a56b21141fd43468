#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS (60), or the targets named: `fuzz.sh websocket session`. What
# libFuzzer learns stays in build-fuzz/corpus; an input that fails is written to
# tests/fuzz/corpus/<name>, where `make test` replays it from then on. Words for a target's inputs
# stand in tests/fuzz/<name>.dict, flags of its own in <name>.flags, one a line.
set -uo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi

failed=0
for name in "$@"; do
    printf '\n== fuzz_%s\n' "$name"
    seeds=tests/fuzz/corpus/$name
    words=()
    [ ! -f "tests/fuzz/$name.dict" ] || words=(-dict="tests/fuzz/$name.dict")
    [ ! -f "tests/fuzz/$name.flags" ] || mapfile -t -O "${#words[@]}" words <"tests/fuzz/$name.flags"
    mkdir -p "build-fuzz/corpus/$name"
    "build-fuzz/tests/fuzz_$name" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=10 \
        -print_final_stats=1 "${words[@]}" -artifact_prefix="$seeds/" "build-fuzz/corpus/$name" \
        "$seeds" || failed=1
done
if [ "$failed" -ne 0 ]; then
    echo "heatcast: fuzzing found faults; their inputs are in tests/fuzz/corpus" >&2
    exit 1
fi
