#!/bin/sh
# Functions that are not to be used: banned.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
files=$("$here/files.sh" . '*.c' '*.h')
echo "$files" | xargs python3 "$here/banned.py"
