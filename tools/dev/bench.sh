# shellcheck shell=bash
# Measures a house of its own. To be sourced by dev.

BENCH_BUILD=$ROOT/build/bench

build_bench() {
  configure "$BENCH_BUILD" -Dbuildtype=debugoptimized -Dtests=false
  step "building as the package does"
  quietly ninja-bench ninja -C "$BENCH_BUILD" broker/chat-broker worker/chat-worker ctl/chatctl \
    bench/chat-bench tests/bench/floor tests/bench/bare
}

# house_for WORKERS FOLDER: starts one and waits until it is ready; its process is HOUSE.
house_for() {
  local env=$2/env
  rm -f "$env"
  CHAT_DEV_BUILD=$BENCH_BUILD house run --port 0 --workers "$1" --data "$2" --fresh \
    --conf "$ROOT/tests/bench/chat.conf" --print-env "$env" >"$ROOT/build/log/bench-house.log" 2>&1 &
  HOUSE=$!
  while [ ! -e "$env" ]; do
    kill -0 "$HOUSE" 2>/dev/null || fail "no house: see $ROOT/build/log/bench-house.log"
    sleep 0.1
  done
}

# A worker holds what its limit of descriptors lets.
workers_for() {
  local each
  each=$(ulimit -Hn)
  [ "$each" != unlimited ] || each=1000000
  echo $(($1 / (each * 9 / 10) + 2))
}

end_house() {
  kill -TERM "$HOUSE" 2>/dev/null || true
  wait "$HOUSE" 2>/dev/null || true
}

# bench [--quick] [--peers] [--connections N] [--messages N] [SECTION...]
bench() {
  local report=$ROOT/docs/BENCHMARKS.md workers=2 folder status=0
  local arguments=()
  while [ $# -gt 0 ]; do
    case $1 in
    --quick) report=$ROOT/build/bench/report.md ;;
    --peers) report=$ROOT/build/bench/peers.md ;;
    --connections)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || fail "--connections is a number"
      workers=$(workers_for "$2")
      report=$ROOT/docs/CONNECTIONS.md
      arguments+=("$1")
      shift
      ;;
    --messages)
      [[ ${2-} =~ ^[1-9][0-9]*$ ]] || fail "--messages is a number"
      arguments+=("$1")
      shift
      ;;
    -*) fail "bench has no option $1" ;;
    *) report=$ROOT/build/bench/report.md ;;
    esac
    arguments+=("$1")
    shift
  done
  alone
  need_packages "$HERE/packages/build.txt"
  build_bench
  build_page
  not_alone
  folder=/var/tmp/chat-bench-$(id -u)
  mkdir -p "$folder"
  step "starting a house with $workers workers"
  house_for "$workers" "$folder"
  trap 'end_house; end_child 130' INT
  trap 'end_house; end_child 143' TERM
  CHAT_DEV_BUILD=$BENCH_BUILD in_front python3 -B "$ROOT/tests/bench/run.py" --env "$folder/env" --data "$folder" \
    --bench "$BENCH_BUILD/bench/chat-bench" --floor "$BENCH_BUILD/tests/bench/floor" \
    --bare "$BENCH_BUILD/tests/bench/bare" --house "$HERE/house" \
    --folder "$BENCH_BUILD/results" --report "$report" "${arguments[@]}" || status=$?
  end_house
  [ "$status" -eq 0 ] || fail "not all was good"
  step "the report stands in ${report#"$ROOT"/}"
}
