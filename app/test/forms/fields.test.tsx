// @vitest-environment jsdom
// Forms that are told what to show: what is typed comes out, what is wrong stands beside its field, amounts are exact.
import { render, screen, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import fc from 'fast-check';
import { useState } from 'react';
import { describe, expect, test } from 'vitest';
import { ConfigContext } from '../../src/config/config';
import { BondCard, formatShort } from '../../src/csm/BondCard';
import type { Gate } from '../../src/csm/contracts';
import { EMPTY_DRAFT as EMPTY_CSM, type Draft as CsmDraft } from '../../src/csm/draft';
import { NewOperatorFields } from '../../src/csm/NewOperatorFields';
import { CountField, WithdrawalField } from '../../src/generate/Fields';
import { EMPTY_DRAFT, type Draft } from '../../src/generate/draft';
import { checkDraft } from '../../src/generate/validation';
import { PeriodPicker } from '../../src/register/PeriodPicker';
import { blocksOf, FIRST_PERIOD, type Period } from '../../src/register/period';
import { AddressField } from '../../src/ui/AddressField';
import { treeOf } from '../merkle';
import { CONFIG } from '../support';

const ETHER = 10n ** 18n;
const ADDRESS = '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2';

describe('an address', () => {
  test('is not completed or corrected, and its fault is read with it', async () => {
    const typed: string[] = [];
    render(
      <AddressField
        label="Manager"
        value=""
        error="A digit is mistyped."
        onChange={(text) => typed.push(text)}
      />,
    );
    const field = screen.getByLabelText('Manager');
    expect([field.getAttribute('autocomplete'), field.getAttribute('spellcheck')]).toEqual(['off', 'false']);
    expect(field.getAttribute('aria-invalid')).toBe('true');
    const described = document.getElementById(field.getAttribute('aria-describedby') ?? '');
    expect(described?.textContent).toBe('A digit is mistyped.');
    await userEvent.type(field, '0x');
    expect(typed).toEqual(['0', 'x']);
  });
});

function Generate() {
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const { order, errors } = checkDraft(draft, CONFIG);
  return (
    <ConfigContext value={CONFIG}>
      <CountField draft={draft} onChange={setDraft} errors={errors} />
      <WithdrawalField draft={draft} onChange={setDraft} errors={errors} />
      <output data-testid="made">
        {order ? `${order.validatorCount} to ${order.withdrawalAddress}` : 'none'}
      </output>
    </ConfigContext>
  );
}

describe('what is generated', () => {
  const order = () => screen.getByTestId('made').textContent;

  test('withdraws to Lido unless somebody says otherwise, behind a warning', async () => {
    render(<Generate />);
    expect(order()).toBe(`1 to ${CONFIG.lido_withdrawal_vault}`);
    expect(screen.queryByText(/Lido does not take these/)).toBeNull();
    await userEvent.click(screen.getByRole('radio', { name: /Another address/ }));
    expect(screen.getByText(/Lido does not take these/)).toBeTruthy();
    expect(order()).toBe('none');
    await userEvent.type(screen.getByLabelText('Withdrawal address'), ADDRESS.toLowerCase());
    expect(order()).toBe(`1 to ${ADDRESS}`);
    await userEvent.type(screen.getByLabelText('Withdrawal address'), '{Backspace}3');
    expect(order()).toMatch(/^1 to 0x4473/);
  });

  test.each(['0', '-1', '1.5', '1e3', '1001', ' '])('"%s" validators are none', async (text) => {
    render(<Generate />);
    const field = screen.getByLabelText('Number of validators');
    await userEvent.clear(field);
    await userEvent.type(field, text);
    expect(order()).toBe('none');
    expect(screen.getByRole('alert').textContent).not.toBe('');
  });
});

function Periods({ minimum }: { minimum: bigint }) {
  const [period, setPeriod] = useState<Period>(FIRST_PERIOD);
  const found = blocksOf(period, minimum);
  return (
    <>
      <PeriodPicker
        label="Period"
        period={period}
        fault={'fault' in found ? found.fault : undefined}
        onChange={setPeriod}
      />
      <output data-testid="made">{'blocks' in found ? String(found.blocks) : 'none'}</output>
    </>
  );
}

test('a period is blocks of twelve seconds, typed or chosen, and never below what the contract takes', async () => {
  render(<Periods minimum={216_000n} />);
  const blocks = () => screen.getByTestId('made').textContent;
  expect(blocks()).toBe('1296000');
  await userEvent.click(screen.getByRole('radio', { name: 'A year' }));
  expect(blocks()).toBe(String(365 * 7_200));
  await userEvent.click(screen.getByRole('radio', { name: 'Other' }));
  const field = screen.getByLabelText('Days');
  await userEvent.clear(field);
  await userEvent.type(field, '29');
  expect(blocks()).toBe('none');
  expect(screen.getByRole('alert').textContent).toContain('30 days');
  await userEvent.clear(field);
  await userEvent.type(field, '31');
  expect(blocks()).toBe(String(31 * 7_200));
});

const GATES: Gate[] = [
  { kind: 'permissionless', address: ADDRESS, curveId: 0n, curve: curve(24n, 13n), treeCid: '' },
  { kind: 'ics', address: ADDRESS, curveId: 2n, curve: curve(15n, 13n), treeCid: 'bafyics' },
];

/** Tenths of an ether for the first key and for the next ones. */
function curve(first: bigint, next: bigint): Gate['curve'] {
  const tenth = ETHER / 10n;
  return [
    { minKeysCount: 1n, minBond: first * tenth, trend: first * tenth },
    { minKeysCount: 2n, minBond: (first + next) * tenth, trend: next * tenth },
  ];
}

function NewOperator({ account }: { account: `0x${string}` }) {
  const [draft, setDraft] = useState<CsmDraft>(EMPTY_CSM);
  const [refused, setRefused] = useState('');
  return (
    <>
      <NewOperatorFields
        draft={draft}
        onChange={setDraft}
        errors={{ proof: refused || undefined } as never}
        account={account}
        gates={GATES}
        eligibility={
          new Map([
            ['permissionless', 'open'],
            ['ics', 'not_listed'],
          ])
        }
        keys={4}
        onProofRefused={setRefused}
      />
      <output data-testid="made">{JSON.stringify(draft)}</output>
    </>
  );
}

describe('a new node operator', () => {
  const draft = () => JSON.parse(screen.getByTestId('made').textContent) as CsmDraft;

  test('gates are shown with the bond of what was chosen, to the last digit', () => {
    render(<NewOperator account={ADDRESS} />);
    const gates = screen.getAllByRole('radio').map((gate) => gate.textContent);
    expect(gates[0]).toContain('6.3 ETH');
    expect(gates[1]).toContain('5.4 ETH');
    expect(screen.queryByLabelText(/^Proof that/)).toBeNull();
  });

  test('roles are typed, and permissions are only given by a mark', async () => {
    render(<NewOperator account={ADDRESS} />);
    await userEvent.type(screen.getByLabelText('Manager'), ADDRESS);
    await userEvent.type(screen.getByLabelText('Reward address'), '0x12');
    await userEvent.click(screen.getByLabelText('Extended manager permissions'));
    expect(draft()).toMatchObject({ manager: ADDRESS, reward: '0x12', extended: true, referrer: '' });
  });

  test('a gate with a list takes the proof out of the list, and refuses another one', async () => {
    render(<NewOperator account={ADDRESS} />);
    await userEvent.click(screen.getByRole('radio', { name: /ICS/ }));
    const give = (addresses: readonly `0x${string}`[]) =>
      userEvent.upload(
        screen.getByLabelText('Proof or list in a file'),
        new File([JSON.stringify(treeOf(addresses))], 'list.json', { type: 'application/json' }),
      );
    const other = `0x${'34'.repeat(20)}` as const;
    await give([other]);
    expect((await screen.findByRole('alert')).textContent).toContain('not on this list');
    await give([other, ADDRESS]);
    await screen.findByText(/"proof":"0x[0-9a-f]{64}"/);
  });
});

describe('the bond', () => {
  const bonds = (data: bigint[]) => ({ data, error: null, isLoading: false }) as never;
  const balances = {
    eth: { amount: 131_100_000_000_000_000_001n, allowance: undefined },
    steth: { amount: 0n, allowance: 0n },
    wsteth: { amount: 99_999n, allowance: 0n },
  };
  const card = (sizes: number[], data: bigint[], draft: Partial<CsmDraft> = {}) =>
    render(
      <BondCard
        draft={{ ...EMPTY_CSM, ...draft }}
        onChange={() => undefined}
        errors={{}}
        balances={balances}
        sizes={sizes}
        bonds={bonds(data)}
      />,
    );

  test('each transaction carries the difference, and all of them the whole', () => {
    card([50, 5], [66n * ETHER + 1n, 725n * (ETHER / 10n) + 1n]);
    const rows = screen.getAllByRole('row').map((row) =>
      within(row)
        .queryAllByRole('cell')
        .map((cell) => cell.textContent),
    );
    expect(rows.slice(1)).toEqual([
      ['50', '66.000000000000000001 ETH'],
      ['5', '6.5 ETH'],
      ['55', '72.500000000000000001 ETH'],
    ]);
  });

  test('what Accounting takes of a token needs leave, ether does not', () => {
    const { unmount } = card([1], [ETHER]);
    expect(screen.queryByRole('radio', { name: /A signature/ })).toBeNull();
    unmount();
    card([1], [ETHER], { token: 'wsteth' });
    expect(screen.getByRole('radio', { name: /A signature/ })).toBeTruthy();
    expect(screen.getByRole('cell', { name: '1 wstETH' })).toBeTruthy();
  });

  test('a balance is cut and never rounded up', () => {
    expect(formatShort(131_100_000_000_000_000_001n)).toBe('131.1');
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 27n }), (wei) => {
        const [whole = '', rest = ''] = formatShort(wei).replaceAll('\u202f', '').split('.');
        const read = BigInt(whole) * ETHER + BigInt(rest.padEnd(18, '0') || '0');
        return read <= wei && wei - read < 10n ** 14n;
      }),
    );
  });
});
