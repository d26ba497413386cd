import type { Validator } from '../api/validators';

/** Whether a validator's withdrawals go to this address (0x01 credentials). */
export function withdrawsTo({ deposit_data }: Pick<Validator, 'deposit_data'>, address: string): boolean {
  const credentials = deposit_data?.withdrawal_credentials.toLowerCase();
  return credentials === `01${'00'.repeat(11)}${address.slice(2).toLowerCase()}`;
}
