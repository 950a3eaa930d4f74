#!/bin/sh
# Shell scripts, those without a suffix too, pass shellcheck: shell.sh ROOT
set -eu
here=$(dirname "$0")

is_shell() {
  case $1 in
  *.sh) return 0 ;;
  *.[a-z]*) return 1 ;;
  esac
  head -n 1 "$1" | LC_ALL=C grep -aqE '^#!.*[/ ](sh|bash|dash)( |$)'
}

cd "$1"
files=$("$here/files.sh" .)
scripts=$(echo "$files" | while read -r file; do
  if is_shell "$file"; then echo "$file"; fi
done)
echo "$scripts" | xargs shellcheck -x
