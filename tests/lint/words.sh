#!/bin/sh
# Words that do not belong into the tree: words.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
files=$("$here/files.sh" .)
echo "$files" | grep -v '^tests/fuzz/corpus/' | tr '\n' '\0' | xargs -0 python3 "$here/words.py"
