import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  batchSizes,
  bondOnCurve,
  cut,
  differences,
  ends,
  gasExpected,
  gasLimit,
  GAS_CAP,
  MAX_BATCH,
} from '../src/csm/plan';

const keys = fc.integer({ min: 1, max: 1_000 });
const limit = fc.integer({ min: -5, max: 500 });

describe('batches', () => {
  test('55 keys at 50 are two even ones', () => expect(batchSizes(55, 50)).toEqual([28, 27]));

  test('carry every key once, in order, within the limit, and differ by one at most', () => {
    fc.assert(
      fc.property(keys, limit, (count, perBatch) => {
        const all = Array.from({ length: count }, (_, at) => at);
        const sizes = batchSizes(count, perBatch);
        expect(cut(all, sizes).flat()).toEqual(all);
        const most = Math.max(...sizes);
        expect(most).toBeLessThanOrEqual(Math.min(Math.max(perBatch, 1), MAX_BATCH));
        expect(most - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(sizes.length).toBe(Math.ceil(count / Math.min(Math.max(perBatch, 1), MAX_BATCH)));
        expect(ends(sizes).at(-1)).toBe(count);
      }),
    );
  });

  test('no plan of any size goes above the gas of a transaction', () => {
    for (let count = 1; count <= MAX_BATCH; count += 1) expect(gasExpected(count)).toBeLessThan(GAS_CAP);
    expect(gasLimit(GAS_CAP + 1n)).toBeUndefined();
    expect(gasLimit(GAS_CAP)).toBe(GAS_CAP);
    expect(gasLimit(1_000_000n)).toBe(1_200_000n);
  });
});

describe('bonds', () => {
  const ETH = 10n ** 18n;
  const curve = [
    { minKeysCount: 1n, minBond: (24n * ETH) / 10n, trend: (24n * ETH) / 10n },
    { minKeysCount: 2n, minBond: (37n * ETH) / 10n, trend: (13n * ETH) / 10n },
  ];

  test('of the default curve are as Lido writes', () => {
    expect([1, 4, 25, 100].map((count) => bondOnCurve(curve, count))).toEqual(
      [24n, 63n, 336n, 1311n].map((tenths) => (tenths * ETH) / 10n),
    );
    expect(bondOnCurve(curve, 0)).toBe(0n);
    expect(bondOnCurve([], 5)).toBe(0n);
  });

  test('of batches add up to the whole, and an excess covers the first ones', () => {
    const amounts = fc.array(fc.bigInt({ min: 0n, max: 2n ** 90n }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(amounts, (steps) => {
        let sum = 0n;
        const cumulative = steps.map((step) => (sum += step));
        const each = differences(cumulative);
        expect(each).toEqual(steps);
        expect(each.reduce((a, b) => a + b, 0n)).toBe(cumulative.at(-1));
      }),
    );
    expect(differences([0n, 5n])).toEqual([0n, 5n]);
  });
});
