/** How registrations are spread over transactions. */

/** Gas that one transaction may take (EIP-7825). */
export const GAS_CAP = 16_777_216n;
/** Nodes take no larger transaction into their pools. */
const POOL_BYTES = 128 * 1024;
/** Signature, addresses and heads of the arrays. */
const ENVELOPE_BYTES = 2_048;
/** What a transaction takes whatever is in it: accounts of the operators are opened once. Measured, with room (`contracts/.gas-snapshot`). */
const GAS_BASE = 600_000n;

/** Gas of one more key; 140,000 with four operators, 230,000 with thirteen. */
function gasPerKey(committeeSize: number): bigint {
  return 100_000n + 10_000n * BigInt(committeeSize);
}

/** Bytes of one more key in the call's data: lengths and offsets of 32 bytes each, 48 and 93 bytes filled up to 64 and 96. */
function bytesPerKey(committeeSize: number): number {
  return 256 + 288 * committeeSize;
}

/** Most keys of one committee that one transaction can register: its gas and its size both end it. */
export function mostKeys(committeeSize: number): number {
  const byGas = Number((GAS_CAP - GAS_BASE) / gasPerKey(committeeSize));
  const bySize = Math.floor((POOL_BYTES - ENVELOPE_BYTES) / bytesPerKey(committeeSize));
  return Math.max(1, Math.min(byGas, bySize));
}

/** What a plan needs to know of a validator. */
export interface Registrable {
  pubkey: string;
  operatorIds: readonly number[];
}

export interface Batch<T extends Registrable> {
  operatorIds: readonly number[];
  validators: readonly T[];
}

/**
 * Puts validators into batches, each of one committee, in the order in which they came. `limit` makes batches smaller than what fits,
 * for when the chain's own estimate says so.
 */
export function planBatches<T extends Registrable>(
  validators: readonly T[],
  limit = Number.MAX_SAFE_INTEGER,
): Batch<T>[] {
  const committees = new Map<string, T[]>();
  for (const validator of validators) {
    const key = validator.operatorIds.join();
    const held = committees.get(key);
    if (held) held.push(validator);
    else committees.set(key, [validator]);
  }
  return [...committees.values()].flatMap((group) => {
    const operatorIds = group[0]?.operatorIds ?? [];
    const size = Math.max(1, Math.min(limit, mostKeys(operatorIds.length)));
    const batches: Batch<T>[] = [];
    for (let at = 0; at < group.length; at += size) {
      batches.push({ operatorIds, validators: group.slice(at, at + size) });
    }
    return batches;
  });
}
