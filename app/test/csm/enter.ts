import { encodeFunctionData, parseAbi, zeroAddress, type Address } from 'viem';
import { readBond } from '../../src/csm/bond';
import { keysCall } from '../../src/csm/call';
import { readProof } from '../../src/csm/proof';
import { madeBy } from '../../src/csm/queue/evidence';
import type { GateKind, Target } from '../../src/csm/queue/types';
import { treeOf } from '../merkle';
import { ADMIN, type TestWallet, type World } from './chain';

const GATE = parseAbi(['function setTreeParams(bytes32, string)']);

export const newTarget = (
  gate: GateKind,
  proof: readonly `0x${string}`[] = [],
): Extract<Target, { kind: 'new' }> => ({
  kind: 'new',
  gate,
  manager: zeroAddress,
  reward: zeroAddress,
  extended: false,
  referrer: zeroAddress,
  proof,
});

/** Sends and waits; throws what the contract refuses with. */
export async function send(
  chain: World,
  wallet: TestWallet,
  call: { to: Address; data: `0x${string}`; value: bigint },
) {
  const account = wallet.account.address;
  const gas = await chain.client.estimateGas({ account, ...call });
  const hash = await wallet.sendTransaction({ ...call, gas });
  return chain.client.waitForTransactionReceipt({ hash });
}

/** A node operator with so many keys. */
export async function enter(chain: World, wallet: TestWallet, keys: number) {
  const bond = await readBond(chain.client, chain.contracts, { curveId: 0n }, 'eth', keys);
  const call = keysCall(
    chain.contracts,
    wallet.account.address,
    newTarget('permissionless'),
    'eth',
    chain.newKeys(keys),
    bond,
  );
  const receipt = await send(chain, wallet, call);
  const [id] = madeBy(chain.contracts.module, receipt);
  return { id: id ?? -1n, receipt };
}

/** Puts a list with this address on a gate. */
export async function list(chain: World, gate: GateKind, address: Address) {
  const tree = treeOf([address, ADMIN, chain.contracts.module]);
  const at = chain.contracts.gates.find((one) => one.kind === gate);
  const data = encodeFunctionData({
    abi: GATE,
    functionName: 'setTreeParams',
    args: [tree.tree[0] ?? '0x', 'cid'],
  });
  await chain.asAdmin(at?.address ?? '0x', data);
  return readProof(JSON.stringify(tree), address);
}
