/** Gas that one transaction may take (EIP-7825, since Fusaka). */
export const GAS_CAP = 16_777_216n;
/** Most keys of one transaction: 100 take some 11.9 million gas, which leaves room for Lido's own part and a contract wallet. */
export const MAX_BATCH = 100;
export const DEFAULT_BATCH = 50;
/** Gas of a transaction with one key of a new node operator, and of each further key; measured on release 3, rounded up. */
const GAS_FIRST_KEY = 440_000n;
const GAS_PER_KEY = 116_500n;

/** Sizes of batches, as even as the limit allows: 55 keys at 50 are 28 and 27, so that no transaction is a tiny one. */
export function batchSizes(keys: number, perBatch: number): number[] {
  const limit = Math.min(Math.max(Math.trunc(perBatch), 1), MAX_BATCH);
  const count = Math.ceil(keys / limit);
  return Array.from({ length: count }, (_, at) => Math.floor(keys / count) + (at < keys % count ? 1 : 0));
}

/** Cuts a list into consecutive pieces of these sizes. */
export function cut<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  let from = 0;
  return sizes.map((size) => items.slice(from, (from += size)));
}

/** What a transaction with so many keys takes, at most: a quarter more than was measured, never above the cap. */
export function gasExpected(keys: number): bigint {
  const measured = GAS_FIRST_KEY + GAS_PER_KEY * BigInt(Math.max(keys - 1, 0));
  return smaller(measured + measured / 4n, GAS_CAP);
}

/** Limit for a transaction whose gas a node estimated, or undefined when no transaction may take so much. */
export function gasLimit(estimated: bigint): bigint | undefined {
  return estimated > GAS_CAP ? undefined : smaller(estimated + estimated / 5n, GAS_CAP);
}

/** Number of keys up to the end of each batch. */
export function ends(sizes: readonly number[]): number[] {
  let sum = 0;
  return sizes.map((size) => (sum += size));
}

/**
 * Bond of each batch from the bonds of all keys up to its end: what a batch needs depends on those before it. An excess that is there
 * covers the first ones.
 */
export function differences(cumulative: readonly bigint[]): bigint[] {
  return cumulative.map((bond, at) => {
    const before = cumulative[at - 1] ?? 0n;
    return bond > before ? bond - before : 0n;
  });
}

/** A part of a bond curve, as Accounting gives it. */
export interface CurveInterval {
  /** From this number of keys on. */
  minKeysCount: bigint;
  /** Wei for that many keys. */
  minBond: bigint;
  /** Wei for every further key. */
  trend: bigint;
}

/** Bond of so many keys on a curve, in wei. Only for comparing gates: what is paid is read from the contract. */
export function bondOnCurve(curve: readonly CurveInterval[], keys: number): bigint {
  const count = BigInt(keys);
  const part = curve.findLast((one) => one.minKeysCount <= count);
  return part && keys > 0 ? part.minBond + (count - part.minKeysCount) * part.trend : 0n;
}

const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
