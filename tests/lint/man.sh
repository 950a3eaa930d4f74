#!/bin/sh
# mandoc finds nothing in the manual pages: man.sh ROOT
set -eu
here=$(dirname "$0")
cd "$1"
pages=$("$here/files.sh" . 'man/*.[1-8]')
[ -n "$pages" ]
echo "$pages" | xargs mandoc -T lint -W warning
