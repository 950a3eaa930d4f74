#!/bin/sh
# Every C file stands as .clang-format says: format.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
files=$("$here/files.sh" . '*.c' '*.h')
echo "$files" | xargs clang-format --dry-run -Werror
