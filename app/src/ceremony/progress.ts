import type { CeremonyEvent } from '../api/ceremonies';

/** Steps of a ceremony in their order; `docs/spec/dkg.md` specifies them. */
export const STEPS = ['commit', 'deal', 'echo', 'verdicts', 'store', 'sign', 'certify'] as const;
export type Step = (typeof STEPS)[number];

/** What each step is for, in words. */
export const STEP_WORDS: Record<Step, string> = {
  commit: 'Commit: everyone fixes its part of the keys',
  deal: 'Deal: everyone sends sealed shares to the others',
  echo: 'Echo: all make sure that they got the same',
  verdicts: 'Verdicts: every share is checked, liars are found',
  store: 'Store: shares are on disk',
  sign: 'Sign: deposits are signed together',
  certify: 'Certify: everyone signs the result',
};

export interface OperatorProgress {
  /** Steps that were entered; 7 is done. */
  reached: number;
  aborted: boolean;
}

export interface Culprit {
  operatorId: number;
  kind: string;
}

export interface Progress {
  /** Number of the last event; events at or below it change nothing. */
  lastSeq: number;
  operators: ReadonlyMap<number, OperatorProgress>;
  culprits: readonly Culprit[];
  outcome: 'ready' | 'incomplete' | 'aborted' | 'expired' | undefined;
  reason: string | undefined;
  missing: readonly number[];
}

export const NO_PROGRESS: Progress = {
  lastSeq: 0,
  operators: new Map(),
  culprits: [],
  outcome: undefined,
  reason: undefined,
  missing: [],
};

/** One event more. Events may come twice, after a reconnection; progress never goes back. */
export function advance(progress: Progress, event: CeremonyEvent): Progress {
  if (event.seq <= progress.lastSeq) return progress;
  const next = { ...progress, lastSeq: event.seq, culprits: merge(progress.culprits, event.culprits ?? []) };
  switch (event.kind) {
    case 'requested':
      return next;
    case 'progress':
      return { ...next, operators: moved(progress.operators, event) };
    case 'aborted':
    case 'expired':
      return { ...next, outcome: event.kind, reason: event.reason ?? undefined };
    case 'incomplete':
    case 'ready':
      return { ...next, outcome: event.kind, reason: undefined, missing: event.missing_operators ?? [] };
  }
}

function moved(operators: Progress['operators'], event: CeremonyEvent): Progress['operators'] {
  const { operator_id: id, step } = event;
  if (id === undefined || id === null || step === undefined || step === null) return operators;
  const before = operators.get(id) ?? { reached: 0, aborted: false };
  const reached = step === 'done' ? STEPS.length : STEPS.indexOf(step as Step);
  const after = { reached: Math.max(before.reached, reached), aborted: before.aborted || step === 'aborted' };
  return new Map(operators).set(id, after);
}

function merge(
  held: readonly Culprit[],
  reported: NonNullable<CeremonyEvent['culprits']>,
): readonly Culprit[] {
  const fresh = reported
    .map(({ operator_id, kind }) => ({ operatorId: operator_id, kind }))
    .filter(
      ({ operatorId, kind }) => !held.some((one) => one.operatorId === operatorId && one.kind === kind),
    );
  return fresh.length === 0 ? held : [...held, ...fresh];
}

/** What an operator did, as a gateway reports it, in words. */
export function describeFault(kind: string): string {
  const words: Record<string, string> = {
    silent: 'did not answer in time',
    wrong_share: 'sent a share that does not fit its commitments',
    equivocation: 'told different operators different things',
    false_complaint: 'accused another operator falsely',
    bad_proof: 'sent a proof that does not hold',
  };
  return words[kind] ?? kind.replaceAll('_', ' ');
}
