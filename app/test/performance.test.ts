import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byEpoch, missReasons, share } from '../src/performance/figures';

const item = fc.record({
  pubkey: fc.constant('0x'),
  epoch: fc.nat({ max: 20 }),
  start_ms: fc.constant(0),
  operator_ids: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
  reports: fc.constant(3),
  expected: fc.nat({ max: 100 }),
  submitted: fc.nat({ max: 100 }),
  duties: fc.array(
    fc.record({
      kind: fc.constant('attestation'),
      expected: fc.constant(1),
      submitted: fc.constant(0),
      misses: fc.dictionary(fc.constantFrom('beacon_node', 'no_quorum', 'signer'), fc.nat({ max: 9 })),
    }),
    { maxLength: 3 },
  ),
});

test('epochs ascend and no duty is lost or counted twice', () => {
  fc.assert(
    fc.property(fc.array(item), (items) => {
      const epochs = byEpoch(items);
      expect(epochs.map((one) => one.epoch)).toEqual(
        [...new Set(items.map((one) => one.epoch))].sort((a, b) => a - b),
      );
      const sum = (of: readonly { expected: number }[]) => of.reduce((total, one) => total + one.expected, 0);
      expect(sum(epochs)).toBe(sum(items));
    }),
  );
});

test('reasons are counted over all validators and kinds, most frequent first', () => {
  fc.assert(
    fc.property(fc.array(item), (items) => {
      const reasons = missReasons(items);
      const all = items.flatMap((one) => one.duties.flatMap((duty) => Object.values(duty.misses)));
      expect(reasons.reduce((total, one) => total + one.count, 0)).toBe(
        all.reduce((total, count) => total + count, 0),
      );
      expect(reasons.map((one) => one.count)).toEqual(reasons.map((one) => one.count).sort((a, b) => b - a));
    }),
  );
});

test('whoever had no duty missed none', () => {
  expect(share(0, 0)).toBe(1);
  expect(share(1, 4)).toBe(0.25);
});
