# shellcheck shell=bash
# Runs the tests of a build with sanitizers. To be sourced by dev.

TEST_BUILD=$ROOT/build/test

build_tests() {
  local folder
  # -O1: sanitizers slow compilers down, and -O2 doubles that.
  configure "$TEST_BUILD" -Db_sanitize=address,undefined -Doptimization=1 --werror
  step "building with sanitizers"
  quietly ninja-test ninja -C "$TEST_BUILD"
  for folder in web tests/e2e tests/browser; do
    if [ -e "$ROOT/$folder/package-lock.json" ]; then npm_packages "$folder"; fi
  done
}

# Counts the results that meson has left and says them as the last line. Fails if a test has.
summary() {
  python3 -B - "$TEST_BUILD/meson-logs/testlog.json" <<'END'
import json
import sys

results = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
passed = [t for t in results if t["result"] in ("OK", "EXPECTEDFAIL")]
skipped = [t for t in results if t["result"] == "SKIP"]
failed = [t for t in results if t not in passed and t not in skipped]
for test in skipped:
    print(f"skipped: {test['name']}")
for test in failed:
    print(f"failed: {test['name']} ({test['result'].lower()})")
print(f"{len(passed)} passed, {len(failed)} failed")
sys.exit(1 if failed or not passed else 0)
END
}

# run_suites [SUITE...]: all without a name.
run_suites() {
  local arguments=() suite
  for suite in "$@"; do arguments+=(--suite "$suite"); done
  rm -f "$TEST_BUILD/meson-logs/testlog.json"
  # The houses that tests start have sanitizers too.
  export CHAT_DEV_BUILD=$TEST_BUILD
  # What meson itself thinks of it stands in the list that summary reads.
  in_front meson test -C "$TEST_BUILD" --no-rebuild --print-errorlogs \
    --timeout-multiplier 3 "${arguments[@]}" || true
  [ -e "$TEST_BUILD/meson-logs/testlog.json" ] || fail "no such suite: $*"
  summary
}
