import type { UpkeepTotals } from '../api/upkeep';
import { formatUnitsExact } from '../money/amount';
import type { Key, KeyState, NodeOperator } from './data';
import { sumOf, type Strikes } from './strikes';

export interface Alert {
  kind: 'error' | 'warning';
  title: string;
  text: string;
}

const eth = (wei: string) => formatUnitsExact(BigInt(wei), 18, 'ETH');

function many(count: number, what: string): string {
  return count === 1 ? `one ${what}` : `${count} ${what}s`;
}

function having(keys: readonly Key[], state: KeyState): readonly Key[] {
  return keys.filter(({ states }) => states.includes(state));
}

/** Seconds until a key's exit is late; undefined when none is asked for, or the rule is not known. */
export function exitDueS(key: Key, exitDelayS: bigint | undefined, nowS: number): number | undefined {
  const at = key.exit_requested_at_s;
  if (!key.states.includes('EXIT_REQUESTED') || at === undefined || at === null || exitDelayS === undefined)
    return undefined;
  return at + Number(exitDelayS) - nowS;
}

/** A span of time for people, to the hour, or to the minute in the last hour. */
export function span(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days ${hours % 24} h`;
}

/** What a node operator has to do something about, the worst first. */
export function alertsOf(
  operator: NodeOperator,
  keys: readonly Key[],
  exitDelayS: bigint | undefined,
  nowS: number,
): Alert[] {
  const alerts: Alert[] = [];
  const add = (kind: Alert['kind'], title: string, text: string) => alerts.push({ kind, title, text });
  const { bond } = operator;
  const asked = having(keys, 'EXIT_REQUESTED');
  if (asked.length > 0) {
    const due = asked.flatMap((key) => exitDueS(key, exitDelayS, nowS) ?? []);
    const first = due.length > 0 ? Math.min(...due) : undefined;
    const when =
      first === undefined
        ? ''
        : first > 0
          ? ` The first is late in ${span(first)}.`
          : ' At least one is late.';
    add(
      'error',
      `Lido asks for the exit of ${many(asked.length, 'validator')}`,
      `Order it on the validator’s page.${when}`,
    );
  }
  if (BigInt(bond.missing_wei) > 0n)
    add(
      'error',
      'The bond is too small',
      `${eth(bond.missing_wei)} are missing. Without them keys are not deposited, or asked to leave.`,
    );
  if (bond.unbonded_keys > 0)
    add(
      'error',
      `There is no bond for ${many(bond.unbonded_keys, 'key')}`,
      'Add bond, or remove keys that are not deposited.',
    );
  const invalid = [...having(keys, 'INVALID'), ...having(keys, 'DUPLICATED')];
  if (invalid.length > 0)
    add(
      'error',
      `${many(invalid.length, 'key')} cannot be used`,
      `Key ${invalid.map(({ index }) => index).join(', ')}: invalid, or submitted elsewhere too. Keys after the first of them wait until it is removed.`,
    );
  const slashed = having(keys, 'SLASHED');
  if (slashed.length > 0)
    add('error', `${many(slashed.length, 'validator')} slashed`, 'The loss is taken from the bond.');
  const strikes = having(keys, 'WITH_STRIKES');
  if (strikes.length > 0)
    add(
      'warning',
      `A penalty for strikes stands for ${many(strikes.length, 'validator')}`,
      'It is taken from the bond when they withdraw.',
    );
  if (BigInt(bond.locked_wei) > 0n)
    add(
      'warning',
      'Bond is locked',
      `${eth(bond.locked_wei)} are held back for a penalty that was reported and is not settled.`,
    );
  const unqueued = having(keys, 'NON_QUEUED');
  if (unqueued.length > 0)
    add(
      'warning',
      `${many(unqueued.length, 'key')} not in the deposit queue`,
      'Ask the module to put them there again (updateDepositableValidatorsCount).',
    );
  if (operator.target_limit)
    add(
      'warning',
      `Lido limits this node operator to ${many(operator.target_limit.limit, 'validator')}`,
      'More are asked to leave.',
    );
  for (const [what, proposed] of [
    ['manager', operator.proposed_manager_address],
    ['reward address', operator.proposed_reward_address],
  ] as const) {
    if (proposed)
      add(
        'warning',
        `Another ${what} is proposed`,
        `${proposed} can take over as ${what} by confirming. Take it back if it was not you.`,
      );
  }
  return alerts;
}

/** Strikes that have consequences, or are about to. */
export function strikeAlerts(keys: readonly Key[], strikes: Strikes, threshold: bigint): Alert[] {
  const counted = keys
    .filter(({ states }) => !states.includes('WITHDRAWN'))
    .map(({ index, pubkey }) => ({ index, sum: BigInt(sumOf(strikes.get(pubkey.toLowerCase()))) }));
  const named = (held: typeof counted) => `Key ${held.map(({ index }) => index).join(', ')}`;
  const full = counted.filter(({ sum }) => sum > 0n && sum >= threshold);
  const near = counted.filter(({ sum }) => sum > 0n && sum === threshold - 1n);
  const alerts: Alert[] = [];
  if (full.length > 0)
    alerts.push({
      kind: 'error',
      title: `${many(full.length, 'validator')} can be forced to leave`,
      text: `${named(full)}: anybody may show the strikes to the contract, which has the validator leave and takes a penalty from the bond.`,
    });
  if (near.length > 0)
    alerts.push({
      kind: 'warning',
      title: `${many(near.length, 'validator')} one strike from a forced exit`,
      text: `${named(near)}: one more frame below the threshold is enough.`,
    });
  return alerts;
}

/** What builders' relays know wrongly of the owner's validators, or not at all although operators use builders. */
export function relayAlerts({ relay, mixed_recipients: mixed }: UpkeepTotals): Alert[] {
  const alerts: Alert[] = [];
  if (mixed > 0)
    alerts.push({
      kind: 'error',
      title: `Relays know another fee recipient for ${many(mixed, 'validator')}`,
      text: 'What builders pay may go to an address that is not the one that is set now. It may take up to 10 epochs (about an hour) until relays know a changed one.',
    });
  if (relay.not > 0)
    alerts.push({
      kind: 'error',
      title: `${many(relay.not, 'validator')} not registered with builders’ relays`,
      text: 'The operators use builders, but no relay can offer blocks for them. Their pages say what stands in the way.',
    });
  return alerts;
}

/** Exits by how far they are; each validator is in one of them. */
export function exitWords({ ordered, signed, published }: UpkeepTotals['exits']): string {
  const words = [
    [ordered, 'ordered'],
    [signed, 'signed by a quorum'],
    [published, 'taken by a beacon node'],
  ] as const;
  const said = words.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return said.length === 0 ? 'none' : said.join(', ');
}

/** How states are shown, the ones that need somebody first. */
export const STATE_WORDS: Record<
  KeyState,
  { word: string; tone: 'good' | 'warning' | 'bad' | 'accent' | 'neutral' }
> = {
  INVALID: { word: 'invalid', tone: 'bad' },
  DUPLICATED: { word: 'duplicated', tone: 'bad' },
  UNCHECKED: { word: 'waits behind an invalid key', tone: 'warning' },
  UNBONDED: { word: 'no bond', tone: 'bad' },
  EXIT_REQUESTED: { word: 'exit requested', tone: 'bad' },
  TRIGGERED_EJECTION: { word: 'exit forced', tone: 'bad' },
  SLASHED: { word: 'slashed', tone: 'bad' },
  WITH_STRIKES: { word: 'strikes penalty', tone: 'warning' },
  NON_QUEUED: { word: 'not in the queue', tone: 'warning' },
  DEPOSITABLE: { word: 'waits for a deposit', tone: 'accent' },
  ACTIVATION_PENDING: { word: 'deposited', tone: 'accent' },
  ACTIVE: { word: 'active', tone: 'good' },
  EXITING: { word: 'leaving', tone: 'neutral' },
  WITHDRAWAL_PENDING: { word: 'withdrawal not reported', tone: 'neutral' },
  WITHDRAWN: { word: 'withdrawn', tone: 'neutral' },
};

/** How many keys are in each state; a key can be in several. */
export function byState(keys: readonly Key[]): { state: KeyState; count: number }[] {
  return (Object.keys(STATE_WORDS) as KeyState[])
    .map((state) => ({ state, count: having(keys, state).length }))
    .filter(({ count }) => count > 0);
}
