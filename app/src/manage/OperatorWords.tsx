import type { ReactNode } from 'react';
import { useOperators } from '../api/operators';
import { Badge, type Tone } from '../ui/Badge';

export interface OperatorWord {
  operatorId: number;
  tone: Tone;
  word: string;
  more?: ReactNode;
}

/** What each operator says of itself, one row for each. */
export function OperatorWords({ label, words }: { label: string; words: readonly OperatorWord[] }) {
  const registry = useOperators().data ?? [];
  return (
    <ul className="rows operator-words" aria-label={label}>
      {words.map(({ operatorId, tone, word, more }) => (
        <li key={operatorId} className="row-plain">
          <span className="row-title">
            {registry.find(({ operator_id }) => operator_id === operatorId)?.name ?? `Operator ${operatorId}`}{' '}
            <span className="hint">#{operatorId}</span>
          </span>
          <Badge tone={tone}>{word}</Badge>
          {more !== undefined && <span className="hint operator-more">{more}</span>}
        </li>
      ))}
    </ul>
  );
}
