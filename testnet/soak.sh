#!/usr/bin/env bash
# Duties on a real beacon chain with every kind of fault, one run after the other; about 80 minutes. Then trouble with the execution chain. Ends with the first run that
# falls short, and leaves its files.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/cluster-testnet}
out=${2:-target/soak}

runs=(
  "--preset mainnet --slot-seconds 12 --validators 64 --epochs 4"
  "--fork electra"
  "--fork fulu --split"
  "--fork transition --operators 7"
  "--stop 3@1"
  "--byzantine 2:wrong-partials"
  "--byzantine 2:equivocating-votes"
  "--byzantine 2:other-fee-recipient"
  "--byzantine 2:slashable-attestation"
  "--byzantine 2:silent"
  "--one-way 1:3"
  "--latency-ms 150 --loss 0.02 --slot-seconds 6"
  "--rolling-restart --epochs 6"
  "--restart-beacon 1"
  "--second-beacon --restart-beacon 1"
  "--second-beacon --kill-beacon 1"
)
for flags in "${runs[@]}"; do
  echo "== cluster-testnet duties $flags"
  # shellcheck disable=SC2086  # the flags are words
  "$program" duties --beacon lodestar --out "$out" $flags
done
echo "== cluster-testnet chain-trouble"
"$program" chain-trouble --rounds 8 --garbage 1000 --out "$out/chain-trouble"
echo "all ${#runs[@]} runs reached what their faults allow"
