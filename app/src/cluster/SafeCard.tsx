import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { getAddress, isAddress, zeroAddress, type Address } from 'viem';
import { keysOf } from '../check/files';
import { compare, mayConfirm } from '../check/transaction';
import { useAppConfig } from '../config/config';
import { Amount } from '../network/Amount';
import { readAll, useChainInfo, useReader } from '../network/chain';
import { AddressField } from '../ui/AddressField';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Choice } from '../ui/Choice';
import { download } from '../ui/download';
import { Field } from '../ui/Field';
import { Notice } from '../ui/Notice';
import { describeCall } from '../network/words';
import { BOND_ABI, KEYS_PER_TRANSACTION, keyTransaction, safeBatch, type Target } from './safe';

interface Form {
  safe: string;
  kind: 'new' | 'existing';
  id: string;
}

/** Why the form cannot be used; undefined when it can. */
export function safeFormFault({ safe, kind, id }: Form): string | undefined {
  if (!isAddress(safe.trim()) || getAddress(safe.trim()) === zeroAddress)
    return 'Enter the address of your Safe.';
  if (kind === 'existing' && !/^\d{1,15}$/.test(id.trim())) return 'Enter the number of your node operator.';
  return undefined;
}

/** A file for Safe's Transaction Builder that submits the ceremony's keys to CSM. */
export function SafeCard({ certificate }: { certificate: string }) {
  const { chain_id } = useAppConfig();
  const client = useReader();
  const info = useChainInfo();
  const keys = useMemo(() => keysOf(certificate), [certificate]);
  const [form, setForm] = useState<Form>({ safe: '', kind: 'new', id: '' });
  const [tried, setTried] = useState(false);
  const fault = safeFormFault(form);
  const lido = info.data?.lido;
  const gate = lido?.csm_permissionless_gate as Address | undefined;
  const module = lido?.csm_module as Address | undefined;
  const accounting = lido?.csm_accounting as Address | undefined;
  const make = useMutation({
    mutationFn: async () => {
      if (!gate || !module || !accounting)
        throw new Error('This service does not know the contracts of CSM.');
      const safe = getAddress(form.safe.trim());
      const fresh = form.kind === 'new';
      const id = BigInt(form.id.trim() === '' ? '0' : form.id.trim());
      const target: Target = fresh
        ? { kind: 'new', gate, manager: safe, reward: safe, extended: false }
        : { kind: 'existing', module, nodeOperatorId: id };
      // The number of a new node operator is known when it exists: further keys come in a file of their own.
      const batches: number[] = [];
      for (
        let at = 0;
        at < (fresh ? Math.min(keys.length, KEYS_PER_TRANSACTION) : keys.length);
        at += KEYS_PER_TRANSACTION
      )
        batches.push(at);
      const contract = { address: accounting, abi: BOND_ABI } as const;
      const needs = await readAll(batches, (at) => {
        const until = BigInt(Math.min(at + KEYS_PER_TRANSACTION, keys.length));
        return fresh
          ? client.readContract({ ...contract, functionName: 'getBondAmountByKeysCount', args: [until, 0n] })
          : client.readContract({
              ...contract,
              functionName: 'getRequiredBondForNextKeys',
              args: [id, until],
            });
      });
      // Each transaction brings what all keys up to its last need, less what those before it brought.
      const transactions = batches.map((at, index) =>
        keyTransaction(
          target,
          safe,
          keys.slice(at, at + KEYS_PER_TRANSACTION),
          (needs[index] ?? 0n) - (index === 0 ? 0n : (needs[index - 1] ?? 0n)),
        ),
      );
      const text = safeBatch(chain_id, safe, 'Keys for Lido CSM', transactions, Date.now());
      if (!mayConfirm(compare(text, keys)))
        throw new Error('The file does not hold the keys of the ceremony.');
      return {
        text,
        total: transactions.reduce((sum, { value }) => sum + value, 0n),
        count: transactions.length,
      };
    },
    onSuccess: ({ text }) => download('safe-transactions.json', text),
  });
  return (
    <Card title="Transaction for a Safe">
      <p className="hint">
        A file for Safe&apos;s Transaction Builder that submits these keys to Lido&apos;s Community Staking
        Module with the bond in ETH. The Safe is manager and reward address of a new node operator.
      </p>
      <AddressField
        label="Address of your Safe"
        value={form.safe}
        error={tried && fault?.includes('Safe') ? fault : undefined}
        onChange={(address) => setForm({ ...form, safe: address })}
      />
      <Choice
        label="Where the keys go"
        hideLabel
        value={form.kind}
        onChange={(kind) => setForm({ ...form, kind })}
        options={[
          {
            value: 'new',
            title: 'A new node operator',
            children: keys.length > KEYS_PER_TRANSACTION && (
              <span className="hint">
                With the first {KEYS_PER_TRANSACTION} keys; make another file for the others when it exists.
              </span>
            ),
          },
          { value: 'existing', title: 'One that the Safe manages already' },
        ]}
      />
      {form.kind === 'existing' && (
        <Field
          label="Number of the node operator"
          inputMode="numeric"
          autoComplete="off"
          value={form.id}
          error={tried && fault?.includes('number') ? fault : undefined}
          onChange={({ target }) => setForm({ ...form, id: target.value })}
        />
      )}
      <Button
        kind="primary"
        busy={make.isPending}
        onClick={() => {
          setTried(true);
          if (fault === undefined) make.mutate();
        }}
      >
        Download for the Transaction Builder
      </Button>
      {make.data && (
        <Notice kind="good" title="The file holds the keys of this ceremony">
          <p>
            {make.data.count === 1 ? 'One transaction' : `${make.data.count} transactions`} with a bond of{' '}
            <Amount value={make.data.total} currency={{ symbol: 'ETH', decimals: 18 }} />. Make it anew if the
            Safe confirms it much later: the bond follows the chain.
          </p>
        </Notice>
      )}
      {make.error && (
        <Notice kind="error" title="The file cannot be made">
          <p>{describeCall(make.error)}</p>
        </Notice>
      )}
    </Card>
  );
}
