import { Link } from '@tanstack/react-router';
import { shortId, when } from '../ceremony/status';
import { sameAddress } from '../session/session';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { CHECK_WORDS } from '../verify/types';
import type { Group } from './known';
import type { VerdictQuery } from './useVerdicts';

interface Props {
  groups: readonly Group[];
  vault: string;
  /** Wanted number of keys per ceremony; absent is not chosen. */
  chosen: ReadonlyMap<string, number>;
  onChoose: (chosen: ReadonlyMap<string, number>) => void;
  verdicts: ReadonlyMap<string, VerdictQuery>;
  locked: boolean;
}

/** Which validators: whole ceremonies, or the first keys of one. Only what this browser verified can be sent. */
export function ValidatorsCard({ groups, vault, chosen, onChoose, verdicts, locked }: Props) {
  if (groups.length === 0) {
    return (
      <Empty
        title="Nothing to submit"
        action={
          <Link to="/committee" className="button button-primary">
            Choose a committee
          </Link>
        }
      >
        Every validator that is ready has been submitted or queued. Make new ones with Lido&apos;s vault as
        their withdrawal address.
      </Empty>
    );
  }
  const choose = (id: string, count: number | undefined) => {
    const next = new Map(chosen);
    if (count === undefined) next.delete(id);
    else next.set(id, count);
    onChoose(next);
  };
  return (
    <Card title="Validators">
      <ul className="rows">
        {groups.map((group) => (
          <Row
            key={group.ceremony.ceremony_id}
            group={group}
            vault={vault}
            count={chosen.get(group.ceremony.ceremony_id)}
            onCount={(count) => choose(group.ceremony.ceremony_id, count)}
            verdict={verdicts.get(group.ceremony.ceremony_id)}
            locked={locked}
          />
        ))}
      </ul>
    </Card>
  );
}

interface RowProps {
  group: Group;
  vault: string;
  count: number | undefined;
  onCount: (count: number | undefined) => void;
  verdict: VerdictQuery | undefined;
  locked: boolean;
}

function Row({ group: { ceremony, pubkeys }, vault, count, onCount, verdict, locked }: RowProps) {
  const total = pubkeys.length;
  const others = !sameAddress(ceremony.withdrawal_address, vault);
  const refused = verdict?.verdict?.keys.length === 0;
  return (
    <li className="row-plain csm-group">
      <label className="check">
        <input
          type="checkbox"
          checked={count !== undefined}
          disabled={locked || others || (refused && count === undefined)}
          onChange={({ target }) => onCount(target.checked ? total : undefined)}
        />
        <span className="row-title">
          {total} {total === 1 ? 'validator' : 'validators'}
        </span>
      </label>
      <span className="hint">
        made {when(ceremony.created_at_ms)}, operators {ceremony.operator_ids.join(', ')},{' '}
        <Link
          to="/ceremonies/$ceremonyId"
          params={{ ceremonyId: ceremony.ceremony_id }}
          className="mono"
          aria-label={`Ceremony ${shortId(ceremony.ceremony_id)}`}
        >
          {shortId(ceremony.ceremony_id)}
        </Link>
      </span>
      {others ? <Badge>not for Lido</Badge> : count !== undefined && <VerdictBadge verdict={verdict} />}
      {count !== undefined && total > 1 && (
        <label className="inline csm-count">
          Submit the first
          <input
            className="input figure"
            type="number"
            inputMode="numeric"
            min={1}
            max={total}
            value={count}
            disabled={locked}
            onChange={({ target }) => {
              const wanted = Math.trunc(Number(target.value));
              onCount(Math.min(Math.max(Number.isFinite(wanted) ? wanted : 1, 1), total));
            }}
          />
          of {total}
        </label>
      )}
      {count !== undefined && verdict && <Trouble verdict={verdict} />}
    </li>
  );
}

function VerdictBadge({ verdict }: { verdict: VerdictQuery | undefined }) {
  if (verdict?.error) return <Badge tone="bad">not verified</Badge>;
  if (!verdict?.verdict) return <Badge tone="accent">verifying…</Badge>;
  return verdict.verdict.keys.length > 0 ? (
    <Badge tone="good">verified here</Badge>
  ) : (
    <Badge tone="bad">refused</Badge>
  );
}

/** Why keys are refused. */
function Trouble({ verdict: { verdict, error, retry } }: { verdict: VerdictQuery }) {
  if (error) {
    return (
      <Notice kind="error" title="The deposit data cannot be fetched">
        <p>{error.message}</p>
        <Button onClick={retry}>Try again</Button>
      </Notice>
    );
  }
  if (!verdict || verdict.keys.length > 0) return null;
  const failed = [...verdict.state.outcomes.values()].filter((outcome) => !outcome.passed);
  return (
    <Notice kind="error" title="Refused: the service gave out something that does not hold">
      {verdict.state.failed !== undefined && <p>{verdict.state.failed}</p>}
      <ul>
        {failed.map(({ check, detail }) => (
          <li key={check}>
            {CHECK_WORDS[check]}: {detail}
          </li>
        ))}
      </ul>
      <p>These keys cannot be sent. Tell whoever runs the service.</p>
    </Notice>
  );
}
