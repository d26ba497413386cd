import { hexToBytes, isHex, size, type Hex } from 'viem';

/** Deeper than any tree of addresses can be. */
const MAX_PROOF = 64;
/** A tree of a hundred thousand addresses has some 20 MB. */
export const MAX_TREE_BYTES = 32 * 1024 * 1024;

const isWord = (value: unknown): value is Hex => isHex(value) && size(value) === 32;

/**
 * Reads the proof that an address is on the list of a gate: hashes separated by anything, a JSON list of them, or the whole tree as
 * OpenZeppelin's StandardMerkleTree saves it, of which the proof is taken. An error says what is wrong. Whether it holds, the gate says.
 */
export function readProof(text: string, address: string): Hex[] {
  const trimmed = text.trim();
  if (trimmed === '') throw new Error('Paste the proof, or choose the file with it.');
  let content: unknown;
  try {
    content = JSON.parse(trimmed);
  } catch {
    content = trimmed.split(/[\s,;"'[\]]+/).filter((part) => part !== '');
  }
  if (Array.isArray(content)) return proofOf(content);
  if (typeof content === 'object' && content !== null) {
    if ('proof' in content && Array.isArray(content.proof)) return proofOf(content.proof);
    if ('tree' in content && 'values' in content) return proofFromTree(content.tree, content.values, address);
  }
  throw new Error('This is neither a proof (hashes of 32 bytes) nor a tree of addresses.');
}

function proofOf(items: readonly unknown[]): Hex[] {
  if (items.length > MAX_PROOF) throw new Error(`A proof has at most ${MAX_PROOF} hashes.`);
  const words = items.filter(isWord);
  if (words.length !== items.length)
    throw new Error('A proof is a list of hashes: 0x and 64 digits 0-9, a-f each.');
  return words.map((word) => word.toLowerCase() as Hex);
}

/** The tree is a list in which node i has the children 2i+1 and 2i+2; a leaf's proof are the siblings on its way up. */
function proofFromTree(tree: unknown, values: unknown, address: string): Hex[] {
  if (!Array.isArray(tree) || !Array.isArray(values) || !tree.every(isWord))
    throw new Error('This tree has another form than StandardMerkleTree saves.');
  const entry = values.find((one: unknown) => addressOf(one)?.toLowerCase() === address.toLowerCase()) as
    { treeIndex?: unknown } | undefined;
  if (!entry) throw new Error('Your address is not on this list.');
  const { treeIndex } = entry;
  if (
    typeof treeIndex !== 'number' ||
    !Number.isSafeInteger(treeIndex) ||
    treeIndex < 0 ||
    treeIndex >= tree.length
  )
    throw new Error('This tree names a place for your address that it does not have.');
  let at = treeIndex;
  const proof: Hex[] = [];
  while (at > 0) {
    const sibling: unknown = tree[at % 2 === 0 ? at - 1 : at + 1];
    if (!isWord(sibling)) throw new Error('This tree is not whole.');
    proof.push(sibling);
    at = Math.floor((at - 1) / 2);
  }
  return proof;
}

function addressOf(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null || !('value' in entry) || !Array.isArray(entry.value))
    return;
  const [first] = entry.value as unknown[];
  return typeof first === 'string' && isHex(first) && hexToBytes(first).length === 20 ? first : undefined;
}
