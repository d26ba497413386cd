import { getAddress, isAddress, zeroAddress, type Address } from 'viem';
import type { AppConfig } from '../config/config';
import type { Draft } from './draft';

/** A draft with nothing wrong in it. */
export interface Order {
  validatorCount: number;
  withdrawalAddress: Address;
}

export type DraftErrors = Partial<Record<'count' | 'address', string>>;

/** The order, or what is wrong with which field. */
export function checkDraft(draft: Draft, config: AppConfig): { order?: Order; errors: DraftErrors } {
  const errors: DraftErrors = {};
  const count = /^[0-9]+$/.test(draft.count.trim()) ? Number(draft.count.trim()) : Number.NaN;
  if (!Number.isSafeInteger(count) || count < 1)
    errors.count = 'Enter how many validators you want, from 1 on.';
  else if (count > config.max_validators) {
    errors.count = `One ceremony makes at most ${config.max_validators} validators; start another one for more.`;
  }
  const address = addressOf(draft, config);
  if (typeof address !== 'string' || !address.startsWith('0x')) errors.address = address;
  if (errors.count !== undefined || errors.address !== undefined) return { errors };
  return { order: { validatorCount: count, withdrawalAddress: address as Address }, errors };
}

/** The address, or a sentence that begins with a capital letter about why there is none. */
function addressOf(draft: Draft, config: AppConfig): string {
  if (draft.target === 'lido') return config.lido_withdrawal_vault;
  const text = draft.address.trim();
  if (text === '') return 'Enter the address that withdrawals go to.';
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) return 'An address is 0x and 40 digits 0-9, a-f.';
  // viem takes all-lower-case texts, which carry no checksum, and refuses a wrong checksum.
  if (!isAddress(text)) return 'The capital letters of this address do not fit it: a digit is mistyped.';
  if (text.toLowerCase() === zeroAddress) return 'Whatever goes to the zero address is lost.';
  return getAddress(text);
}
