import { useQuery } from '@tanstack/react-query';
import { RadioGroup } from 'radix-ui';
import { useState } from 'react';
import type { Address } from 'viem';
import { Amount } from '../network/Amount';
import { readAll, useReader } from '../network/chain';
import { dateOfBlock } from '../network/fee';
import type { Chain } from '../network/NeedsChain';
import { useOwnJournal, useOwnWallet, useSend, useTaken } from '../network/send';
import type { ValidatorShares } from '../network/shares';
import { useTerms, useWalletFunds, type Terms } from '../network/terms';
import { describeCall } from '../network/words';
import { Funding } from '../register/Funding';
import { OwnSent } from '../register/OwnSent';
import { OwnWalletNotice } from '../register/OwnWalletNotice';
import { useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import {
  blocksAfter,
  EXTRA,
  extraAmount,
  moveFault,
  movesOf,
  readHeld,
  replacement,
  type Move,
} from './move';
import { MoveList } from './MoveList';

interface Props {
  chain: Chain;
  ceremonyId: string;
  /** Out of the certificate of the reshare, after this browser verified it. */
  shares: readonly ValidatorShares[];
}

/** Moves the validators of a reshare to their new committee: one transaction for each, one after the other. */
export function MoveCard({ chain, ceremonyId, shares }: Props) {
  const { network } = chain.addresses;
  const registry = chain.info.contracts?.registry as Address;
  const client = useReader();
  const terms = useTerms(network);
  const journal = useOwnJournal();
  const own = journal.all.filter(({ kind, about }) => kind === 'replace' && about.includes(ceremonyId));
  const taken = useTaken(own);
  const held = useQuery({
    queryKey: ['chain-read', 'committees', network, ceremonyId],
    queryFn: () => readAll(shares, ({ pubkey }) => readHeld(client, network, registry, pubkey)),
    // After a lost answer the contract alone tells what became of a move.
    refetchInterval: ({ state: { data = [] } }) =>
      movesOf(shares, data, taken).some(({ state }) => state === 'sent') ? 3_000 : 12_000,
  });
  // Here and not beside its button: what is on its way has no button any more.
  const send = useSend();
  const error = terms.error ?? held.error;
  return (
    <>
      <OwnSent kinds={['replace', 'approve']} title="Transactions" about={ceremonyId} />
      <Card title="Move the validators">
        <p>
          Duties stay with the old committee until the contract names the new one. Each validator is moved by
          a transaction of its own; what is left of its payment goes along.
        </p>
        {error && (
          <Notice kind="error" title="The chain cannot be read">
            <p>{describeCall(error)}</p>
            <Button onClick={() => [terms, held].forEach((one) => void one.refetch())}>Try again</Button>
          </Notice>
        )}
        {!error && (!terms.data || !held.data) && <Skeleton label="The chain" rows={3} />}
        {terms.data && held.data && (
          <Moves
            network={network}
            ceremonyId={ceremonyId}
            terms={terms.data}
            moves={movesOf(shares, held.data, taken)}
            fresh={!held.isRefetching}
            send={send}
          />
        )}
        {send.error && (
          <Notice kind="error" title="Nothing was moved">
            <p>{describeCall(send.error)}</p>
          </Notice>
        )}
      </Card>
    </>
  );
}

interface MovesProps {
  network: Address;
  ceremonyId: string;
  terms: Terms;
  moves: readonly Move[];
  /** Nothing is being read anew. */
  fresh: boolean;
  send: ReturnType<typeof useSend>;
}

function Moves({ network, ceremonyId, terms, moves, fresh, send }: MovesProps) {
  const { owner } = useSession();
  const wallet = useOwnWallet(owner);
  const [extraDays, setExtraDays] = useState(0);
  const open = moves.filter(({ state }) => state === 'open');
  const count = (state: Move['state']) => moves.filter((one) => one.state === state).length;
  const size = moves[0]?.shares.operatorIds.length ?? 0;
  const amount = extraAmount(terms, size, extraDays);
  const total = amount * BigInt(open.length);
  const native = terms.currency.token === undefined;
  const funds = useWalletFunds(wallet.account, terms.currency, network);
  const short = funds.data !== undefined && funds.data.balance < amount;
  const allowed = funds.data?.allowance === undefined || funds.data.allowance >= amount;
  const [first] = open;
  const fault = first && moveFault(first.held, amount, terms, size);
  const move = (one: Move) =>
    send.mutate({
      kind: 'replace',
      about: [one.shares.pubkey, ceremonyId],
      call: replacement(network, one, amount, native),
    });
  return (
    <>
      <p role="status">
        <strong>
          {count('moved')} of {moves.length - count('unregistered')} moved
        </strong>
        {count('sent') > 0 && <span className="hint"> · {count('sent')} on the way</span>}
        {count('unregistered') > 0 && (
          <span className="hint"> · {count('unregistered')} not registered: nothing to move</span>
        )}
      </p>
      {first && (
        <>
          <ExtraPicker days={extraDays} fault={fault} onChange={setExtraDays} />
          <dl className="facts">
            <dt>Paid with each move</dt>
            <dd>
              <Amount value={amount} currency={terms.currency} />
            </dd>
            <dt>For all {open.length} that are left</dt>
            <dd>
              <strong data-testid="move-total">
                <Amount value={total} currency={terms.currency} />
              </strong>
            </dd>
            <dt>The next one is then paid until about</dt>
            <dd>
              {dateOfBlock(
                terms.head.number + blocksAfter(first.held, amount, terms, size),
                terms.head,
              ).toLocaleDateString(undefined, { dateStyle: 'long' })}
            </dd>
          </dl>
          <OwnWalletNotice owner={owner} />
          <Funding
            currency={terms.currency}
            balance={funds.data?.balance}
            short={short}
            allowed={allowed}
            spender={network}
            amount={total}
            disabled={!wallet.ready}
          />
        </>
      )}
      <MoveList
        moves={moves}
        busy={send.isPending}
        disabled={!fresh || !wallet.ready || short || !allowed || !funds.data || fault !== undefined}
        onMove={move}
      />
    </>
  );
}

interface ExtraProps {
  days: number;
  fault: string | undefined;
  onChange: (days: number) => void;
}

function ExtraPicker({ days, fault, onChange }: ExtraProps) {
  return (
    <div className="stack">
      <RadioGroup.Root
        className="periods"
        aria-label="How long the new operators are paid for"
        value={String(days)}
        onValueChange={(value) => onChange(Number(value))}
      >
        {EXTRA.map((one) => (
          <RadioGroup.Item key={one.days} value={String(one.days)} className="size period">
            {one.word}
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      {fault !== undefined && (
        <p className="field-error" role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
