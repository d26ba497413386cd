import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrange, NO_FILTER, type SortKey } from '../src/committee/filter';
import {
  concerns,
  parseSaved,
  parseSelection,
  resize,
  save,
  toggle,
  type Selection,
} from '../src/committee/selection';
import { SIZES, threshold, tolerated } from '../src/committee/sizes';
import { operator } from './support';

const size = fc.constantFrom(...SIZES);
const anything = fc.anything();

test('sizes are 3f + 1 and 2f + 1 of them sign', () => {
  expect(SIZES.map((n) => [n, tolerated(n), threshold(n)])).toEqual([
    [4, 1, 3],
    [7, 2, 5],
    [10, 3, 7],
    [13, 4, 9],
  ]);
});

describe('selection', () => {
  const holds = ({ size: n, ids }: Selection) =>
    ids.length <= n && ids.every((id, at) => at === 0 || (ids[at - 1] ?? 0) < id);

  test('whatever is pressed, ids ascend, are distinct and fit', () => {
    const press = fc.oneof(
      fc.nat({ max: 20 }).map((id) => ({ id: id + 1 })),
      size.map((n) => ({ n })),
    );
    fc.assert(
      fc.property(fc.array(press, { maxLength: 60 }), (presses) => {
        let selection: Selection = { size: 4, ids: [] };
        for (const one of presses) {
          selection = 'id' in one ? toggle(selection, one.id) : resize(selection, one.n);
          if (!holds(selection)) return false;
        }
        return true;
      }),
    );
  });

  test('pressing twice changes nothing, unless there is no room', () => {
    fc.assert(
      fc.property(size, fc.integer({ min: 1, max: 99 }), (n, id) => {
        const empty: Selection = { size: n, ids: [] };
        return toggle(toggle(empty, id), id).ids.length === 0;
      }),
    );
    const full: Selection = { size: 4, ids: [1, 2, 3, 4] };
    expect(toggle(full, 5)).toEqual(full);
  });

  test('whatever the storage holds is read as a selection, or as none', () => {
    fc.assert(fc.property(anything, (value) => holds(parseSelection(value))));
    fc.assert(
      fc.property(anything, (value) => parseSaved(value).every((entry) => holds(entry) && entry.name !== '')),
    );
    expect(parseSelection({ size: 7, ids: [9, 2, 2, 0, -1, 1.5, 'x'] })).toEqual({ size: 7, ids: [0, 2, 9] });
    expect(parseSaved([{ name: 'a', size: 4, ids: [1, 2, 3] }])).toEqual([]);
  });

  test('a saved committee comes back as it was; the same name replaces', () => {
    const first: Selection = { size: 4, ids: [1, 2, 3, 4] };
    const saved = save(save([], 'mine', first), 'mine', { size: 4, ids: [5, 6, 7, 8] });
    expect(saved).toEqual([{ name: 'mine', size: 4, ids: [5, 6, 7, 8] }]);
    expect(parseSaved(JSON.parse(JSON.stringify(saved)))).toEqual(saved);
  });
});

test('concerns name operators of one owner and committees without anybody verified', () => {
  const shared = { owner: '0xAbC0000000000000000000000000000000000001' };
  const lower = { owner: shared.owner.toLowerCase(), verified: true };
  expect(concerns([operator(1, shared), operator(2, lower), operator(3)])).toEqual([
    'Operator 1 and Operator 2 belong to one owner and may fail together.',
  ]);
  expect(concerns([operator(1)])).toEqual(['None of these operators is verified.']);
  expect(concerns([])).toEqual([]);
});

describe('the list', () => {
  const list = [
    operator(3, { name: 'alpha', fee_gwei: 5, verified: true, month: { exchanges: 10, seen: 9 } }),
    operator(1, { name: 'Beta', fee_gwei: 7 }),
    operator(2, { name: 'gamma', month: { exchanges: 10, seen: 10 }, owner: '0xAA' }),
  ];
  const ids = (filter: Partial<typeof NO_FILTER>) =>
    arrange(list, { ...NO_FILTER, ...filter }).map((one) => one.operator_id);

  test.each<[SortKey, boolean, number[]]>([
    ['operator_id', false, [1, 2, 3]],
    ['operator_id', true, [3, 2, 1]],
    ['name', false, [3, 1, 2]],
    ['fee', false, [3, 1, 2]],
    ['fee', true, [1, 3, 2]],
    ['performance', true, [2, 3, 1]],
    ['performance', false, [3, 2, 1]],
  ])('sorted by %s, downwards %s', (sort, descending, expected) =>
    expect(ids({ sort, descending })).toEqual(expected),
  );

  test('finds names, ids and wallets, and leaves the list itself alone', () => {
    expect(ids({ text: ' BET ' })).toEqual([1]);
    expect(ids({ text: '0xaa' })).toEqual([2]);
    expect(ids({ verifiedOnly: true })).toEqual([3]);
    expect(list.map((one) => one.operator_id)).toEqual([3, 1, 2]);
  });
});
