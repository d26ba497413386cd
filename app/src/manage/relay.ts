import { getAddress, isAddress } from 'viem';
import type { OperatorUpkeep, RelayState } from '../api/upkeep';
import { sameAddress } from '../session/session';
import type { Tone } from '../ui/Badge';

/** What an operator says of a validator's registration with its relays. */
export interface RelayWord {
  tone: Tone;
  word: string;
  /** First epoch in a row with this state. */
  epoch?: number;
  /** What is signed, with the address as people compare it. */
  recipient?: string;
  gasLimit?: number;
}

/** Whether relays know a recipient that is not the one that is set; not so where either is not known. */
export function isMismatch(relay: OperatorUpkeep['relay'], recipient: string | undefined): boolean {
  const known = relay?.state === 'registered' ? relay.fee_recipient : undefined;
  return Boolean(known && recipient && !sameAddress(known, recipient));
}

/** How many operators have the validator registered for a recipient other than the one that is set. */
export function mismatches(items: readonly OperatorUpkeep[], recipient: string | undefined): number {
  return items.filter(({ relay }) => isMismatch(relay, recipient)).length;
}

const WORDS: Record<RelayState, { tone: Tone; word: string }> = {
  off: { tone: 'neutral', word: 'asks no builders' },
  waiting: { tone: 'accent', word: 'waiting' },
  incomplete: { tone: 'warning', word: 'too few partial signatures' },
  not_taken: { tone: 'bad', word: 'no beacon node took it' },
  registered: { tone: 'good', word: 'registered' },
};

/** `null` where the operator has said nothing. */
export function relayWord(relay: OperatorUpkeep['relay'], recipient: string | undefined): RelayWord {
  if (!relay) return { tone: 'neutral', word: 'has not said anything' };
  const { state, epoch, fee_recipient, gas_limit } = relay;
  return {
    ...(isMismatch(relay, recipient)
      ? { tone: 'bad', word: 'registered for another recipient' }
      : WORDS[state]),
    ...(epoch == null ? {} : { epoch }),
    ...(fee_recipient == null
      ? {}
      : { recipient: isAddress(fee_recipient) ? getAddress(fee_recipient) : fee_recipient }),
    ...(gas_limit == null ? {} : { gasLimit: gas_limit }),
  };
}

/** Whether anybody has said something, and whether there is more to show than one line. */
export function relayView(items: readonly OperatorUpkeep[]): 'unsaid' | 'off' | 'each' {
  if (items.every(({ relay }) => !relay)) return 'unsaid';
  return items.every(({ relay }) => relay?.state === 'off') ? 'off' : 'each';
}
