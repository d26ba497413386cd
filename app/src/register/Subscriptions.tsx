import { useId, useMemo, useState } from 'react';
import type { Hex } from 'viem';
import { Amount } from '../network/Amount';
import { NETWORK_ABI } from '../network/abi';
import { amountEach, blocksFor, blocksLeft, dateOfBlock, days } from '../network/fee';
import type { Chain } from '../network/NeedsChain';
import { useOwnJournal, useOwnWallet, useSend, useTaken } from '../network/send';
import { useSubscriptions, useTerms, useWalletFunds, type Terms } from '../network/terms';
import { describeCall } from '../network/words';
import { useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { Funding } from './Funding';
import type { Ending } from './candidates';
import { EndBadge } from './EndBadge';
import { OwnSent } from './OwnSent';
import { OwnWalletNotice } from './OwnWalletNotice';
import { blocksOf, FIRST_PERIOD } from './period';
import { PeriodPicker } from './PeriodPicker';

/** Validators in one top-up: some 250,000 gas each at worst. */
const MOST = 50;

/** Paid subscriptions by their end, and more time for those that are chosen. */
export function Subscriptions({ chain, endings }: { chain: Chain; endings: readonly Ending[] }) {
  const terms = useTerms(chain.addresses.network);
  const [chosen, setChosen] = useState<ReadonlySet<bigint>>(new Set());
  const wanted = useMemo(
    () => endings.filter(({ end }) => chosen.has(end)).flatMap(({ validators }) => validators),
    [endings, chosen],
  );
  const toggle = (end: bigint) =>
    setChosen((before) => {
      const next = new Set(before);
      if (!next.delete(end)) next.add(end);
      return next;
    });
  return (
    <>
      <OwnSent kinds={['top-up']} title="Top-ups" />
      <Card title="Paid subscriptions">
        {terms.isPending && <Skeleton label="The chain" rows={2} />}
        {terms.data && (
          <ul className="choices">
            {endings.map((one) => (
              <EndingRow
                key={String(one.end)}
                ending={one}
                head={terms.data.head}
                chosen={chosen.has(one.end)}
                onToggle={() => toggle(one.end)}
              />
            ))}
          </ul>
        )}
        {terms.data && wanted.length > 0 && <TopUp chain={chain} terms={terms.data} validators={wanted} />}
      </Card>
    </>
  );
}

interface RowProps {
  ending: Ending;
  head: Terms['head'];
  chosen: boolean;
  onToggle: () => void;
}

function EndingRow({ ending: { end, validators }, head, chosen, onToggle }: RowProps) {
  const id = useId();
  return (
    <li className="choice">
      <label className="check" htmlFor={id}>
        <input id={id} type="checkbox" checked={chosen} onChange={onToggle} />
        <span className="row-title">
          {validators.length} {validators.length === 1 ? 'validator' : 'validators'}
        </span>
      </label>
      <span className="hint">
        paid until about {dateOfBlock(end, head).toLocaleDateString(undefined, { dateStyle: 'medium' })} (
        {days(blocksLeft(end, head.number))} days)
      </span>
      <EndBadge end={end} head={head.number} />
    </li>
  );
}

interface TopUpProps {
  chain: Pick<Chain, 'addresses'>;
  terms: Terms;
  validators: readonly { pubkey: string; size: number }[];
}

/** Pays for more blocks, at the fee of today. */
export function TopUp({ chain: { addresses }, terms, validators }: TopUpProps) {
  const { owner } = useSession();
  const wallet = useOwnWallet(owner);
  const [period, setPeriod] = useState(FIRST_PERIOD);
  const journal = useOwnJournal();
  const taken = useTaken(journal.all.filter(({ kind }) => kind === 'top-up'));
  const open = validators.filter(({ pubkey }) => !taken.has(pubkey)).slice(0, MOST);
  const blocks = blocksOf(period, 1n);
  const amounts =
    'blocks' in blocks ? open.map(({ size }) => amountEach(terms.operatorFee, size, blocks.blocks)) : [];
  const total = amounts.reduce((sum, amount) => sum + amount, 0n);
  const held = useSubscriptions(
    addresses.network,
    open.map(({ pubkey }) => pubkey as Hex),
  );
  const funds = useWalletFunds(wallet.account, terms.currency, addresses.network);
  const send = useSend();
  const ends = (held.data ?? []).flatMap(({ refund }, at) => {
    const [amount, size] = [amounts[at], open[at]?.size];
    return amount === undefined || size === undefined
      ? []
      : [terms.head.number + blocksFor(refund + amount, terms.operatorFee, size)];
  });
  const first = ends.reduce<bigint | undefined>(
    (least, end) => (least === undefined || end < least ? end : least),
    undefined,
  );
  const short = funds.data !== undefined && funds.data.balance < total;
  const allowed = funds.data?.allowance === undefined || funds.data.allowance >= total;
  const pubkeys = open.map(({ pubkey }) => pubkey);
  const call = {
    address: addresses.network,
    abi: NETWORK_ABI,
    functionName: 'deposit',
    args: [pubkeys, amounts, total],
    ...(terms.currency.token === undefined ? { value: total } : {}),
  };
  if (open.length === 0) return <p className="hint">A top-up of these is on its way.</p>;
  return (
    <div className="stack">
      <PeriodPicker
        label="How much longer operators are paid for"
        period={period}
        fault={'fault' in blocks ? blocks.fault : undefined}
        onChange={setPeriod}
      />
      {validators.length > MOST && (
        <p className="hint">One transaction tops up {MOST} validators; the others come after it.</p>
      )}
      <dl className="facts">
        <dt>Top-up of {open.length}</dt>
        <dd>
          <strong>
            <Amount value={total} currency={terms.currency} />
          </strong>
        </dd>
        {first !== undefined && (
          <>
            <dt>Then paid until about</dt>
            <dd>{dateOfBlock(first, terms.head).toLocaleDateString(undefined, { dateStyle: 'long' })}</dd>
          </>
        )}
      </dl>
      <OwnWalletNotice owner={owner} />
      <Funding
        currency={terms.currency}
        balance={funds.data?.balance}
        short={short}
        allowed={allowed}
        spender={addresses.network}
        amount={total}
        disabled={!wallet.ready}
      />
      <Button
        kind="primary"
        busy={send.isPending}
        disabled={!wallet.ready || short || !allowed || !funds.data || !held.data || total === 0n}
        onClick={() => send.mutate({ kind: 'top-up', about: pubkeys, call })}
      >
        {send.isPending ? 'Answer in your wallet' : `Top up ${open.length}`}
      </Button>
      {send.error && (
        <Notice kind="error" title="Nothing was paid">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
    </div>
  );
}
