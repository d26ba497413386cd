import { parseAbi, type Address, type Hex, type PublicClient } from 'viem';
import { NETWORK_ABI } from '../network/abi';
import { amountEach, blocksFor, BLOCKS_PER_DAY, days, PAID_BLOCKS_LIMIT } from '../network/fee';
import { readSubscription, type Subscription, type Terms } from '../network/read';
import type { ValidatorShares } from '../network/shares';
import { sameCommittee } from './committee';

/** What is read of the registry. A test holds it against `contracts/abi`. */
export const REGISTRY_ABI = parseAbi([
  'function committeeOf(bytes publicKey) view returns (address ownerAddress, uint32[] operatorIds)',
]);

/** What the contracts have of a validator now. */
export interface Held extends Subscription {
  /** Its committee; undefined when it is not registered. */
  operatorIds: readonly number[] | undefined;
}

export async function readHeld(
  client: PublicClient,
  network: Address,
  registry: Address,
  pubkey: Hex,
): Promise<Held> {
  const held = await readSubscription(client, network, pubkey);
  if (!held.registered) return { ...held, operatorIds: undefined };
  const [, operatorIds] = await client.readContract({
    address: registry,
    abi: REGISTRY_ABI,
    functionName: 'committeeOf',
    args: [pubkey],
  });
  return { ...held, operatorIds };
}

/** One validator of a reshare on its way to the new committee. */
export interface Move {
  shares: ValidatorShares;
  held: Held;
  /** `moved`: the contract has the new committee. `sent`: a transaction may do it yet. */
  state: 'moved' | 'sent' | 'open' | 'unregistered';
}

/** Where every validator is. What the contract says comes first, then what was sent from here. */
export function movesOf(
  shares: readonly ValidatorShares[],
  held: readonly Held[],
  taken: ReadonlySet<string>,
): Move[] {
  const found = new Map(held.map((one) => [one.pubkey, one]));
  const state = (one: Held, target: readonly number[]): Move['state'] => {
    if (one.operatorIds === undefined) return 'unregistered';
    if (sameCommittee(one.operatorIds, target)) return 'moved';
    return taken.has(one.pubkey) ? 'sent' : 'open';
  };
  return shares.flatMap((one) => {
    const known = found.get(one.pubkey);
    return known ? [{ shares: one, held: known, state: state(known, one.operatorIds) }] : [];
  });
}

/** Days of payment that are added with a move. */
export const EXTRA = [
  { days: 0, word: 'What is left' },
  { days: 30, word: '30 days more' },
  { days: 90, word: '90 days more' },
  { days: 180, word: '180 days more' },
  { days: 365, word: 'A year more' },
] as const;

/** What is paid with the move of one validator, in the smallest unit of the currency of fees. */
export function extraAmount({ operatorFee }: Terms, size: number, extraDays: number): bigint {
  return amountEach(operatorFee, size, BigInt(extraDays) * BLOCKS_PER_DAY);
}

/** Blocks that what is left and `amount` buy with the new committee, at the fee of today. */
export function blocksAfter({ refund }: Held, amount: bigint, { operatorFee }: Terms, size: number): bigint {
  return blocksFor(refund + amount, operatorFee, size);
}

/** What is left goes down with every block until the transaction is in one. */
const MARGIN_BLOCKS = 50n;

/** Why a validator cannot be moved with this amount; undefined when it can. The contract has both limits (`_quote`). */
export function moveFault(held: Held, amount: bigint, terms: Terms, size: number): string | undefined {
  const blocks = blocksAfter(held, amount, terms, size);
  if (blocks < terms.minimumBlocks + MARGIN_BLOCKS)
    return `What is left pays the new committee for ${days(blocks)} days, and the shortest period is ${days(terms.minimumBlocks)}: pay for more.`;
  if (blocks > PAID_BLOCKS_LIMIT) return 'The longest period is ten years: pay for less.';
  return undefined;
}

/** The call that gives a validator its new committee, with the shares that the new operators signed for. */
export function replacement(network: Address, { shares }: Move, amount: bigint, native: boolean) {
  return {
    address: network,
    abi: NETWORK_ABI,
    functionName: 'replaceValidator',
    args: [shares.pubkey, shares.operatorIds, shares.publicShares, shares.sealedShares, amount],
    ...(native && amount > 0n ? { value: amount } : {}),
  };
}
