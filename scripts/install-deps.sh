#!/usr/bin/env bash
# Installs the Debian packages that are missing: `install-deps.sh build` what building and running
# needs, `install-deps.sh test` what the tests need as well, `install-deps.sh check` the linters too,
# `install-deps.sh fuzz` what building needs and clang with libFuzzer, `install-deps.sh bench` what
# building needs and the servers that the benchmark compares with.
# Does nothing, and asks for nothing, when everything is there.
set -euo pipefail

build=(gcc cmake ninja-build pkg-config libc6-dev libuv1-dev libssl-dev zlib1g-dev libdeflate-dev
       libjansson-dev libhiredis-dev ca-certificates)
test=(libcmocka-dev openssl chromium fonts-dejavu-core procps redis-server redis-tools nginx)
check=(clang-format clang-tidy cppcheck prometheus)
fuzz=(clang libclang-rt-14-dev)
bench=(libwebsockets-dev libnginx-mod-nchan python3-websockets python3-fastapi python3-uvicorn)

case "${1:-build}" in
build) wanted=("${build[@]}") ;;
test) wanted=("${build[@]}" "${test[@]}") ;;
check) wanted=("${build[@]}" "${test[@]}" "${check[@]}") ;;
fuzz) wanted=("${build[@]}" "${fuzz[@]}") ;;
bench) wanted=("${build[@]}" "${bench[@]}") ;;
*) echo "usage: $0 build|test|check|fuzz|bench" >&2; exit 2 ;;
esac

# A Node.js and npm that did not come from Debian's packages are as good, from version 18 on.
node_major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ "$node_major" -lt 18 ] || ! command -v npm >/dev/null; then wanted+=(nodejs npm); fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "heatcast: these Debian packages are missing: ${missing[*]}" >&2
        echo "heatcast: become root (or install sudo) and run this command again" >&2
        exit 1
    fi
    as_root=(sudo)
fi
command -v apt-get >/dev/null || {
    echo "heatcast: no apt-get here; install the equivalents of: ${missing[*]}" >&2
    exit 1
}

echo "heatcast: installing Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
           apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "heatcast: apt-get could not install: ${missing[*]} (its last words are above)" >&2
    exit 1
fi
