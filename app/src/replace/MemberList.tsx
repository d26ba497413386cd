import type { Operator } from '../api/operators';
import { performance } from '../committee/filter';
import { percent } from '../committee/OperatorList';
import { Badge } from '../ui/Badge';
import { useNowS } from '../monitor/useNowS';

/** An operator that no gateway has heard for so long is likely away. */
const AWAY_S = 600;

interface Props {
  ids: readonly number[];
  operators: readonly Operator[];
  leaving?: readonly number[];
}

/** The members of a committee with what is known of their liveness. */
export function MemberList({ ids, operators, leaving = [] }: Props) {
  return (
    <ul className="rows">
      {ids.map((id) => {
        const operator = operators.find((one) => one.operator_id === id);
        return (
          <li key={id} className="row-plain">
            <span className="row-title">
              {operator?.name ?? `Operator ${id}`} <span className="hint">#{id}</span>
            </span>
            <span className="key-states">
              {leaving.includes(id) && <Badge tone="warning">leaves</Badge>}
              <Liveness operator={operator} />
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** In words: when it was heard, and its share of the last month's duties. */
export function Liveness({ operator }: { operator: Operator | undefined }) {
  const nowS = useNowS();
  if (!operator?.active) return <Badge tone="bad">left the network</Badge>;
  const share = performance(operator);
  const seen = operator.last_seen_ms;
  const away = seen !== undefined && seen !== null && nowS - seen / 1000 > AWAY_S;
  return (
    <>
      {seen === undefined || seen === null ? (
        <Badge>not heard of yet</Badge>
      ) : (
        <Badge tone={away ? 'bad' : 'good'}>{away ? 'away' : 'online'}</Badge>
      )}
      <span className="hint">{share === undefined ? 'no duties yet' : `${percent(share)} in 30 days`}</span>
    </>
  );
}
