import type { ValidatorStatus } from '../api/validators';
import type { Tone } from '../ui/Badge';

/** How a status is shown. `incomplete` and `ready` are verified by the service; the others the owner has said. */
export const VALIDATOR_STATUS: Record<ValidatorStatus, { tone: Tone; word: string }> = {
  incomplete: { tone: 'warning', word: 'incomplete' },
  ready: { tone: 'good', word: 'ready' },
  registered: { tone: 'accent', word: 'registered' },
  deposited: { tone: 'accent', word: 'deposited' },
  exited: { tone: 'neutral', word: 'exited' },
};

export const STATUSES = Object.keys(VALIDATOR_STATUS) as ValidatorStatus[];
