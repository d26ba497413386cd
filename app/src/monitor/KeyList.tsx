import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { exitDueS, span, STATE_WORDS } from './alerts';
import type { Key } from './data';

/** Rows that are shown at first; everything that needs somebody is among the alerts. */
const FIRST = 25;

interface Props {
  keys: readonly Key[];
  exitDelayS: bigint | undefined;
  nowS: number;
}

export function KeyList({ keys, exitDelayS, nowS }: Props) {
  const [shown, setShown] = useState(FIRST);
  if (keys.length === 0) return null;
  return (
    <Card title="Every key">
      <ul className="rows">
        {keys.slice(0, shown).map((key) => (
          <KeyRow key={`${key.index} ${key.pubkey}`} of={key} due={exitDueS(key, exitDelayS, nowS)} />
        ))}
      </ul>
      {keys.length > shown && (
        <Button onClick={() => setShown(shown + 100)}>Show more ({keys.length - shown})</Button>
      )}
    </Card>
  );
}

function KeyRow({ of: key, due }: { of: Key; due: number | undefined }) {
  return (
    <li className="row-plain">
      <span className="hint figure">{key.index}</span>
      <Link to="/validators/$pubkey" params={{ pubkey: key.pubkey }} className="mono" title={key.pubkey}>
        {key.pubkey.slice(0, 10)}…{key.pubkey.slice(-8)}
      </Link>
      <span className="key-states">
        {due !== undefined && (
          <span className={due > 0 ? 'hint' : 'field-error'}>
            {due > 0 ? `late in ${span(due)}` : 'late'}
          </span>
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
