// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, test, vi } from 'vitest';
import {
  clockWords,
  concernsOf,
  fitnessOf,
  needsWord,
  stateOf,
  type Finding,
  type Preflight,
} from '../src/preflight/judge';
import { PreflightCard } from '../src/preflight/PreflightCard';
import type { Committed } from '../src/preflight/usePreflight';

const fit = (id: number, changes: Partial<Finding> = {}): Finding => ({
  operator_id: id,
  reachable: true,
  round_trip_ms: 12,
  version: '0.1.0',
  clock_skew_ms: -20,
  open_ceremonies: 0,
  chain: 'ready',
  beacon: null,
  protocols: [{ protocol: 'dkg', min: 1, max: 2 }],
  capabilities: [],
  problems: [],
  ...changes,
});
const away = (id: number) =>
  fit(id, {
    reachable: false,
    round_trip_ms: null,
    version: null,
    problems: ['not reachable; its node is down'],
  });
const done = (...operators: Finding[]): Preflight => ({
  preflight_id: '0x12',
  operator_ids: operators.map(({ operator_id }) => operator_id),
  status: 'done',
  created_at_ms: 1,
  answer_before_ms: 30_001,
  gateway: 'gateway-a',
  measured_at_ms: 1_790_000_000_000,
  operators,
});
const pending = (changes: Partial<Preflight>): Preflight => ({
  ...done(),
  gateway: null,
  measured_at_ms: null,
  ...changes,
});

describe('an operator', () => {
  test.each<[string, Finding, string, RegExp | undefined]>([
    ['that is there', fit(1), 'good', undefined],
    ['that is away', away(1), 'bad', /Choose another operator/],
    [
      'whose clock is off',
      fit(1, { problems: ['its clock differs by 9 s'] }),
      'warning',
      /^Its clock differs by 9 s\.$/,
    ],
    ['whose beacon node syncs', fit(1, { beacon: 'behind' }), 'warning', /cannot perform duties/],
    ['that is slow', fit(1, { round_trip_ms: 2_001 }), 'warning', /slowly/],
  ])('%s', (_, finding, fitness, concern) => {
    expect(fitnessOf(finding)).toBe(fitness);
    if (concern) expect(concernsOf(finding).join()).toMatch(concern);
    else expect(concernsOf(finding)).toEqual([]);
  });

  test('has its clock in words', () => {
    expect([0, 999, -1_500, 65_000].map(clockWords)).toEqual([
      'right',
      'right',
      '1.5 s behind',
      '65.0 s ahead',
    ]);
  });
});

test('a committee is as fit as its worst operator, and only who is away, or nobody to ask, needs a word', () => {
  const cases = [
    [done(fit(1), fit(2)), false, 'good'],
    [done(fit(1), fit(2, { beacon: 'behind' })), false, 'warning'],
    [done(away(1), fit(2, { beacon: 'behind' })), false, 'bad'],
    [pending({ status: 'waiting' }), false, 'measuring'],
    [pending({ status: 'taken' }), false, 'measuring'],
    [pending({ status: 'unanswered' }), false, 'unanswered'],
    [undefined, false, 'measuring'],
    [undefined, true, 'failed'],
  ] as const;
  for (const [preflight, failed, state] of cases) {
    expect(stateOf(preflight, failed)).toBe(state);
    expect(needsWord(state)).toBe(state === 'bad' || state === 'unanswered');
  }
});

describe('the card', () => {
  const show = (preflight: Preflight | undefined, changes: Partial<Committed> = {}) => {
    const setGoOn = vi.fn();
    const committed: Committed = {
      state: stateOf(preflight, false),
      preflight,
      error: null,
      again: vi.fn(),
      blocked: true,
      goOn: false,
      setGoOn,
      ...changes,
    };
    const members = [1, 2, 3, 4].map((id) => ({ operator_id: id, name: `Name ${id}` }));
    render(<PreflightCard committed={committed} members={members} />);
    return { setGoOn, again: committed.again };
  };

  test('names who is away, what to do, who measured, and asks for a word', async () => {
    const { setGoOn } = show(done(fit(1), fit(2), away(3), fit(4)));
    const rows = screen.getAllByRole('listitem').map((item) => item.textContent);
    expect(rows).toHaveLength(4);
    expect(rows[0]).toMatch(
      /Name 1.*fit.*answers in 12 ms.*version 0\.1\.0.*protocol 1 to 2.*clock right.*contracts read/,
    );
    expect(rows[2]).toMatch(/Name 3.*not reachable.*Choose another operator/);
    expect(screen.getByRole('alert').textContent).toContain('Not everybody is there');
    expect(screen.getByText(/Measured by gateway-a at /)).toBeDefined();
    await userEvent.click(screen.getByLabelText('Go on anyway'));
    expect(setGoOn).toHaveBeenCalledWith(true);
  });

  test('says that no gateway is connected', () => {
    show(pending({ status: 'unanswered' }));
    expect(screen.getByRole('alert').textContent).toMatch(/No gateway is connected.*within half a minute/);
    expect(screen.getByLabelText('Go on anyway')).toBeDefined();
  });

  test('says what it waits for, and asks for nothing while all is well', async () => {
    show(pending({ status: 'taken', gateway: 'gateway-b' }));
    expect(screen.getByRole('status').textContent).toContain('gateway-b asks the operators');
    expect(screen.queryByRole('button')).toBeNull();
    const { again } = show(done(fit(1), fit(2), fit(3), fit(4)));
    expect(screen.queryByLabelText('Go on anyway')).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Ask again' }));
    expect(again).toHaveBeenCalled();
  });
});
