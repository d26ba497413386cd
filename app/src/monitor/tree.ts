import { concat, encodeAbiParameters, isHex, keccak256, size, type AbiParameter, type Hex } from 'viem';

/** Larger than the tree of a hundred thousand node operators. */
export const MOST_BYTES = 64 * 1024 * 1024;
/** Nodes of a tree, at most. */
const MOST_NODES = 2_000_000;

/** A tree as OpenZeppelin's StandardMerkleTree saves it: node i has the children 2i+1 and 2i+2, and node 0 is the root. */
export interface Tree {
  tree: readonly Hex[];
  values: readonly { value: readonly unknown[]; treeIndex: number }[];
}

/** Reads a tree from the text of a file; `what` names it in the error. */
export function parseTree(text: string, what: string): Tree {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON.');
  }
  const wrong = new Error(`The file is no ${what}.`);
  if (typeof read !== 'object' || read === null) throw wrong;
  const { tree, values } = read as Record<string, unknown>;
  if (!Array.isArray(tree) || !Array.isArray(values) || tree.length > MOST_NODES) throw wrong;
  if (!tree.every((one): one is Hex => isHex(one) && size(one) === 32)) throw wrong;
  const held = values.map(entryOf);
  if (!held.every((one) => one !== undefined && one.treeIndex < tree.length)) throw wrong;
  return { tree: tree.map((one) => one.toLowerCase() as Hex), values: held as Tree['values'] };
}

function entryOf(entry: unknown): Tree['values'][number] | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { value, treeIndex } = entry as Record<string, unknown>;
  if (!Array.isArray(value) || !Number.isSafeInteger(treeIndex) || (treeIndex as number) < 0)
    return undefined;
  return { value, treeIndex: treeIndex as number };
}

/** Hashed twice, so that no leaf can be taken for a node. */
export function leafOf(types: readonly AbiParameter[], value: readonly unknown[]): Hex {
  return keccak256(keccak256(encodeAbiParameters(types, value)));
}

function parentOf(a: Hex, b: Hex): Hex {
  return a < b ? keccak256(concat([a, b])) : keccak256(concat([b, a]));
}

/** The siblings on the way from a leaf to the root, held against the root in the contract: a wrong file is found here. */
export function proofAt({ tree }: Tree, treeIndex: number, leaf: Hex, root: Hex): Hex[] {
  if (tree[treeIndex] !== leaf) throw new Error('The tree has another leaf at this place.');
  const proof: Hex[] = [];
  let hash = leaf;
  for (let at = treeIndex; at > 0; at = Math.floor((at - 1) / 2)) {
    const sibling = tree[at % 2 === 0 ? at - 1 : at + 1];
    if (sibling === undefined) throw new Error('The tree is not whole.');
    proof.push(sibling);
    hash = parentOf(hash, sibling);
  }
  if (hash !== root.toLowerCase()) throw new OtherTree();
  return proof;
}

/** The file belongs to another report than the one in the contract. */
export class OtherTree extends Error {
  override readonly name = 'OtherTree';
  constructor() {
    super('This is another tree than the one that the contract names: fetch the latest.');
  }
}

/**
 * Holds the whole tree against the root: every node is made of its children, and every leaf of a value. Only then does a value that is
 * not there say something.
 */
export function requireWhole(
  { tree, values }: Tree,
  leaf: (value: readonly unknown[]) => Hex,
  root: Hex,
): void {
  if (tree[0] !== root.toLowerCase()) throw new OtherTree();
  const broken = new Error('The tree is not whole.');
  const nodes = (tree.length - 1) / 2;
  if (!Number.isInteger(nodes) || values.length !== nodes + 1) throw broken;
  for (let at = 0; at < nodes; at += 1) {
    const [left, right] = [tree[2 * at + 1], tree[2 * at + 2]];
    if (left === undefined || right === undefined || tree[at] !== parentOf(left, right)) throw broken;
  }
  const places = new Set<number>();
  for (const { value, treeIndex } of values) {
    if (treeIndex < nodes || tree[treeIndex] !== leaf(value)) throw broken;
    places.add(treeIndex);
  }
  if (places.size !== values.length) throw broken;
}
