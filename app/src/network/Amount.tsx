import { formatUnitsExact } from '../money/amount';
import type { Currency } from './terms';

/** An amount to the last digit. */
export function Amount({
  value,
  currency,
}: {
  value: bigint;
  currency: Pick<Currency, 'symbol' | 'decimals'>;
}) {
  return <span className="figure">{formatUnitsExact(value, currency.decimals, currency.symbol)}</span>;
}
