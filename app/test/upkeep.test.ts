// What operators say of relays and exits: every state in its words, and the arithmetic of sums.
import { getAddress } from 'viem';
import { describe, expect, test } from 'vitest';
import type { ExitState, OperatorUpkeep, RelayRegistration, UpkeepTotals } from '../src/api/upkeep';
import { threshold } from '../src/committee/sizes';
import {
  exitProgress,
  exitSteps,
  exitWord,
  isExitUnderWay,
  orderedWords,
  signedWords,
} from '../src/manage/progress';
import { isMismatch, mismatches, relayView, relayWord } from '../src/manage/relay';
import { exitWords, relayAlerts } from '../src/monitor/alerts';
import { exits, factsOf, HERE, OFF, registration, said, THERE, totals } from './upkeep';

describe('the progress of an exit', () => {
  test.each<[string, OperatorUpkeep[], string, string]>([
    [
      'nobody speaks',
      exits(null, null, null, null),
      '0 of 4 operators have the order',
      '0 of 4 operators have signed, 3 are needed',
    ],
    [
      'one has the order',
      exits('none', 'ordered', 'none', null),
      '1 of 4 operators has the order',
      '0 of 4 operators have signed, 3 are needed',
    ],
    [
      'one has signed',
      exits('signed', 'ordered', 'ordered', 'none'),
      '3 of 4 operators have the order',
      '1 of 4 operators has signed, 3 are needed',
    ],
    [
      'two have signed',
      exits('signed', 'signed', 'ordered', 'ordered'),
      '4 of 4 operators have the order',
      '2 of 4 operators have signed, 3 are needed',
    ],
    [
      'a quorum has signed',
      exits('signed', 'signed', 'signed', null),
      '3 of 4 operators have the order',
      '3 of 4 operators have signed, 3 are needed; no beacon node took the complete exit yet',
    ],
    [
      'one has published',
      exits('published', 'signed', 'signed', 'ordered'),
      '4 of 4 operators have the order',
      '3 of 4 operators have signed, 3 are needed; a beacon node took the complete exit',
    ],
  ])('%s', (_, items, ordered, signed) => {
    expect(orderedWords(exitProgress(items))).toBe(ordered);
    expect(signedWords(exitProgress(items))).toBe(signed);
  });

  test('as many are needed as sign in a committee of each size', () => {
    expect([4, 7, 10, 13].map(threshold)).toEqual([3, 5, 7, 9]);
    expect(exitProgress(exits(...Array<ExitState>(7).fill('signed'))).needed).toBe(5);
  });

  test.each<[ExitState | null, string]>([
    [null, 'has not said anything'],
    ['none', 'does not have the order'],
    ['ordered', 'has the order'],
    ['signed', 'has signed'],
    ['published', 'a beacon node took the complete exit'],
  ])('an operator that says %s', (exit, word) => {
    expect(exitWord(exit).word).toBe(word);
  });

  test('what the beacon chain says comes before what operators say', () => {
    const facts = factsOf({ exiting: { holds: 'yes', evidence: { exit_epoch: 9 } } });
    const progress = exitProgress(exits('published', 'signed', 'signed', 'signed'));
    expect(exitSteps(facts, progress)[1]?.detail).toBe('leaves in epoch 9');
    expect(exitSteps(factsOf({}), progress)[1]?.detail).toContain('4 of 4 operators have signed');
    expect(exitSteps(factsOf({}))[1]?.detail).toBeUndefined();
  });
});

describe('an exit', () => {
  const ASKED = { exit_requested: { holds: 'yes' } };
  test.each<[string, boolean, Record<string, unknown>, OperatorUpkeep[] | undefined]>([
    ['that is not ordered', false, {}, exits('none', 'none', 'none', null)],
    ['of which nobody has said anything', false, {}, undefined],
    ['that is ordered', true, ASKED, undefined],
    ['of which only an operator knows', true, {}, exits('ordered', 'none', 'none', 'none')],
    ['that is on its way', true, { ...ASKED, exiting: { holds: 'yes' } }, undefined],
    ['that is over', false, { ...ASKED, exited: { holds: 'yes' } }, exits('published')],
    ['that is withdrawn', false, { ...ASKED, withdrawn: { holds: 'yes' } }, exits('published')],
  ])('%s is under way: %s', (_, expected, held, items) => {
    expect(isExitUnderWay(factsOf(held), items && exitProgress(items))).toBe(expected);
  });
});

describe('the registration with relays', () => {
  test.each<[RelayRegistration | null, string, string]>([
    [null, 'neutral', 'has not said anything'],
    [OFF, 'neutral', 'asks no builders'],
    [registration('waiting'), 'accent', 'waiting'],
    [registration('incomplete', 7), 'warning', 'too few partial signatures'],
    [registration('not_taken', 8, HERE), 'bad', 'no beacon node took it'],
    [registration('not_taken', 8, THERE), 'bad', 'no beacon node took it'],
    [registration('registered', 9, HERE), 'good', 'registered'],
    [registration('registered', 9, THERE), 'bad', 'registered for another recipient'],
  ])('%j', (relay, tone, word) => {
    const { epoch, recipient, gasLimit, ...shown } = relayWord(relay, HERE);
    expect(shown).toEqual({ tone, word });
    expect(epoch).toBe(relay?.epoch ?? undefined);
    expect(recipient).toBe(relay?.fee_recipient ? getAddress(relay.fee_recipient) : undefined);
    expect(gasLimit).toBe(relay?.gas_limit ?? undefined);
  });

  test('a recipient differs where both are known, in whatever case they are written', () => {
    const there = registration('registered', 9, THERE);
    expect(isMismatch(there, undefined)).toBe(false);
    expect(isMismatch(there, THERE)).toBe(false);
    expect(isMismatch(there, HERE)).toBe(true);
    expect(isMismatch(registration('not_taken', 9, THERE), HERE)).toBe(false);
    expect(mismatches([said(1, there), said(2, there), said(3, OFF), said(4, null)], HERE)).toBe(2);
  });

  test('one line is enough where nobody speaks, and where nobody asks builders', () => {
    expect(relayView([])).toBe('unsaid');
    expect(relayView([said(1, null), said(2, null)])).toBe('unsaid');
    expect(relayView([said(1, OFF), said(2, OFF)])).toBe('off');
    expect(relayView([said(1, OFF), said(2, null)])).toBe('each');
    expect(relayView([said(1, OFF), said(2, registration('waiting'))])).toBe('each');
  });
});

describe('the monitor', () => {
  const NOT = { registered: 53, partly: 0, not: 2, waiting: 0, off: 0, unsaid: 0 };
  test.each<[string, Partial<UpkeepTotals>, string[]]>([
    ['nothing where operators are partly registered, off or silent', {}, []],
    [
      'another recipient',
      { mixed_recipients: 1 },
      ['error: Relays know another fee recipient for one validator'],
    ],
    ['no registration', { relay: NOT }, ['error: 2 validators not registered with builders’ relays']],
    [
      'both, the worse one first',
      { mixed_recipients: 3, relay: NOT },
      [
        'error: Relays know another fee recipient for 3 validators',
        'error: 2 validators not registered with builders’ relays',
      ],
    ],
  ])('alerts: %s', (_, changes, expected) => {
    expect(relayAlerts(totals(changes)).map(({ kind, title }) => `${kind}: ${title}`)).toEqual(expected);
  });

  test('exits are counted by how far they are', () => {
    expect(exitWords({ ordered: 0, signed: 0, published: 0 })).toBe('none');
    expect(exitWords({ ordered: 2, signed: 1, published: 3 })).toBe(
      '2 ordered, 1 signed by a quorum, 3 taken by a beacon node',
    );
  });
});
