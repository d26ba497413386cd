import { isHex, size, type Hex } from 'viem';
import { leafOf, parseTree, requireWhole } from './tree';

/** Strikes of a validator, one number for each frame that still counts. */
export type Frames = readonly number[];
/** By key in lower case. A key that is not there has no strikes. */
export type Strikes = ReadonlyMap<string, Frames>;

const LEAF = [{ type: 'uint256' }, { type: 'bytes' }, { type: 'uint256[]' }] as const;
/** Frames of a leaf, at most: strikes are forgotten after some six. */
const MOST_FRAMES = 64;
const WHAT = 'tree of strikes';

/** A root that says that the oracle has reported no strikes of anybody. */
export const isEmptyRoot = (root: Hex) => /^0x0*$/.test(root);

/**
 * The strikes of a node operator's validators, out of the tree that Lido's performance oracle publishes. The whole tree is held against the
 * root in the contract, so that a key which is left out is one without strikes.
 */
export function strikesOf(text: string, nodeOperatorId: number, root: Hex): Strikes {
  const tree = parseTree(text, WHAT);
  const leaf = (value: readonly unknown[]) => {
    const { id, pubkey, frames } = valueOf(value);
    return leafOf(LEAF, [id, pubkey, frames.map(BigInt)]);
  };
  requireWhole(tree, leaf, root);
  const own = tree.values
    .map(({ value }) => valueOf(value))
    .filter(({ id }) => id === BigInt(nodeOperatorId));
  return new Map(own.map(({ pubkey, frames }) => [pubkey.toLowerCase(), frames]));
}

function valueOf([id, pubkey, frames]: readonly unknown[]): { id: bigint; pubkey: Hex; frames: number[] } {
  const wrong = new Error(`The file is no ${WHAT}.`);
  if (!/^\d{1,20}$/.test(String(id)) || !isHex(pubkey) || size(pubkey) !== 48) throw wrong;
  if (!Array.isArray(frames) || frames.length > MOST_FRAMES) throw wrong;
  if (!frames.every((one): one is number => Number.isSafeInteger(one) && one >= 0)) throw wrong;
  return { id: BigInt(String(id)), pubkey, frames };
}

/** All strikes that count, as the contract sums them. */
export function sumOf(frames: Frames | undefined): number {
  return (frames ?? []).reduce((sum, one) => sum + one, 0);
}
