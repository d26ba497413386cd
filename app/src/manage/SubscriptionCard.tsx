import { Link } from '@tanstack/react-router';
import type { Address, Hex } from 'viem';
import type { Validator } from '../api/validators';
import { Amount } from '../network/Amount';
import { NETWORK_ABI } from '../network/abi';
import { blocksLeft, dateOfBlock, days } from '../network/fee';
import type { Chain } from '../network/NeedsChain';
import { useOwnJournal, useOwnWallet, useSend, useTaken } from '../network/send';
import type { Subscription, Terms } from '../network/terms';
import { describeCall } from '../network/words';
import { EndBadge } from '../register/EndBadge';
import { OwnWalletNotice } from '../register/OwnWalletNotice';
import { committeeOf } from '../replace/committee';
import { TopUp } from '../register/Subscriptions';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Confirm } from './Confirm';

interface Props {
  chain: Chain;
  validator: Validator;
  terms: Terms;
  subscription: Subscription;
}

/** Whether operators are paid, until when, and what comes back when the validator is removed. */
export function SubscriptionCard({ chain, validator, terms, subscription }: Props) {
  const { pubkey } = validator;
  if (!subscription.registered) {
    return (
      <Card title="Registration">
        <p>Operators do not perform for this validator: it is not registered in the network.</p>
        <Link to="/register" search={{ validator: pubkey }} className="button button-primary">
          Register
        </Link>
      </Card>
    );
  }
  const { end } = subscription;
  return (
    <Card title="Subscription" aside={<EndBadge end={end} head={terms.head.number} />}>
      <dl className="facts">
        <dt>Paid until about</dt>
        <dd>
          {dateOfBlock(end, terms.head).toLocaleDateString(undefined, { dateStyle: 'long' })}{' '}
          <span className="hint figure">
            (block {String(end)}, {days(blocksLeft(end, terms.head.number))} days)
          </span>
        </dd>
        <dt>Comes back when it is removed now</dt>
        <dd>
          <Amount value={subscription.refund} currency={terms.currency} />
        </dd>
      </dl>
      <details className="more">
        <summary>Top up</summary>
        <TopUp chain={chain} terms={terms} validators={[{ pubkey, size: committeeOf(validator).length }]} />
      </details>
      <details className="more">
        <summary>Remove from the network</summary>
        <Remove chain={chain} validator={validator} terms={terms} refund={subscription.refund} />
      </details>
    </Card>
  );
}

function Remove({ chain, validator, terms, refund }: Omit<Props, 'subscription'> & { refund: bigint }) {
  const owner = validator.owner as Address;
  const pubkey = validator.pubkey as Hex;
  const wallet = useOwnWallet(owner);
  const journal = useOwnJournal();
  const taken = useTaken(journal.all.filter(({ kind }) => kind === 'remove'));
  const send = useSend();
  const on = ({ holds }: { holds: string } = { holds: 'unknown' }) => holds === 'yes';
  const live = on(validator.facts?.deposited) && !on(validator.facts?.exited);
  const call = {
    address: chain.addresses.network,
    abi: NETWORK_ABI,
    functionName: 'removeValidator',
    args: [[pubkey]],
  };
  return (
    <div className="stack">
      {live && (
        <Notice kind="warning" title="This validator is deposited and has not exited">
          <p>
            Once it is removed, operators stop, and it loses ETH every day that it does not perform. Order its
            exit first.
          </p>
        </Notice>
      )}
      <OwnWalletNotice owner={owner} />
      {taken.has(pubkey) ? (
        <p className="hint">The removal was sent.</p>
      ) : (
        <Confirm
          action="Remove"
          title="Remove this validator?"
          description="Operators stop performing for it, and what is not used of the payment comes back to your wallet."
          busy={send.isPending}
          disabled={!wallet.ready}
          onConfirm={() => send.mutate({ kind: 'remove', about: [pubkey], call })}
        >
          <p>
            Refund: <Amount value={refund} currency={terms.currency} />, less with every block.
          </p>
        </Confirm>
      )}
      {send.error && (
        <Notice kind="error" title="Nothing was removed">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
    </div>
  );
}
