import type { Validator, ValidatorStatus } from '../api/validators';
import type { Tone } from '../ui/Badge';

/** How a status is called where one is chosen. The last one begins with the order to leave. */
export const VALIDATOR_STATUS: Record<ValidatorStatus, { tone: Tone; word: string }> = {
  incomplete: { tone: 'warning', word: 'incomplete' },
  ready: { tone: 'good', word: 'ready' },
  registered: { tone: 'accent', word: 'registered' },
  deposited: { tone: 'accent', word: 'deposited' },
  exited: { tone: 'neutral', word: 'leaving or exited' },
};

export const STATUSES = Object.keys(VALIDATOR_STATUS) as ValidatorStatus[];

/** How a validator's status is shown; how far its exit is, as far as the facts tell. */
export function shownStatus({ status, facts }: Pick<Validator, 'status' | 'facts'>): {
  tone: Tone;
  word: string;
} {
  if (status !== 'exited' || !facts) return VALIDATOR_STATUS[status];
  if (facts.exited.holds === 'yes') return { tone: 'neutral', word: 'exited' };
  if (facts.exiting.holds === 'yes') return { tone: 'warning', word: 'exiting' };
  return { tone: 'warning', word: 'exit ordered' };
}
