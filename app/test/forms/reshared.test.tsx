// @vitest-environment jsdom
// A reshare that is done: verified against the ceremony before it, and moved by transactions.
// Before what calls the service.
import { serve } from './service';
import { screen, waitFor, within } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import { zeroAddress, type Address } from 'viem';
import { beforeEach, describe, expect, test } from 'vitest';
import { NETWORK_ABI } from '../../src/network/abi';
import { sharesOf } from '../../src/network/shares';
import { REGISTRY_ABI } from '../../src/replace/move';
import { ReshareResult } from '../../src/replace/ReshareResult';
import { certificateOf, open, prepare } from './replacing';
import { ceremony, FIXTURE_OWNER as OWNER, OPERATORS, PREVIOUS, PUBKEYS, RESHARE } from './reshare';
import type { Stage } from './stage';

const [PUBKEY] = PUBKEYS;
const at = (byte: string): Address => `0x${byte.repeat(20)}`;
const disabled = (element: HTMLElement) => (element as HTMLButtonElement).disabled;

prepare();

describe('a reshare that is done', () => {
  const NETWORK = at('11');
  const REGISTRY = at('44');
  const done = ceremony(RESHARE, { previous_ceremony_id: PREVIOUS.ceremony_id });
  const result = (
    <ReshareResult ceremony={{ ...done, previous_ceremony_id: PREVIOUS.ceremony_id }} operators={OPERATORS} />
  );
  const contracts = (committee: number[]): Stage['contracts'] => ({
    [NETWORK]: {
      abi: NETWORK_ABI,
      answers: {
        operatorFee: 1_000n,
        _minimumBlocksValidatorPay: 7_200n,
        _token: zeroAddress,
        // Paid for 20,000 blocks more.
        _validatorDatas: [0n, 20_001n, 1_000n, 80_000_000n, true],
      },
    },
    [REGISTRY]: { abi: REGISTRY_ABI, answers: { committeeOf: [OWNER, committee] } },
  });
  const move = () => screen.findByRole('button', { name: 'Move this validator' });

  beforeEach(() => {
    serve('GET /v1/chain', {
      configured: true,
      read_block: 1,
      contracts: {
        network: NETWORK,
        registry: REGISTRY,
        cluster_node: at('22'),
        operator_config: at('33'),
      },
    });
  });

  test('waits for a transaction of each validator, with the shares of the certificate', async () => {
    const { sent } = await open(result, { contracts: contracts([101, 102, 103, 104]) });
    const button = await move();
    expect(screen.getByText('0 of 2 moved')).toBeTruthy();
    expect(screen.getAllByText(/: holds\./)).toHaveLength(7);
    await waitFor(() => expect(disabled(button)).toBe(false));
    await userEvent.click(button);
    await waitFor(() => expect(sent).toHaveLength(1));
    const [shares] = sharesOf(RESHARE.text);
    expect(sent[0]).toMatchObject({ to: NETWORK, value: 0n, functionName: 'replaceValidator' });
    expect(sent[0]?.args).toEqual([
      PUBKEY,
      [101, 102, 103, 105],
      shares?.publicShares,
      shares?.sealedShares,
      0n,
    ]);
    // The contract has the old committee yet: this one is on the way, and the next one has the button.
    const rows = await screen.findAllByRole('listitem');
    const row = (key: string | undefined) =>
      rows.find((one) => one.textContent.includes(key?.slice(-8) ?? '?'));
    await waitFor(() => expect(row(PUBKEY)?.textContent).toContain('on the way'));
    expect(within(row(PUBKEYS[1]) ?? document.body).getByRole('button').textContent).toBe(
      'Move this validator',
    );
  });

  test('has nothing left to send once the contract has the new committee', async () => {
    const { sent } = await open(result, { contracts: contracts([101, 102, 103, 105]) });
    await screen.findByText('2 of 2 moved');
    expect(screen.getAllByText('moved')).toHaveLength(2);
    expect(screen.queryByRole('button', { name: 'Move this validator' })).toBeNull();
    expect(sent).toEqual([]);
  });

  test('that the service changed is not offered to be moved', async () => {
    const other = RESHARE.text.replace(/("envelopes":\s*\["0x)../, '$1ff');
    expect(other).not.toBe(RESHARE.text);
    serve(certificateOf(RESHARE.ceremony_id), () => new Response(other));
    await open(result, { contracts: contracts([101, 102, 103, 104]) });
    await screen.findByText(/Do not move your validators/);
    expect(screen.getAllByText(/: does not hold\./).length).toBeGreaterThan(0);
    expect(screen.queryByText('Move the validators')).toBeNull();
    expect(screen.queryByRole('button', { name: 'Download certificate' })).toBeNull();
  });
});
