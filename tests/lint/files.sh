#!/bin/sh
# Lists the files of the project, one a line: what git tracks or, in an unpacked archive, all but
# build folders and packages.
#
#	files.sh ROOT [PATTERN...]	e.g. files.sh . '*.c' '*.h'
set -eu
cd "$1"
shift
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  git ls-files -- "$@" | while read -r file; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; fi # one may just have been taken away
  done
  exit
fi
set -f # patterns are find's
names=
for pattern in "${@:-*}"; do
  names="${names:+$names -o }-path ./$pattern"
done
# Words on purpose: no pattern has blanks.
# shellcheck disable=SC2086
find . -type d \( -name 'build*' -o -name node_modules -o -name dist -o -name .run \) -prune -o \
  -type f \( $names \) -print | sed 's,^\./,,' | sort
