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

# The names of the tests that failed, one a line.
failed_tests() {
  python3 -B - "$TEST_BUILD/meson-logs/testlog.json" <<'END'
import json
import sys

for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    if test["result"] not in ("OK", "EXPECTEDFAIL", "SKIP"):
        print(test["name"].rpartition(" / ")[2])
END
}

# summary LOG...: counts the results that meson has left and says them as the last line. What failed
# at first and passed in a later log is named. Fails if a test has.
summary() {
  python3 -B - "$@" <<'END'
import json
import sys

results = {}
for log in sys.argv[1:]:
    for line in open(log, encoding="utf-8"):
        test = json.loads(line)
        name = test["name"].rpartition(" / ")[2]
        results.setdefault(name, []).append(test["result"])
good = ("OK", "EXPECTEDFAIL")
passed = [name for name, r in results.items() if r[-1] in good]
skipped = [name for name, r in results.items() if r[-1] == "SKIP"]
failed = [name for name in results if name not in passed and name not in skipped]
for name in skipped:
    print(f"skipped: {name}")
for name in passed:
    if len(results[name]) > 1:
        print(f"passed only at the second try: {name}")
for name in failed:
    print(f"failed: {name} ({results[name][-1].lower()})")
print(f"{len(passed)} passed, {len(failed)} failed")
sys.exit(1 if failed or not passed else 0)
END
}

# run_meson ARGUMENT...: what meson itself thinks of it stands in the list that it writes.
run_meson() {
  in_front meson test -C "$TEST_BUILD" --no-rebuild --print-errorlogs --timeout-multiplier 3 \
    "$@" || true
}

# run_suites [SUITE...]: all without a name. Real processes under load have bad moments: what failed
# is tried a second time, alone, and the summary says so.
run_suites() {
  local arguments=() suite failed log=$TEST_BUILD/meson-logs/testlog.json
  for suite in "$@"; do arguments+=(--suite "$suite"); done
  rm -f "$log" "$log.first"
  # The houses that tests start have sanitizers too.
  export CHAT_DEV_BUILD=$TEST_BUILD
  run_meson "${arguments[@]}"
  [ -e "$log" ] || fail "no such suite: $*"
  mapfile -t failed < <(failed_tests)
  if [ ${#failed[@]} -eq 0 ]; then
    summary "$log"
    return
  fi
  mv "$log" "$log.first"
  step "trying again: ${failed[*]}"
  run_meson --num-processes 1 "${failed[@]}"
  summary "$log.first" "$log"
}
