import { getAddress, isAddress, type Address, type Hex } from 'viem';
import { sameAddress } from '../session/session';
import { NOBODY } from './call';
import type { Draft } from './draft';
import { MAX_BATCH } from './plan';
import { readProof } from './proof';
import type { Target } from './queue/types';

export type DraftErrors = Partial<
  Record<'target' | 'manager' | 'reward' | 'referrer' | 'proof' | 'perBatch', string>
>;

export interface Order {
  target: Exclude<Target, { kind: 'made' }>;
  perBatch: number;
}

/** The order for `keys` keys, or what is wrong with which field. */
export function checkDraft(
  draft: Draft,
  account: Address,
  keys: number,
): { order?: Order; errors: DraftErrors } {
  const errors: DraftErrors = {};
  const perBatch = /^[0-9]+$/.test(draft.perBatch.trim()) ? Number(draft.perBatch.trim()) : Number.NaN;
  if (!(perBatch >= 1 && perBatch <= MAX_BATCH))
    errors.perBatch = `Enter 1 to ${MAX_BATCH}: more do not fit into one transaction.`;
  if (draft.target === '') errors.target = 'Choose a node operator, or make a new one.';
  const target: Order['target'] =
    draft.target === 'new'
      ? newTarget(draft, account, errors)
      : { kind: 'existing', nodeOperatorId: draft.target };
  if (target.kind === 'new' && keys > perBatch && !managedBy(target.manager, account))
    errors.manager = `Only the manager can add the keys of further transactions. Put all ${keys} keys into one, or stay the manager for now.`;
  if (Object.keys(errors).length > 0) return { errors };
  return { order: { target, perBatch }, errors };
}

const managedBy = (manager: Address, account: Address) => manager === NOBODY || sameAddress(manager, account);

function newTarget(draft: Draft, account: Address, errors: DraftErrors): Extract<Target, { kind: 'new' }> {
  const read = (field: 'manager' | 'reward' | 'referrer'): Address => {
    const { address, error } = optionalAddress(draft[field]);
    if (error !== undefined) errors[field] = error;
    return address ?? NOBODY;
  };
  let proof: Hex[] = [];
  if (draft.gate !== 'permissionless') {
    try {
      proof = readProof(draft.proof, account);
    } catch (error) {
      errors.proof = error instanceof Error ? error.message : String(error);
    }
  }
  return {
    kind: 'new',
    gate: draft.gate,
    manager: read('manager'),
    reward: read('reward'),
    extended: draft.extended,
    referrer: read('referrer'),
    proof,
  };
}

/** An address, nothing for an empty field, or what is wrong with it. */
export function optionalAddress(text: string): { address?: Address; error?: string } {
  const trimmed = text.trim();
  if (trimmed === '') return {};
  if (!/^0x[0-9a-fA-F]{40}$/.test(trimmed)) return { error: 'An address is 0x and 40 digits 0-9, a-f.' };
  if (!isAddress(trimmed))
    return { error: 'The capital letters of this address do not fit it: a digit is mistyped.' };
  return { address: getAddress(trimmed) };
}
