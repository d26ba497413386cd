import type { Schemas } from '../api/client';

export type Preflight = Schemas['Preflight'];
export type Finding = Schemas['OperatorFinding'];

/** Good: fit. Warning: a ceremony may suffer. Bad: it is not there. */
export type Fitness = 'good' | 'warning' | 'bad';

/** Beyond this every step of a ceremony is felt. */
const SLOW_MS = 2_000;

/** What stands against an operator, in sentences that say what to do. */
export function concernsOf(finding: Finding): string[] {
  if (!finding.reachable) {
    return [
      'It cannot be reached: its node is down, or cut off. Choose another operator, or ask this one to start its node.',
    ];
  }
  const found = finding.problems.map(sentence);
  if (finding.beacon === 'behind') {
    found.push(
      'Its beacon node is not in sync: it makes keys, and cannot perform duties until that has caught up.',
    );
  }
  if ((finding.round_trip_ms ?? 0) > SLOW_MS) {
    found.push('It answers slowly; the ceremony takes longer with it.');
  }
  return found;
}

export function fitnessOf(finding: Finding): Fitness {
  if (!finding.reachable) return 'bad';
  return concernsOf(finding).length > 0 ? 'warning' : 'good';
}

/** The gateway's words as a sentence. */
function sentence(problem: string): string {
  const text = problem.charAt(0).toUpperCase() + problem.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** What is known of a committee. */
export type State =
  /** Nobody was asked: no session yet. */
  | 'off'
  | 'measuring'
  | 'good'
  | 'warning'
  /** An operator is away. */
  | 'bad'
  /** No gateway has answered: nobody would carry the request either. */
  | 'unanswered'
  /** The service did not take the question. */
  | 'failed';

export function stateOf(preflight: Preflight | undefined, failed: boolean): State {
  if (preflight?.status === 'done') {
    const all = preflight.operators.map(fitnessOf);
    return all.includes('bad') ? 'bad' : all.includes('warning') ? 'warning' : 'good';
  }
  if (preflight?.status === 'unanswered') return 'unanswered';
  return failed ? 'failed' : 'measuring';
}

/** Whether the way on needs a person's word that it is to be gone all the same. */
export function needsWord(state: State): boolean {
  return state === 'bad' || state === 'unanswered';
}

/** A time span for people. */
export function span(ms: number): string {
  const size = Math.abs(ms);
  return size < 1_000 ? `${size} ms` : `${(size / 1_000).toFixed(1)} s`;
}

export function clockWords(skewMs: number): string {
  if (Math.abs(skewMs) < 1_000) return 'right';
  return `${span(skewMs)} ${skewMs > 0 ? 'ahead' : 'behind'}`;
}
