/** What the contract asks for a subscription. Amounts are in the smallest unit of the currency of fees. */

/** Seconds of a slot, which on the execution chain is a block. */
export const BLOCK_S = 12n;
export const BLOCKS_PER_DAY = (24n * 3600n) / BLOCK_S;
/** The contract takes no payment for more blocks than these at once (`PAID_BLOCKS_LIMIT`): ten years. */
export const PAID_BLOCKS_LIMIT = 26_280_000n;

/** What one validator costs for one block: every operator of its committee takes the same. */
export function pricePerBlock(operatorFee: bigint, committeeSize: number): bigint {
  return operatorFee * BigInt(committeeSize);
}

/** What one validator is paid for `blocks` blocks. */
export function amountEach(operatorFee: bigint, committeeSize: number, blocks: bigint): bigint {
  return pricePerBlock(operatorFee, committeeSize) * blocks;
}

/** Whole blocks that an amount buys: the contract rounds down, the rest stays the owner's. */
export function blocksFor(amount: bigint, operatorFee: bigint, committeeSize: number): bigint {
  const price = pricePerBlock(operatorFee, committeeSize);
  return price === 0n ? 0n : amount / price;
}

/** Why a number of blocks cannot be paid; undefined when it can. */
export function periodFault(blocks: bigint, minimum: bigint): string | undefined {
  if (blocks < minimum) return `The shortest period is ${days(minimum)} days (${minimum} blocks).`;
  if (blocks > PAID_BLOCKS_LIMIT) return 'The longest period is ten years.';
  return undefined;
}

/** Blocks as days, rounded up to a tenth. */
export function days(blocks: bigint): string {
  const tenths = (blocks * 10n + BLOCKS_PER_DAY - 1n) / BLOCKS_PER_DAY;
  return tenths % 10n === 0n ? String(tenths / 10n) : `${tenths / 10n}.${tenths % 10n}`;
}

/** Blocks left of a subscription that ends before `end`; none once it has ended. */
export function blocksLeft(end: bigint, head: bigint): bigint {
  return end > head ? end - head : 0n;
}

/** When a block will be there, as far as one can say: a block takes a slot, missed slots are none. */
export function dateOfBlock(block: bigint, head: { number: bigint; timestamp: bigint }): Date {
  return new Date(Number(head.timestamp + (block - head.number) * BLOCK_S) * 1000);
}
