#!/usr/bin/env bash
# Prints the folder of a DuckDB installation (include/duckdb.h, lib/libduckdb.so), fetching it first
# where that is needed. Debian has no DuckDB package; the official prebuilt library ships inside the
# npm package @duckdb/node-bindings-linux-*, the matching header inside the npm package duckdb. Both
# are pinned by version and SHA-512. DUCKDB_ROOT names an installation of your own instead.
set -euo pipefail

version=1.4.4
header_package=duckdb@1.4.4
header_sha512=hEJJ5hyVF0VLj3dmOLpsWrQR0b3d4Ykqtygm6iUXjHJDDnSqg/USKxcb5qvNrOhFYPgktayU6dXCtgPqcmmpog==
case "$(uname -m)" in
x86_64)
    library_package=@duckdb/node-bindings-linux-x64@1.4.4-r.4
    library_sha512=jBTL/WvfwxLToFa/pVHfT6elMtltJGnc3wSuxZD9OfMltit9YUdVFS37vBFQzXMT1Z8OWjtSjMh+zPKxOwHLHA== ;;
aarch64)
    library_package=@duckdb/node-bindings-linux-arm64@1.4.4-r.4
    library_sha512= ;;
*)
    echo "heatcast: no prebuilt DuckDB for $(uname -m); set DUCKDB_ROOT to one of your own" >&2
    exit 1 ;;
esac

if [ -n "${DUCKDB_ROOT:-}" ]; then
    if [ -f "$DUCKDB_ROOT/include/duckdb.h" ] && [ -f "$DUCKDB_ROOT/lib/libduckdb.so" ]; then
        echo "$DUCKDB_ROOT"
        exit 0
    fi
    echo "heatcast: DUCKDB_ROOT=$DUCKDB_ROOT has no include/duckdb.h and lib/libduckdb.so" >&2
    exit 1
fi

cache=${XDG_CACHE_HOME:-${HOME:-$PWD}/.cache}/heatcast
root=$cache/duckdb-$version-$(uname -m)
if [ -f "$root/include/duckdb.h" ] && [ -f "$root/lib/libduckdb.so" ]; then
    echo "$root"
    exit 0
fi

echo "heatcast: fetching DuckDB $version (about 33 MB, once) into $root" >&2
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

fetch() { # package sha512 -> unpacked below $work/<n>
    local package=$1 sha512=$2 into=$3 tarball
    mkdir "$into"
    tarball=$(cd "$into" && npm pack --silent "$package") || {
        echo "heatcast: npm could not fetch $package" >&2
        exit 1
    }
    if [ "$(openssl dgst -sha512 -binary "$into/$tarball" | base64 -w0)" != "$sha512" ]; then
        echo "heatcast: $package is not the file that was pinned (SHA-512 differs)" >&2
        exit 1
    fi
    tar -xzf "$into/$tarball" -C "$into"
}
fetch "$library_package" "$library_sha512" "$work/library"
fetch "$header_package" "$header_sha512" "$work/header"

mkdir -p "$work/root/include" "$work/root/lib"
mv "$work/library/package/libduckdb.so" "$work/root/lib/"
mv "$work/header/package/src/duckdb/src/include/duckdb.h" "$work/root/include/"
mv "$work/library/package/LICENSE" "$work/root/"
rm -rf "$root"
mv "$work/root" "$root"
echo "$root"
