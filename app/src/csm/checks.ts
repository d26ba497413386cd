import type { Validator } from '../api/validators';
import type { Schemas } from '../api/client';
import { sameAddress } from '../session/session';
import { credentialsOf, type CsmContracts } from './contracts';
import type { NodeOperator } from './operators';
import type { VerifiedKey } from './verified';

export type CheckId = 'vault' | 'own' | 'csm' | 'beacon' | 'manager' | 'limit' | 'open';

export interface Check {
  id: CheckId;
  title: string;
  /** `unknown` is said and does not stop; `no` stops. */
  holds: 'yes' | 'no' | 'unknown';
  detail: string;
}

export interface CheckInput {
  account: string;
  contracts: CsmContracts;
  paused: boolean;
  keys: readonly VerifiedKey[];
  /** Keys of the node operator that gets these ones, and its limit; undefined for a new one. */
  nodeOperator: { state: NodeOperator; keys: ReadonlySet<string> } | undefined;
  /** What the service's index of all CSM says. */
  duplicates: Schemas['Duplicates'];
  /** What the service knows of these validators; by public key. */
  validators: ReadonlyMap<string, Validator>;
}

/** Everything that the contracts do not check themselves, before money moves. */
export function checkBeforeSending(input: CheckInput): Check[] {
  const checks = [vault(input), own(input), csm(input), beacon(input), open(input)];
  if (input.nodeOperator) checks.push(manager(input.account, input.nodeOperator.state));
  if (input.nodeOperator) checks.push(limit(input.keys.length, input.nodeOperator.state));
  return checks;
}

/** Whether keys may be sent after these checks. */
export const maySend = (checks: readonly Check[]) => checks.every((check) => check.holds !== 'no');

const short = (pubkey: string) => `${pubkey.slice(0, 12)}…`;
const named = (keys: readonly string[]) =>
  keys.length <= 3
    ? keys.map(short).join(', ')
    : `${keys.slice(0, 3).map(short).join(', ')} and ${keys.length - 3} more`;

function vault({ contracts, keys }: CheckInput): Check {
  const wanted = credentialsOf(contracts.withdrawalVault);
  const wrong = keys.filter((key) => key.withdrawalCredentials !== wanted);
  return {
    id: 'vault',
    title: 'Withdrawals go to Lido’s vault, as the chain names it',
    holds: wrong.length === 0 ? 'yes' : 'no',
    detail:
      wrong.length === 0
        ? contracts.withdrawalVault
        : `${named(wrong.map((key) => key.pubkey))}: the credentials are others. Lido would never deposit, and the key would block those after it.`,
  };
}

function own({ keys, nodeOperator }: CheckInput): Check {
  const there = nodeOperator ? keys.filter((key) => nodeOperator.keys.has(key.pubkey)) : [];
  const twice = keys.filter((key, at) => keys.findIndex((one) => one.pubkey === key.pubkey) !== at);
  const wrong = [...there, ...twice];
  return {
    id: 'own',
    title: 'No key is among your own already',
    holds: wrong.length === 0 ? 'yes' : 'no',
    detail:
      wrong.length > 0
        ? `${named(wrong.map((key) => key.pubkey))} would be there twice.`
        : nodeOperator
          ? `Compared with all ${nodeOperator.keys.size} keys of node operator ${nodeOperator.state.id}.`
          : 'A new node operator has none, and none is chosen twice.',
  };
}

function csm({ keys, duplicates }: CheckInput): Check {
  const chosen = new Set<string>(keys.map((key) => key.pubkey));
  const there = duplicates.submitted.filter((one) => chosen.has(one.pubkey.toLowerCase()));
  const read = duplicates.read_block;
  return {
    id: 'csm',
    title: 'No key is in CSM already',
    holds: there.length > 0 ? 'no' : read === null || read === undefined ? 'unknown' : 'yes',
    detail:
      there.length > 0
        ? `${named(there.map((one) => one.pubkey))} ${there.length === 1 ? 'is' : 'are'} there. CSM would take the bond, and freeze the key and all after it.`
        : read === null || read === undefined
          ? 'The service has not read the chain yet.'
          : `Compared with every key of every node operator up to block ${read}.`,
  };
}

function beacon({ keys, validators }: CheckInput): Check {
  const facts = keys.map((key) => ({ key, facts: validators.get(key.pubkey)?.facts }));
  const used = facts.filter(
    ({ facts: known }) =>
      known &&
      [known.deposited, known.deposited_elsewhere, known.active, known.exiting, known.exited].some(
        (fact) => fact.holds === 'yes',
      ),
  );
  const unknown = facts.filter(
    ({ facts: known }) => !known || known.active.holds === 'unknown' || known.deposited.holds === 'unknown',
  );
  return {
    id: 'beacon',
    title: 'No key has a deposit on the beacon chain',
    holds: used.length > 0 ? 'no' : unknown.length > 0 ? 'unknown' : 'yes',
    detail:
      used.length > 0
        ? `${named(used.map(({ key }) => key.pubkey))}: somebody deposited. Such a key cannot be used with Lido.`
        : unknown.length > 0
          ? 'No deposit was seen; the service asks no beacon node, or has no answer yet.'
          : 'Neither the deposit contract nor the beacon chain knows one of them.',
  };
}

function open({ paused, contracts }: CheckInput): Check {
  return {
    id: 'open',
    title: 'CSM takes keys',
    holds: paused ? 'no' : 'yes',
    detail: paused ? 'The module is paused. Try again later.' : `Release ${contracts.release}, not paused.`,
  };
}

function manager(account: string, { id, manager: who }: NodeOperator): Check {
  const me = sameAddress(who, account);
  return {
    id: 'manager',
    title: 'You manage the node operator',
    holds: me ? 'yes' : 'no',
    detail: me ? `Node operator ${id}.` : `Only ${who} can add keys to node operator ${id}.`,
  };
}

function limit(count: number, { totalKeys, withdrawnKeys, keysLimit }: NodeOperator): Check {
  const after = BigInt(totalKeys - withdrawnKeys + count);
  const fits = after <= keysLimit;
  return {
    id: 'limit',
    title: 'The node operator may have so many keys',
    holds: fits ? 'yes' : 'no',
    detail: fits ? `${after} with these.` : `${after} with these; at most ${keysLimit}.`,
  };
}
