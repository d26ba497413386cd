import type { Validator, ValidatorStatus } from '../api/validators';
import { committeeOf } from '../replace/committee';
import { STATUSES } from './status';

/** What the table shows; it stands in the address, so that a view can be kept and shared. */
export interface ValidatorSearch {
  q?: string;
  status?: ValidatorStatus;
  ceremony?: string;
}

export function parseSearch(raw: Record<string, unknown>): ValidatorSearch {
  const search: ValidatorSearch = {};
  if (typeof raw.q === 'string' && raw.q !== '') search.q = raw.q.slice(0, 100);
  const status = STATUSES.find((known) => known === raw.status);
  if (status) search.status = status;
  if (typeof raw.ceremony === 'string' && raw.ceremony !== '') search.ceremony = raw.ceremony.slice(0, 66);
  return search;
}

/** Validators that meet every condition; `q` is a part of the key, or the number of an operator with # before it. */
export function filterValidators(
  validators: readonly Validator[],
  search: ValidatorSearch,
): readonly Validator[] {
  const q = search.q?.trim().toLowerCase() ?? '';
  const operator = /^#(\d+)$/.exec(q)?.[1];
  return validators.filter((validator) => {
    if (search.status && validator.status !== search.status) return false;
    if (search.ceremony && validator.ceremony_id !== search.ceremony) return false;
    if (operator !== undefined) return committeeOf(validator).some((id) => String(id) === operator);
    return q === '' || validator.pubkey.includes(q) || validator.ceremony_id.includes(q);
  });
}
