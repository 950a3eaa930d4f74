#!/bin/sh
# Compiles every header by itself: it must include all that it needs.
#
#	headers.sh ROOT
set -eu
here=$(dirname "$0")
flags="-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror $(pkg-config --cflags libpq)"
export flags

cd "$1"
files=$("$here/files.sh" . '*.h')
# The inner shell expands the variables.
# shellcheck disable=SC2016
echo "$files" | xargs -P "$(nproc)" -I '{}' sh -c '
  if ! echo "#include \"$1\"" | ${CC:-cc} $flags -I . -fsyntax-only -x c -; then
    echo "$1 does not compile by itself" >&2
    exit 1
  fi' sh '{}'
