import { Link, useParams } from '@tanstack/react-router';
import { useOperators } from '../api/operators';
import { useValidator, type Validator } from '../api/validators';
import { shortId, when } from '../ceremony/status';
import { Manage } from '../manage/Manage';
import { Participation } from '../performance/Participation';
import { NeedsSession } from '../session/NeedsSession';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Hash } from '../ui/Hash';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { shownStatus } from './status';

export function ValidatorPage() {
  const { pubkey } = useParams({ from: '/validators/$pubkey' });
  return (
    <>
      <PageHead title="Validator">
        <span className="mono wrap">{pubkey}</span>
      </PageHead>
      <NeedsSession why="A validator is shown to its owner alone.">
        <Found pubkey={pubkey} />
      </NeedsSession>
    </>
  );
}

function Found({ pubkey }: { pubkey: string }) {
  const validator = useValidator(pubkey);
  if (validator.data) return <Details validator={validator.data} />;
  if (!validator.error) return <Skeleton label="The validator" rows={6} />;
  return (
    <Notice kind="error" title="This validator cannot be shown">
      <p>{validator.error.message}</p>
      <Button onClick={() => void validator.refetch()}>Try again</Button>
    </Notice>
  );
}

function Details({ validator }: { validator: Validator }) {
  const { tone, word } = shownStatus(validator);
  const deposit = validator.deposit_data;
  return (
    <>
      <Card title="State" aside={<Badge tone={tone}>{word}</Badge>}>
        <dl className="facts">
          <dt>Ceremony</dt>
          <dd>
            <Link
              to="/ceremonies/$ceremonyId"
              params={{ ceremonyId: validator.ceremony_id }}
              className="mono"
            >
              {shortId(validator.ceremony_id)}
            </Link>
          </dd>
          <dt>Made</dt>
          <dd>{when(validator.created_at_ms)}</dd>
          {deposit && (
            <>
              <dt>Withdrawal credentials</dt>
              <dd>
                <Hash value={`0x${deposit.withdrawal_credentials}`} label="withdrawal credentials" />
              </dd>
              <dt>Deposit data root</dt>
              <dd>
                <Hash value={`0x${deposit.deposit_data_root}`} label="deposit data root" />
              </dd>
            </>
          )}
        </dl>
        {!deposit && (
          <Notice kind="warning" title="Operators are missing">
            <p>
              Operator {validator.missing_operators.join(', ')} has not confirmed its share; there is nothing
              to deposit yet.
            </p>
          </Notice>
        )}
      </Card>
      <Manage validator={validator} />
      <Participation pubkey={validator.pubkey} />
      <Shares validator={validator} />
    </>
  );
}

function Shares({ validator }: { validator: Validator }) {
  const operators = useOperators().data ?? [];
  return (
    <Card title="Key shares">
      <ul className="rows">
        {validator.operators.map((share) => (
          <li key={share.operator_id} className="row-plain">
            <span className="row-title">
              {operators.find((one) => one.operator_id === share.operator_id)?.name ??
                `Operator ${share.operator_id}`}{' '}
              <span className="hint">#{share.operator_id}</span>
            </span>
            <Hash value={share.share_pubkey} label="public key of the share" />
            {share.sealed_share ? (
              <Badge tone="good">confirmed</Badge>
            ) : (
              <Badge tone="warning">missing</Badge>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}
