import { Link } from '@tanstack/react-router';
import { useEffect, useId } from 'react';
import { useCeremony } from '../api/ceremonies';
import { useOperators } from '../api/operators';
import { shortId } from '../ceremony/status';
import { sharesOf, type ValidatorShares } from '../network/shares';
import { Badge } from '../ui/Badge';
import { Spinner } from '../ui/Spinner';
import { useCeremonyCheck } from '../verify/useCeremonyCheck';
import type { Candidates } from './candidates';

/** Shares of a ceremony that this browser has verified; or why there are none. */
export type Verified = { shares: readonly ValidatorShares[] } | { fault: string };

interface Props {
  found: Candidates;
  chosen: boolean;
  onChoose: (chosen: boolean) => void;
  onVerified: (ceremonyId: string, verified: Verified) => void;
}

/** A ceremony to register; it is verified once it is chosen. */
export function CeremonyRow({ found, chosen, onChoose, onVerified }: Props) {
  const id = useId();
  const { ceremonyId, pubkeys } = found;
  // Those whose shares are registered: of its certificate, also where another committee has taken the validators over.
  const operatorIds = useCeremony(ceremonyId).data?.operator_ids;
  return (
    <li className="choice">
      <label className="check" htmlFor={id}>
        <input id={id} type="checkbox" checked={chosen} onChange={({ target }) => onChoose(target.checked)} />
        <span className="row-title">
          {pubkeys.length} {pubkeys.length === 1 ? 'validator' : 'validators'}
        </span>
      </label>
      <span className="hint">
        {operatorIds ? `of operators ${operatorIds.join(', ')}, made in ` : 'made in '}
        <Link to="/ceremonies/$ceremonyId" params={{ ceremonyId }} className="mono">
          {shortId(ceremonyId)}
        </Link>
      </span>
      {chosen && <Verification ceremonyId={ceremonyId} onVerified={onVerified} />}
    </li>
  );
}

function Verification({ ceremonyId, onVerified }: Pick<Props, 'onVerified'> & { ceremonyId: string }) {
  const ceremony = useCeremony(ceremonyId);
  const operators = useOperators();
  const { files, state, verified } = useCeremonyCheck(ceremony.data, operators.data ?? []);
  const certificate = files.data?.certificate;
  const failed = ceremony.error ?? operators.error ?? files.error;
  const ended = state.ended;
  const why = state.failed;
  useEffect(() => {
    if (!ended || certificate === undefined) return;
    if (!verified) {
      onVerified(ceremonyId, { fault: why ?? 'The certificate does not hold.' });
      return;
    }
    try {
      onVerified(ceremonyId, { shares: sharesOf(certificate) });
    } catch (error) {
      onVerified(ceremonyId, { fault: error instanceof Error ? error.message : String(error) });
    }
  }, [ended, verified, why, certificate, ceremonyId, onVerified]);
  if (failed) return <Badge tone="bad">cannot be fetched</Badge>;
  if (!ended) return <Spinner label="Verifying in this browser" />;
  return verified ? <Badge tone="good">verified here</Badge> : <Badge tone="bad">does not hold</Badge>;
}
