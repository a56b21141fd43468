#!/usr/bin/env bash
# Installs the Debian packages that are missing:
#
#   install-deps.sh build   what building and running needs
#   install-deps.sh quick   also what the unit tests need
#   install-deps.sh test    also what the other tests and the linters need
#   install-deps.sh fuzz    what building needs, and clang with libFuzzer
#   install-deps.sh bench   what building needs, and the servers that the benchmark compares with
#
# Does nothing, and asks for nothing, when everything is there. No service is started or enabled.
set -euo pipefail

build=(gcc cmake ninja-build pkg-config libc6-dev libuv1-dev libssl-dev zlib1g-dev libdeflate-dev
       libarchive-dev libcurl4-openssl-dev libjansson-dev libhiredis-dev ca-certificates)
quick=(libcmocka-dev)
test=(openssl chromium fonts-dejavu-core procps redis-server redis-tools nginx prometheus
      clang-format clang-tidy cppcheck)
fuzz=(clang libclang-rt-14-dev)
bench=(libwebsockets-dev libnginx-mod-nchan python3-websockets python3-fastapi python3-uvicorn)

case "${1:-build}" in
build) wanted=("${build[@]}") ;;
quick) wanted=("${build[@]}" "${quick[@]}") ;;
test) wanted=("${build[@]}" "${quick[@]}" "${test[@]}") ;;
fuzz) wanted=("${build[@]}" "${fuzz[@]}") ;;
bench) wanted=("${build[@]}" "${bench[@]}") ;;
*) echo "usage: $0 build|quick|test|fuzz|bench" >&2; exit 2 ;;
esac

# A Node.js and npm that did not come from Debian's packages are as good, from version 18 on.
node_major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ "$node_major" -lt 18 ] || ! command -v npm >/dev/null; then wanted+=(nodejs npm); fi

is_installed() {
    [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null || true)" = "install ok installed" ]
}

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
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

# Some packages bring a service that Debian starts at once and at every boot. The tests start what
# they need themselves, so a service that this script installs is neither started (Debian asks
# policy-rc.d) nor enabled. A policy that exists already is the administrator's and stays. Ours is
# removed when the script ends; if the script is killed, it removes itself when it is next asked.
policy=/usr/sbin/policy-rc.d
holds_policy=false
new_services=()
for service in nginx prometheus redis-server; do
    is_installed "$service" || new_services+=("$service")
done

hold_services() {
    [ ! -e "$policy" ] || return 0
    holds_policy=true
    printf '#!/bin/sh\n[ ! -d /proc/%s ] || exit 101\nrm -f "$0"\n' $$ |
        "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
}

release_services() {
    ! "$holds_policy" || "${as_root[@]}" rm -f "$policy"
    command -v systemctl >/dev/null || return 0
    for service in "${new_services[@]}"; do
        ! is_installed "$service" ||
            "${as_root[@]}" systemctl disable --now --quiet "$service" >/dev/null 2>&1 || true
    done
}

echo "heatcast: installing Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'release_services; rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
hold_services
if ! { "${as_root[@]}" apt-get update &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
           apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "heatcast: apt-get could not install: ${missing[*]} (its last words are above)" >&2
    exit 1
fi
