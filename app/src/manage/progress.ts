import type { Validator } from '../api/validators';

type Facts = NonNullable<Validator['facts']>;

export interface ExitStep {
  word: string;
  state: 'done' | 'open' | 'unknown';
  detail?: string;
}

/** The way out, step by step, as far as the service's facts tell. */
export function exitSteps(facts: Facts): ExitStep[] {
  const { exit_requested, exiting, exited, withdrawn, submitted_to_csm } = facts;
  const ordered = exit_requested.evidence?.block_number;
  const leaves = exiting.evidence?.exit_epoch ?? exited.evidence?.exit_epoch ?? undefined;
  const state = (holds: string): ExitStep['state'] =>
    holds === 'yes' ? 'done' : holds === 'unknown' ? 'unknown' : 'open';
  const out = exited.holds === 'yes';
  const steps: ExitStep[] = [
    {
      word: 'Ordered by you',
      state: exit_requested.holds === 'yes' ? 'done' : 'open',
      ...(ordered === undefined ? {} : { detail: `block ${ordered}` }),
    },
    {
      word: 'Signed by a quorum of operators, and on its way out',
      state: out ? 'done' : state(exiting.holds),
      ...(leaves === undefined ? {} : { detail: `leaves in epoch ${leaves}` }),
    },
    { word: 'Exited', state: state(exited.holds) },
  ];
  if (submitted_to_csm.holds === 'yes')
    steps.push({ word: 'Withdrawal reported to Lido', state: state(withdrawn.holds) });
  return steps;
}

/** Whether an exit is under way or over. */
export function isLeaving(facts: Facts): boolean {
  return [facts.exit_requested, facts.exiting, facts.exited, facts.withdrawn].some(
    ({ holds }) => holds === 'yes',
  );
}
