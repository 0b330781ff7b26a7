#!/usr/bin/env bash
# The long forms of the runs of docs/reliability.md. The tests of every commit run the same, shorter.
#
#   scripts/reliability.sh [KILLS] [CUTS] [FLIPS] [SOAK_MINUTES]
#
# RELIABILITY_POWERFS: a program that mounts a file system which forgets what was not synced (tests/durable/power.rs).
set -euo pipefail
cd "$(dirname "$0")/.."
export RELIABILITY_KILLS=${1:-3000} RELIABILITY_CUTS=${2:-200} RELIABILITY_FLIPS=${3:-200} RELIABILITY_CREATIONS=1000
export RELIABILITY_TRIES=10000 RELIABILITY_JOBS=100000 RELIABILITY_STARTS=20 RELIABILITY_CANCELS=1000
export RELIABILITY_CALLERS=256
export RELIABILITY_UPLOAD_MIB=1024 RELIABILITY_UPLOAD_CUTS=100 RELIABILITY_WORKER_KILLS=1500 RELIABILITY_RESTARTS=20
minutes=${4:-60}

run() {
  local name=$1
  shift
  cargo test --release --test main "$name" -- --nocapture --test-threads=1 "$@"
}
run durable::latency
run durable::large
run door::tries --include-ignored
run durable::cancels
run durable::cut
run durable::callers
run durable::kills
run broker::kills
run broker::rolling
if [ -n "${RELIABILITY_POWERFS:-}" ]; then
  cargo test --release --test main durable::power -- --nocapture --ignored
fi

# The soak: every kind of fault strikes now and then, and the server is killed over it.
export RELIABILITY_FAULTS='fsync=/400,disk-full=/150,short-write=/170,device-lost=/40,out-of-memory=/60,slow-client=/500'
export RELIABILITY_KILLS=20
end=$((SECONDS + 60 * minutes))
while [ "$SECONDS" -lt "$end" ]; do
  export RELIABILITY_SEED=$RANDOM
  cargo test --release --features faults --test main durable::soak -- --nocapture --ignored
done
