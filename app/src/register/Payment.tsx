import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Amount } from '../network/Amount';
import { mostKeys, planBatches, type Batch } from '../network/batches';
import type { NetworkAddresses } from '../network/chain';
import { amountEach, dateOfBlock, days, pricePerBlock } from '../network/fee';
import { TooLarge, useOwnJournal, useOwnWallet, useSend, useTaken } from '../network/send';
import type { ValidatorShares } from '../network/shares';
import { useSubscriptions, useWalletFunds, type Terms } from '../network/terms';
import { describeCall } from '../network/words';
import { useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import { Approval } from './Approval';
import { OwnWalletNotice } from './OwnWalletNotice';
import { registration } from './registration';

interface Props {
  addresses: NetworkAddresses;
  terms: Terms;
  blocks: bigint;
  shares: readonly ValidatorShares[];
  /** Some of what was chosen is not verified yet. */
  waiting: boolean;
}

/** The fee, and one transaction after the other. */
export function Payment({ addresses, terms, blocks, shares, waiting }: Props) {
  const journal = useOwnJournal();
  // Here and not beside its button: what is on its way is no batch any more, and the button goes with it.
  const send = useSend();
  const [limit, setLimit] = useState(Number.MAX_SAFE_INTEGER);
  const taken = useTaken(journal.all.filter(({ kind }) => kind === 'register'));
  const held = useSubscriptions(
    addresses.network,
    shares.map(({ pubkey }) => pubkey),
  );
  const registered = new Set(held.data?.filter((one) => one.registered).map(({ pubkey }) => pubkey));
  useServiceCatchingUp(registered.size > 0);
  const open = shares.filter(({ pubkey }) => !registered.has(pubkey) && !taken.has(pubkey));
  const batches = planBatches(open, limit);
  const each = (batch: Batch<ValidatorShares>) =>
    amountEach(terms.operatorFee, batch.operatorIds.length, blocks);
  const total = batches.reduce((sum, batch) => sum + each(batch) * BigInt(batch.validators.length), 0n);
  const end = dateOfBlock(terms.head.number + blocks, terms.head);
  return (
    <Card title="Fee">
      {(waiting || held.isLoading) && <Spinner label="Verifying, and reading the chain" />}
      {held.error && (
        <Notice kind="error" title="The chain cannot be read">
          <p>{describeCall(held.error)}</p>
          <Button onClick={() => void held.refetch()}>Try again</Button>
        </Notice>
      )}
      {!waiting && open.length === 0 && held.data && (
        <p className="hint">Nothing is left to register among what you chose.</p>
      )}
      {open.length > 0 && (
        <>
          <dl className="facts">
            <dt>Validators</dt>
            <dd className="figure">{open.length}</dd>
            <dt>Paid until about</dt>
            <dd>
              {end.toLocaleDateString(undefined, { dateStyle: 'long' })}{' '}
              <span className="hint">({days(blocks)} days)</span>
            </dd>
            {[...new Set(batches.map(({ operatorIds }) => operatorIds.length))].map((size) => (
              <div key={size} className="fact">
                <dt>A validator of {size} operators, per block</dt>
                <dd>
                  <Amount value={pricePerBlock(terms.operatorFee, size)} currency={terms.currency} />
                </dd>
              </div>
            ))}
            <dt>Total</dt>
            <dd>
              <strong data-testid="total">
                <Amount value={total} currency={terms.currency} />
              </strong>
            </dd>
          </dl>
          <Batches
            {...{ addresses, terms, batches, each, total, send }}
            ready={!waiting && held.data !== undefined && !held.isRefetching}
            onTooLarge={(size) => setLimit(Math.max(1, Math.floor(size / 2)))}
          />
        </>
      )}
      {send.error && !(send.error instanceof TooLarge) && (
        <Notice kind="error" title="Nothing was registered">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
    </Card>
  );
}

/** The chain has registrations that the service has not read yet, whoever sent them: it is asked until it has. */
function useServiceCatchingUp(behind: boolean) {
  const queries = useQueryClient();
  useEffect(() => {
    if (!behind) return;
    const timer = setInterval(() => void queries.invalidateQueries({ queryKey: ['validators'] }), 5_000);
    return () => clearInterval(timer);
  }, [behind, queries]);
}

interface BatchesProps {
  addresses: NetworkAddresses;
  terms: Terms;
  batches: readonly Batch<ValidatorShares>[];
  each: (batch: Batch<ValidatorShares>) => bigint;
  total: bigint;
  ready: boolean;
  send: ReturnType<typeof useSend>;
  onTooLarge: (size: number) => void;
}

function Batches({ addresses, terms, batches, each, total, ready, send, onTooLarge }: BatchesProps) {
  const { owner } = useSession();
  const wallet = useOwnWallet(owner);
  const funds = useWalletFunds(wallet.account, terms.currency, addresses.network);
  const register = (batch: Batch<ValidatorShares>) => {
    if (!owner) return;
    const about = batch.validators.map(({ pubkey }) => pubkey);
    const call = registration(
      addresses.network,
      owner,
      batch,
      each(batch),
      terms.currency.token === undefined,
    );
    send.mutate(
      { kind: 'register', about, call },
      { onError: (error) => error instanceof TooLarge && onTooLarge(about.length) },
    );
  };
  const [first, ...later] = batches;
  if (!first) return null;
  const amount = each(first) * BigInt(first.validators.length);
  const allowed = funds.data?.allowance === undefined || funds.data.allowance >= amount;
  const short = funds.data !== undefined && funds.data.balance < amount;
  return (
    <>
      <OwnWalletNotice owner={owner} />
      {batches.length > 1 && (
        <p className="hint">
          A transaction takes at most {mostKeys(first.operatorIds.length)} validators of this committee:{' '}
          {batches.length} transactions, each with its own fee.
        </p>
      )}
      {short && (
        <p className="field-error" role="alert">
          Your wallet has <Amount value={funds.data.balance} currency={terms.currency} />; this transaction
          takes <Amount value={amount} currency={terms.currency} />.
        </p>
      )}
      {!allowed && terms.currency.token && (
        <Approval
          token={terms.currency}
          spender={addresses.network}
          amount={total}
          disabled={!wallet.ready || short}
        />
      )}
      <ol className="batches">
        <li className="batch">
          <span>
            {first.validators.length} of operators {first.operatorIds.join(', ')}
          </span>
          <Amount value={amount} currency={terms.currency} />
          <Button
            kind="primary"
            busy={send.isPending}
            disabled={!ready || !wallet.ready || short || !allowed || !funds.data}
            onClick={() => register(first)}
          >
            {send.isPending ? 'Answer in your wallet' : `Register ${first.validators.length}`}
          </Button>
        </li>
        {later.map((batch) => (
          <li key={batch.validators[0]?.pubkey} className="batch batch-later">
            <span>
              {batch.validators.length} of operators {batch.operatorIds.join(', ')}
            </span>
            <Amount value={each(batch) * BigInt(batch.validators.length)} currency={terms.currency} />
            <span className="hint">after the one before</span>
          </li>
        ))}
      </ol>
    </>
  );
}
