import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLOCKS_PER_MONTH, committeeFee, formatGwei, GWEI_PER_ETH } from '../src/money/amount';

/** Reads what `formatGwei` wrote, by other means. */
function parse(text: string): bigint {
  const [, sign, whole = '', rest = ''] = /^(-?)([0-9\u202f]+)(?:\.([0-9]+))? ETH$/.exec(text) ?? [];
  const gwei = BigInt(whole.replaceAll('\u202f', '')) * GWEI_PER_ETH + BigInt(rest.padEnd(9, '0'));
  return sign === '-' ? -gwei : gwei;
}

describe('formatGwei', () => {
  test.each([
    [0n, '0 ETH'],
    [1n, '0.000000001 ETH'],
    [2_400_000_000n, '2.4 ETH'],
    [131_100_000_000n, '131.1 ETH'],
    [1_234_567_000_000_000n, '1\u202f234\u202f567 ETH'],
    [-1_500_000_000n, '-1.5 ETH'],
  ])('%s', (gwei, text) => expect(formatGwei(gwei)).toBe(text));

  test('loses no digit of any amount', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        (gwei) => parse(formatGwei(gwei)) === gwei,
      ),
    );
  });
});

describe('committeeFee', () => {
  const operators = fc.array(fc.record({ fee_gwei: fc.maxSafeNat() }), { minLength: 4, maxLength: 13 });

  test('is exactly the sum over operators, validators and blocks', () => {
    fc.assert(
      fc.property(
        operators,
        fc.integer({ min: 1, max: 1000 }),
        fc.bigInt({ min: 1n, max: 10_000_000n }),
        (all, count, blocks) => {
          let sum = 0n;
          for (const { fee_gwei } of all) sum += BigInt(fee_gwei) * BigInt(count) * blocks;
          return committeeFee(all, count, blocks) === sum;
        },
      ),
    );
  });

  test('splitting validators over batches pays the same', () => {
    fc.assert(
      fc.property(
        operators,
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 500 }),
        (all, a, b) => {
          const whole = committeeFee(all, a + b, BLOCKS_PER_MONTH) ?? -1n;
          const parts =
            (committeeFee(all, a, BLOCKS_PER_MONTH) ?? 0n) + (committeeFee(all, b, BLOCKS_PER_MONTH) ?? 0n);
          return whole === parts;
        },
      ),
    );
  });

  test('is unknown when one operator names no fee, rather than too small', () => {
    expect(committeeFee([{ fee_gwei: 5 }, { fee_gwei: null }], 1, 1n)).toBeUndefined();
    expect(committeeFee([{ fee_gwei: 5 }, {}], 1, 1n)).toBeUndefined();
  });
});
