import { useCallback, useMemo } from 'react';
import { isHash, isHex, type Address, type Hash } from 'viem';
import { readStored, useStored, writeStored } from '../ui/stored';

/** What transactions are for. */
export type Kind =
  | 'request'
  | 'register-node'
  | 'register'
  | 'top-up'
  | 'approve'
  | 'exit'
  | 'remove'
  | 'replace'
  | 'fee-recipient'
  | 'claim';

/** A transaction that a wallet was asked for. It outlives the page: nothing is offered twice because somebody reloaded. */
export interface Sent {
  id: string;
  kind: Kind;
  /** The validators, or what else it is about. */
  about: readonly string[];
  asked_ms: number;
  /** Missing while the wallet has not answered. */
  hash?: Hash;
  /** The account's number of this transaction: it tells whether another one took its place. */
  nonce?: number;
  /** The chain's head when the wallet was asked: what it sent is in no block up to this one. */
  block?: number;
}

/** Kept at a time, for one account; the oldest goes first. */
const MOST = 40;
const KINDS: readonly string[] = [
  'request',
  'register-node',
  'register',
  'top-up',
  'approve',
  'exit',
  'remove',
  'replace',
  'fee-recipient',
  'claim',
];

function parseOne(value: unknown): Sent[] {
  if (typeof value !== 'object' || value === null) return [];
  const { id, kind, about, asked_ms, hash, nonce, block } = value as Record<string, unknown>;
  if (typeof id !== 'string' || typeof kind !== 'string' || !KINDS.includes(kind)) return [];
  if (!Array.isArray(about) || !about.every((one): one is string => typeof one === 'string')) return [];
  if (typeof asked_ms !== 'number') return [];
  const sent: Sent = { id, kind: kind as Kind, about, asked_ms };
  if (typeof hash === 'string' && isHex(hash) && isHash(hash)) sent.hash = hash;
  if (typeof nonce === 'number') sent.nonce = nonce;
  if (Number.isSafeInteger(block) && (block as number) >= 0) sent.block = block as number;
  return [sent];
}

export function parseJournal(value: unknown): readonly Sent[] {
  return Array.isArray(value) ? value.flatMap(parseOne) : NOTHING;
}

const NOTHING: readonly Sent[] = [];

export interface Journal {
  all: readonly Sent[];
  /** What is written now, by other tabs as well; `all` is what was shown. */
  now: () => readonly Sent[];
  add: (sent: Sent) => void;
  change: (id: string, more: Partial<Sent>) => void;
  remove: (id: string) => void;
}

/** Transactions of one account on one chain. */
export function useJournal(account: Address | undefined, chainId: number): Journal {
  const key = `tx:${chainId}:${account?.toLowerCase() ?? 'nobody'}`;
  const [all] = useStored(key, parseJournal);
  // Every change begins with what is stored now: another tab, or an answer that took a while, may have written in between.
  const update = useCallback(
    (change: (held: readonly Sent[]) => readonly Sent[]) =>
      writeStored(key, change(readStored(key, parseJournal)).slice(-MOST)),
    [key],
  );
  return useMemo(
    () => ({
      all,
      now: () => readStored(key, parseJournal),
      add: (sent) => update((held) => [...held, sent]),
      change: (id, more) => update((held) => held.map((one) => (one.id === id ? { ...one, ...more } : one))),
      remove: (id) => update((held) => held.filter((one) => one.id !== id)),
    }),
    [all, key, update],
  );
}
