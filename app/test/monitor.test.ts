// What the monitor shows: proofs out of Lido's trees, strikes, leeways and alerts.
import fc from 'fast-check';
import { encodeAbiParameters, keccak256, type Hex } from 'viem';
import { describe, expect, test } from 'vitest';
import { alertsOf, byState, exitDueS, span, strikeAlerts } from '../src/monitor/alerts';
import type { Key, KeyState, NodeOperator } from '../src/monitor/data';
import { isSafe, leewayOf, leewayWords, measured } from '../src/monitor/leeway';
import { rewardProof } from '../src/monitor/proof';
import { isEmptyRoot, strikesOf, sumOf } from '../src/monitor/strikes';
import { treeOfValues, verify } from './merkle';

const REWARDS = ['uint256', 'uint256'];
const STRIKES = ['uint256', 'bytes', 'uint256[]'];
const pubkey = (at: number): Hex => `0x${at.toString(16).padStart(96, 'a')}`;
const rootOf = ({ tree }: { tree: readonly Hex[] }) => tree[0] ?? '0x';
/** As JSON holds it: numbers where they fit, texts where they do not. */
const saved = (tree: unknown) =>
  JSON.stringify(tree, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

describe('rewards', () => {
  const operators = fc.uniqueArray(fc.nat({ max: 100_000 }), { minLength: 1, maxLength: 12 });
  const shares = fc.bigInt({ min: 0n, max: 2n ** 200n });

  test('every node operator of a tree gets the proof that the contract takes', () => {
    fc.assert(
      fc.property(operators, shares, (ids, base) => {
        const values = ids.map((id, at) => [BigInt(id), base + BigInt(at)]);
        const tree = treeOfValues(REWARDS, values);
        for (const [id, amount] of values) {
          const found = rewardProof(saved(tree), Number(id), rootOf(tree));
          expect(found.cumulativeShares).toBe(amount);
          const words = [{ type: 'uint256' }, { type: 'uint256' }] as const;
          const leaf = keccak256(keccak256(encodeAbiParameters(words, [id ?? 0n, amount ?? 0n])));
          expect(verify(leaf, found.proof)).toBe(rootOf(tree));
        }
      }),
      { numRuns: 10 },
    );
  });

  const tree = treeOfValues(REWARDS, [
    [0n, 5n],
    [7n, 9n],
    [8n, 1n],
  ]);
  const richer = { ...tree, values: tree.values.map((one) => ({ ...one, value: [one.value[0], 99n] })) };
  const torn = { ...tree, tree: tree.tree.slice(0, 3) };
  test.each<[string, string, number, Hex, string]>([
    ['no JSON', 'tree', 7, rootOf(tree), 'not JSON'],
    ['another JSON', '{"tree":{}}', 7, rootOf(tree), 'no rewards tree'],
    [
      'a tree of strikes',
      saved(treeOfValues(STRIKES, [[7n, pubkey(1), [1n]]])),
      7,
      rootOf(tree),
      'no rewards tree',
    ],
    ['other shares', saved(richer), 7, rootOf(tree), 'another leaf'],
    ['places that are not there', saved(torn), 7, rootOf(tree), 'no rewards tree'],
    ['an older tree', saved(tree), 7, `0x${'12'.repeat(32)}`, 'another tree'],
    ['somebody else', saved(tree), 3, rootOf(tree), 'no rewards in this tree yet'],
    ['somebody else in an older tree', saved(tree), 3, `0x${'12'.repeat(32)}`, 'another tree'],
  ])('%s is refused', (_, text, id, root, why) => {
    expect(() => rewardProof(text, id, root)).toThrow(why);
  });
});

describe('strikes', () => {
  const tree = treeOfValues(STRIKES, [
    [7n, pubkey(1), [1, 0, 1]],
    [7n, pubkey(2), [1, 1, 1]],
    [8n, pubkey(3), [1]],
  ]);

  test('those of one node operator, by key', () => {
    const strikes = strikesOf(saved(tree), 7, rootOf(tree));
    expect([...strikes]).toEqual(
      expect.arrayContaining([
        [pubkey(1), [1, 0, 1]],
        [pubkey(2), [1, 1, 1]],
      ]),
    );
    expect(strikes.size).toBe(2);
    expect([sumOf(strikes.get(pubkey(2))), sumOf(strikes.get(pubkey(3)))]).toEqual([3, 0]);
    expect(strikesOf(saved(tree), 9, rootOf(tree)).size).toBe(0);
  });

  test('a file in which a leaf was left out, changed or written twice proves nothing', () => {
    const without = { ...tree, values: tree.values.slice(1) };
    const changed = {
      ...tree,
      values: tree.values.map((one, at) =>
        at === 0 ? { ...one, value: [one.value[0], one.value[1], [0]] } : one,
      ),
    };
    const twice = { ...tree, values: [tree.values[0], tree.values[0], tree.values[2]] };
    const inner = { ...tree, tree: tree.tree.map((one, at) => (at === 1 ? `0x${'34'.repeat(32)}` : one)) };
    for (const lie of [without, changed, twice, inner])
      expect(() => strikesOf(saved(lie), 7, rootOf(tree))).toThrow('not whole');
    expect(() => strikesOf(saved(tree), 7, `0x${'12'.repeat(32)}`)).toThrow('another tree');
    expect(() => strikesOf(saved(treeOfValues(REWARDS, [[7n, 1n]])), 7, rootOf(tree))).toThrow();
  });

  test('a root of zeros is a report without strikes', () => {
    expect([isEmptyRoot(`0x${'0'.repeat(64)}`), isEmptyRoot(rootOf(tree))]).toEqual([true, false]);
  });
});

describe('performance', () => {
  const ICS = [
    { minKeyNumber: 1n, value: 500n },
    { minKeyNumber: 151n, value: 300n },
  ];

  test('the leeway goes by the number of a key, which begins at one', () => {
    expect([0, 149, 150, 900].map((index) => leewayOf(ICS, index))).toEqual([0.05, 0.05, 0.03, 0.03]);
    expect(leewayOf([], 0)).toBeUndefined();
    expect(leewayWords(ICS)).toBe('5 % for keys 1 to 150, 3 % from key 151 on');
    expect(leewayWords(ICS.slice(0, 1))).toBe('5 %');
  });

  const duty = (kind: string, expected: number, submitted: number) => ({
    kind,
    expected,
    submitted,
    misses: {},
  });
  test('kinds are weighed as Lido weighs them, those that there were', () => {
    expect(measured({ duties: [] })).toBeUndefined();
    expect(measured({ duties: [duty('aggregate_and_proof', 4, 0)] })).toBeUndefined();
    expect(measured({ duties: [duty('attestation', 100, 97)] })).toBeCloseTo(0.97);
    const missedBlock = { duties: [duty('attestation', 100, 100), duty('block', 1, 0)] };
    expect(measured(missedBlock)).toBeCloseTo(54 / 62);
    const all = { duties: [duty('attestation', 2, 1), duty('block', 1, 1), duty('sync_message', 8, 4)] };
    expect(measured(all)).toBeCloseTo((27 + 8 + 1) / 64);
  });

  test('a score is between nothing and everything, and safe by the leeway', () => {
    const duties = fc.array(
      fc.tuple(fc.constantFrom('attestation', 'block', 'sync_message'), fc.nat(500), fc.nat(500)),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(duties, (list) => {
        const score = measured({
          duties: list.map(([kind, a, b]) => duty(kind, Math.max(a, b), Math.min(a, b))),
        });
        return score === undefined || (score >= 0 && score <= 1 + 1e-9);
      }),
    );
    expect([isSafe(0.97, 0.03), isSafe(0.969, 0.03)]).toEqual([true, false]);
  });
});

const key = (index: number, states: KeyState[], more: Partial<Key> = {}): Key => ({
  index,
  pubkey: pubkey(index),
  states,
  ...more,
});

const OPERATOR = {
  node_operator_id: 3,
  bond: {
    current_wei: '0',
    required_wei: '0',
    excess_wei: '0',
    missing_wei: '0',
    locked_wei: '0',
    unbonded_keys: 0,
    curve_id: 0,
  },
} as unknown as NodeOperator;
const titles = (alerts: readonly { title: string }[]) => alerts.map(({ title }) => title);

describe('alerts', () => {
  test('nothing is said where nothing is wrong', () => {
    expect(alertsOf(OPERATOR, [key(0, ['ACTIVE']), key(1, ['DEPOSITABLE'])], 1n, 0)).toEqual([]);
  });

  test.each<[KeyState[], string]>([
    [['EXIT_REQUESTED'], 'Lido asks for the exit of one validator'],
    [['INVALID'], 'one key cannot be used'],
    [['DUPLICATED'], 'one key cannot be used'],
    [['SLASHED'], 'one validator slashed'],
    [['WITH_STRIKES'], 'A penalty for strikes stands for one validator'],
    [['NON_QUEUED'], 'one key not in the deposit queue'],
  ])('%s', (states, title) => {
    expect(titles(alertsOf(OPERATOR, [key(0, states)], 1n, 0))).toContain(title);
  });

  test('amounts are shown to the last digit', () => {
    const bond = { ...OPERATOR.bond, missing_wei: '1300000000000000001', locked_wei: '1', unbonded_keys: 2 };
    const texts = alertsOf({ ...OPERATOR, bond }, [], 1n, 0).map(({ text }) => text);
    expect(texts.join(' ')).toContain('1.300000000000000001 ETH are missing');
    expect(texts.join(' ')).toContain('0.000000000000000001 ETH are held back');
  });

  test('the time that is left for an exit counts down', () => {
    const asked = key(0, ['EXIT_REQUESTED'], { exit_requested_at_s: 1_000 });
    expect(exitDueS(asked, 345_600n, 1_000)).toBe(345_600);
    expect(exitDueS(asked, undefined, 1_000)).toBeUndefined();
    expect(exitDueS(key(0, ['ACTIVE']), 1n, 0)).toBeUndefined();
    const text = (nowS: number) => alertsOf(OPERATOR, [asked], 345_600n, nowS)[0]?.text;
    expect(text(1_000)).toContain('late in 4 days 0 h');
    expect(text(1_000_000)).toContain('At least one is late');
    expect([span(59), span(3_599), span(3_600), span(172_800), span(-5)]).toEqual([
      '0 min',
      '59 min',
      '1 h',
      '2 days 0 h',
      '0 min',
    ]);
  });

  test('strikes at the threshold, and one below it', () => {
    const keys = [key(0, ['ACTIVE']), key(1, ['ACTIVE']), key(2, ['ACTIVE']), key(3, ['WITHDRAWN'])];
    const strikes = new Map([
      [pubkey(0), [1, 1, 1]],
      [pubkey(1), [1, 1]],
      [pubkey(2), [1]],
      [pubkey(3), [1, 1, 1]],
    ]);
    expect(strikeAlerts(keys, strikes, 3n).map(({ kind, text }) => [kind, text.split(':')[0]])).toEqual([
      ['error', 'Key 0'],
      ['warning', 'Key 1'],
    ]);
    expect(strikeAlerts(keys, new Map(), 3n)).toEqual([]);
    // No strike is no warning, even where one is enough.
    expect(strikeAlerts(keys, new Map(), 1n)).toEqual([]);
  });

  test('states are counted, a key in each of its own', () => {
    const counts = byState([key(0, ['ACTIVE', 'EXIT_REQUESTED']), key(1, ['ACTIVE'])]);
    expect(counts).toEqual([
      { state: 'EXIT_REQUESTED', count: 1 },
      { state: 'ACTIVE', count: 2 },
    ]);
  });
});
