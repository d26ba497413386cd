import type { Operator } from '../api/operators';

export type SortKey = 'operator_id' | 'name' | 'performance' | 'fee';

export interface Filter {
  text: string;
  verifiedOnly: boolean;
  sort: SortKey;
  descending: boolean;
}

export const NO_FILTER: Filter = { text: '', verifiedOnly: false, sort: 'operator_id', descending: false };

/** Share of duties in the last 30 days in which the operator's signatures were seen; undefined while nothing is known. */
export function performance(operator: Operator): number | undefined {
  const month = operator.month;
  return month && month.exchanges > 0 ? month.seen / month.exchanges : undefined;
}

/** Operators that meet the filter, in its order; those without a figure come last either way. */
export function arrange(operators: readonly Operator[], filter: Filter): Operator[] {
  const text = filter.text.trim().toLowerCase();
  const shown = operators.filter(
    (operator) => (!filter.verifiedOnly || operator.verified) && matches(operator, text),
  );
  const direction = filter.descending ? -1 : 1;
  return shown.sort((a, b) => {
    const order = compare(value(a, filter.sort), value(b, filter.sort), direction);
    return order === 0 ? a.operator_id - b.operator_id : order;
  });
}

function matches(operator: Operator, text: string): boolean {
  if (text === '') return true;
  const words = [operator.name, String(operator.operator_id), operator.owner ?? '', operator.public_key];
  return words.some((word) => word.toLowerCase().includes(text));
}

function value(operator: Operator, key: SortKey): string | number | undefined {
  switch (key) {
    case 'operator_id':
      return operator.operator_id;
    case 'name':
      return operator.name.toLowerCase();
    case 'performance':
      return performance(operator);
    case 'fee':
      return operator.fee_gwei ?? undefined;
  }
}

function compare(a: string | number | undefined, b: string | number | undefined, direction: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  if (a === b) return 0;
  return (a < b ? -1 : 1) * direction;
}
