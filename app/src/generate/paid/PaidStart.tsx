import { useMutation } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Address, Hex } from 'viem';
import { useConfig } from 'wagmi';
import { signMessage } from 'wagmi/actions';
import { Amount } from '../../network/Amount';
import { SentRow } from '../../network/SentRow';
import { UnderWay, useOwnJournal, useOwnWallet, useSend, useTaken } from '../../network/send';
import { useWalletFunds } from '../../network/terms';
import { describeCall } from '../../network/words';
import { Approval } from '../../register/Approval';
import { OwnWalletNotice } from '../../register/OwnWalletNotice';
import { useSession } from '../../session/session';
import { Button } from '../../ui/Button';
import { Card } from '../../ui/Card';
import { Notice } from '../../ui/Notice';
import { Skeleton } from '../../ui/Spinner';
import { describeError } from '../../wallet/errors';
import { aboutOf, registerNodeCall, requestCall, type Asked } from './asked';
import { OpenRequest } from './OpenRequest';
import { keyMessage, learnKey, useOwnerKey } from './ownerKey';
import { useRequestTerms, type RequestTerms } from './usePaid';

interface Props {
  contract: Address;
  clusterPubkey: Hex;
  /** What is asked for, without its owner; undefined while a field is wrong. */
  wanted: Omit<Asked, 'owner' | 'clusterPubkey'> | undefined;
  /** The preflight stands in the way. */
  blocked: boolean;
  /** Called with every press, so that wrong fields are shown. */
  onTry: () => void;
}

/** The request that is under way, or else the way to a new one. */
export function PaidStart({ onAsked, ...props }: Props & { onAsked: (ceremonyId: string) => void }) {
  const journal = useOwnJournal();
  const open = journal.all.find(({ kind }) => kind === 'request');
  // Here and not beside its button: once the request is under way the button is gone, and what went wrong stays.
  const send = useSend();
  return (
    <>
      {open ? (
        <OpenRequest key={open.id} contract={props.contract} sent={open} onAsked={onAsked} />
      ) : (
        <NewRequest {...props} send={send} />
      )}
      {send.error && !(send.error instanceof UnderWay) && (
        <Notice kind="error" title="The request was not sent">
          <p>{describeCall(send.error)}</p>
        </Notice>
      )}
    </>
  );
}

type SendProps = Props & { send: ReturnType<typeof useSend> };

/** The fee, what has to be done before, and the transaction that asks for the validators. */
function NewRequest(props: SendProps) {
  const { contract, clusterPubkey } = props;
  const terms = useRequestTerms(contract, clusterPubkey);
  return (
    <Card title="Pay and start">
      {terms.isPending && <Skeleton label="The fee" rows={3} />}
      {terms.error && (
        <Notice kind="error" title="The fee cannot be read from the chain">
          <p>{describeCall(terms.error)}</p>
          <Button onClick={() => void terms.refetch()}>Try again</Button>
        </Notice>
      )}
      {terms.data && <Steps {...props} terms={terms.data} />}
    </Card>
  );
}

type StepsProps = SendProps & { terms: RequestTerms };

function Steps({ contract, clusterPubkey, wanted, blocked, onTry, terms, send }: StepsProps) {
  const { owner } = useSession();
  const wallet = useOwnWallet(owner);
  const key = useOwnerKey(owner);
  const funds = useWalletFunds(wallet.account, terms.currency, contract);
  const total = wanted && terms.each * BigInt(wanted.validatorCount);
  const short = funds.data !== undefined && total !== undefined && funds.data.balance < total;
  const allowance = funds.data?.allowance;
  const allowed = allowance === undefined || total === undefined || allowance >= total;
  const pay = () => {
    onTry();
    if (!wanted || !owner || !key || total === undefined) return;
    const asked: Asked = { ...wanted, owner, clusterPubkey };
    const value = terms.currency.token === undefined ? total : undefined;
    const call = requestCall(contract, asked, key, value);
    send.mutate({ kind: 'request', about: aboutOf(asked), call, alone: true });
  };
  return (
    <div className="stack">
      <Fee terms={terms} count={wanted?.validatorCount} total={total} />
      <OwnWalletNotice owner={owner} />
      {terms.node === 'inactive' && (
        <Notice kind="error" title="The cluster node of this service is not active in the contract">
          <p>Its owner has taken it out of use; until it is back the contract takes no requests for it.</p>
        </Notice>
      )}
      {terms.node === 'unknown' && (
        <RegisterNode contract={contract} clusterPubkey={clusterPubkey} disabled={!wallet.ready} />
      )}
      {owner && wallet.ready && !key && <ShowKey owner={owner} />}
      {short && (
        <p className="field-error" role="alert">
          Your wallet has <Amount value={funds.data.balance} currency={terms.currency} />; the fee is{' '}
          <Amount value={total} currency={terms.currency} />.
        </p>
      )}
      {!allowed && terms.currency.token && (
        <Approval
          token={terms.currency}
          spender={contract}
          amount={total}
          disabled={!wallet.ready || short}
        />
      )}
      <div>
        <Button
          kind="primary"
          busy={send.isPending}
          disabled={
            blocked || !wallet.ready || !key || terms.node !== 'active' || short || !allowed || !funds.data
          }
          onClick={pay}
        >
          {send.isPending ? 'Confirm in your wallet' : 'Pay and start'}
        </Button>
      </div>
    </div>
  );
}

function Fee({
  terms,
  count,
  total,
}: {
  terms: RequestTerms;
  count: number | undefined;
  total: bigint | undefined;
}) {
  return (
    <dl className="facts">
      <dt>Fee for each validator</dt>
      <dd>
        <Amount value={terms.each} currency={terms.currency} />
      </dd>
      <dt>{count === undefined ? 'In total' : `In total, for ${count}`}</dt>
      <dd>
        <strong data-testid="fee-total">
          {total === undefined ? '–' : <Amount value={total} currency={terms.currency} />}
        </strong>{' '}
        <span className="hint">and gas</span>
      </dd>
    </dl>
  );
}

function Step({ words, fault, children }: { words: string; fault: string | undefined; children: ReactNode }) {
  return (
    <div className="batch">
      <span>{words}</span>
      {children}
      {fault !== undefined && (
        <span className="field-error" role="alert">
          {fault}
        </span>
      )}
    </div>
  );
}

/** The contract takes requests only for a cluster node that somebody registered; whoever is first does it for all. */
function RegisterNode({
  contract,
  clusterPubkey,
  disabled,
}: {
  contract: Address;
  clusterPubkey: Hex;
  disabled: boolean;
}) {
  const send = useSend();
  const journal = useOwnJournal();
  const sent = journal.all.filter(
    ({ kind, about }) => kind === 'register-node' && about.includes(clusterPubkey),
  );
  const taken = useTaken(sent);
  const call = registerNodeCall(contract, clusterPubkey);
  const under = taken.has(clusterPubkey);
  return (
    <>
      <Step
        words="Once before the first request: register this service’s cluster node in the contract, which costs gas alone."
        fault={send.error ? describeCall(send.error) : undefined}
      >
        <Button
          kind="primary"
          busy={send.isPending}
          disabled={disabled || under}
          onClick={() => send.mutate({ kind: 'register-node', about: [clusterPubkey], call })}
        >
          {under ? 'Sent' : send.isPending ? 'Answer in your wallet' : 'Register'}
        </Button>
      </Step>
      {sent.length > 0 && (
        <ul className="rows">
          {sent.map((one) => (
            <SentRow key={one.id} sent={one} title="Register the cluster node" />
          ))}
        </ul>
      )}
    </>
  );
}

/** Only after a reload of another day: whoever logged in on this browser has shown it. */
function ShowKey({ owner }: { owner: Address }) {
  const wallets = useConfig();
  const show = useMutation({
    mutationFn: async () => {
      const message = keyMessage(owner);
      const signature = await signMessage(wallets, { account: owner, message });
      if (await learnKey(owner, message, signature)) return;
      throw new Error(
        'Your wallet is a contract without a public key of its own, and the contract takes requests of accounts with one alone.',
      );
    },
  });
  return (
    <Step
      words="The contract wants your account’s public key: sign one sentence, which shows it and costs nothing."
      fault={show.error ? describeError(show.error) : undefined}
    >
      <Button kind="primary" busy={show.isPending} onClick={() => show.mutate()}>
        {show.isPending ? 'Sign in your wallet' : 'Sign a sentence'}
      </Button>
    </Step>
  );
}
