import { Link } from '@tanstack/react-router';
import { useUpkeepTotals, type UpkeepTotals } from '../api/upkeep';
import { Badge, type Tone } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { exitWords, relayAlerts } from './alerts';

/** As many keys as the service names at most. */
const ATTENTION_AT_MOST = 20;

/** What operators say of relays and exits, over all validators that they perform for: alerts, then sums. */
export function RelayPart() {
  const totals = useUpkeepTotals();
  const alerts = totals.data ? relayAlerts(totals.data) : [];
  return (
    <>
      {alerts.map(({ kind, title, text }) => (
        <Notice key={title} kind={kind} title={title}>
          <p>{text}</p>
        </Notice>
      ))}
      <Card
        title="Relay registration"
        aside={totals.data && <strong className="figure">{totals.data.validators}</strong>}
      >
        {totals.data ? (
          <Sums totals={totals.data} />
        ) : totals.error ? (
          <Notice kind="error" title="What operators say cannot be shown">
            <p>{totals.error.message}</p>
            <Button onClick={() => void totals.refetch()}>Try again</Button>
          </Notice>
        ) : (
          <Skeleton label="The registration with relays" rows={3} />
        )}
      </Card>
    </>
  );
}

const RELAY_WORDS: Record<keyof UpkeepTotals['relay'], { tone: Tone; word: string }> = {
  registered: { tone: 'good', word: 'registered' },
  partly: { tone: 'warning', word: 'with some operators only' },
  not: { tone: 'bad', word: 'not registered' },
  waiting: { tone: 'accent', word: 'waiting' },
  off: { tone: 'neutral', word: 'no operator asks builders' },
  unsaid: { tone: 'neutral', word: 'nothing said' },
};
const RELAY_STATES = Object.keys(RELAY_WORDS) as (keyof UpkeepTotals['relay'])[];

function Sums({ totals }: { totals: UpkeepTotals }) {
  const { validators, relay, mixed_recipients, attention } = totals;
  if (validators === 0) {
    return (
      <p className="hint">
        No validator of yours is registered in the network. What its operators say is summed up here once one
        is.
      </p>
    );
  }
  return (
    <>
      <p className="hint">
        Your registered validators, by what their operators say of builders’ relays. Each operator speaks of
        itself alone.
      </p>
      <ul className="states" aria-label="Validators by registration with relays">
        {RELAY_STATES.map((state) => (
          <li key={state}>
            <Badge tone={relay[state] > 0 ? RELAY_WORDS[state].tone : 'neutral'}>
              {RELAY_WORDS[state].word}
            </Badge>
            <span className="figure">{relay[state]}</span>
          </li>
        ))}
      </ul>
      <dl className="facts">
        <dt>Fee recipients that differ</dt>
        <dd className="figure">{mixed_recipients}</dd>
        <dt>Exits under way</dt>
        <dd className="figure">{exitWords(totals.exits)}</dd>
      </dl>
      {attention.length > 0 && <Attention pubkeys={attention} />}
    </>
  );
}

function Attention({ pubkeys }: { pubkeys: readonly string[] }) {
  return (
    <>
      <h3>Look at these</h3>
      <ul className="rows" aria-label="Validators to look at">
        {pubkeys.map((pubkey) => (
          <li key={pubkey} className="row-plain">
            <Link to="/validators/$pubkey" params={{ pubkey }} className="mono" title={pubkey}>
              {pubkey.slice(0, 10)}…{pubkey.slice(-8)}
            </Link>
          </li>
        ))}
      </ul>
      {pubkeys.length >= ATTENTION_AT_MOST && (
        <p className="hint">No more than {ATTENTION_AT_MOST} are listed.</p>
      )}
    </>
  );
}
