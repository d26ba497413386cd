import { concat, encodeAbiParameters, keccak256, type AbiParameter, type Address, type Hex } from 'viem';

const pair = (a: Hex, b: Hex) => keccak256(concat(BigInt(a) < BigInt(b) ? [a, b] : [b, a]));

/** A tree in the form that OpenZeppelin's StandardMerkleTree saves, built the way it does. */
export function treeOfValues(types: readonly string[], values: readonly (readonly unknown[])[]) {
  const parameters = types.map((type): AbiParameter => ({ type }));
  const leaves = values
    .map((value) => ({ value, hash: keccak256(keccak256(encodeAbiParameters(parameters, value))) }))
    .sort((a, b) => (BigInt(a.hash) < BigInt(b.hash) ? -1 : 1));
  const size = 2 * leaves.length - 1;
  const tree: Hex[] = Array.from({ length: size }, () => '0x');
  leaves.forEach(({ hash }, at) => (tree[size - 1 - at] = hash));
  for (let at = size - 1 - leaves.length; at >= 0; at -= 1)
    tree[at] = pair(tree[2 * at + 1] ?? '0x', tree[2 * at + 2] ?? '0x');
  const entries = leaves.map(({ value }, at) => ({ value, treeIndex: size - 1 - at }));
  return { format: 'standard-v1', leafEncoding: types, tree, values: entries };
}

/** The tree of a gate's list of addresses. */
export const treeOf = (addresses: readonly Address[]) =>
  treeOfValues(
    ['address'],
    addresses.map((value) => [value]),
  );

/** The root that a proof leads to. */
export const verify = (leaf: Hex, proof: readonly Hex[]) => proof.reduce(pair, leaf);
