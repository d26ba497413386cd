import type { UseQueryResult } from '@tanstack/react-query';
import { RadioGroup } from 'radix-ui';
import { formatWei } from '../money/wei';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Choice } from '../ui/Choice';
import { Field } from '../ui/Field';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import type { Balance } from './bond';
import type { Draft } from './draft';
import { differences, MAX_BATCH } from './plan';
import type { Token } from './queue/types';
import type { DraftErrors } from './validation';
import { describeRefusal } from './words';

export const TOKEN_NAMES: Record<Token, string> = { eth: 'ETH', steth: 'stETH', wsteth: 'wstETH' };

interface Props {
  draft: Draft;
  onChange: (draft: Draft) => void;
  errors: DraftErrors;
  balances: Record<Token, Balance> | undefined;
  /** Keys of each transaction. */
  sizes: readonly number[];
  /** Bonds of all keys up to the end of each transaction. */
  bonds: UseQueryResult<bigint[]>;
}

/** In which token the bond is paid, and how much of it goes with which transaction. */
export function BondCard({ draft, onChange, errors, balances, sizes, bonds }: Props) {
  return (
    <Card title="Bond">
      <RadioGroup.Root
        className="sizes csm-tokens"
        aria-label="Token of the bond"
        value={draft.token}
        onValueChange={(token) => onChange({ ...draft, token: token as Token })}
      >
        {(['eth', 'steth', 'wsteth'] as const).map((token) => (
          <RadioGroup.Item key={token} value={token} className="size csm-token">
            <strong>{TOKEN_NAMES[token]}</strong>
            <span className="hint figure">
              {balances ? formatShort(balances[token].amount) : 'reading…'}
              <span className="sr-only"> in your wallet</span>
            </span>
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      {draft.token !== 'eth' && <LeaveChoice draft={draft} onChange={onChange} />}
      <Field
        label="Keys per transaction"
        hint={`1 to ${MAX_BATCH}; 50 is a good size. One transaction may take 16,777,216 gas, and each key takes some 116,000.`}
        inputMode="numeric"
        autoComplete="off"
        value={draft.perBatch}
        error={errors.perBatch}
        onChange={({ target }) => onChange({ ...draft, perBatch: target.value })}
      />
      <Table sizes={sizes} bonds={bonds} unit={TOKEN_NAMES[draft.token]} />
    </Card>
  );
}

/** A balance needs no eighteen digits; it is cut, never rounded up. */
export function formatShort(wei: bigint): string {
  const FIFTH = 10n ** 14n;
  return formatWei(wei - (wei % FIFTH), '').trim();
}

function LeaveChoice({ draft, onChange }: Pick<Props, 'draft' | 'onChange'>) {
  return (
    <div className="field">
      <Choice
        label="Let Lido's Accounting take it by"
        value={draft.leave}
        onChange={(leave) => onChange({ ...draft, leave })}
        options={[
          {
            value: 'permit',
            title: 'A signature (permit)',
            children: <span className="hint">Costs nothing; good for half an hour and this amount.</span>,
          },
          {
            value: 'approve',
            title: 'An approval transaction',
            children: (
              <span className="hint">
                For contract wallets, which cannot sign permits. For exactly this amount.
              </span>
            ),
          },
        ]}
      />
    </div>
  );
}

function Table({
  sizes,
  bonds,
  unit,
}: {
  sizes: readonly number[];
  bonds: UseQueryResult<bigint[]>;
  unit: string;
}) {
  if (sizes.length === 0) return <p className="hint">Choose validators to see what they need.</p>;
  if (bonds.error) {
    return (
      <Notice kind="error" title="The bond cannot be read">
        <p>{describeRefusal(bonds.error)}</p>
        <Button onClick={() => void bonds.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (!bonds.data) {
    return bonds.isLoading ? (
      <Skeleton label="The bond" rows={Math.min(sizes.length, 3)} />
    ) : (
      <p className="hint">Choose a node operator to see what they need.</p>
    );
  }
  const each = differences(bonds.data);
  return (
    <div className="scroll-x" tabIndex={0} role="group" aria-label="Transactions">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Transaction</th>
            <th scope="col" className="csm-right">
              Keys
            </th>
            <th scope="col" className="csm-right">
              Bond
            </th>
          </tr>
        </thead>
        <tbody className="figure">
          {sizes.map((size, at) => (
            <tr key={at}>
              <th scope="row">{at + 1}</th>
              <td className="csm-right">{size}</td>
              <td className="csm-right">{formatWei(each[at] ?? 0n, unit)}</td>
            </tr>
          ))}
        </tbody>
        {sizes.length > 1 && (
          <tfoot className="figure">
            <tr>
              <th scope="row">All</th>
              <td className="csm-right">{sizes.reduce((a, b) => a + b, 0)}</td>
              <td className="csm-right">
                <strong>{formatWei(bonds.data.at(-1) ?? 0n, unit)}</strong>
              </td>
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}
