import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import type { Validator } from '../api/validators';
import { heldKeys, type Journal } from './queue/machine';

/** What the service and this browser know of the owner's validators. */
export interface Known {
  validators: readonly Validator[];
  ceremonies: readonly Ceremony[];
  operators: readonly Operator[];
  journal: Journal;
}

/** Validators of one ceremony that can be submitted, as far as is known before they are verified. */
export interface Group {
  ceremony: Ceremony;
  pubkeys: readonly string[];
}

/** Public keys per ceremony: the verifier compares ceremonies with each other. */
export function pubkeysByCeremony(validators: readonly Validator[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { ceremony_id, pubkey } of validators)
    groups.set(ceremony_id, [...(groups.get(ceremony_id) ?? []), pubkey]);
  return groups;
}

/** Whether nothing says that a validator is used already. */
export function isUnsubmitted({ deposit_data, status, facts }: Validator): boolean {
  if (!deposit_data || (status !== 'ready' && status !== 'registered')) return false;
  return !facts || [facts.submitted_to_csm, facts.deposited].every((fact) => fact.holds !== 'yes');
}

/** What can be submitted, by ceremony, newest first. */
export function submittable({ validators, ceremonies, journal }: Known): Group[] {
  const held = heldKeys(journal);
  const free = validators.filter((one) => isUnsubmitted(one) && !held.has(one.pubkey.toLowerCase()));
  const groups = pubkeysByCeremony(free);
  return ceremonies.flatMap((ceremony) => {
    const pubkeys = groups.get(ceremony.ceremony_id);
    return pubkeys && ceremony.status === 'ready' ? [{ ceremony, pubkeys }] : [];
  });
}
