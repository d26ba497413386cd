#!/usr/bin/env bash
# Prints how much of the sources the tests run, and fails below 95 % of lines. Without the optimizer, as forge measures it; `--ir-minimum` is not
# needed (and with solc-js it takes minutes and reports lines that were optimised away).
set -euo pipefail
cd "$(dirname "$0")/.."

report=cache/coverage.txt
mkdir -p cache
# The gas tests measure optimised code.
FOUNDRY_OUT=cache/coverage-out FOUNDRY_CACHE_PATH=cache/coverage ./forge coverage --no-match-coverage 'test/|script/' \
  --no-match-contract GasTest --report summary >"$report" 2>&1 || { cat "$report" >&2; exit 1; }
grep -E '^\| (src|Total)' "$report" | awk -F'|' '{ print "coverage: " $2 $3 }'
lines=$(grep -E '^\| Total' "$report" | grep -oE '[0-9]+\.[0-9]+%' | head -n 1 | tr -d '%')
if ! awk -v lines="$lines" 'BEGIN { exit !(lines > 95) }'; then
  echo "coverage: $lines % of lines; 95 are needed" >&2
  exit 1
fi
