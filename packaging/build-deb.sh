#!/bin/bash
# Builds the Debian package from what git tracks and the demo page: build-deb.sh [FOLDER]
#
# The .deb, its debug symbols, .changes and .buildinfo come to FOLDER, by default build/deb of the
# project. Two builds of one state give the same bytes: all times are those of the changelog. The
# page must stand in web/dist; ./dev deb makes it.
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
out=$(realpath -m "${1:-$root/build/deb}")

fail() {
  echo "build-deb.sh: $*" >&2
  exit 1
}

[ -d "$root/web/dist" ] || fail "web/dist is missing: run ./dev deb, which makes the demo page"
command -v dpkg-buildpackage dh dh_apparmor >/dev/null ||
  fail "needs the packages debhelper, dh-apparmor and dpkg-dev"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/chat-server
mkdir "$tree"
"$root/tests/lint/files.sh" "$root" | tar -C "$root" -c -T - | tar -C "$tree" -x
mkdir -p "$tree/web/dist"
find "$root/web/dist" -maxdepth 1 -type f ! -name demo.json -exec cp -t "$tree/web/dist" {} +
cp -r "$tree/packaging/debian" "$tree/debian"
# Whatever the umask and the owner were.
chmod -R u=rwX,go=rX "$tree"

mkdir -p "$out"
cd "$tree"
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
dpkg-buildpackage --build=binary --no-sign --jobs="${JOBS:-$(nproc)}" -tc
cp "$work"/chat-server*.{deb,changes,buildinfo} "$out"
printf '%s\n' "$out"/chat-server_*.deb
