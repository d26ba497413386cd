import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { mainnet } from 'viem/chains';
import { useTotals } from '../api/performance';
import { percent } from '../committee/OperatorList';
import { useAppConfig } from '../config/config';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { exitDueS, span, STATE_WORDS } from './alerts';
import type { Key, Rules } from './data';
import { isSafe, leewayOf, measured } from './leeway';
import { sumOf, type Strikes } from './strikes';

/** Rows that are shown at first; everything that needs somebody is among the alerts. */
const FIRST = 25;
const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

interface Props {
  keys: readonly Key[];
  rules: Rules | undefined;
  strikes: Strikes | undefined;
  nowS: number;
}

export function KeyList({ keys, rules, strikes, nowS }: Props) {
  const { chain_id } = useAppConfig();
  const [shown, setShown] = useState(FIRST);
  const rows = keys.slice(0, shown);
  // A frame of Lido's oracle: that long is measured, up to the present hour.
  const days = chain_id === mainnet.id ? 28 : 7;
  const sinceMs = (Math.floor(nowS / HOUR_S) * HOUR_S - days * DAY_S) * 1000;
  const totals = useTotals(
    rows.map(({ pubkey }) => pubkey),
    sinceMs,
  );
  if (keys.length === 0) return null;
  return (
    <Card title="Every key">
      <p className="hint">
        Beside each key is what its operators sent in the last {days} days, the length of a frame, weighed as
        Lido does; the chain may have taken less. At the network’s best, a validator needs all but the leeway.
      </p>
      {totals.error && <p className="field-error">{totals.error.message}</p>}
      <ul className="rows">
        {rows.map((key) => {
          const held = totals.data?.get(key.pubkey);
          return (
            <KeyRow
              key={`${key.index} ${key.pubkey}`}
              of={key}
              due={exitDueS(key, rules?.exitDelayS, nowS)}
              score={held && measured(held)}
              leeway={rules && leewayOf(rules.leeway, key.index)}
              strikes={strikes && sumOf(strikes.get(key.pubkey.toLowerCase()))}
            />
          );
        })}
      </ul>
      {keys.length > shown && (
        <Button onClick={() => setShown(shown + 100)}>Show more ({keys.length - shown})</Button>
      )}
    </Card>
  );
}

interface RowProps {
  of: Key;
  /** Seconds until its exit is late. */
  due: number | undefined;
  /** What was measured, and how far below the network it may be: 0 to 1. */
  score: number | undefined;
  leeway: number | undefined;
  /** Undefined where nobody gave the tree. */
  strikes: number | undefined;
}

function KeyRow({ of: key, due, score, leeway, strikes }: RowProps) {
  return (
    <li className="row-plain">
      <span className="hint figure">{key.index}</span>
      <Link to="/validators/$pubkey" params={{ pubkey: key.pubkey }} className="mono" title={key.pubkey}>
        {key.pubkey.slice(0, 10)}…{key.pubkey.slice(-8)}
      </Link>
      <Score score={score} leeway={leeway} />
      <span className="key-states">
        {due !== undefined && (
          <span className={due > 0 ? 'hint' : 'field-error'}>
            {due > 0 ? `late in ${span(due)}` : 'late'}
          </span>
        )}
        {strikes !== undefined && strikes > 0 && (
          <Badge tone="warning">{strikes === 1 ? '1 strike' : `${strikes} strikes`}</Badge>
        )}
        {key.states.map((state) => (
          <Badge key={state} tone={STATE_WORDS[state].tone}>
            {STATE_WORDS[state].word}
          </Badge>
        ))}
      </span>
    </li>
  );
}

/** Measured participation beside what is asked for, in words, and not by colour alone. */
function Score({ score, leeway }: Pick<RowProps, 'score' | 'leeway'>) {
  if (score === undefined) return <span className="hint">no duties measured</span>;
  if (leeway === undefined) return <span className="figure">{percent(score)} measured</span>;
  const safe = isSafe(score, leeway);
  return (
    <span className={safe ? 'figure' : 'figure figure-bad'}>
      {percent(score)} measured, {safe ? 'at least' : 'below'} {percent(1 - leeway)}
    </span>
  );
}
