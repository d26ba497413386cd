// Figures over time, as charts and tables show them.
import { expect, test } from 'vitest';
import type { PerformancePoint } from '../src/api/performance';
import { meanSeen, operatorsOf, toPoints } from '../src/performance/series';
import { missesInWords } from '../src/performance/SeriesTable';

const point = (
  epoch: number,
  submitted: number,
  seen: number,
  misses: Record<string, number> = {},
): PerformancePoint => ({
  first_epoch: epoch,
  last_epoch: epoch,
  start_ms: Date.UTC(2026, 0, 1) + epoch * 384_000,
  reports: 4,
  expected: 4,
  submitted,
  duties: [
    { kind: 'attestation', expected: 1, submitted: 1, misses: {} },
    { kind: 'sync_message', expected: 3, submitted: submitted - 1, misses },
  ],
  operators: [
    { operator_id: 2, exchanges: 4, seen },
    { operator_id: 1, exchanges: 0, seen: 0 },
  ],
});

test('the newest comes last, and an operator that had nothing to do missed nothing', () => {
  const points = toPoints([point(9, 4, 4), point(8, 2, 1, { signer: 1 })], 'epoch');
  expect(points.map(({ label, missed }) => [label, missed])).toEqual([
    ['Epoch 8', 2],
    ['Epoch 9', 0],
  ]);
  expect(operatorsOf(points)).toEqual([2]);
  expect(points.map(({ seen }) => seen.get(2))).toEqual([0.25, 1]);
  expect([meanSeen(points, 2), meanSeen(points, 1)]).toEqual([0.625, undefined]);
});

test('days are named by the date of UTC', () => {
  expect(toPoints([point(0, 4, 4)], 'day')[0]?.label).toBe('1 Jan');
});

test('misses are told with their reasons, and how many have none', () => {
  const told = ({ submitted, misses }: { submitted: number; misses: Record<string, number> }) =>
    toPoints([point(1, submitted, 4, misses)], 'epoch').map(missesInWords)[0];
  expect(told({ submitted: 4, misses: {} })).toBe('none');
  expect(told({ submitted: 2, misses: { signer: 1, beacon_node: 1 } })).toContain(
    '1: a signer did not answer',
  );
  expect(told({ submitted: 1, misses: { signer: 2 } })).toBe(
    '2: a signer did not answer; 1: no reason that the operators agree on',
  );
  expect(told({ submitted: 3, misses: { new_reason: 1 } })).toBe('1: new reason');
});
