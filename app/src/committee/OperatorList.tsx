import type { Operator } from '../api/operators';
import { BLOCKS_PER_MONTH, committeeFee, formatGwei } from '../money/amount';
import { Badge } from '../ui/Badge';
import { performance } from './filter';

interface Props {
  operators: readonly Operator[];
  chosen: readonly number[];
  full: boolean;
  onToggle: (id: number) => void;
}

export function percent(share: number): string {
  // Rounded down: 99.97 % is not all.
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

function Performance({ operator }: { operator: Operator }) {
  const share = performance(operator);
  if (share === undefined) return <span className="hint">no duties yet</span>;
  return <span className={share < 0.95 ? 'figure figure-bad' : 'figure'}>{percent(share)}</span>;
}

function Fee({ operator }: { operator: Operator }) {
  const fee = committeeFee([operator], 1, BLOCKS_PER_MONTH);
  if (fee === undefined) return <span className="hint">none named</span>;
  return <span className="figure">{formatGwei(fee)}</span>;
}

/** Every operator is one check box; the whole row can be pressed. */
export function OperatorList({ operators, chosen, full, onToggle }: Props) {
  return (
    <div className="scroll-x">
      <table className="table operators">
        <thead>
          <tr>
            <th scope="col">Operator</th>
            <th scope="col">Last 30 days</th>
            <th scope="col">Fee a month</th>
            <th scope="col">Verified</th>
          </tr>
        </thead>
        <tbody>
          {operators.map((operator) => {
            const checked = chosen.includes(operator.operator_id);
            return (
              <tr key={operator.operator_id} className={checked ? 'row-chosen' : ''}>
                <th scope="row">
                  <label className="check">
                    <input
                      type="checkbox"
                      checked={checked}
                      disabled={full && !checked}
                      onChange={() => onToggle(operator.operator_id)}
                    />
                    <span>
                      {operator.name} <span className="hint">#{operator.operator_id}</span>
                    </span>
                  </label>
                </th>
                <td data-label="Last 30 days">
                  <Performance operator={operator} />
                </td>
                <td data-label="Fee a month">
                  <Fee operator={operator} />
                </td>
                <td data-label="Verified">
                  {operator.verified ? <Badge tone="good">verified</Badge> : <span className="hint">no</span>}
                  {operator.from_dao && <Badge>DAO</Badge>}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
