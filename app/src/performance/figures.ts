import type { ValidatorPerformance } from '../api/performance';

export interface EpochFigures {
  epoch: number;
  startMs: number;
  expected: number;
  submitted: number;
}

/** All validators of an epoch together, ascending by epoch. */
export function byEpoch(items: readonly ValidatorPerformance[]): EpochFigures[] {
  const epochs = new Map<number, EpochFigures>();
  for (const { epoch, start_ms, expected, submitted } of items) {
    const held = epochs.get(epoch) ?? { epoch, startMs: start_ms, expected: 0, submitted: 0 };
    epochs.set(epoch, { ...held, expected: held.expected + expected, submitted: held.submitted + submitted });
  }
  return [...epochs.values()].sort((a, b) => a.epoch - b.epoch);
}

/** How often duties were missed, by reason, most frequent first. */
export function missReasons(items: readonly ValidatorPerformance[]): { reason: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { duties } of items) {
    for (const { misses } of duties) {
      for (const [reason, count] of Object.entries(misses ?? {}))
        counts.set(reason, (counts.get(reason) ?? 0) + count);
    }
  }
  return [...counts].map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count);
}

/** A share of what was expected; everything when nothing was. */
export function share(done: number, expected: number): number {
  return expected === 0 ? 1 : done / expected;
}

/** What a reason means; `docs/failures.md` says what operators do about it. */
export const REASON_WORDS: Record<string, string> = {
  beacon_node: 'no beacon node gave the data in time',
  no_quorum: 'too few operators agreed in time',
  other_view: 'operators saw different heads of the chain',
  slashable: 'slashing protection refused',
  signer: 'a signer did not answer',
  too_few_partials: 'too few partial signatures arrived',
  not_accepted: 'no beacon node took it',
  no_randao: 'the RANDAO reveal was not ready',
  unknown_fork: 'the software does not know the fork',
  doppelganger: 'held back, because the key may be active elsewhere',
};
