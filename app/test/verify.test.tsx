// @vitest-environment jsdom
import { render, screen } from '@testing-library/react';
import { describe, expect, test } from 'vitest';
import { CheckList } from '../src/verify/CheckList';
import { CHECK_ORDER, type CheckOutcome, type VerifyMessage } from '../src/verify/types';
import { isVerified, take, type VerificationState } from '../src/verify/useVerification';

const START: VerificationState = {
  outcomes: new Map(),
  progress: undefined,
  failed: undefined,
  ended: false,
};
const good = (check: CheckOutcome['check']): CheckOutcome => ({ check, passed: true, detail: 'holds' });
const run = (...messages: VerifyMessage[]) => messages.reduce(take, START);
const allGood: VerifyMessage = { kind: 'outcomes', outcomes: CHECK_ORDER.map(good) };

describe('only every check makes it verified', () => {
  test('all of them, to the end', () => expect(isVerified(run(allGood, { kind: 'end' }))).toBe(true));

  test('not before the end', () => expect(isVerified(run(allGood))).toBe(false));

  test('not when the verifier stopped', () => {
    expect(isVerified(run(allGood, { kind: 'failed', reason: 'stopped' }))).toBe(false);
  });

  test.each(CHECK_ORDER)('not without %s, and not when it fails', (check) => {
    const others = CHECK_ORDER.filter((one) => one !== check).map(good);
    expect(isVerified(run({ kind: 'outcomes', outcomes: others }, { kind: 'end' }))).toBe(false);
    const bad = { check, passed: false, detail: 'does not hold' };
    expect(isVerified(run(allGood, { kind: 'outcomes', outcomes: [bad] }, { kind: 'end' }))).toBe(false);
  });
});

test('the list says what holds, what does not and what is still open, to screen readers, too', () => {
  const outcomes: CheckOutcome[] = [
    good('network'),
    { check: 'receipts', passed: false, detail: 'Operator 4 is missing.' },
  ];
  render(<CheckList state={run({ kind: 'outcomes', outcomes })} />);
  const items = screen.getAllByRole('listitem').map((item) => item.textContent);
  expect(items).toHaveLength(CHECK_ORDER.length);
  expect(items.filter((text) => text.includes(': holds.'))).toHaveLength(1);
  expect(items.find((text) => text.includes(': does not hold.'))).toContain('Operator 4 is missing.');
  expect(items.filter((text) => text.includes(': not checked yet'))).toHaveLength(CHECK_ORDER.length - 2);
});
