import { Link, useParams } from '@tanstack/react-router';
import { isUnknown, useCeremony, type Ceremony } from '../api/ceremonies';
import { useOperators } from '../api/operators';
import { rememberedRequest } from '../generate/remembered';
import { NeedsSession } from '../session/NeedsSession';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Hash } from '../ui/Hash';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton, Spinner } from '../ui/Spinner';
import { VerifyCard } from '../verify/VerifyCard';
import { ReshareResult } from '../replace/ReshareResult';
import { Outcome } from './Outcome';
import { ProgressGrid } from './ProgressGrid';
import { CEREMONY_STATUS, RESHARE_MEANS, shortId, when } from './status';
import { useProgress } from './useProgress';

export function CeremonyPage() {
  const { ceremonyId } = useParams({ from: '/ceremonies/$ceremonyId' });
  return (
    <NeedsSession why="A ceremony is shown to its owner alone.">
      <Found key={ceremonyId} ceremonyId={ceremonyId} />
    </NeedsSession>
  );
}

function Found({ ceremonyId }: { ceremonyId: string }) {
  const held = rememberedRequest(ceremonyId);
  const transaction = held?.transaction_hash;
  const ceremony = useCeremony(ceremonyId, transaction !== undefined);
  if (ceremony.data) return <Live ceremony={ceremony.data} />;
  if (held && transaction && isUnknown(ceremony.error)) {
    return <OnItsWay count={held.validator_count} transaction={transaction} />;
  }
  return (
    <>
      <PageHead title="Ceremony" />
      {ceremony.error ? (
        <Notice kind="error" title="This ceremony cannot be shown">
          <p>{ceremony.error.message}</p>
          <Button onClick={() => void ceremony.refetch()}>Try again</Button>
        </Notice>
      ) : (
        <Skeleton label="The ceremony" rows={6} />
      )}
    </>
  );
}

/** The transaction is in a block; operators and the service read it once enough blocks follow. */
function OnItsWay({ count, transaction }: { count: number; transaction: string }) {
  return (
    <>
      <PageHead
        title={`${count} ${count === 1 ? 'validator' : 'validators'}`}
        action={<Badge tone="accent">paid</Badge>}
      >
        Your transaction is in a block. Operators begin as soon as a few more blocks confirm it.
      </PageHead>
      <Card title="Waiting for confirmations">
        <Spinner label="The service reads the chain" />
        <dl className="facts">
          <dt>Transaction</dt>
          <dd>
            <Hash value={transaction} label="transaction hash" />
          </dd>
        </dl>
      </Card>
    </>
  );
}

function Live({ ceremony }: { ceremony: Ceremony }) {
  const operators = useOperators().data ?? [];
  const { progress, connected } = useProgress(ceremony.ceremony_id);
  const { tone, word, means } = CEREMONY_STATUS[ceremony.status];
  const open = ceremony.status === 'pending' || ceremony.status === 'running';
  const count = ceremony.validator_count;
  const previousId = ceremony.previous_ceremony_id ?? undefined;
  return (
    <>
      <PageHead
        title={`${previousId ? 'Reshare of ' : ''}${count} ${count === 1 ? 'validator' : 'validators'}`}
        action={<Badge tone={tone}>{word}</Badge>}
      >
        {previousId ? RESHARE_MEANS[ceremony.status] : means}
      </PageHead>
      <Card
        title="Operators"
        aside={open && <span className="hint">{connected ? 'live' : 'connecting…'}</span>}
      >
        <ProgressGrid ceremony={ceremony} operators={operators} progress={progress} />
      </Card>
      <Outcome ceremony={ceremony} progress={progress} operators={operators} />
      {ceremony.status === 'ready' &&
        (previousId === undefined ? (
          <VerifyCard ceremony={ceremony} operators={operators} />
        ) : (
          <ReshareResult ceremony={{ ...ceremony, previous_ceremony_id: previousId }} operators={operators} />
        ))}
      <Card title="Details">
        <dl className="facts">
          <dt>Ceremony</dt>
          <dd>
            <Hash value={ceremony.ceremony_id} label="ceremony id" />
          </dd>
          {previousId && (
            <>
              <dt>Takes over the validators of</dt>
              <dd>
                <Link to="/ceremonies/$ceremonyId" params={{ ceremonyId: previousId }} className="mono">
                  {shortId(previousId)}
                </Link>
              </dd>
            </>
          )}
          <dt>Withdrawals go to</dt>
          <dd>
            <Hash value={ceremony.withdrawal_address} label="withdrawal address" />
          </dd>
          {ceremony.generate_txid && (
            <>
              <dt>Paid with</dt>
              <dd>
                <Hash value={ceremony.generate_txid} label="transaction hash" />
              </dd>
            </>
          )}
          <dt>Requested</dt>
          <dd>{when(ceremony.created_at_ms)}</dd>
          {open && (
            <>
              <dt>Has to begin before</dt>
              <dd>{when(ceremony.deadline_s * 1000)}</dd>
            </>
          )}
        </dl>
        {ceremony.status === 'ready' && previousId === undefined && (
          <Link to="/validators" search={{ ceremony: ceremony.ceremony_id }} className="button button-plain">
            See its validators
          </Link>
        )}
      </Card>
    </>
  );
}
