import { Link } from '@tanstack/react-router';
import type { Operator } from '../api/operators';
import { threshold, tolerated, type Size } from '../committee/sizes';
import { BLOCKS_PER_MONTH, committeeFee, formatGwei } from '../money/amount';
import { Card } from '../ui/Card';

interface Props {
  members: readonly Operator[];
  size: Size;
  count: number | undefined;
  /** The request is a transaction with a fee. */
  paid: boolean;
}

/** Who will do it, and what the operators will take once the validators run. */
export function Summary({ members, size, count, paid }: Props) {
  const fee = count === undefined ? undefined : committeeFee(members, count, BLOCKS_PER_MONTH);
  return (
    <Card title="Committee" aside={<Link to="/committee">Change</Link>}>
      <ul className="plain-list">
        {members.map((member) => (
          <li key={member.operator_id}>
            {member.name} <span className="hint">#{member.operator_id}</span>
          </li>
        ))}
      </ul>
      <dl className="facts">
        <dt>Sign together</dt>
        <dd>
          {threshold(size)} of {size}
        </dd>
        <dt>May fail</dt>
        <dd>{tolerated(size)}</dd>
        <dt>Making the keys</dt>
        <dd>{paid ? 'by transaction' : 'free, no transaction'}</dd>
        {fee !== undefined && (
          <>
            <dt>Running them, a month</dt>
            <dd className="figure">{formatGwei(fee)}</dd>
          </>
        )}
      </dl>
    </Card>
  );
}
