import { Link, useNavigate } from '@tanstack/react-router';
import { useCallback, useState, type SyntheticEvent } from 'react';
import type { Address, Hex } from 'viem';
import { useConnection } from 'wagmi';
import { useOperators, type Operator } from '../api/operators';
import { useSelection } from '../committee/selection';
import { useAppConfig } from '../config/config';
import { PreflightCard } from '../preflight/PreflightCard';
import { usePreflight } from '../preflight/usePreflight';
import { LoginButton } from '../session/LoginButton';
import { sameAddress, useSession } from '../session/session';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { describeError } from '../wallet/errors';
import { useDraft } from './draft';
import { CountField, WayField, WithdrawalField } from './Fields';
import { PaidStart } from './paid/PaidStart';
import { useSubmitRequest } from './submit';
import { Summary } from './Summary';
import { checkDraft } from './validation';

/** How many keys, for whom, and the signature that starts the ceremony. */
export function GeneratePage() {
  const operators = useOperators();
  const [selection] = useSelection();
  const members = (operators.data ?? []).filter((operator) => selection.ids.includes(operator.operator_id));
  return (
    <>
      <PageHead title="Generate validators">
        The operators make the keys together within seconds. No validator runs before you deposit for it.
      </PageHead>
      {operators.isPending && <Skeleton label="The committee" />}
      {operators.error && (
        <Notice kind="error" title="The operators cannot be shown">
          <p>{operators.error.message}</p>
          <Button onClick={() => void operators.refetch()}>Try again</Button>
        </Notice>
      )}
      {operators.data && members.length !== selection.size && (
        <Empty
          title="Choose a committee first"
          action={
            <Link to="/committee" className="button button-primary">
              Choose operators
            </Link>
          }
        >
          {members.length} of {selection.size} operators are chosen.
        </Empty>
      )}
      {operators.data && members.length === selection.size && (
        <GenerateForm members={members} size={selection.size} />
      )}
    </>
  );
}

type FormProps = Pick<Parameters<typeof Summary>[0], 'members' | 'size'>;

function GenerateForm({ members, size }: FormProps) {
  const config = useAppConfig();
  const [draft, setDraft] = useDraft();
  const [tried, setTried] = useState(false);
  const submit = useSubmitRequest();
  const isOwner = useIsOwner();
  const ids = members.map(({ operator_id }) => operator_id);
  const preflight = usePreflight(ids, isOwner);
  const open = useOpenCeremony();
  const { order, errors } = checkDraft(draft, config);
  const { contracts, cluster_pubkey } = config;
  const paid = contracts && cluster_pubkey && draft.way === 'paid';
  const start = (event: SyntheticEvent) => {
    event.preventDefault();
    setTried(true);
    if (order && !paid && !preflight.blocked) submit.mutate({ members, order }, { onSuccess: open });
  };
  // A field is not scolded before somebody has had the chance to fill it in.
  const shown = tried ? errors : {};
  return (
    <div className="split">
      <form className="split-main stack" onSubmit={start} noValidate>
        <Card title="What you want">
          <CountField draft={draft} onChange={setDraft} errors={shown} />
          <WithdrawalField draft={draft} onChange={setDraft} errors={shown} />
          {contracts && <WayField draft={draft} onChange={setDraft} />}
        </Card>
        <PreflightCard committed={preflight} members={members} />
        {!isOwner && <LogInFirst />}
        {isOwner && paid && (
          <PaidStart
            contract={contracts.cluster_node as Address}
            clusterPubkey={cluster_pubkey as Hex}
            wanted={order && { ...order, operators: members.map(identity) }}
            blocked={preflight.blocked}
            onTry={() => setTried(true)}
            onAsked={open}
          />
        )}
        {submit.error && !paid && (
          <Notice kind="error" title="The ceremony was not started">
            <p>{describeError(submit.error)}</p>
          </Notice>
        )}
        {isOwner && !paid && (
          <Button type="submit" kind="primary" busy={submit.isPending} disabled={preflight.blocked}>
            {submit.isPending ? 'Sign in your wallet' : 'Sign and start'}
          </Button>
        )}
      </form>
      <aside className="split-side">
        <Summary members={members} size={size} count={order?.validatorCount} paid={Boolean(paid)} />
      </aside>
    </div>
  );
}

const identity = ({ operator_id, public_key }: Operator) => ({ operator_id, public_key });

/** Whether the connected wallet is the one that is logged in. */
function useIsOwner(): boolean {
  const { address } = useConnection();
  const session = useSession();
  return sameAddress(session.owner, address);
}

function useOpenCeremony() {
  const navigate = useNavigate();
  return useCallback(
    (ceremonyId: string) => void navigate({ to: '/ceremonies/$ceremonyId', params: { ceremonyId } }),
    [navigate],
  );
}

function LogInFirst() {
  return (
    <div className="stack">
      <p className="hint">
        Log in with the wallet that will own the validators. Then the operators are asked whether they are
        ready.
      </p>
      <LoginButton />
    </div>
  );
}
