import {
  TransactionNotFoundError,
  TransactionReceiptNotFoundError,
  type Address,
  type PublicClient,
} from 'viem';
import type { Sent } from './journal';

/** What became of a transaction. */
export type Outcome =
  /** In a block, and it did what it was for. */
  | { kind: 'done'; block: bigint }
  /** In a block, without effect. */
  | { kind: 'reverted'; block: bigint }
  /** Waits for a block. */
  | { kind: 'pending' }
  /** Another transaction of the account has its number: cancelled or sped up in the wallet. */
  | { kind: 'replaced' }
  /** The node knows nothing of it: it may be on another way, or was dropped. */
  | { kind: 'unknown' }
  /** The wallet's answer was lost with the page, and something of the account waits for a block. */
  | { kind: 'maybe' }
  /** The wallet's answer was lost with the page, and nothing of the account waits. */
  | { kind: 'lost' };

export type OutcomeClient = Pick<
  PublicClient,
  'getTransactionReceipt' | 'getTransaction' | 'getTransactionCount'
>;

/** Nothing more will come of it. */
export function isSettled({ kind }: Outcome): boolean {
  return kind === 'done' || kind === 'reverted' || kind === 'replaced';
}

/** Whether what it was for may be offered again: it ended, and without effect. */
export function isOver(outcome: Outcome | undefined): boolean {
  return outcome?.kind === 'reverted' || outcome?.kind === 'replaced';
}

/** Looks on the chain; errors of the connection are thrown, since they say nothing about the transaction. */
export async function lookAt(client: OutcomeClient, account: Address, sent: Sent): Promise<Outcome> {
  const { hash, nonce } = sent;
  if (hash === undefined) {
    const [mined, known] = await Promise.all([
      client.getTransactionCount({ address: account, blockTag: 'latest' }),
      client.getTransactionCount({ address: account, blockTag: 'pending' }),
    ]);
    return { kind: known > mined ? 'maybe' : 'lost' };
  }
  try {
    const { status, blockNumber } = await client.getTransactionReceipt({ hash });
    return { kind: status === 'success' ? 'done' : 'reverted', block: blockNumber };
  } catch (error) {
    if (!(error instanceof TransactionReceiptNotFoundError)) throw error;
  }
  try {
    await client.getTransaction({ hash });
    return { kind: 'pending' };
  } catch (error) {
    if (!(error instanceof TransactionNotFoundError)) throw error;
  }
  if (nonce !== undefined && (await client.getTransactionCount({ address: account })) > nonce) {
    return { kind: 'replaced' };
  }
  return { kind: 'unknown' };
}
