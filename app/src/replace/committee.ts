import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import type { Validator } from '../api/validators';
import type { Selection } from '../committee/selection';
import { isSize, threshold } from '../committee/sizes';

/** Ids of the operators that perform for a validator: by the contract when it is registered, and those that made its key otherwise. */
export function committeeOf({
  facts,
  operators,
}: {
  facts?: Pick<NonNullable<Validator['facts']>, 'operator_ids'> | null | undefined;
  operators: readonly { operator_id: number }[];
}): readonly number[] {
  return facts?.operator_ids ?? operators.map(({ operator_id }) => operator_id);
}

export function sameCommittee(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}

type Made = Pick<Ceremony, 'ceremony_id' | 'previous_ceremony_id' | 'status' | 'operator_ids'>;

/**
 * The ceremony whose shares a validator's operators use: the one that made its key, or the newest reshare of it to this committee.
 * Undefined when no ceremony that is known fits. `ceremonies` come newest first.
 */
export function ceremonyOf(
  made: string,
  committee: readonly number[],
  ceremonies: readonly Made[],
): Made | undefined {
  const line = new Set([made]);
  // Ceremonies are few, and each round adds one or ends.
  for (let grew = true; grew;) {
    grew = false;
    for (const { ceremony_id, previous_ceremony_id } of ceremonies) {
      if (!previous_ceremony_id || !line.has(previous_ceremony_id) || line.has(ceremony_id)) continue;
      line.add(ceremony_id);
      grew = true;
    }
  }
  return ceremonies.find(
    ({ ceremony_id, status, operator_ids }) =>
      status === 'ready' && line.has(ceremony_id) && sameCommittee(operator_ids, committee),
  );
}

/** A choice of a new committee beside the present one. */
export interface Change {
  leaving: readonly number[];
  joining: readonly number[];
  staying: readonly number[];
  /** How many of the present operators have to stay: as many as sign for it. */
  needed: number;
  /** Why it cannot be asked for; undefined when it can. */
  fault: string | undefined;
}

/**
 * What a new committee changes. A reshare is dealt by those who stay, and their shares have to be enough to sign (`docs/spec/dkg.md`,
 * 11.2).
 */
export function changeOf(
  present: readonly number[],
  { size, ids }: Selection,
  operators: readonly Operator[],
): Change {
  const leaving = present.filter((id) => !ids.includes(id));
  const joining = ids.filter((id) => !present.includes(id));
  const staying = present.filter((id) => ids.includes(id));
  const needed = isSize(present.length) ? threshold(present.length) : present.length;
  const gone = ids.filter((id) => !operators.some((one) => one.operator_id === id && one.active));
  const fault = () => {
    if (staying.length < needed)
      return `${needed} of the ${present.length} present operators have to stay, because only their shares together make new ones; you keep ${staying.length}.`;
    if (gone.length > 0) return `Operator ${gone.join(', ')} has left the network; choose another one.`;
    if (ids.length < size)
      return `Choose ${size - ids.length} more: the new committee has ${ids.length} of ${size} operators.`;
    if (leaving.length === 0 && joining.length === 0)
      return 'This is the present committee. Take away who leaves.';
    return undefined;
  };
  return { leaving, joining, staying, needed, fault: fault() };
}

/** Operators that can be chosen: the present ones, and everybody who is in the network. */
export function choosable(present: readonly number[], operators: readonly Operator[]): Operator[] {
  return operators.filter((one) => one.active || present.includes(one.operator_id));
}
