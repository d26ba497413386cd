#!/usr/bin/env bash
# Compiles this crate to WebAssembly and writes app/src/verify/wasm/. Needs Debian's compiler for the web, which brings the
# source of its standard library (apt-get install rustc-web cargo-web rust-web-src clang-19 lld-19 llvm-19), and wasm-bindgen in the version
# of Cargo.lock, which is installed to target/tools when it is not there. Why the result is committed: docs/adr/0024.
set -euo pipefail
cd "$(dirname "$0")/../.."

for file in /usr/bin/rustc /usr/bin/cargo /usr/lib/rustlib/src/rust/library/Cargo.lock /usr/bin/clang-19 /usr/bin/wasm-ld-19 /usr/bin/llvm-ar-19; do
  [ -e "$file" ] || { echo "$file is missing: apt-get install rustc-web cargo-web rust-web-src clang-19 lld-19 llvm-19" >&2; exit 1; }
done
version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
bindgen=target/tools/bin/wasm-bindgen
if [ "$("$bindgen" --version 2>/dev/null || true)" != "wasm-bindgen $version" ]; then
  cargo install wasm-bindgen-cli --version "$version" --locked --quiet --root target/tools
fi

# Two compilers' artefacts do not share a folder. blst's C code is compiled without assembler; the standard library is
# compiled along, because Debian ships none for this target.
out=target/wasm
# Paths of this machine do not get into the artefact.
flags="--remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=/usr/lib/rustlib/src/rust=rust -C linker=wasm-ld-19"
RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$flags" \
  CC_wasm32_unknown_unknown=clang-19 AR_wasm32_unknown_unknown=llvm-ar-19 CFLAGS_wasm32_unknown_unknown=-ffile-prefix-map="$PWD"=. \
  /usr/bin/cargo build --locked --package cluster-app-verify --lib --profile wasm --target wasm32-unknown-unknown \
  -Zbuild-std=std,panic_abort --target-dir "$out"
"$bindgen" --target web --remove-name-section --remove-producers-section --out-dir app/src/verify/wasm --out-name verify "$out/wasm32-unknown-unknown/wasm/cluster_app_verify.wasm"
bash app/wasm/sources.sh > app/src/verify/wasm/sources.sha256
ls -l app/src/verify/wasm
