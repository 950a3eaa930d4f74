#!/bin/sh
# mandoc finds nothing in the manual pages: man.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
pages=$("$here/files.sh" . '*.[1-8]')
if [ -z "$pages" ]; then
  echo "no manual pages"
  exit 77 # skipped
fi
echo "$pages" | xargs mandoc -T lint -W warning
