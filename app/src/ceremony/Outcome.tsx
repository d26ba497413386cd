import { Link, useNavigate } from '@tanstack/react-router';
import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { useSelection } from '../committee/selection';
import { isSize } from '../committee/sizes';
import { useAppConfig } from '../config/config';
import { useDraft } from '../generate/draft';
import { sameAddress } from '../session/session';
import { Button } from '../ui/Button';
import { Notice } from '../ui/Notice';
import { describeFault, type Progress } from './progress';

interface Props {
  ceremony: Ceremony;
  progress: Progress;
  operators: readonly Operator[];
}

/** What went wrong, who is to blame, and what to do. Nothing while all is well. */
export function Outcome({ ceremony, progress, operators }: Props) {
  const name = (id: number) =>
    operators.find((operator) => operator.operator_id === id)?.name ?? `Operator ${id}`;
  const blamed = progress.culprits.length > 0 && (
    <ul>
      {progress.culprits.map(({ operatorId, kind }) => (
        <li key={`${operatorId} ${kind}`}>
          <strong>{name(operatorId)}</strong> {describeFault(kind)}.
        </li>
      ))}
    </ul>
  );
  const reshare = typeof ceremony.previous_ceremony_id === 'string';
  switch (ceremony.status) {
    case 'aborted':
      return (
        <Notice kind="error" title="The ceremony failed">
          <p>{ceremony.abort_reason ?? progress.reason ?? 'The operators gave no reason.'}</p>
          {blamed}
          <Again
            ceremony={ceremony}
            text={reshare ? 'The present committee goes on.' : 'No key is left over.'}
          />
        </Notice>
      );
    case 'expired':
      return (
        <Notice kind="error" title="The ceremony did not begin">
          <Again ceremony={ceremony} text="No operator took it up in time; they may be offline." />
        </Notice>
      );
    case 'incomplete':
      return (
        <Notice kind="warning" title="Operators are missing">
          <p>
            {ceremony.missing_operators.map(name).join(', ')}{' '}
            {ceremony.missing_operators.length === 1 ? 'has' : 'have'} not confirmed yet. When they come back,
            the validators become ready by themselves; there is nothing to do, and this page will say so.
          </p>
          {blamed}
        </Notice>
      );
    default:
      return blamed ? (
        <Notice kind="warning" title="Somebody misbehaved, and the others went on without it">
          {blamed}
        </Notice>
      ) : null;
  }
}

/** A reshare begins on the page of a validator, everything else with a new request. */
function Again({ ceremony, text }: { ceremony: Ceremony; text: string }) {
  return typeof ceremony.previous_ceremony_id === 'string' ? (
    <>
      <p>{text} Nothing was paid. Start again from the page of the validator.</p>
      <Link to="/validators" className="button button-plain">
        See your validators
      </Link>
    </>
  ) : (
    <NewRequest ceremony={ceremony} text={text} />
  );
}

/** One request, signed or paid, is one ceremony. After a paid one the next need not be paid: operators take signed requests as well. */
function NewRequest({ ceremony, text }: { ceremony: Ceremony; text: string }) {
  const config = useAppConfig();
  const navigate = useNavigate();
  const [, setDraft] = useDraft();
  const [, setSelection] = useSelection();
  const { operator_ids, validator_count, withdrawal_address } = ceremony;
  const paid = ceremony.generate_txid != null;
  const again = () => {
    const lido = sameAddress(withdrawal_address, config.lido_withdrawal_vault);
    setDraft({
      count: String(validator_count),
      target: lido ? 'lido' : 'other',
      address: lido ? '' : withdrawal_address,
      way: 'signed',
    });
    if (isSize(operator_ids.length)) setSelection({ size: operator_ids.length, ids: operator_ids });
    void navigate({ to: '/generate' });
  };
  return (
    <>
      <p>
        {text}{' '}
        {paid
          ? 'The contract makes one ceremony of one transaction and pays no fee back. You need not pay twice: ask for the same again with a signature, which is free.'
          : 'Nothing was paid. Ask again, or choose other operators.'}
      </p>
      <div className="actions">
        <Button kind="primary" onClick={again}>
          {paid ? 'Ask again without paying' : 'Ask again'}
        </Button>
        <Link to="/committee" className="button button-plain">
          Choose operators
        </Link>
      </div>
    </>
  );
}
