# shellcheck shell=bash
# Hurts a house of its own, or lets one live. To be sourced by dev.

# drive PROGRAM ARGUMENT...: one of tests/faults, which starts the house by ./dev run.
drive() {
  local program=$1
  shift
  alone
  need_packages "$HERE/packages/build.txt"
  [ -n "${CHAT_DEV_BUILD-}" ] || build_programs
  build_page
  npm_packages tests/e2e
  not_alone
  in_front node "$ROOT/tests/faults/$program" "$@"
}
