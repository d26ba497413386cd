import { useId } from 'react';
import { Badge, type Tone } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import {
  clockWords,
  concernsOf,
  fitnessOf,
  needsWord,
  span,
  type Finding,
  type Fitness,
  type Preflight,
} from './judge';
import type { Committed } from './usePreflight';

const WORDS: Record<Fitness, { tone: Tone; word: string }> = {
  good: { tone: 'good', word: 'fit' },
  warning: { tone: 'warning', word: 'with a concern' },
  bad: { tone: 'bad', word: 'not reachable' },
};

interface Props {
  committed: Committed;
  members: readonly { operator_id: number; name: string }[];
}

/** Whether every operator of this committee is there now, measured by a gateway before anything is signed or paid. */
export function PreflightCard({ committed, members }: Props) {
  const { state, preflight, again } = committed;
  if (state === 'off') return null;
  return (
    <Card
      title="Are they ready?"
      aside={
        state !== 'measuring' && (
          <Button kind="quiet" onClick={again}>
            Ask again
          </Button>
        )
      }
    >
      {state === 'measuring' && <Measuring preflight={preflight} />}
      {preflight?.status === 'done' && (
        <>
          <ul className="preflight">
            {preflight.operators.map((finding) => (
              <Row
                key={finding.operator_id}
                finding={finding}
                name={
                  members.find(({ operator_id }) => operator_id === finding.operator_id)?.name ??
                  `Operator ${finding.operator_id}`
                }
              />
            ))}
          </ul>
          <Measured preflight={preflight} />
        </>
      )}
      <Advice committed={committed} />
      {needsWord(state) && <GoOn committed={committed} />}
    </Card>
  );
}

function Measuring({ preflight }: { preflight: Preflight | undefined }) {
  if (preflight?.status === 'taken') {
    return <Spinner label={`${preflight.gateway ?? 'A gateway'} asks the operators`} />;
  }
  return <Spinner label="Waiting for a gateway that asks the operators" />;
}

function Row({ finding, name }: { finding: Finding; name: string }) {
  const { tone, word } = WORDS[fitnessOf(finding)];
  const { round_trip_ms, version, clock_skew_ms, chain, beacon } = finding;
  const dkg = finding.protocols.find(({ protocol }) => protocol === 'dkg');
  const facts = [
    round_trip_ms != null && `answers in ${span(round_trip_ms)}`,
    version != null && `version ${version}`,
    dkg && `protocol ${dkg.min === dkg.max ? dkg.min : `${dkg.min} to ${dkg.max}`}`,
    clock_skew_ms != null && `clock ${clockWords(clock_skew_ms)}`,
    chain != null && `contracts ${chain === 'ready' ? 'read' : 'behind'}`,
    beacon != null && `beacon node ${beacon === 'ready' ? 'in sync' : 'behind'}`,
  ].filter((fact) => typeof fact === 'string');
  return (
    <li className="preflight-row">
      <span className="row-title">
        {name} <span className="hint">#{finding.operator_id}</span>
      </span>
      <Badge tone={tone}>{word}</Badge>
      {facts.length > 0 && <span className="hint preflight-more">{facts.join(' · ')}</span>}
      {concernsOf(finding).map((concern) => (
        <span key={concern} className="preflight-more">
          {concern}
        </span>
      ))}
    </li>
  );
}

function Measured({ preflight: { gateway, measured_at_ms } }: { preflight: Preflight }) {
  const at = new Date(measured_at_ms ?? 0).toLocaleTimeString(undefined, { timeStyle: 'medium' });
  return (
    <p className="hint">
      Measured by {gateway ?? 'a gateway'} at {at}. What operators say of themselves is theirs to prove.
    </p>
  );
}

function Advice({ committed: { state, preflight, error } }: { committed: Committed }) {
  switch (state) {
    case 'bad':
      return (
        <Notice kind="error" title="Not everybody is there">
          <p>
            A ceremony now would stay incomplete or fail. Ask again in a while, or choose other operators.
          </p>
        </Notice>
      );
    case 'warning':
      return (
        <Notice kind="warning" title="It may go wrong">
          <p>Read what stands beside the operators before you go on.</p>
        </Notice>
      );
    case 'unanswered':
      return (
        <Notice kind="error" title="No gateway is connected">
          <p>
            {preflight?.gateway
              ? `The gateway ${preflight.gateway} took the question up and did not answer within half a minute.`
              : 'No gateway took the question up within half a minute.'}{' '}
            A gateway also carries your request and its result: without one nothing happens. Ask again later,
            or tell whoever runs this service.
          </p>
        </Notice>
      );
    case 'failed':
      return (
        <Notice kind="warning" title="It is not known whether the operators are there">
          <p>{error?.message}</p>
        </Notice>
      );
    default:
      return null;
  }
}

function GoOn({ committed: { goOn, setGoOn } }: { committed: Committed }) {
  const id = useId();
  return (
    <label className="check" htmlFor={id}>
      <input id={id} type="checkbox" checked={goOn} onChange={({ target }) => setGoOn(target.checked)} />
      <span>Go on anyway</span>
    </label>
  );
}
