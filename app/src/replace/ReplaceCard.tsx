import { Link } from '@tanstack/react-router';
import { useCeremony } from '../api/ceremonies';
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
  const made = useCeremony(validator.ceremony_id).data?.operator_ids;
  return (
    <Card title="Committee">
      <MemberList ids={present} operators={operators} />
      {made && !sameCommittee(present, made) && (
        <p className="hint">
          The validator was moved to these operators; operators {made.join(', ')} made its key.
        </p>
      )}
      <Link to="/validators/$pubkey/replace" params={{ pubkey }} className="button button-plain">
        Replace an operator
      </Link>
    </Card>
  );
}
