#!/usr/bin/env bash
# The long forms of the runs of docs/reliability.md. The tests of every commit run the same, shorter.
#
#   scripts/reliability.sh [TRIAL…]
#
# All trials, or those that are named: latency large tries cancels cut callers kills flips broker rolling memory power
# soak. At the end come the figures as a table for docs/reliability.md; what was stopped or failed stands in it too.
#
# RELIABILITY_MINUTES  begin no round of a trial after so many (60); a trial is stopped 15 minutes later
# RELIABILITY_OUT      where logs and table go (target/reliability)
# RELIABILITY_POWERFS  a program that mounts a file system which forgets what was not synced (tests/durable/power.rs)
# Any other RELIABILITY_… of the tests: how often, for how many.
set -euo pipefail
cd "$(dirname "$0")/.."
default() { export "$1=${!1:-$2}"; }
default RELIABILITY_MINUTES 60
default RELIABILITY_SEED $RANDOM
default RELIABILITY_KILLS 3000
default RELIABILITY_FLIPS 200
default RELIABILITY_CUTS 200
default RELIABILITY_CREATIONS 1000
default RELIABILITY_STARTS 20
default RELIABILITY_TRIES 10000
default RELIABILITY_JOBS 100000
default RELIABILITY_CANCELS 1000
default RELIABILITY_CALLERS 256
default RELIABILITY_UPLOAD_MIB 1024
default RELIABILITY_UPLOAD_CUTS 100
default RELIABILITY_WORKER_KILLS 1200
default RELIABILITY_RESTARTS 20
default RELIABILITY_MEMORY_MINUTES 60
default RELIABILITY_SOAKS 1000
default RELIABILITY_FAULTS \
  'fsync=/400,disk-full=/150,short-write=/170,device-lost=/40,out-of-memory=/60,slow-client=/500'
out=${RELIABILITY_OUT:-target/reliability}
mkdir -p "$out"
table=$out/table.md
printf '%s, %s cores, load %s\n\n| trial | how often | what was found |\n|---|---|---|\n' \
  "$(date +%F)" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)" >"$table"

# run NAME TEST [FLAG OF CARGO…] [-- FLAG OF THE TEST…]: one trial, with a limit.
run() {
  local name=$1 test=$2 log=$out/$1.log status=0 cargo_flags=()
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    cargo_flags+=("$1")
    shift
  done
  # What is built does not count.
  cargo test --release "${cargo_flags[@]}" --test main --no-run
  timeout --kill-after=30 $(((RELIABILITY_MINUTES + 15) * 60)) \
    cargo test --release "${cargo_flags[@]}" --test main "$test" -- --nocapture --test-threads=1 "${@:2}" 2>&1 |
    tee "$log" || status=$?
  grep '^| ' "$log" >>"$table" || true
  case $status in
    0) ;;
    124 | 137) echo "| $name, stopped by its limit | | $(grep ' after ' "$log" | tail -1) |" >>"$table" ;;
    *) echo "| $name, **failed**: see $log | | $(grep ' after ' "$log" | tail -1) |" >>"$table" ;;
  esac
}

for trial in "${@:-latency large tries cancels cut callers kills flips broker rolling memory power soak}"; do
  for name in $trial; do
    case $name in
      latency | large | cancels | cut | callers | memory) run "$name" "durable::$name" ;;
      kills) run kills durable::kills::kills ;;
      flips) run flips durable::kills::a_flipped ;;
      tries) run tries door::tries -- --include-ignored ;;
      broker) run broker broker::kills ;;
      rolling) run rolling broker::rolling ;;
      power)
        if [ -n "${RELIABILITY_POWERFS:-}" ]; then
          run power durable::power -- --ignored
        else
          echo '| power cuts | 0 | RELIABILITY_POWERFS is not set |' >>"$table"
        fi
        ;;
      # Every kind of fault strikes now and then, and the server is killed over it.
      soak) run soak durable::soak --features faults -- --ignored ;;
      *) echo "no trial $name" >&2 && exit 2 ;;
    esac
  done
done
echo
cat "$table"
! grep -q 'failed\*\*' "$table"
