import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Validator } from '../src/api/validators';
import { allPages } from '../src/api/pages';
import { filterValidators, parseSearch } from '../src/validators/filter';
import { shownStatus } from '../src/validators/status';

function validator(at: number, status: Validator['status']): Validator {
  return {
    pubkey: `0x${at.toString(16).padStart(96, '0')}`,
    ceremony_id: `0x${(at % 2).toString().repeat(64)}`,
    owner: '0x',
    cluster_pubkey: '0x',
    status,
    operators: [{ operator_id: at, public_key: '0x', share_pubkey: '0x', sealed_share: '0x' }],
    missing_operators: [],
    created_at_ms: 0,
    updated_at_ms: 0,
  };
}

const all = [validator(1, 'ready'), validator(2, 'incomplete'), validator(30, 'ready')];
const keys = (search: Parameters<typeof filterValidators>[1]) =>
  filterValidators(all, search).map((one) => Number(one.pubkey));

test('an order to leave is not called an exit', () => {
  const word = (exited: string, exiting: string) => {
    const facts = { exited: { holds: exited }, exiting: { holds: exiting } } as NonNullable<
      Validator['facts']
    >;
    return shownStatus({ status: 'exited', facts }).word;
  };
  expect([word('no', 'no'), word('unknown', 'unknown')]).toEqual(['exit ordered', 'exit ordered']);
  expect([word('no', 'yes'), word('unknown', 'yes'), word('yes', 'yes')]).toEqual([
    'exiting',
    'exiting',
    'exited',
  ]);
  // Where no facts are read there is the owner's own word alone.
  expect(shownStatus(validator(1, 'exited')).word).toBe('leaving or exited');
  expect(shownStatus({ ...validator(1, 'ready'), facts: null }).word).toBe('ready');
});

describe('the filter', () => {
  test.each([
    [{}, [1, 2, 30]],
    [{ status: 'ready' as const }, [1, 30]],
    [{ q: '1E' }, [30]],
    [{ q: '#30' }, [30]],
    [{ q: '#3' }, []],
    [{ ceremony: `0x${'1'.repeat(64)}` }, [1]],
    [{ status: 'ready' as const, ceremony: `0x${'0'.repeat(64)}` }, [30]],
  ])('%j', (search, expected) => expect(keys(search)).toEqual(expected));

  test('reads any address, and what it read it reads again as the same', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('q', 'status', 'ceremony', 'x'), fc.anything()), (raw) => {
        const search = parseSearch(raw);
        expect(parseSearch({ ...search })).toEqual(search);
      }),
    );
    expect(parseSearch({ status: 'ready', q: 5, other: 1 })).toEqual({ status: 'ready' });
  });
});

describe('pages', () => {
  test('are read to the end, in order', async () => {
    const pages: Record<string, { items: number[]; next_cursor: string | null }> = {
      '': { items: [1, 2], next_cursor: 'b' },
      b: { items: [3], next_cursor: null },
    };
    expect(await allPages(({ cursor = '' }) => Promise.resolve(pages[cursor] ?? { items: [] }))).toEqual([
      1, 2, 3,
    ]);
  });

  test('a service that gives the same cursor for ever is not read for ever', async () => {
    const page = () => Promise.resolve({ items: [1], next_cursor: 'again' });
    expect(await allPages(page)).toEqual([1, 1]);
  });
});
