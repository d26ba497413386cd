import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { toFunctionSelector, type Abi, type AbiFunction, type Hex } from 'viem';
import { describe, expect, test } from 'vitest';
import { SIZES } from '../src/committee/sizes';
import { amountEach, BLOCKS_PER_DAY, PAID_BLOCKS_LIMIT } from '../src/network/fee';
import type { Terms } from '../src/network/read';
import {
  EXTRA,
  extraAmount,
  moveFault,
  movesOf,
  REGISTRY_ABI,
  replacement,
  type Held,
} from '../src/replace/move';

describe('moving', () => {
  const NETWORK = `0x${'11'.repeat(20)}` as const;
  const key = (at: number): Hex => `0x${at.toString(16).padStart(96, '0')}`;
  const shares = (at: number) => ({
    pubkey: key(at),
    operatorIds: [1, 2, 3, 5],
    publicShares: [key(11), key(12), key(13), key(15)],
    sealedShares: [key(21), key(22), key(23), key(25)],
  });
  const held = (at: number, operatorIds: number[] | undefined, refund = 0n): Held => ({
    pubkey: key(at),
    registered: operatorIds !== undefined,
    end: 0n,
    refund,
    operatorIds,
  });
  const terms: Terms = {
    operatorFee: 1_000n,
    minimumBlocks: 7_200n,
    currency: { token: undefined, symbol: 'ETH', decimals: 18 },
    head: { number: 1_000n, timestamp: 0n },
  };

  test('what the contract says comes before what was sent from here', () => {
    const all = [1, 2, 3, 4].map(shares);
    const now = [held(1, [1, 2, 3, 5]), held(2, [1, 2, 3, 4]), held(3, undefined), held(4, [1, 2, 3, 4])];
    expect(movesOf(all, now, new Set([key(1), key(2), key(3)])).map(({ state }) => state)).toEqual([
      'moved',
      'sent',
      'unregistered',
      'open',
    ]);
    expect(movesOf(all, [], new Set())).toEqual([]);
  });

  test('the call has the new shares, and pays exactly what it says', () => {
    const [move] = movesOf([shares(1)], [held(1, [1, 2, 3, 4])], new Set());
    if (!move) throw new Error('there is one');
    const amount = extraAmount(terms, 4, 30);
    expect(amount).toBe(amountEach(1_000n, 4, 30n * BLOCKS_PER_DAY));
    const { publicShares, sealedShares } = shares(1);
    expect(replacement(NETWORK, move, amount, true)).toMatchObject({
      functionName: 'replaceValidator',
      args: [key(1), [1, 2, 3, 5], publicShares, sealedShares, amount],
      value: amount,
    });
    expect(replacement(NETWORK, move, amount, false)).not.toHaveProperty('value');
    expect(replacement(NETWORK, move, 0n, true)).not.toHaveProperty('value');
  });

  test('what is left and what is added stay within the limits of the contract', () => {
    const left = amountEach(1_000n, 4, 8_000n);
    expect(moveFault(held(1, [1], left), 0n, terms, 4)).toBeUndefined();
    // The same money pays seven operators for a shorter time.
    expect(moveFault(held(1, [1], left), 0n, terms, 7)).toMatch(/pay for more/);
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 15n }),
        fc.constantFrom(...EXTRA.map(({ days }) => days)),
        fc.constantFrom(...SIZES),
        (refund, days, size) => {
          const amount = extraAmount(terms, size, days);
          const blocks = (refund + amount) / (1_000n * BigInt(size));
          const fine = moveFault(held(1, [1], refund), amount, terms, size) === undefined;
          return !fine || (blocks > terms.minimumBlocks && blocks <= PAID_BLOCKS_LIMIT);
        },
      ),
    );
  });

  test('the committee is read by a function that the registry has', () => {
    const text = readFileSync('../contracts/abi/SafeStakeRegistry.json', 'utf8');
    const file = JSON.parse(text) as Abi | { abi: Abi };
    const functions = ('abi' in file ? file.abi : file).filter(
      (one): one is AbiFunction => one.type === 'function',
    );
    const ours = toFunctionSelector(REGISTRY_ABI[0]);
    const theirs = functions.find((one) => toFunctionSelector(one) === ours);
    expect(theirs?.outputs.map(({ type }) => type)).toEqual(['address', 'uint32[]']);
  });
});
