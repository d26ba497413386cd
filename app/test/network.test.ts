import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { toFunctionSelector, toEventSelector, type Abi, type AbiFunction } from 'viem';
import { describe, expect, test } from 'vitest';
import { KEY_CALLS } from '../src/check/csm';
import { BOND_ABI } from '../src/cluster/safe';
import { CLUSTER_NODE_ABI, NETWORK_ABI, OPERATOR_CONFIG_ABI, TOKEN_ABI } from '../src/network/abi';
import { GAS_CAP, mostKeys, planBatches } from '../src/network/batches';
import { blocksFor, amountEach, days, periodFault, PAID_BLOCKS_LIMIT } from '../src/network/fee';
import { parseJournal } from '../src/network/journal';
import { isOver, lookAt, type OutcomeClient } from '../src/network/outcome';
import { sharesOf } from '../src/network/shares';
import { blocksOf } from '../src/register/period';
import {
  ACCOUNTING_ABI,
  FEE_DISTRIBUTOR_ABI,
  PARAMETERS_ABI,
  STETH_ABI,
  STRIKES_ABI,
} from '../src/monitor/abi';
import { TransactionNotFoundError, TransactionReceiptNotFoundError } from 'viem';

const SIZES = fc.constantFrom(4, 7, 10, 13);
const FEES = fc.bigInt({ min: 1n, max: 10n ** 18n });

test.each<[string, Abi]>([
  ['SafeStakeNetwork', NETWORK_ABI],
  ['SafeStakeClusterNode', CLUSTER_NODE_ABI],
  ['SafeStakeOperatorConfig', OPERATOR_CONFIG_ABI],
  ['Accounting', ACCOUNTING_ABI],
  ['FeeDistributor', FEE_DISTRIBUTOR_ABI],
  ['ParametersRegistry', PARAMETERS_ABI],
  ['StETH', STETH_ABI],
  // Penalties and strikes: the double has them in one contract.
  ['Watchers', STRIKES_ABI],
  ['Accounting', BOND_ABI],
  ['StETH', TOKEN_ABI],
  ['WstETH', TOKEN_ABI],
  ['CSModule, PermissionlessGate, VettedGate', KEY_CALLS],
])('what is called of %s is in its ABI', (names, ours) => {
  const theirs = names.split(', ').flatMap((name): Abi => {
    const file = JSON.parse(readFileSync(`../contracts/abi/${name}.json`, 'utf8')) as Abi | { abi: Abi };
    return 'abi' in file ? file.abi : file;
  });
  const selectors = (abi: Abi) => abi.filter((one) => one.type === 'function').map(toFunctionSelector);
  const outputs = (abi: Abi, selector: string) =>
    abi
      .filter((one): one is AbiFunction => one.type === 'function')
      .find((one) => toFunctionSelector(one) === selector)
      ?.outputs.map(({ type }) => type);
  for (const selector of selectors(ours)) {
    expect(selectors(theirs)).toContain(selector);
    expect(outputs(ours, selector), selector).toEqual(outputs(theirs, selector));
  }
  const errors = (abi: Abi) =>
    abi.flatMap((one) =>
      one.type === 'error'
        ? [toEventSelector(`${one.name}(${one.inputs.map(({ type }) => type).join()})`)]
        : [],
    );
  for (const error of errors(ours)) expect(errors(theirs)).toContain(error);
});

describe('fees', () => {
  test('what is paid for some blocks buys exactly these', () => {
    fc.assert(
      fc.property(FEES, SIZES, fc.bigInt({ min: 1n, max: PAID_BLOCKS_LIMIT }), (fee, size, blocks) => {
        const amount = amountEach(fee, size, blocks);
        return blocksFor(amount, fee, size) === blocks && blocksFor(amount - 1n, fee, size) === blocks - 1n;
      }),
    );
  });

  test('periods below the minimum and above ten years are refused', () => {
    expect(periodFault(216_000n, 216_000n)).toBeUndefined();
    expect(periodFault(215_999n, 216_000n)).toContain('30 days');
    expect(periodFault(PAID_BLOCKS_LIMIT, 1n)).toBeUndefined();
    expect(periodFault(PAID_BLOCKS_LIMIT + 1n, 1n)).toContain('ten years');
    expect([days(7_200n), days(7_201n), days(0n)]).toEqual(['1', '1.1', '0']);
  });

  test.each([
    ['', true],
    ['0', true],
    ['1.5', true],
    ['-3', true],
    ['1e3', true],
    ['45', false],
    [' 45 ', false],
    ['3651', true],
  ])('%s days', (text, refused) => {
    expect('fault' in blocksOf({ choice: 'other', days: text }, 216_000n)).toBe(refused);
  });
});

describe('batches', () => {
  const validators = fc.array(
    fc.record({
      pubkey: fc.string(),
      operatorIds: fc.constantFrom([1, 2, 3, 4], [2, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7]),
    }),
    { maxLength: 300 },
  );

  test('carry every validator once, of one committee each, within what a transaction takes', () => {
    fc.assert(
      fc.property(validators, fc.integer({ min: 1, max: 200 }), (all, limit) => {
        const batches = planBatches(all, limit);
        const carried = batches.flatMap((batch) => batch.validators);
        expect(new Set(carried).size).toBe(all.length);
        expect(carried.length).toBe(all.length);
        for (const { validators: some, operatorIds } of batches) {
          expect(some.length).toBeGreaterThan(0);
          expect(some.length).toBeLessThanOrEqual(Math.min(limit, mostKeys(operatorIds.length)));
          expect(some.every((one) => one.operatorIds.join() === operatorIds.join())).toBe(true);
        }
      }),
    );
  });

  test('end where gas or the size of a transaction ends them', () => {
    expect([4, 7, 10, 13].map(mostKeys)).toEqual([91, 56, 41, 32]);
    expect(GAS_CAP).toBe(16_777_216n);
  });

  test('leave the rest as it was when the first is done: a reload finds the same batches', () => {
    fc.assert(
      fc.property(validators, (all) => {
        const [first, ...rest] = planBatches(all);
        const done = new Set(first?.validators);
        expect(planBatches(all.filter((one) => !done.has(one)))).toEqual(rest);
      }),
    );
  });
});

describe('shares of a certificate', () => {
  const text = readFileSync('fixtures/certificate.json', 'utf8');

  test('are every operator’s own, in the order of the committee', () => {
    const shares = sharesOf(text);
    const certificate = JSON.parse(text) as { transcript: { validators: { pubkey: string }[] } };
    expect(shares.map(({ pubkey }) => pubkey)).toEqual(
      certificate.transcript.validators.map(({ pubkey }) => pubkey),
    );
    for (const { publicShares, sealedShares, operatorIds } of shares) {
      expect(publicShares.every((share) => share.length === 98)).toBe(true);
      expect(sealedShares.every((share) => share.length === 188)).toBe(true);
      expect(new Set(sealedShares).size).toBe(operatorIds.length);
    }
  });

  test('are refused when one is missing or has another length', () => {
    const change = (edit: (certificate: { attestations: { envelopes: string[] }[] }) => void) => {
      const certificate = JSON.parse(text) as { attestations: { envelopes: string[] }[] };
      edit(certificate);
      return () => sharesOf(JSON.stringify(certificate));
    };
    expect(change(({ attestations }) => void attestations.pop())).toThrow('has not confirmed');
    expect(change(({ attestations }) => attestations[0]?.envelopes.splice(0, 1, '0x00'))).toThrow('93 bytes');
    expect(change(({ attestations }) => attestations[0]?.envelopes.splice(0))).toThrow('93 bytes');
  });
});

describe('what became of a transaction', () => {
  const hash = `0x${'ab'.repeat(32)}` as const;
  const sent = { id: '1', kind: 'exit' as const, about: [], asked_ms: 0 };
  const client = (found: {
    status?: 'success' | 'reverted';
    known?: boolean;
    mined?: number;
    pending?: number;
  }) =>
    ({
      getTransactionReceipt: () =>
        found.status
          ? Promise.resolve({ status: found.status, blockNumber: 7n })
          : Promise.reject(new TransactionReceiptNotFoundError({ hash })),
      getTransaction: () =>
        found.known ? Promise.resolve({ nonce: 3 }) : Promise.reject(new TransactionNotFoundError({ hash })),
      getTransactionCount: ({ blockTag }: { blockTag?: string }) =>
        Promise.resolve(blockTag === 'pending' ? (found.pending ?? 0) : (found.mined ?? 0)),
    }) as unknown as OutcomeClient;
  const look = (found: Parameters<typeof client>[0], more = {}) =>
    lookAt(client(found), '0x0000000000000000000000000000000000000001', { ...sent, ...more });

  test.each([
    [{ status: 'success' as const }, { hash }, 'done'],
    [{ status: 'reverted' as const }, { hash }, 'reverted'],
    [{ known: true }, { hash }, 'pending'],
    [{ mined: 4 }, { hash, nonce: 3 }, 'replaced'],
    [{ mined: 3 }, { hash, nonce: 3 }, 'unknown'],
    [{ mined: 9 }, { hash }, 'unknown'],
    [{ mined: 2, pending: 3 }, {}, 'maybe'],
    [{ mined: 2, pending: 2 }, {}, 'lost'],
  ])('%o %o is %s', async (found, more, kind) => {
    const outcome = await look(found, more);
    expect(outcome.kind).toBe(kind);
    expect(isOver(outcome)).toBe(kind === 'reverted' || kind === 'replaced');
  });

  test('an unreachable node says nothing about it', async () => {
    const away = {
      ...client({}),
      getTransactionReceipt: () => Promise.reject(new Error('away')),
    } as OutcomeClient;
    await expect(
      lookAt(away, '0x0000000000000000000000000000000000000001', { ...sent, hash }),
    ).rejects.toThrow('away');
  });
});

test('a journal that somebody else wrote is read as far as it makes sense', () => {
  const good = { id: 'a', kind: 'exit', about: ['0x1'], asked_ms: 5 };
  fc.assert(fc.property(fc.jsonValue(), (value) => Array.isArray(parseJournal(value))));
  expect(parseJournal([good, { ...good, kind: 'steal' }, { ...good, about: [1] }, null, 7])).toEqual([good]);
  expect(parseJournal([{ ...good, hash: '0x12', nonce: 'x' }])).toEqual([good]);
});
