// @vitest-environment jsdom
// Cards that read contracts and send: what is asked of the wallet is exactly what was shown.
import { screen, waitFor } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import type { Address, Hex } from 'viem';
import { zeroAddress } from 'viem';
import { beforeEach, describe, expect, test, vi } from 'vitest';

// No operator has said anything of these validators. The client takes its `fetch` when it is loaded, so this one is there first.
vi.hoisted(() => {
  globalThis.fetch = () => Promise.resolve(Response.json({ items: [] }));
});

import type { Validator } from '../../src/api/validators';
import { ExitCard } from '../../src/manage/ExitCard';
import { FeeRecipientCard, recipientFault } from '../../src/manage/FeeRecipientCard';
import { CLUSTER_NODE_ABI, NETWORK_ABI, OPERATOR_CONFIG_ABI } from '../../src/network/abi';
import type { Chain } from '../../src/network/NeedsChain';
import { Payment } from '../../src/register/Payment';
import { CONFIG } from '../support';
import { OWNER, show } from './stage';

const at = (byte: string): Address => `0x${byte.repeat(20)}`;
const ADDRESSES = { network: at('11'), clusterNode: at('22'), operatorConfig: at('33') };
const CHAIN = { info: { asks_beacon: true }, addresses: ADDRESSES } as unknown as Chain;
const PUBKEY: Hex = `0x${'ab'.repeat(48)}`;
const OTHER = '0x4473dCDDbf77679A643BdB654dbd86D67F8d32f2';
const no = { holds: 'no' };
const FACTS = new Proxy({}, { get: () => no }) as NonNullable<Validator['facts']>;

const validator = (withdrawsTo: string): Validator =>
  ({
    pubkey: PUBKEY,
    owner: OWNER,
    cluster_pubkey: `0x02${'12'.repeat(32)}`,
    deposit_data: { withdrawal_credentials: `010000000000000000000000${withdrawsTo.slice(2).toLowerCase()}` },
  }) as unknown as Validator;

beforeEach(() => localStorage.clear());

describe('registration', () => {
  const FEE = 1_000_000_007n;
  const BLOCKS = 1_296_000n;
  const terms = {
    operatorFee: FEE,
    minimumBlocks: 216_000n,
    currency: { token: undefined, symbol: 'ETH', decimals: 18 },
    head: { number: 1n, timestamp: 1_790_000_000n },
  };
  const keys = ['aa', 'bb', 'cc'].map((byte): Hex => `0x${byte.repeat(48)}`);
  const shares = keys.map((pubkey) => ({
    pubkey,
    operatorIds: [1, 2, 3, 4],
    publicShares: Array<Hex>(4).fill(`0x${'01'.repeat(48)}`),
    sealedShares: Array<Hex>(4).fill(`0x${'02'.repeat(93)}`),
  }));
  const contracts = {
    [ADDRESSES.network]: { abi: NETWORK_ABI, answers: { _validatorDatas: [OWNER, 0n, 0n, 0n, false] } },
  };
  const total = FEE * 4n * BLOCKS * 3n;
  const payment = (
    <Payment addresses={ADDRESSES} terms={terms} blocks={BLOCKS} shares={shares} waiting={false} />
  );

  test('the wallet is asked for the fee that is shown, to the last digit', async () => {
    const { sent } = await show(payment, { contracts });
    const shown = (await screen.findByTestId('total')).textContent;
    expect(shown.replaceAll('\u202f', '')).toBe(
      `${Number(total / 10n ** 15n) / 1000}${String(total % 10n ** 15n).padStart(15, '0')} ETH`.replace(
        /0+ ETH$/,
        ' ETH',
      ),
    );
    const button = await screen.findByRole('button', { name: 'Register 3' });
    await waitFor(() => expect(button).toHaveProperty('disabled', false));
    await userEvent.click(button);
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject({ to: ADDRESSES.network, value: total });
  });

  test('a wallet with one unit too little is told so, and not asked', async () => {
    const { sent } = await show(payment, { contracts, balance: total - 1n });
    expect((await screen.findByRole('alert')).textContent).toContain('this transaction takes');
    expect(screen.getByRole('button', { name: 'Register 3' })).toHaveProperty('disabled', true);
    expect(sent).toEqual([]);
  });

  test('another wallet cannot pay for these', async () => {
    await show(payment, { contracts, account: at('99') });
    await screen.findByText('Connect the wallet that owns these validators');
    expect(screen.getByRole('button', { name: 'Register 3' })).toHaveProperty('disabled', true);
  });
});

describe('the exit', () => {
  const contracts = (active: boolean) => ({
    [ADDRESSES.clusterNode]: {
      abi: CLUSTER_NODE_ABI,
      answers: { getActionFee: 7n, _token: zeroAddress, getClusterNode: [OWNER, active] },
    },
  });
  const card = <ExitCard chain={CHAIN} validator={validator(OTHER)} facts={FACTS} registered={true} />;

  test('is ordered after a second question, with its fee', async () => {
    const { sent } = await show(card, { contracts: contracts(true) });
    const button = await screen.findByRole('button', { name: 'Order the exit' });
    await waitFor(() => expect(button).toHaveProperty('disabled', false));
    expect(screen.getByText('0.000000000000000007 ETH')).toBeTruthy();
    await userEvent.click(button);
    expect(sent).toEqual([]);
    expect(screen.getByText(/cannot be taken back/)).toBeTruthy();
    await userEvent.click(await screen.findByRole('button', { name: 'Order the exit' }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject({ to: ADDRESSES.clusterNode, value: 7n, functionName: 'generateExitData' });
    expect(sent[0]?.args[1]).toEqual([PUBKEY]);
  });

  test('is not offered while the cluster node is not active', async () => {
    await show(card, { contracts: contracts(false) });
    await screen.findByText('The cluster node of this service is not active in the contract');
    expect(screen.getByRole('button', { name: 'Order the exit' })).toHaveProperty('disabled', true);
  });
});

describe('the fee recipient', () => {
  const contracts = {
    [ADDRESSES.operatorConfig]: {
      abi: OPERATOR_CONFIG_ABI,
      answers: { getValidatorFeeRecipientAddress: OTHER, getFeeRecipientAddress: zeroAddress },
    },
  };

  test('of a validator of Lido’s is Lido’s vault and cannot be changed', async () => {
    await show(<FeeRecipientCard chain={CHAIN} validator={validator(CONFIG.lido_withdrawal_vault)} />, {
      contracts,
    });
    expect(screen.getByText(CONFIG.lido_el_rewards_vault)).toBeTruthy();
    expect(screen.queryByLabelText('New fee recipient')).toBeNull();
  });

  test('of another one is set for it, or for all, after a look at the address', async () => {
    const { sent } = await show(<FeeRecipientCard chain={CHAIN} validator={validator(at('77'))} />, {
      contracts,
    });
    await screen.findByText('of this validator');
    await userEvent.click(screen.getByText('Change', { selector: 'summary' }));
    const field = screen.getByLabelText('New fee recipient');
    const button = screen.getByRole('button', { name: 'Change' });
    await userEvent.type(field, '0x12');
    await userEvent.click(button);
    expect(screen.getByRole('alert').textContent).toContain('0x and 40 hex digits');
    await userEvent.clear(field);
    await userEvent.type(field, OTHER.toLowerCase());
    await userEvent.click(button);
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject({
      functionName: 'setValidatorFeeRecipientAddress',
      args: [PUBKEY, OTHER],
      value: 0n,
    });
    await userEvent.click(screen.getByRole('radio', { name: /All of mine/ }));
    await userEvent.click(await screen.findByRole('button', { name: 'Change' }));
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[1]).toMatchObject({ functionName: 'setFeeRecipientAddress', args: [OTHER] });
  });

  test('is an address other than zero', () => {
    expect(recipientFault(OTHER)).toBeUndefined();
    expect(recipientFault(` ${OTHER.toLowerCase()} `)).toBeUndefined();
    expect(recipientFault(zeroAddress)).toContain('zero');
    expect(recipientFault(OTHER.replace('dCDD', 'dCDd'))).toContain('address');
  });
});
