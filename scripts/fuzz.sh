#!/usr/bin/env bash
# Every fuzz target for some seconds each, with coverage of this workspace alone: what it depends on is compiled as
# usual, so that neither nightly Rust nor cargo-fuzz is needed.
#
#     bash scripts/fuzz.sh SECONDS [TARGET…]
#
# Inputs and a log of each target lie in target/fuzz. Ends with 1 if an input ended a target.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly seconds=${1:?SECONDS for each target} work=$PWD/target/fuzz
shift
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)
mkdir -p "$work"

# Programs that run while others are compiled have no libFuzzer to count for.
cat > "$work/rustc" << 'WRAPPER'
#!/usr/bin/env bash
case " $* " in
  *' proc-macro '* | *' --crate-name build_script_build '*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
WRAPPER
chmod +x "$work/rustc"
bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
RUSTC_WORKSPACE_WRAPPER=$work/rustc cargo build --release --locked --package dosegrid-fuzz "${bins[@]}" \
  --target-dir "$work/build" \
  --config 'profile.release.package.dosegrid.opt-level=1' --config 'profile.release.package.dosegrid.codegen-units=64'

status=0
for target in "${targets[@]}"; do
  mkdir -p "$work/$target"
  inputs=("$work/$target")
  [ ! -d "fuzz/seeds/$target" ] || inputs+=("fuzz/seeds/$target")
  log=$work/$target.log
  "$work/build/release/$target" "${inputs[@]}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 \
    -print_final_stats=1 -artifact_prefix="$work/$target-" > "$log" 2>&1 || status=1
  counters=$(sed -n 's/.*(\([0-9]*\) inline 8-bit counters).*/\1/p' "$log" | head -n 1)
  met=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  ran=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$target: ${ran:-?} inputs, ${met:-?} of ${counters:-?} counters"
done
[ $status = 0 ] || echo "an input ended a target: $work"
exit $status
