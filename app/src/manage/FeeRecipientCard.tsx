import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { getAddress, isAddress, zeroAddress, type Address, type Hex } from 'viem';
import type { Validator } from '../api/validators';
import { useAppConfig } from '../config/config';
import { OPERATOR_CONFIG_ABI } from '../network/abi';
import { useReader } from '../network/chain';
import type { Chain } from '../network/NeedsChain';
import { useOwnWallet, useSend } from '../network/send';
import { describeCall } from '../network/words';
import { OwnWalletNotice } from '../register/OwnWalletNotice';
import { AddressField } from '../ui/AddressField';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Choice } from '../ui/Choice';
import { Notice } from '../ui/Notice';
import { RelayRegistrations } from './RelayRegistrations';
import { withdrawsTo } from './withdrawal';

/** Why a text is no fee recipient; undefined when it is one. */
export function recipientFault(text: string): string | undefined {
  if (!isAddress(text.trim())) return 'Enter an address: 0x and 40 hex digits.';
  return getAddress(text.trim()) === zeroAddress ? 'The address must not be zero.' : undefined;
}

/** Where what proposals earn goes to. */
export function FeeRecipientCard({ chain, validator }: { chain: Chain; validator: Validator }) {
  const config = useAppConfig();
  if (withdrawsTo(validator, config.lido_withdrawal_vault)) {
    return (
      <Card title="Fee recipient">
        <p className="mono wrap">{config.lido_el_rewards_vault}</p>
        <p className="hint">
          Lido&apos;s execution layer rewards vault. Every operator holds to it for validators that withdraw
          to Lido, whatever is set elsewhere.
        </p>
        <RelayRegistrations pubkey={validator.pubkey} recipient={config.lido_el_rewards_vault} />
      </Card>
    );
  }
  return <Chosen chain={chain} validator={validator} />;
}

function useRecipients(operatorConfig: Address, owner: Address, pubkey: Hex) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'fee-recipient', operatorConfig, owner, pubkey],
    queryFn: async () => {
      const contract = { address: operatorConfig, abi: OPERATOR_CONFIG_ABI } as const;
      const [counts, own] = await Promise.all([
        client.readContract({
          ...contract,
          functionName: 'getValidatorFeeRecipientAddress',
          args: [owner, pubkey],
        }),
        client.readContract({ ...contract, functionName: 'getFeeRecipientAddress', args: [owner] }),
      ]);
      return { counts, own };
    },
  });
}

function Chosen({ chain, validator }: { chain: Chain; validator: Validator }) {
  const owner = validator.owner as Address;
  const pubkey = validator.pubkey as Hex;
  const address = chain.addresses.operatorConfig;
  const held = useRecipients(address, owner, pubkey);
  const wallet = useOwnWallet(owner);
  const send = useSend();
  const [text, setText] = useState('');
  const [scope, setScope] = useState<'validator' | 'owner'>('validator');
  const [tried, setTried] = useState(false);
  const fault = recipientFault(text);
  const set = (functionName: string, args: readonly unknown[]) =>
    send.mutate({
      kind: 'fee-recipient',
      about: [pubkey],
      call: { address, abi: OPERATOR_CONFIG_ABI, functionName, args },
    });
  const submit = () => {
    setTried(true);
    if (fault !== undefined) return;
    const recipient = getAddress(text.trim());
    if (scope === 'owner') set('setFeeRecipientAddress', [recipient]);
    else set('setValidatorFeeRecipientAddress', [pubkey, recipient]);
  };
  const counts = held.data?.counts;
  const recipient = counts === zeroAddress ? owner : counts;
  const ofItsOwn = held.data !== undefined && held.data.counts !== held.data.own;
  return (
    <Card title="Fee recipient">
      {held.error && <p className="field-error">{describeCall(held.error)}</p>}
      {recipient !== undefined && (
        <p className="mono wrap">
          {recipient}{' '}
          <span className="hint">
            {counts === zeroAddress
              ? 'your own address: nothing is set'
              : ofItsOwn
                ? 'of this validator'
                : 'of all your validators'}
          </span>
        </p>
      )}
      <details className="more">
        <summary>Change</summary>
        <div className="stack">
          <AddressField
            label="New fee recipient"
            value={text}
            error={tried ? fault : undefined}
            onChange={(address) => setText(address)}
          />
          <Choice
            label="For which validators"
            hideLabel
            value={scope}
            onChange={setScope}
            options={[
              { value: 'validator', title: 'This validator' },
              {
                value: 'owner',
                title: 'All of mine without an address of their own',
                children: (
                  <span className="hint">Validators that withdraw to Lido keep Lido&apos;s vault.</span>
                ),
              },
            ]}
          />
          <OwnWalletNotice owner={owner} />
          <div className="buttons">
            <Button kind="primary" busy={send.isPending} disabled={!wallet.ready} onClick={submit}>
              {send.isPending ? 'Answer in your wallet' : 'Change'}
            </Button>
            {ofItsOwn && (
              <Button
                disabled={!wallet.ready || send.isPending}
                onClick={() => set('clearValidatorFeeRecipientAddress', [pubkey])}
              >
                Use the one of all my validators
              </Button>
            )}
          </div>
          {send.error && (
            <Notice kind="error" title="Nothing was changed">
              <p>{describeCall(send.error)}</p>
            </Notice>
          )}
        </div>
      </details>
      <RelayRegistrations pubkey={pubkey} recipient={recipient} />
    </Card>
  );
}
