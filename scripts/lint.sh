#!/usr/bin/env bash
# Layout, static analysis and types. Changes nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-$(nproc)}
failed=0
mapfile -t sources < <(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]')

echo "clang-format"
clang-format --dry-run --Werror "${sources[@]}" || failed=1
echo "biome"
npm run --silent lint || failed=1
echo "types"
npm run --silent typecheck || failed=1
echo "cppcheck"
# check(false && "why") is meant to be false.
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem --suppress=incorrectStringBooleanError \
    -j "$jobs" -Isrc src || failed=1
echo "clang-tidy"
# It reads from build-test how the files are compiled. On standard error it counts the warnings in
# system headers, which it does not show.
cmake --preset test -DDUCKDB_ROOT="$(scripts/fetch-duckdb.sh)" >/dev/null || exit 1
git ls-files 'src/*.c' | xargs -P "$jobs" -n 4 clang-tidy -p build-test --quiet \
    2> >(grep -v 'warnings\? generated' >&2) || failed=1
exit $failed
