/** Gwei in one ether. */
export const GWEI_PER_ETH = 1_000_000_000n;
/** Seconds of a slot, which on the execution chain is a block. */
const SLOT_S = 12n;
/** Blocks of a month of 30 days. */
export const BLOCKS_PER_MONTH = (30n * 24n * 3600n) / SLOT_S;

/** Gwei as ether, exactly: no digit is lost, and no zero is added. */
export function formatGwei(gwei: bigint): string {
  return formatUnitsExact(gwei, 9, 'ETH');
}

/** Smallest units of a currency in words, exactly. */
export function formatUnitsExact(units: bigint, decimals: number, symbol: string): string {
  const sign = units < 0n ? '-' : '';
  const size = units < 0n ? -units : units;
  const one = 10n ** BigInt(decimals);
  const whole = (size / one).toString();
  const rest = decimals === 0 ? '' : (size % one).toString().padStart(decimals, '0').replace(/0+$/, '');
  return `${sign}${group(whole)}${rest ? `.${rest}` : ''} ${symbol}`;
}

/** Thousands separated by thin spaces, as in the tables. */
function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export interface FeeBearer {
  fee_gwei?: number | null | undefined;
}

/** What a committee takes for `validators` validators over `blocks` blocks, in gwei; undefined when an operator names no fee. */
export function committeeFee(
  operators: readonly FeeBearer[],
  validators: number,
  blocks: bigint,
): bigint | undefined {
  let perBlock = 0n;
  for (const operator of operators) {
    if (operator.fee_gwei === null || operator.fee_gwei === undefined) return undefined;
    perBlock += BigInt(operator.fee_gwei);
  }
  return perBlock * BigInt(validators) * blocks;
}
