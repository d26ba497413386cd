import type { Operator } from '../api/operators';
import { readStored, writeStored } from '../ui/stored';
import type { Request } from './request';

/** What this browser asked for, so that the answer can be held against it later. Nothing in it is secret, and no signature is kept. */
export interface Remembered {
  ceremony_id: string;
  validator_count: number;
  withdrawal_address: string;
  operators: { operator_id: number; public_key: string }[];
  /** The transaction that asked, where one did. */
  transaction_hash?: string;
}

const KEY = 'requests';
const MAX_REMEMBERED = 200;

function parse(value: unknown): readonly Remembered[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_REMEMBERED).filter(isRemembered);
}

function isRemembered(value: unknown): value is Remembered {
  if (typeof value !== 'object' || value === null) return false;
  const { ceremony_id, validator_count, withdrawal_address, operators, transaction_hash } = value as Record<
    string,
    unknown
  >;
  return (
    (transaction_hash === undefined || typeof transaction_hash === 'string') &&
    typeof ceremony_id === 'string' &&
    typeof validator_count === 'number' &&
    typeof withdrawal_address === 'string' &&
    Array.isArray(operators)
  );
}

export function rememberRequest(ceremonyId: string, request: Request, members: readonly Operator[]): void {
  remember({
    ceremony_id: ceremonyId,
    validator_count: request.validator_count,
    withdrawal_address: request.withdrawal_address,
    operators: members.map(({ operator_id, public_key }) => ({ operator_id, public_key })),
  });
}

export function remember(entry: Remembered): void {
  const others = readStored(KEY, parse).filter((held) => held.ceremony_id !== entry.ceremony_id);
  writeStored(KEY, [entry, ...others].slice(0, MAX_REMEMBERED));
}

export function rememberedRequest(ceremonyId: string): Remembered | undefined {
  return readStored(KEY, parse).find((held) => held.ceremony_id === ceremonyId);
}
