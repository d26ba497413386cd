#!/usr/bin/env bash
# Runs every fuzz target, or those named in TARGETS, for SECONDS_EACH seconds, starting from genuine inputs.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_EACH:-60}
if ! cargo fuzz --version >/dev/null 2>&1; then
  cargo install cargo-fuzz --locked --quiet --root target/tools
  export PATH="$PWD/target/tools/bin:$PATH"
fi
cargo run --quiet --locked -p cluster-fuzz-bodies --example write_seeds -- fuzz/corpus

# The sanitizers are behind a flag of nightly compilers; the stable one has them too. Not set above: it would make cargo
# build everything outside of this folder again.
export RUSTC_BOOTSTRAP=1
cargo fuzz build --fuzz-dir fuzz
for target in ${TARGETS:-$(cargo fuzz list --fuzz-dir fuzz)}; do
  echo "fuzzing $target for $seconds s"
  cargo fuzz run --fuzz-dir fuzz "$target" -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=16384 \
    -print_final_stats=1
done
