import type { Validator } from '../api/validators';
import { committeeOf } from '../replace/committee';

/** Validators of one ceremony that are not registered yet, as far as the service knows. */
export interface Candidates {
  ceremonyId: string;
  pubkeys: readonly string[];
}

/** Ready, not registered, not leaving. */
export function mayRegister({ deposit_data, status, facts }: Validator): boolean {
  if (!deposit_data || status === 'incomplete' || status === 'exited') return false;
  return facts?.registered.holds !== 'yes' && facts?.deposited_elsewhere.holds !== 'yes';
}

/** By ceremony, in the order in which they were made. `pubkey` leaves one validator alone. */
export function candidates(validators: readonly Validator[], pubkey?: string): Candidates[] {
  const ceremonies = new Map<string, string[]>();
  for (const validator of validators) {
    if (!mayRegister(validator) || (pubkey !== undefined && validator.pubkey !== pubkey)) continue;
    const held = ceremonies.get(validator.ceremony_id);
    if (held) held.push(validator.pubkey);
    else ceremonies.set(validator.ceremony_id, [validator.pubkey]);
  }
  return [...ceremonies].map(([ceremonyId, pubkeys]) => ({ ceremonyId, pubkeys }));
}

/** A group of registered validators whose subscriptions end in the same block. */
export interface Ending {
  end: bigint;
  validators: readonly { pubkey: string; size: number }[];
}

/** Registered validators by the end of their subscriptions, the earliest first. */
export function endings(validators: readonly Validator[]): Ending[] {
  const groups = new Map<number, { pubkey: string; size: number }[]>();
  for (const validator of validators) {
    const { facts, pubkey, status } = validator;
    const until = facts?.subscribed_until_block;
    if (facts?.registered.holds !== 'yes' || until === undefined || until === null || status === 'exited')
      continue;
    const group = groups.get(until) ?? [];
    group.push({ pubkey, size: committeeOf(validator).length });
    groups.set(until, group);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([until, found]) => ({ end: BigInt(until), validators: found }));
}
