import { encodeAbiParameters, isHex, keccak256, size, concat, type Hex } from 'viem';

/** Leaves of the tree, at most: CSM has some thousand node operators. */
const MOST = 1_000_000;

export interface RewardProof {
  cumulativeShares: bigint;
  proof: readonly Hex[];
}

/**
 * A node operator's rewards and their proof, out of the tree that Lido's oracle publishes (`tree.json`, the standard Merkle tree of
 * OpenZeppelin). The proof is held against the root in the contract, so that a wrong file is found here and not by a transaction.
 */
export function rewardProof(text: string, nodeOperatorId: number, root: Hex): RewardProof {
  const { tree, values } = parse(text);
  const entry = values.find(({ value }) => String(value[0]) === String(nodeOperatorId));
  if (!entry) throw new Error(`Node operator ${nodeOperatorId} has no rewards in this tree yet.`);
  const cumulativeShares = BigInt(entry.value[1]);
  const proof: Hex[] = [];
  let hash = leaf(nodeOperatorId, cumulativeShares);
  if (tree[entry.treeIndex] !== hash) throw new Error('The tree has another leaf for this node operator.');
  for (let at = entry.treeIndex; at > 0; at = Math.floor((at - 1) / 2)) {
    const sibling = tree[at % 2 === 0 ? at - 1 : at + 1];
    if (sibling === undefined) throw new Error('The tree is not whole.');
    proof.push(sibling);
    hash = hash < sibling ? keccak256(concat([hash, sibling])) : keccak256(concat([sibling, hash]));
  }
  if (hash !== root.toLowerCase()) {
    throw new Error('This is another tree than the one that the contract names: fetch the latest.');
  }
  return { cumulativeShares, proof };
}

function leaf(id: number, shares: bigint): Hex {
  return keccak256(
    keccak256(encodeAbiParameters([{ type: 'uint256' }, { type: 'uint256' }], [BigInt(id), shares])),
  );
}

interface Tree {
  tree: readonly Hex[];
  values: readonly { value: readonly [number | string, number | string]; treeIndex: number }[];
}

function parse(text: string): Tree {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON.');
  }
  const wrong = new Error('The file is no rewards tree (tree.json).');
  if (typeof read !== 'object' || read === null) throw wrong;
  const { tree, values } = read as Record<string, unknown>;
  if (!Array.isArray(tree) || !Array.isArray(values) || tree.length > 2 * MOST) throw wrong;
  if (!tree.every((one): one is Hex => isHex(one) && size(one) === 32)) throw wrong;
  if (!values.every(isValue)) throw wrong;
  return { tree: tree.map((one) => one.toLowerCase() as Hex), values };
}

function isValue(value: unknown): value is Tree['values'][number] {
  if (typeof value !== 'object' || value === null) return false;
  const { value: pair, treeIndex } = value as Record<string, unknown>;
  return (
    Number.isSafeInteger(treeIndex) &&
    Array.isArray(pair) &&
    pair.length === 2 &&
    pair.every((one) => /^\d{1,78}$/.test(String(one)))
  );
}
