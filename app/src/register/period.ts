import { BLOCKS_PER_DAY, periodFault } from '../network/fee';

/** What the form holds: a number of days that is offered, or one that was typed. */
export interface Period {
  choice: '30' | '90' | '180' | '365' | 'other';
  days: string;
}

export const PERIODS = [
  { choice: '30', word: '30 days' },
  { choice: '90', word: '90 days' },
  { choice: '180', word: '180 days' },
  { choice: '365', word: 'A year' },
  { choice: 'other', word: 'Other' },
] as const satisfies readonly { choice: Period['choice']; word: string }[];

export const FIRST_PERIOD: Period = { choice: '180', days: '180' };

/** Blocks of a period, or why there is none. */
export function blocksOf(period: Period, minimum: bigint): { blocks: bigint } | { fault: string } {
  const text = (period.choice === 'other' ? period.days : period.choice).trim();
  if (!/^[1-9]\d{0,4}$/.test(text)) return { fault: 'Enter a whole number of days.' };
  const blocks = BigInt(text) * BLOCKS_PER_DAY;
  const fault = periodFault(blocks, minimum);
  return fault === undefined ? { blocks } : { fault };
}
