// @vitest-environment jsdom
import { readFileSync } from 'node:fs';
import { render, screen } from '@testing-library/react';
import fc from 'fast-check';
import { hashTypedData, type Hex } from 'viem';
import { describe, expect, test } from 'vitest';
import { threshold, SIZES } from '../src/committee/sizes';
import { endings, mayRegister } from '../src/register/candidates';
import { ceremonyOf, changeOf, committeeOf } from '../src/replace/committee';
import { MemberList } from '../src/replace/MemberList';
import { buildReshare, reshareTypedData, type ReshareRequest, type Takeover } from '../src/replace/request';
import { holds, RESHARE_CHECKS, type ReshareCheck, type ReshareOutcome } from '../src/replace/verifier';
import { CONFIG, operator } from './support';

const OWNER = '0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A';
const EVERYBODY = Array.from({ length: 20 }, (_, at) => operator(at + 1));

describe('a new committee', () => {
  const of = (present: number[], size: (typeof SIZES)[number], ids: number[]) =>
    changeOf(present, { size, ids }, EVERYBODY);

  test('names who leaves, who comes and who stays', () => {
    expect(of([1, 2, 3, 4], 4, [1, 2, 3, 9])).toEqual({
      leaving: [4],
      joining: [9],
      staying: [1, 2, 3],
      needed: 3,
      fault: undefined,
    });
  });

  test.each([
    [
      'two of four leave',
      [1, 2, 3, 4],
      4,
      [1, 2, 8, 9],
      /3 of the 4 present operators have to stay.*you keep 2/,
    ],
    ['it is not full', [1, 2, 3, 4], 4, [1, 2, 3], /Choose 1 more/],
    ['nothing changes', [1, 2, 3, 4], 4, [1, 2, 3, 4], /present committee/],
    ['from four to seven', [1, 2, 3, 4], 7, [1, 2, 3, 5, 6, 7, 8], undefined],
    ['two of seven leave', [1, 2, 3, 4, 5, 6, 7], 7, [1, 2, 3, 4, 5, 8, 9], undefined],
    ['from seven to four', [1, 2, 3, 4, 5, 6, 7], 4, [1, 2, 3, 4], /5 of the 7 present.*you keep 4/],
    ['somebody left the network', [1, 2, 3, 4], 4, [1, 2, 3, 99], /Operator 99 has left/],
  ] as const)('%s', (_, present, size, ids, fault) => {
    const found = of([...present], size, [...ids]).fault;
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });

  test('is never offered when fewer stay than sign', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...SIZES),
        fc.constantFrom(...SIZES),
        fc.shuffledSubarray(EVERYBODY.map(({ operator_id }) => operator_id)),
        (old, size, some) => {
          const present = Array.from({ length: old }, (_, at) => at + 1);
          const ids = some.slice(0, size).sort((a, b) => a - b);
          const { fault } = of(present, size, ids);
          const staying = present.filter((id) => ids.includes(id)).length;
          return fault !== undefined || (staying >= threshold(old) && ids.length === size);
        },
      ),
    );
  });

  test('shows who is away and who left the network', () => {
    const now = Date.now();
    const operators = [
      operator(1, { last_seen_ms: now }),
      operator(2, { last_seen_ms: now - 3_600_000 }),
      operator(3, { active: false }),
      operator(4),
    ];
    render(<MemberList ids={[1, 2, 3, 4]} operators={operators} leaving={[2]} />);
    const rows = screen.getAllByRole('listitem').map((row) => row.textContent);
    expect(rows[0]).toContain('online');
    expect(rows[1]).toMatch(/leaves.*away/);
    expect(rows[2]).toContain('left the network');
    expect(rows[3]).toContain('not heard of yet');
  });
});

describe('the ceremony of a committee', () => {
  const ceremony = (id: string, previous: string | null, ids: number[], status = 'ready' as const) => ({
    ceremony_id: id,
    previous_ceremony_id: previous,
    operator_ids: ids,
    status,
  });
  const all = [
    ceremony('again', 'moved', [1, 2, 3, 4]),
    ceremony('foreign', null, [1, 2, 3, 5]),
    ceremony('moved', 'made', [1, 2, 3, 5]),
    { ...ceremony('failed', 'made', [1, 2, 3, 5]), status: 'aborted' as const },
    ceremony('made', null, [1, 2, 3, 4]),
  ];
  const found = (committee: number[]) => ceremonyOf('made', committee, all)?.ceremony_id;

  test('is the newest that took the keys over, and none of other keys', () => {
    expect(found([1, 2, 3, 5])).toBe('moved');
    expect(found([1, 2, 3, 4])).toBe('again');
    expect(found([1, 2, 3, 6])).toBeUndefined();
    expect(ceremonyOf('made', [1, 2, 3, 4], all.slice(4))?.ceremony_id).toBe('made');
  });

  test('a circle of ceremonies ends', () => {
    const circle = [ceremony('a', 'b', [1]), ceremony('b', 'a', [2])];
    expect(ceremonyOf('a', [3], circle)).toBeUndefined();
  });
});

test('what the wallet signs is what operators hash', () => {
  const text = readFileSync('../vectors/eip712-reshare.json', 'utf8');
  const vectors = JSON.parse(text) as { request: ReshareRequest; digest: Hex }[];
  for (const { request, digest } of vectors) {
    expect(hashTypedData(reshareTypedData(request))).toBe(digest);
    const takeover: Takeover = {
      reshare: request.reshare,
      cluster_pubkey: request.cluster_pubkey,
      operator_ids: request.reshare.operator_ids,
      validator_count: request.validator_count,
      withdrawal_address: request.withdrawal_address,
      amount_gwei: request.amount_gwei,
      pubkeys: [],
    };
    const built = buildReshare(OWNER, CONFIG, request.operator_ids, takeover, 1_000_000);
    expect({ ...built, nonce: 0 }).toEqual({
      ...request,
      owner: OWNER,
      cluster_pubkey: CONFIG.cluster_pubkey,
      nonce: 0,
      deadline: 4_600,
    });
  }
  expect(vectors.length).toBeGreaterThan(1);
});

test('only every check makes a reshare verified', () => {
  const checks = Object.keys(RESHARE_CHECKS) as ReshareCheck[];
  const good = checks.map((check): ReshareOutcome => ({ check, passed: true, detail: '' }));
  expect(holds(good)).toBe(true);
  for (const check of checks) {
    expect(holds(good.filter((one) => one.check !== check))).toBe(false);
    expect(holds(good.map((one) => (one.check === check ? { ...one, passed: false } : one)))).toBe(false);
  }
  expect(holds([])).toBe(false);
});

describe('a validator that was moved', () => {
  const yes = { holds: 'yes' as const };
  const moved = {
    pubkey: '0x1',
    ceremony_id: 'made',
    status: 'registered',
    deposit_data: {},
    operators: [1, 2, 3, 4].map((operator_id) => ({ operator_id })),
    facts: {
      registered: yes,
      deposited_elsewhere: { holds: 'no' },
      operator_ids: [1, 2, 3, 5, 6, 7, 8],
      subscribed_until_block: 9,
    },
  } as unknown as Parameters<typeof mayRegister>[0];

  test('is no new registration, and is paid for by the size of its present committee', () => {
    expect(mayRegister(moved)).toBe(false);
    expect(committeeOf(moved)).toHaveLength(7);
    expect(endings([moved])).toEqual([{ end: 9n, validators: [{ pubkey: '0x1', size: 7 }] }]);
    expect(committeeOf({ ...moved, facts: null })).toEqual([1, 2, 3, 4]);
  });
});
