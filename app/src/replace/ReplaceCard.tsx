import { Link } from '@tanstack/react-router';
import { useOperators } from '../api/operators';
import type { Validator } from '../api/validators';
import { Card } from '../ui/Card';
import { committeeOf, sameCommittee } from './committee';
import { MemberList } from './MemberList';

/** Who performs for a validator, and the way to another committee. */
export function ReplaceCard({ validator }: { validator: Validator }) {
  const operators = useOperators().data ?? [];
  const { pubkey } = validator;
  const present = committeeOf(validator);
  const moved = !sameCommittee(
    present,
    validator.operators.map(({ operator_id }) => operator_id),
  );
  return (
    <Card title="Committee">
      <MemberList ids={present} operators={operators} />
      {moved && (
        <p className="hint">
          The validator was moved to these operators; operators{' '}
          {validator.operators.map(({ operator_id }) => operator_id).join(', ')} made its key.
        </p>
      )}
      <Link to="/validators/$pubkey/replace" params={{ pubkey }} className="button button-plain">
        Replace an operator
      </Link>
    </Card>
  );
}
