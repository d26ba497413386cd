import { Link } from '@tanstack/react-router';
import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
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
  switch (ceremony.status) {
    case 'aborted':
      return (
        <Notice kind="error" title="The ceremony failed">
          <p>{ceremony.abort_reason ?? progress.reason ?? 'The operators gave no reason.'}</p>
          {blamed}
          <Again text="Nothing was paid and no key is left over. Choose other operators and start again." />
        </Notice>
      );
    case 'expired':
      return (
        <Notice kind="error" title="The ceremony did not begin">
          <Again text="No operator took it up in time. They may be offline; choose others and start again." />
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

function Again({ text }: { text: string }) {
  return (
    <>
      <p>{text}</p>
      <Link to="/committee" className="button button-plain">
        Choose operators
      </Link>
    </>
  );
}
