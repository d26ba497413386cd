import type { PerformancePoint, Per } from '../api/performance';
import { share } from './figures';

/** One point of a chart: oldest first. */
export interface Point {
  /** "Epoch 7" or "12 May". */
  label: string;
  /** Under the axis: shorter. */
  tick: string;
  expected: number;
  submitted: number;
  missed: number;
  misses: readonly (readonly [reason: string, count: number])[];
  kinds: readonly { kind: string; expected: number; submitted: number }[];
  /** Share of exchanges in which each operator was seen, 0 to 1; none where there was no exchange. */
  seen: ReadonlyMap<number, number>;
}

export const KIND_WORDS: Record<string, string> = {
  attestation: 'attestations',
  sync_message: 'sync committee messages',
  aggregate_and_proof: 'aggregates',
  contribution_and_proof: 'sync contributions',
  block: 'blocks',
};

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

function labelOf(point: PerformancePoint, per: Per): { label: string; tick: string } {
  if (per === 'epoch') return { label: `Epoch ${point.first_epoch}`, tick: String(point.first_epoch) };
  const day = DAY.format(point.start_ms);
  return { label: day, tick: day };
}

/** The service gives the newest first; charts are read from left to right. */
export function toPoints(items: readonly PerformancePoint[], per: Per): Point[] {
  return items
    .map((item) => ({
      ...labelOf(item, per),
      expected: item.expected,
      submitted: item.submitted,
      missed: Math.max(0, item.expected - item.submitted),
      misses: missesOf(item),
      kinds: item.duties.map(({ kind, expected, submitted }) => ({ kind, expected, submitted })),
      seen: new Map(
        item.operators
          .filter(({ exchanges }) => exchanges > 0)
          .map(({ operator_id, seen, exchanges }) => [operator_id, share(seen, exchanges)] as const),
      ),
    }))
    .reverse();
}

function missesOf(item: PerformancePoint): [string, number][] {
  const counts = new Map<string, number>();
  for (const { misses } of item.duties)
    for (const [reason, count] of Object.entries(misses ?? {}))
      counts.set(reason, (counts.get(reason) ?? 0) + count);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** Every operator of any point, ascending. */
export function operatorsOf(points: readonly Point[]): number[] {
  return [...new Set(points.flatMap(({ seen }) => [...seen.keys()]))].sort((a, b) => a - b);
}

/** The mean of an operator's shares over the points in which there was something to take part in. */
export function meanSeen(points: readonly Point[], operatorId: number): number | undefined {
  const shares = points.flatMap(({ seen }) => seen.get(operatorId) ?? []);
  return shares.length === 0 ? undefined : shares.reduce((sum, one) => sum + one, 0) / shares.length;
}
