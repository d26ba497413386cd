import type { ReactNode } from 'react';
import { useConnection } from 'wagmi';
import type { Operator } from '../api/operators';
import { threshold, tolerated, type Size } from '../committee/sizes';
import { LoginButton } from '../session/LoginButton';
import { sameAddress, useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { describeError } from '../wallet/errors';
import type { Change } from './committee';

interface Props {
  change: Change;
  /** Operators of the present committee. */
  present: number;
  size: Size;
  operators: readonly Operator[];
  /** The certificate of the present committee holds. */
  ready: boolean;
  busy: boolean;
  error: Error | null;
  onStart: () => void;
}

/** Who leaves, who comes, how many have to stay, and the way on. */
export function ChangePanel({ change, present, size, operators, ready, busy, error, onStart }: Props) {
  const names = (ids: readonly number[]) =>
    ids.length === 0
      ? 'nobody'
      : ids.map((id) => operators.find((one) => one.operator_id === id)?.name ?? `Operator ${id}`).join(', ');
  return (
    <Card title="What changes">
      <dl className="facts">
        <dt>Leaves</dt>
        <dd>{names(change.leaving)}</dd>
        <dt>Comes</dt>
        <dd>{names(change.joining)}</dd>
        <dt>Stay</dt>
        <dd>
          {change.staying.length} of {present}; at least {change.needed} have to
        </dd>
        <dt>Sign together then</dt>
        <dd>
          {threshold(size)} of {size}; {tolerated(size)} may fail
        </dd>
        <dt>Making new shares</dt>
        <dd>free, no transaction</dd>
      </dl>
      {change.fault !== undefined && (
        <p className="field-error" role="status">
          {change.fault}
        </p>
      )}
      {change.fault === undefined && change.staying.length === change.needed && (
        <p className="hint">
          Everybody who stays has to be online: with one fewer no shares are made, and the present committee
          simply goes on.
        </p>
      )}
      {error && (
        <Notice kind="error" title="The reshare was not started">
          <p>{describeError(error)}</p>
        </Notice>
      )}
      <OwnWallet>
        <Button kind="primary" busy={busy} disabled={!ready || change.fault !== undefined} onClick={onStart}>
          {busy ? 'Sign in your wallet' : 'Sign and make new shares'}
        </Button>
      </OwnWallet>
    </Card>
  );
}

function OwnWallet({ children }: { children: ReactNode }) {
  const { address } = useConnection();
  const session = useSession();
  if (sameAddress(session.owner, address)) return children;
  return (
    <div className="stack">
      <p className="hint">Connect the wallet that owns the validators: it signs the request.</p>
      <LoginButton />
    </div>
  );
}
