import fc from 'fast-check';
import type { Hex } from 'viem';
import { describe, expect, test } from 'vitest';
import { parseJournal } from '../src/csm/queue/parse';
import {
  EMPTY,
  heldKeys,
  mayDeny,
  nextBatch,
  reduce,
  type Evidence,
  type Journal,
  type QueueEvent,
} from '../src/csm/queue/machine';

const key = (n: number): { pubkey: Hex; ceremonyId: string } => ({
  pubkey: `0x${n.toString(16).padStart(96, '0')}`,
  ceremonyId: `0x${'1'.repeat(64)}`,
});
const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`;
const existing = { kind: 'existing', nodeOperatorId: '0' } as const;
const planned = (...ids: string[]): QueueEvent => ({
  type: 'plan',
  batches: ids.map((id, at) => ({
    id,
    target: existing,
    token: 'eth',
    keys: [key(at * 2), key(at * 2 + 1)],
  })),
});
const ask = (id: string, nonce = 7): QueueEvent => ({ type: 'ask', id, nonce, block: 100, at: 1 });
const after = (...events: QueueEvent[]) => events.reduce<Journal>(reduce, EMPTY);
const NOTHING: Evidence = {
  block: 110,
  nonce: 7,
  headNonce: 7,
  pendingNonce: 7,
  receipts: [],
  present: [],
  complete: true,
};
const see = (id: string, evidence: Partial<Evidence>): QueueEvent => ({
  type: 'evidence',
  id,
  evidence: { ...NOTHING, ...evidence },
});
const there = (...keys: number[]) => keys.map((n) => ({ pubkey: key(n).pubkey, nodeOperatorId: '0' }));
const state = (journal: Journal, id: string) => journal.batches.find((batch) => batch.id === id)?.state;

describe('one batch at a time', () => {
  test('the next one only when the one before is known to be over', () => {
    const asked = after(planned('a', 'b'), ask('a'));
    expect(nextBatch(asked)).toBeUndefined();
    expect(() => reduce(asked, ask('b'))).toThrow('Another transaction is under way');
    expect(() => reduce(asked, ask('a'))).toThrow('Another transaction is under way');
    const done = reduce(asked, see('a', { present: there(0, 1) }));
    expect(state(done, 'a')).toBe('submitted');
    expect(nextBatch(done)?.id).toBe('b');
  });

  test('a key is queued once, and stays held when it is submitted', () => {
    const journal = after(planned('a'), ask('a'), see('a', { present: there(0, 1) }));
    expect(heldKeys(journal).has(key(0).pubkey)).toBe(true);
    expect(() => reduce(journal, { ...planned('x') })).toThrow('in the queue already');
  });

  test('a batch that waits for a new node operator comes after it', () => {
    const target = {
      kind: 'new',
      gate: 'permissionless',
      manager: `0x${'0'.repeat(40)}`,
      reward: `0x${'0'.repeat(40)}`,
      extended: false,
      referrer: `0x${'0'.repeat(40)}`,
      proof: [],
    } as const;
    const journal = after({
      type: 'plan',
      batches: [
        { id: 'a', target, token: 'eth', keys: [key(0)] },
        { id: 'b', target: { kind: 'made', batchId: 'a' }, token: 'eth', keys: [key(1)] },
      ],
    });
    expect(nextBatch(journal)?.id).toBe('a');
    const made = [ask('a'), see('a', { present: [{ pubkey: key(0).pubkey, nodeOperatorId: '0' }] })];
    expect(nextBatch(made.reduce(reduce, journal))?.id).toBe('b');
    expect(reduce(journal, { type: 'drop', id: 'a' }).batches).toEqual([]);
  });
});

describe('keys become free only by proof', () => {
  const sentA = after(planned('a'), ask('a'), { type: 'sent', id: 'a', hash: hash(1), nonce: 7 });

  test('declined: at once', () => {
    const journal = after(planned('a'), ask('a'), { type: 'declined', id: 'a' });
    expect(journal.batches[0]).toMatchObject({ state: 'planned', ending: 'declined' });
    expect(nextBatch(journal)?.id).toBe('a');
  });

  test.each<[string, Partial<Evidence>]>([
    ['nothing is seen', {}],
    ['its number passed, not deep enough', { headNonce: 8, pendingNonce: 8 }],
    ['its number passed, but not everything was looked at', { nonce: 8, complete: false }],
    ['it failed, not deep enough', { receipts: [{ hash: hash(1), success: false, block: 111 }] }],
    [
      'it was mined, and the module is not read that far',
      { nonce: 8, receipts: [{ hash: hash(1), success: true, block: 109 }] },
    ],
  ])('not when %s', (_, evidence) => {
    expect(state(reduce(sentA, see('a', evidence)), 'a')).toBe('sent');
  });

  test('when another transaction took its number, deep in the chain', () => {
    const journal = reduce(sentA, see('a', { nonce: 8 }));
    expect(journal.batches[0]).toMatchObject({ state: 'planned', ending: 'replaced' });
    expect(journal.batches[0]?.attempt).toBeUndefined();
  });

  test('not by a number that was only guessed', () => {
    const guessed = after(planned('a'), ask('a'), { type: 'sent', id: 'a', hash: hash(1) });
    expect(state(reduce(guessed, see('a', { nonce: 20 })), 'a')).toBe('sent');
    const asked = after(planned('a'), ask('a'));
    expect(state(reduce(asked, see('a', { nonce: 20, headNonce: 20, pendingNonce: 20 })), 'a')).toBe('asked');
  });

  test('when it failed, deep in the chain', () => {
    const journal = reduce(sentA, see('a', { receipts: [{ hash: hash(1), success: false, block: 110 }] }));
    expect(journal.batches[0]).toMatchObject({ state: 'planned', ending: 'reverted' });
  });

  test('a faster twin counts as itself', () => {
    const journal = reduce(sentA, { type: 'sent', id: 'a', hash: hash(2), nonce: 7 });
    const mined = see('a', {
      receipts: [{ hash: hash(2), success: true, block: 105 }],
      present: there(0, 1),
    });
    expect(reduce(journal, mined).batches[0]?.attempt?.hashes).toEqual([hash(2)]);
  });

  test('keys that came by another way leave the batch when it is free', () => {
    const journal = reduce(sentA, see('a', { nonce: 8, present: there(1) }));
    expect(journal.batches[0]).toMatchObject({ keys: [key(0)], elsewhere: [key(1).pubkey] });
  });

  test('by a person’s word, only without a hash and with an empty account', () => {
    const asked = after(planned('a'), ask('a'));
    const say = (evidence: Partial<Evidence>): QueueEvent => ({
      type: 'denied',
      id: 'a',
      evidence: { ...NOTHING, ...evidence },
    });
    expect(reduce(asked, say({})).batches[0]).toMatchObject({ state: 'planned', ending: 'denied' });
    expect(() => reduce(asked, say({ pendingNonce: 8 }))).toThrow('nothing is under way');
    expect(() => reduce(asked, say({ complete: false }))).toThrow('nothing is under way');
    expect(() => reduce(asked, say({ present: there(0) }))).toThrow('nothing is under way');
    expect(() => reduce(sentA, say({}))).toThrow('nothing is under way');
    expect(mayDeny(sentA.batches[0] ?? ({} as never), NOTHING)).toBe(false);
  });

  test('a batch under way is not given up', () => {
    expect(() => reduce(sentA, { type: 'drop', id: 'a' })).toThrow('cannot be given up');
    expect(reduce(after(planned('a')), { type: 'drop', id: 'a' }).batches).toEqual([]);
  });
});

test('journals survive being written down, and damaged ones are refused', () => {
  const journal = after(planned('a', 'b'), ask('a'), { type: 'sent', id: 'a', hash: hash(1), nonce: 7 });
  expect(parseJournal(JSON.parse(JSON.stringify(journal)))).toEqual(journal);
  expect(parseJournal(undefined)).toEqual(EMPTY);
  expect(() => parseJournal({ version: 2, batches: [] })).toThrow('another version');
  fc.assert(
    fc.property(fc.anything(), (value) => {
      try {
        expect(parseJournal({ version: 1, batches: [value] }).batches).toHaveLength(1);
      } catch (error) {
        expect((error as Error).message).toContain('damaged');
      }
    }),
  );
});
