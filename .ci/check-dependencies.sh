#!/usr/bin/env bash
# The direction of dependencies (ARCHITECTURE.md): crypto <- core <- net <- node <- testnet; service uses core, bootstrap uses net.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
complain() { echo "dependencies: $*" >&2; failed=1; }

# Names of the packages that `$1` depends on; `$2` and further are passed on to cargo tree.
dependencies() {
  cargo tree --locked --package "$1" --all-features --prefix none --format '{p}' "${@:2}" | tail -n +2 | awk '{ print $1 }' | sort -u
}

# `$1` may depend on the packages of this project named after it, and on no others of them.
only() {
  local package=$1 allowed=" ${*:2} " name
  for name in $(dependencies "$package" --edges normal,build --depth 1 | grep '^cluster-' || true); do
    [[ $allowed == *" $name "* ]] || complain "$package must not depend on $name"
  done
}

# Nothing but `$2` and further may depend on package `$1` directly.
private() {
  local package=$1 allowed=" ${*:2} " manifest name
  for manifest in protocol/*/Cargo.toml {node,bootstrap,service,testnet,benches,app/wasm}/Cargo.toml; do
    name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
    if grep -qE "^$package([. =]|$)" "$manifest" && [[ $allowed != *" $name "* ]]; then
      complain "$name must not use $package, which belongs to$allowed"
    fi
  done
}

only cluster-crypto
only cluster-core cluster-crypto
only cluster-net cluster-core cluster-crypto
only cluster-node cluster-net cluster-core cluster-crypto
only cluster-service cluster-core cluster-crypto
only cluster-app-verify cluster-core cluster-crypto
only cluster-bootstrap cluster-net cluster-core cluster-crypto
private blst cluster-crypto
private bincode cluster-core
private sled cluster-node
private ethers cluster-node cluster-service cluster-testnet

# Machines perform no IO, keep no time and write no logs: what would let them is not even compiled.
forbidden='^(tokio|async-std|libp2p|sled|ethers|tracing|log)(-.*)?$'
for package in cluster-crypto cluster-core; do
  for name in $(dependencies "$package" --edges normal,build | grep -E "$forbidden" || true); do
    complain "$package must not depend on $name, not even through others: cargo tree --package $package --invert $name"
  done
done
for name in $(dependencies cluster-service --edges normal,build | grep -E '^(cluster-net|libp2p)(-.*)?$' || true); do
  complain "cluster-service must not depend on $name, not even through others"
done

exit "$failed"
