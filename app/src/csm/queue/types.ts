import type { Address, Hex } from 'viem';

/**
 * The queue of batches that an account brings to CSM, as a pure machine: it asks nobody and keeps nothing. The module takes a key twice
 * without a word, so everything here serves one rule: **while a transaction that carries a key may still be mined, no other is made with it.**
 *
 * planned ─ask→ asked ─sent→ sent ─evidence→ submitted
 *    ↑            └──────────┴─ only when it is proven that the transaction will never be mined ─┘
 */
export type BatchState = 'planned' | 'asked' | 'sent' | 'submitted';

export type Token = 'eth' | 'steth' | 'wsteth';
export type GateKind = 'permissionless' | 'ics' | 'idvtc';

/** Whose keys they will be. */
export type Target =
  | { kind: 'existing'; nodeOperatorId: string }
  | {
      kind: 'new';
      gate: GateKind;
      manager: Address;
      reward: Address;
      extended: boolean;
      referrer: Address;
      proof: readonly Hex[];
    }
  /** The node operator that this batch makes. */
  | { kind: 'made'; batchId: string };

export interface QueuedKey {
  pubkey: Hex;
  /** Where its deposit data are fetched and verified again before it is sent. */
  ceremonyId: string;
}

/** One question to the wallet. */
export interface Attempt {
  /** Number of the transaction, as far as it is known; `certain` once the transaction itself was seen. */
  nonce: number;
  certain: boolean;
  /** Height of the chain when the wallet was asked. */
  block: number;
  /** Unix milliseconds. */
  askedAt: number;
  /** Of the transaction and of those that replaced it. */
  hashes: readonly Hex[];
}

/** Why an attempt ended without the keys in the module. */
export type Ending = 'declined' | 'reverted' | 'replaced' | 'denied';

export interface Batch {
  id: string;
  state: BatchState;
  target: Target;
  token: Token;
  keys: readonly QueuedKey[];
  /** The attempt under way, or the one that worked. */
  attempt?: Attempt;
  /** How the last one ended, when it did not work. */
  ending?: Ending;
  /** Once submitted. */
  nodeOperatorId?: string;
  /** Keys that came to the module by another way and were taken out of this batch. */
  elsewhere: readonly Hex[];
}

export interface Journal {
  version: 1;
  batches: readonly Batch[];
}

export const EMPTY: Journal = { version: 1, batches: [] };

/** What the chain says of a batch. */
export interface Evidence {
  /** A block deep enough to stay. */
  block: number;
  /** Transactions of the account up to that block. */
  nonce: number;
  /** Transactions of the account at the head, and with those that wait. */
  headNonce: number;
  pendingNonce: number;
  receipts: readonly { hash: Hex; success: boolean; block: number }[];
  /** Which keys of the batch are in the module at the head, and whose. */
  present: readonly { pubkey: Hex; nodeOperatorId: string }[];
  /** Whether every place where they could be was looked at. */
  complete: boolean;
}

export type QueueEvent =
  | { type: 'plan'; batches: readonly Pick<Batch, 'id' | 'target' | 'token' | 'keys'>[] }
  /** Written before the wallet is asked. */
  | { type: 'ask'; id: string; nonce: number; block: number; at: number }
  /** The wallet said that nothing was sent. */
  | { type: 'declined'; id: string }
  | { type: 'sent'; id: string; hash: Hex; nonce?: number }
  | { type: 'evidence'; id: string; evidence: Evidence }
  /** The person looked: the wallet has no such transaction, neither open nor sent. */
  | { type: 'denied'; id: string; evidence: Evidence }
  /** The person gives a batch up that was not sent. */
  | { type: 'drop'; id: string };
