#!/bin/sh
# Every C file stands as .clang-format says, and clang-format has not torn a comment: format.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
files=$("$here/files.sh" . '*.c' '*.h')
echo "$files" | xargs clang-format --dry-run -Werror
# When it wraps the last word of a line it may forget the blank behind the star.
if echo "$files" | xargs grep -nP '^\t* \*[A-Za-z(]'; then
  exit 1
fi
