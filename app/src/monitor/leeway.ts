import type { ValidatorTotals } from '../api/performance';

/** From this key on (the first is 1), this many hundredths of a percent. */
export interface Interval {
  minKeyNumber: bigint;
  value: bigint;
}

/** The leeway of a key by its place among a node operator's keys (the first is 0), as a share; undefined where none is given. */
export function leewayOf(intervals: readonly Interval[], index: number): number | undefined {
  const number = BigInt(index) + 1n;
  const held = intervals.filter(({ minKeyNumber }) => minKeyNumber <= number);
  const last = held.reduce<Interval | undefined>(
    (best, one) => (!best || one.minKeyNumber >= best.minKeyNumber ? one : best),
    undefined,
  );
  return last && Number(last.value) / 10_000;
}

/** Leeways in words: "5 % for keys 1 to 150, 3 % from key 151 on". */
export function leewayWords(intervals: readonly Interval[]): string {
  const sorted = [...intervals].sort((a, b) => (a.minKeyNumber < b.minKeyNumber ? -1 : 1));
  const words = sorted.map(({ minKeyNumber, value }, at) => {
    const percent = `${Number(value) / 100} %`;
    const next = sorted[at + 1];
    if (next) return `${percent} for keys ${minKeyNumber} to ${next.minKeyNumber - 1n}`;
    return at === 0 ? percent : `${percent} from key ${minKeyNumber} on`;
  });
  return words.join(', ');
}

/** How Lido weighs the duties that a validator had. */
const WEIGHTS: Record<string, number> = { attestation: 54, block: 8, sync_message: 2 };

/**
 * What the operators measured, weighed as Lido does it: share of attestations, blocks and sync messages by 54, 8 and 2, over the kinds that
 * there were. Undefined without any. It counts what was sent; Lido counts what the chain took, which can be less.
 */
export function measured({ duties }: Pick<ValidatorTotals, 'duties'>): number | undefined {
  const held = duties.flatMap(({ kind, expected, submitted }) => {
    const weight = WEIGHTS[kind];
    return weight !== undefined && expected > 0 ? [{ weight, share: submitted / expected }] : [];
  });
  const all = held.reduce((sum, { weight }) => sum + weight, 0);
  if (all === 0) return undefined;
  return held.reduce((sum, { weight, share }) => sum + weight * share, 0) / all;
}

/** Whether a score is above every threshold that there can be: the network's performance is at most all, and the leeway is taken off. */
export function isSafe(score: number, leeway: number): boolean {
  return score >= 1 - leeway;
}
