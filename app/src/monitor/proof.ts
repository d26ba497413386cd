import type { Hex } from 'viem';
import { leafOf, OtherTree, parseTree, proofAt } from './tree';

export interface RewardProof {
  cumulativeShares: bigint;
  proof: readonly Hex[];
}

const LEAF = [{ type: 'uint256' }, { type: 'uint256' }] as const;
const isNumber = (one: unknown) => /^\d{1,78}$/.test(String(one));

/**
 * A node operator's rewards and their proof, out of the tree that Lido's oracle publishes (`tree.json`, the standard Merkle tree of
 * OpenZeppelin). The proof is held against the root in the contract, so that a wrong file is found here and not by a transaction.
 */
export function rewardProof(text: string, nodeOperatorId: number, root: Hex): RewardProof {
  const tree = parseTree(text, 'rewards tree (tree.json)');
  if (!tree.values.every(({ value }) => value.length === 2 && value.every(isNumber)))
    throw new Error('The file is no rewards tree (tree.json).');
  const entry = tree.values.find(({ value }) => String(value[0]) === String(nodeOperatorId));
  if (!entry) {
    if (tree.tree[0] !== root.toLowerCase()) throw new OtherTree();
    throw new Error(`Node operator ${nodeOperatorId} has no rewards in this tree yet.`);
  }
  const cumulativeShares = BigInt(String(entry.value[1]));
  const leaf = leafOf(LEAF, [BigInt(nodeOperatorId), cumulativeShares]);
  return { cumulativeShares, proof: proofAt(tree, entry.treeIndex, leaf, root) };
}
