#!/usr/bin/env bash
# Deploys everything on a chain of anvil's with the deployment script, looks whether it is there, and that chains with real money get no unsafe deployment.
set -euo pipefail
cd "$(dirname "$0")/.."

# The first account of anvil's well-known test mnemonic.
key=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
deployer=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
admin=0x70997970C51812dc3A010C7d01b50e0d17dc79C8
anvil_pid=
mkdir -p cache
trap '[ -z "$anvil_pid" ] || kill "$anvil_pid" 2>/dev/null || true' EXIT

# Starts anvil with chain id `$1`; its URL is in `url` afterwards.
start_anvil() {
  [ -z "$anvil_pid" ] || kill "$anvil_pid"
  local port
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
  url=http://127.0.0.1:$port
  # Without blocks by time, anvil lets a transaction wait for the next one when it found no room in a block; forge then waits for ever.
  ./tool anvil --port "$port" --chain-id "$1" --block-time 1 --mixed-mining --silent &
  anvil_pid=$!
  for _ in $(seq 150); do
    if ./tool cast chain-id --rpc-url "$url" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "deploy: anvil does not answer" >&2
  exit 1
}

deploy() { timeout 600 ./forge script script/Deploy.s.sol --rpc-url "$url" --broadcast --private-key "$key" >cache/deploy.log 2>&1; }
call() { ./tool cast call --rpc-url "$url" "$@"; }
address() { node -p "JSON.parse(require('fs').readFileSync('deployments/check.json', 'utf8')).$1"; }

expect() {
  if [ "$2" != "$3" ]; then
    echo "deploy: $1 is $2, not $3" >&2
    exit 1
  fi
}

export DEPLOYMENT_FILE=deployments/check.json
start_anvil 31337
if ! CSM_DOUBLE=true ADMIN=$admin OPERATOR_FEE=1000 deploy; then
  cat cache/deploy.log >&2
  exit 1
fi
expect "fee with the network's" "$(call "$(address network)" 'operatorFee(bool)(uint256)' true)" 1100
expect "registry of the network" "$(call "$(address network)" '_SafeStakeRegistryContract()(address)')" "$(address registry)"
expect "registry of the cluster node" "$(call "$(address clusterNode)" 'registry()(address)')" "$(address registry)"
for contract in registry network clusterNode operatorConfig storage; do
  expect "admin of $contract" "$(call "$(address $contract)" 'hasRole(bytes32,address)(bool)' "$(./tool cast keccak A)" $admin)" true
  for role in A B C; do
    expect "$role of the deployer in $contract" \
      "$(call "$(address $contract)" 'hasRole(bytes32,address)(bool)' "$(./tool cast keccak $role)" $deployer)" false
  done
done
expect "bond of a key" "$(call "$(address csm.accounting)" 'getBondAmountByKeysCount(uint256,uint256)(uint256)' 1 0 | cut -d' ' -f1)" 2400000000000000000

start_anvil 1
for wanted in PROXY_OWNER ADMIN; do
  export "$wanted=$admin"
  if [ "$wanted" = PROXY_OWNER ]; then missing=ADMIN; else missing=PROXY_OWNER; fi
  if deploy || ! grep -q "SettingNeeded(\"$missing\")" cache/deploy.log; then
    echo "deploy: without $missing a chain with real money is refused, but was not:" >&2
    tail -n 5 cache/deploy.log >&2
    exit 1
  fi
  unset "$wanted"
done
if PROXY_OWNER=$admin ADMIN=$admin CSM_DOUBLE=true deploy || ! grep -q 'NoDoubleOnThisChain' cache/deploy.log; then
  echo "deploy: the CSM double is refused on mainnet, but was not" >&2
  exit 1
fi
echo "deploy: everything is in place on anvil, and mainnet gets no unsafe deployment"
