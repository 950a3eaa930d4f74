#!/bin/sh
# clang-tidy over every source that the build compiles, once each: tidy.sh ROOT BUILD
set -eu
root=$(realpath "$1")
build=$(realpath "$2")

files=$(python3 - "$root" "$build/compile_commands.json" <<'PYTHON'
import json, os, sys
root, database = sys.argv[1:]
with open(database, encoding="utf-8") as rows:
    files = {os.path.realpath(os.path.join(r["directory"], r["file"])) for r in json.load(rows)}
print("\n".join(sorted(f for f in files if f.startswith(root + "/"))))
PYTHON
)
# What gcc alone knows, or the analyser need not be told.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
echo "$files" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build" \
  --extra-arg=-Wno-unknown-warning-option --extra-arg=-fno-sanitize=all >"$log" 2>&1 || status=1
grep -vE '^[0-9]+ warnings? generated\.$|^Suppressed [0-9]+ warnings|^Use -header-filter' "$log" || :
exit $status
