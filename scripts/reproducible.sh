#!/usr/bin/env bash
# Builds the commit that is checked out in two folders of different depth, and compares the programs
# byte for byte. What differs between two clones (a path, a time, an order) shows here.
set -euo pipefail
cd "$(dirname "$0")/.."

duckdb=$(scripts/fetch-duckdb.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for clone in a another/folder/b; do
    git clone --quiet . "$work/$clone"
    ln -s "$PWD/node_modules" "$work/$clone/node_modules"
    (cd "$work/$clone" && CCACHE_DISABLE=1 cmake --preset release -DDUCKDB_ROOT="$duckdb" >/dev/null &&
        CCACHE_DISABLE=1 cmake --build build --target heatcast >/dev/null)
    sha256sum "$work/$clone/build/heatcast"
done
if ! cmp "$work/a/build/heatcast" "$work/another/folder/b/build/heatcast"; then
    echo "heatcast: the two builds differ" >&2
    exit 1
fi
echo "heatcast: two clones built the same program"
