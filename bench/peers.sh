#!/usr/bin/env bash
# Unpacks newer crane, oras and skopeo than Debian's stable suite has, and regsync, beside it, for the bench
# only: nothing is installed. They come from the mirror that apt is set up with.
#   bench/peers.sh [SUITE]     SUITE is sid unless told
set -euo pipefail

suite=${1:-sid}
cache=${TMPDIR:-/tmp}/arcdata-mirror-bench/peers
wanted="crane oras skopeo"

# The first place that has Debian's main packages: a deb822 file, or a line in the old form.
uri='' key=''
for file in /etc/apt/sources.list.d/*.sources; do
  [ -r "$file" ] || continue
  read -r uri key < <(awk '
    function done() { if (uri != "" && main && debian) { print uri, key; found = 1; exit } uri = key = ""; main = debian = 0 }
    /^#/ { next } /^$/ { done() }
    /^URIs:/ { uri = $2; debian = $0 ~ /\/debian\/?$/ } /^Components:/ { main = $0 ~ /main/ } /^Signed-By:/ { key = $2 }
    END { if (!found) done() }' "$file") || true
  [ -z "$uri" ] || break
done
if [ -z "$uri" ] && [ -r /etc/apt/sources.list ]; then
  uri=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /\/debian\/?$/) { print $i; exit } }' /etc/apt/sources.list)
fi
if [ -z "$uri" ]; then
  echo 'apt knows no mirror of Debian here: the bench takes what is on PATH' >&2
  exit 0
fi
key=${key:-/usr/share/keyrings/debian-archive-keyring.gpg}

rm -rf "$cache"
mkdir -p "$cache"/{lists/partial,archives/partial,root,bin}
echo "deb [signed-by=$key] $uri $suite main" >"$cache/sources.list"
# An apt of our own: it knows nothing of what is installed, so all libraries come along.
: >"$cache/status"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$cache/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferencesparts=-
  -o "Dir::State::lists=$cache/lists" -o "Dir::State::status=$cache/status" -o "Dir::Cache=$cache" -o "Dir::Cache::archives=$cache/archives"
  -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Languages=none)
"${apt[@]}" update
for package in $wanted; do
  "${apt[@]}" install --yes --download-only --no-install-recommends "$package" >/dev/null 2>&1 ||
    echo "$suite has no $package" >&2
done
for package in "$cache"/archives/*.deb; do dpkg -x "$package" "$cache/root"; done
# Not every one of them can tell its version.
for package in $wanted; do
  dpkg-deb -W --showformat='${Package} ${Version}\n' "$cache/archives/${package}"_*.deb 2>/dev/null || true
done >"$cache/versions"
rm -rf "$cache/archives" "$cache/lists"

# Where this machine's C library is too old for them, they run on the one that came along.
root=$cache/root
libraries=$(find "$root" -name 'libc.so.6' -printf '%h\n' | sort -u | paste -sd:)
loader=$(find "$root" -name 'ld-linux*.so.*' | head -1)
for tool in $wanted; do
  program=$root/usr/bin/$tool
  [ -x "$program" ] || continue
  if "$program" --help >/dev/null 2>&1; then
    ln -s "$program" "$cache/bin/$tool"
  else
    printf '#!/bin/sh\nexec %q --library-path %q %q "$@"\n' "$loader" "$libraries" "$program" >"$cache/bin/$tool"
    chmod +x "$cache/bin/$tool"
  fi
done
# Debian has no regclient; where Go is there, it builds it from its module.
if [ ! -e "$cache/bin/regsync" ] && command -v go >/dev/null; then
  GOBIN=$cache/bin GOFLAGS=-mod=mod go install github.com/regclient/regclient/cmd/regsync@v0.11.7 >/dev/null 2>&1 &&
    echo 'regsync 0.11.7' >>"$cache/versions" || echo 'regsync could not be built' >&2
fi
ls "$cache/bin"
