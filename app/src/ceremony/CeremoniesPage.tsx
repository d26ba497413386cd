import { Link } from '@tanstack/react-router';
import { useCeremonies, type Ceremony } from '../api/ceremonies';
import { NeedsSession } from '../session/NeedsSession';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { CEREMONY_STATUS, shortId, when } from './status';

export function CeremoniesPage() {
  return (
    <>
      <PageHead
        title="Ceremonies"
        action={
          <Link to="/committee" className="button button-primary">
            New ceremony
          </Link>
        }
      >
        Each is one run in which a committee made keys for you.
      </PageHead>
      <NeedsSession why="Your ceremonies are shown to you alone.">
        <List />
      </NeedsSession>
    </>
  );
}

function List() {
  const ceremonies = useCeremonies(true);
  if (ceremonies.isPending) return <Skeleton label="The list of ceremonies" />;
  if (ceremonies.error) {
    return (
      <Notice kind="error" title="The ceremonies cannot be shown">
        <p>{ceremonies.error.message}</p>
        <Button onClick={() => void ceremonies.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (ceremonies.data.length === 0) {
    return (
      <Empty
        title="No ceremony yet"
        action={
          <Link to="/committee" className="button button-primary">
            Choose a committee
          </Link>
        }
      >
        Choose operators, say how many validators you want, sign: the keys are there within seconds.
      </Empty>
    );
  }
  return (
    <ul className="rows">
      {ceremonies.data.map((ceremony) => (
        <Row key={ceremony.ceremony_id} ceremony={ceremony} />
      ))}
    </ul>
  );
}

function Row({ ceremony }: { ceremony: Ceremony }) {
  const { tone, word } = CEREMONY_STATUS[ceremony.status];
  const count = ceremony.validator_count;
  return (
    <li>
      <Link to="/ceremonies/$ceremonyId" params={{ ceremonyId: ceremony.ceremony_id }} className="row-link">
        <span className="row-title">
          {ceremony.previous_ceremony_id && 'Reshare of '}
          {count} {count === 1 ? 'validator' : 'validators'}
        </span>
        <Badge tone={tone}>{word}</Badge>
        <span className="hint">operators {ceremony.operator_ids.join(', ')}</span>
        <span className="hint mono">{shortId(ceremony.ceremony_id)}</span>
        <time className="hint row-end" dateTime={new Date(ceremony.created_at_ms).toISOString()}>
          {when(ceremony.created_at_ms)}
        </time>
      </Link>
    </li>
  );
}
