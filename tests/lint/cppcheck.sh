#!/bin/sh
# cppcheck over all that the build compiles: cppcheck.sh ROOT BUILD
# A false finding is silenced beside the line, with its reason.
set -eu
root=$(realpath "$1")
build=$(realpath "$2")

cppcheck --project="$build/compile_commands.json" --library="$root/tests/lint/cppcheck.cfg" \
  --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --quiet \
  -j "$(nproc)" --template='{file}:{line}: {id}: {message}'
