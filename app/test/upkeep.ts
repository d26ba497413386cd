// What operators say, for tests.
import type {
  ExitState,
  OperatorUpkeep,
  RelayRegistration,
  RelayState,
  UpkeepTotals,
} from '../src/api/upkeep';
import type { Validator } from '../src/api/validators';

export const HERE = '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2';
export const THERE = '0x9b108015fe433F173696Af3Aa0CF7CDb3E104258';

export const registration = (
  state: RelayState,
  epoch: number | null = null,
  recipient: string | null = null,
): RelayRegistration => ({
  state,
  epoch,
  fee_recipient: recipient?.toLowerCase() ?? null,
  gas_limit: recipient === null ? null : 60_000_000,
});
export const said = (
  id: number,
  relay: RelayRegistration | null,
  exit: ExitState | null = relay && 'none',
): OperatorUpkeep => ({ operator_id: id, at_ms: relay && 1_764_432_000_000, relay, exit });
export const OFF = registration('off');
export const exits = (...words: (ExitState | null)[]) =>
  words.map((word, at) => said(at + 1, word && OFF, word));
export const totals = (changes: Partial<UpkeepTotals> = {}): UpkeepTotals => ({
  validators: 55,
  relay: { registered: 50, partly: 2, not: 0, waiting: 0, off: 2, unsaid: 1 },
  mixed_recipients: 0,
  exits: { ordered: 0, signed: 0, published: 0 },
  attention: [],
  ...changes,
});

type Facts = NonNullable<Validator['facts']>;

/** Facts that hold; all others do not. */
export function factsOf(held: Record<string, unknown>): Facts {
  return new Proxy(held, { get: (some, name) => some[name as string] ?? { holds: 'no' } }) as Facts;
}
