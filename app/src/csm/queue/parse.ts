import { isAddress, isHex, size, type Hex } from 'viem';
import { EMPTY, type Batch, type Journal } from './machine';

type Fields = Record<string, unknown>;

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null ? (value as Fields) : undefined;
const isBytes = (value: unknown, length: number): value is Hex => isHex(value) && size(value) === length;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isId = (value: unknown): value is string => typeof value === 'string' && /^[0-9]{1,20}$/.test(value);

/** The journal as it was kept; nothing kept is an empty one. What cannot be read is no reason to begin anew: it throws. */
export function parseJournal(value: unknown): Journal {
  if (value === undefined || value === null) return EMPTY;
  const fields = fieldsOf(value);
  if (fields?.version !== 1 || !Array.isArray(fields.batches))
    throw new Error('The queue in this browser was written by another version of the app.');
  return { version: 1, batches: fields.batches.map(parseBatch) };
}

function parseBatch(value: unknown): Batch {
  const fields = fieldsOf(value);
  const whole =
    fields &&
    typeof fields.id === 'string' &&
    ['planned', 'asked', 'sent', 'submitted'].includes(String(fields.state)) &&
    ['eth', 'steth', 'wsteth'].includes(String(fields.token)) &&
    isTarget(fields.target) &&
    Array.isArray(fields.keys) &&
    fields.keys.every(isKey) &&
    Array.isArray(fields.elsewhere) &&
    (fields.nodeOperatorId === undefined || isId(fields.nodeOperatorId)) &&
    (fields.attempt === undefined
      ? fields.state !== 'asked' && fields.state !== 'sent'
      : isAttempt(fields.attempt));
  if (!whole) throw new Error('The queue in this browser is damaged. Nothing is sent from it.');
  return value as Batch;
}

function isKey(value: unknown): boolean {
  const key = fieldsOf(value);
  return key !== undefined && isBytes(key.pubkey, 48) && typeof key.ceremonyId === 'string';
}

function isAttempt(value: unknown): boolean {
  const attempt = fieldsOf(value);
  return (
    attempt !== undefined &&
    isCount(attempt.nonce) &&
    isCount(attempt.block) &&
    isCount(attempt.askedAt) &&
    typeof attempt.certain === 'boolean' &&
    Array.isArray(attempt.hashes) &&
    attempt.hashes.every((hash) => isBytes(hash, 32))
  );
}

function isTarget(value: unknown): boolean {
  const target = fieldsOf(value);
  switch (target?.kind) {
    case 'existing':
      return isId(target.nodeOperatorId);
    case 'made':
      return typeof target.batchId === 'string';
    case 'new':
      return (
        ['permissionless', 'ics', 'idvtc'].includes(String(target.gate)) &&
        [target.manager, target.reward, target.referrer].every(
          (one) => typeof one === 'string' && isAddress(one, { strict: false }),
        ) &&
        typeof target.extended === 'boolean' &&
        Array.isArray(target.proof) &&
        target.proof.every((word) => isBytes(word, 32))
      );
    default:
      return false;
  }
}
