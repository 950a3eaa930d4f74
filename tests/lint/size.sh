#!/bin/sh
# No .c of more than 800 lines, no .h of more than 250, but for those that size.txt lists with a
# limit of their own and a reason.
#
#	size.sh ROOT
set -eu
here=$(dirname "$0")

cd "$1"
files=$("$here/files.sh" . '*.c' '*.h')
echo "$files" | xargs wc -l | awk -v waivers="$here/size.txt" '
  BEGIN {
    while ((getline line < waivers) > 0) {
      if (line ~ /^#/ || line == "")
        continue
      split(line, part, " ")
      if (part[3] == "") {
        print "size.txt: no reason for " part[1]
        bad = 1
      }
      limit[part[1]] = part[2]
    }
  }
  $2 == "total" { next }
  {
    max = $2 in limit ? limit[$2] : $2 ~ /\.h$/ ? 250 : 800
    if ($1 > max) {
      print $2 ": " $1 " lines, at most " max
      bad = 1
    }
    seen[$2] = 1
  }
  END {
    for (file in limit) {
      if (!(file in seen)) {
        print "size.txt: there is no " file
        bad = 1
      }
    }
    exit bad
  }'
