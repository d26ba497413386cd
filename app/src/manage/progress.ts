import type { ExitState, OperatorUpkeep } from '../api/upkeep';
import type { Validator } from '../api/validators';
import { threshold } from '../committee/sizes';
import type { Tone } from '../ui/Badge';

type Facts = NonNullable<Validator['facts']>;

export interface ExitStep {
  word: string;
  state: 'done' | 'open' | 'unknown';
  detail?: string;
}

/** The way out, step by step, as far as the service's facts tell; how far signing is, operators say. */
export function exitSteps(facts: Facts, progress?: ExitProgress): ExitStep[] {
  const { exit_requested, exiting, exited, withdrawn, submitted_to_csm } = facts;
  const ordered = exit_requested.evidence?.block_number;
  const leaves = exiting.evidence?.exit_epoch ?? exited.evidence?.exit_epoch ?? undefined;
  const state = (holds: string): ExitStep['state'] =>
    holds === 'yes' ? 'done' : holds === 'unknown' ? 'unknown' : 'open';
  const out = exited.holds === 'yes';
  const signing =
    leaves !== undefined ? `leaves in epoch ${leaves}` : progress && !out ? signedWords(progress) : undefined;
  const steps: ExitStep[] = [
    {
      word: 'Ordered by you',
      state: exit_requested.holds === 'yes' ? 'done' : 'open',
      ...(ordered === undefined ? {} : { detail: `block ${ordered}` }),
    },
    {
      word: 'Signed by a quorum of operators, and on its way out',
      state: out ? 'done' : state(exiting.holds),
      ...(signing === undefined ? {} : { detail: signing }),
    },
    { word: 'Exited', state: state(exited.holds) },
  ];
  if (submitted_to_csm.holds === 'yes')
    steps.push({ word: 'Withdrawal reported to Lido', state: state(withdrawn.holds) });
  return steps;
}

/** How many operators of a committee say that they have come so far with an exit, each step counting those beyond it. */
export interface ExitProgress {
  operators: number;
  /** Signatures that make the validator's. */
  needed: number;
  ordered: number;
  signed: number;
  published: number;
}

export function exitProgress(items: readonly OperatorUpkeep[]): ExitProgress {
  const count = (...words: ExitState[]) => items.filter(({ exit }) => exit && words.includes(exit)).length;
  return {
    operators: items.length,
    needed: threshold(items.length),
    ordered: count('ordered', 'signed', 'published'),
    signed: count('signed', 'published'),
    published: count('published'),
  };
}

const sayOf = (count: number, { operators }: ExitProgress) =>
  `${count} of ${operators} operators ${count === 1 ? 'has' : 'have'}`;

/** Who has signed, and what is missing until the chain gets the exit. */
export function signedWords(progress: ExitProgress): string {
  const { signed, needed, published } = progress;
  const words = `${sayOf(signed, progress)} signed, ${needed} are needed`;
  if (published > 0) return `${words}; a beacon node took the complete exit`;
  return signed >= needed ? `${words}; no beacon node took the complete exit yet` : words;
}

export function orderedWords(progress: ExitProgress): string {
  return `${sayOf(progress.ordered, progress)} the order`;
}

const EXIT_WORDS: Record<ExitState, { tone: Tone; word: string }> = {
  none: { tone: 'neutral', word: 'does not have the order' },
  ordered: { tone: 'accent', word: 'has the order' },
  signed: { tone: 'good', word: 'has signed' },
  published: { tone: 'good', word: 'a beacon node took the complete exit' },
};

/** What an operator says of an exit that is ordered; `null` where it has said nothing. */
export function exitWord(exit: ExitState | null | undefined): { tone: Tone; word: string } {
  return exit ? EXIT_WORDS[exit] : { tone: 'neutral', word: 'has not said anything' };
}

/**
 * Whether an exit is ordered, and not over: by the chain, or by what operators say, since an order can reach them with a signature alone,
 * which no chain knows of.
 */
export function isExitUnderWay(facts: Facts, progress?: ExitProgress): boolean {
  const { exit_requested, exited, withdrawn } = facts;
  if (exited.holds === 'yes' || withdrawn.holds === 'yes') return false;
  return exit_requested.holds === 'yes' || (progress !== undefined && progress.ordered > 0);
}

/** Whether an exit is under way or over. */
export function isLeaving(facts: Facts): boolean {
  return [facts.exit_requested, facts.exiting, facts.exited, facts.withdrawn].some(
    ({ holds }) => holds === 'yes',
  );
}
