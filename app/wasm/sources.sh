#!/usr/bin/env bash
# Prints the checksum of the code that app/src/verify/wasm is compiled from, as far as verification uses it: a test compares it with the
# committed one. Consensus, signing and duties are in the same crate, but not in the artefact.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C
{
  find protocol/core/src/certificate protocol/core/src/chain protocol/core/src/request protocol/crypto/src app/wasm/src -type f -name '*.rs' | sort
  for name in ceremony certificate committee deposit eip712 encoding network registry request; do echo "protocol/core/src/$name.rs"; done
  echo protocol/core/Cargo.toml protocol/crypto/Cargo.toml app/wasm/Cargo.toml | tr ' ' '\n'
} | xargs sha256sum | sha256sum | cut -d ' ' -f 1
