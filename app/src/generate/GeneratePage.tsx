import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type SyntheticEvent } from 'react';
import { useConnection } from 'wagmi';
import { useOperators } from '../api/operators';
import { useSelection } from '../committee/selection';
import { useAppConfig } from '../config/config';
import { LoginButton } from '../session/LoginButton';
import { sameAddress, useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { describeError } from '../wallet/errors';
import { useDraft } from './draft';
import { CountField, WithdrawalField } from './Fields';
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
        The operators make the keys together within seconds; you pay nothing yet.
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
  const navigate = useNavigate();
  const { order, errors } = checkDraft(draft, config);
  const start = (event: SyntheticEvent) => {
    event.preventDefault();
    setTried(true);
    if (!order) return;
    submit.mutate(
      { members, order },
      { onSuccess: (ceremonyId) => void navigate({ to: '/ceremonies/$ceremonyId', params: { ceremonyId } }) },
    );
  };
  // A field is not scolded before somebody has had the chance to fill it in.
  const shown = tried ? errors : {};
  return (
    <div className="split">
      <form className="split-main stack" onSubmit={start} noValidate>
        <Card title="What you want">
          <CountField draft={draft} onChange={setDraft} errors={shown} />
          <WithdrawalField draft={draft} onChange={setDraft} errors={shown} />
        </Card>
        {submit.error && (
          <Notice kind="error" title="The ceremony was not started">
            <p>{describeError(submit.error)}</p>
          </Notice>
        )}
        <StartButton busy={submit.isPending} />
      </form>
      <aside className="split-side">
        <Summary members={members} size={size} count={order?.validatorCount} />
      </aside>
    </div>
  );
}

function StartButton({ busy }: { busy: boolean }) {
  const { address } = useConnection();
  const session = useSession();
  if (!sameAddress(session.owner, address)) {
    return (
      <div className="stack">
        <p className="hint">Log in with the wallet that will own the validators, then start.</p>
        <LoginButton />
      </div>
    );
  }
  return (
    <Button type="submit" kind="primary" busy={busy}>
      {busy ? 'Sign in your wallet' : 'Sign and start'}
    </Button>
  );
}
