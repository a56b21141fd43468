#!/usr/bin/env bash
# Layout, static analysis and types. Changes nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
mapfile -t sources < <(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]')

echo "== clang-format"
clang-format --dry-run --Werror "${sources[@]}" || failed=1
echo "== cppcheck"
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem -Isrc src || failed=1
echo "== clang-tidy"
[ -f build-test/compile_commands.json ] || cmake --preset test -DDUCKDB_ROOT="$(scripts/fetch-duckdb.sh)" >/dev/null
git ls-files 'src/*.c' | xargs clang-tidy -p build-test --quiet 2>/dev/null || failed=1
echo "== types"
npm run --silent typecheck || failed=1
exit $failed
