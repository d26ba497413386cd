#!/usr/bin/env bash
# Runs npm in app/ with a Node.js that is new enough, after installing what package-lock.json names. No script of a package runs.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  # Debian 12 has Node.js 18, which is too old.
  case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
  newer=../target/node
  if [ ! -x "$newer/node_modules/node-linux-$arch/bin/node" ]; then
    mkdir -p "$newer"
    npm install --prefix "$newer" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "node-linux-$arch@24.21.0"
  fi
  PATH="$(cd "$newer/node_modules/node-linux-$arch/bin" && pwd):$PATH"
fi
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  # Not `npm ci`: it wants the optional binaries of every other platform in the lock to be there.
  npm install --ignore-scripts --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
fi
exec npm "$@"
