import type { Operator } from '../api/operators';
import type { OperatorPerformance } from '../api/performance';
import { percent } from '../committee/OperatorList';
import { Card } from '../ui/Card';
import { REASON_WORDS, share } from './figures';

interface OperatorsProps {
  figures: readonly OperatorPerformance[];
  operators: readonly Operator[];
}

/** In how many exchanges each operator was seen. */
export function Operators({ figures, operators }: OperatorsProps) {
  return (
    <Card title="Operators of your committees">
      <ul className="bars">
        {figures.map(({ operator_id: id, seen, exchanges }) => {
          const seenShare = share(seen, exchanges);
          return (
            <li key={id} className="bar">
              <span>
                {operators.find((one) => one.operator_id === id)?.name ?? `Operator ${id}`}{' '}
                <span className="hint">#{id}</span>
              </span>
              <meter
                min={0}
                max={1}
                low={0.9}
                optimum={1}
                value={seenShare}
                aria-label={`Operator ${id} took part`}
              />
              <span className="figure">{percent(seenShare)}</span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

/** Why duties were missed. */
export function Misses({ reasons }: { reasons: readonly { reason: string; count: number }[] }) {
  return (
    <Card title="Missed duties">
      {reasons.length === 0 ? (
        <p className="hint">None with a reason that the operators agree on.</p>
      ) : (
        <dl className="facts">
          {reasons.map(({ reason, count }) => (
            <div key={reason} className="fact">
              <dt>{REASON_WORDS[reason] ?? reason.replaceAll('_', ' ')}</dt>
              <dd className="figure">{count}</dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  );
}
