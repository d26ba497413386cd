import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ceremonyFile, type Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { NeedsChain } from '../network/NeedsChain';
import { sharesOf } from '../network/shares';
import { useSession } from '../session/session';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { download } from '../ui/download';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import { expectedOf } from '../verify/expected';
import { MoveCard } from './MoveCard';
import { holds, RESHARE_CHECKS, verifyReshare, type ReshareCheck, type ReshareOutcome } from './verifier';

interface Props {
  ceremony: Ceremony & { previous_ceremony_id: string };
  operators: readonly Operator[];
}

/** Both certificates, and what the checks of the new one against the one before it found. */
function useReshareCheck({ ceremony, operators }: Props) {
  const config = useAppConfig();
  const { owner } = useSession();
  const { ceremony_id: id, previous_ceremony_id: previousId } = ceremony;
  return useQuery({
    queryKey: ['reshare-check', id, owner],
    queryFn: async () => {
      const [certificate, previous] = await Promise.all([
        ceremonyFile(id, 'certificate'),
        ceremonyFile(previousId, 'certificate'),
      ]);
      const { expected } = expectedOf(ceremony, operators, config, owner ?? '');
      const outcomes = await verifyReshare(certificate, previous, expected);
      return { certificate, outcomes };
    },
    enabled: owner !== undefined && operators.length > 0,
    // What is verified must be what is saved, and what is sent to the chain.
    staleTime: Infinity,
    retry: false,
  });
}

/** A reshare that is ready: checked in this browser against the ceremony before it; only then can its validators be moved. */
export function ReshareResult(props: Props) {
  const check = useReshareCheck(props);
  const verified = check.data !== undefined && holds(check.data.outcomes);
  return (
    <>
      <Card title="Verified in this browser">
        <p className="hint">
          Compared with the certificate of the ceremony before, with the code that the operators run. These
          validators exist already: there is nothing to deposit and nothing to submit to Lido.
        </p>
        {check.isPending && <Spinner label="Fetching and verifying both certificates" />}
        {check.data && <Outcomes outcomes={check.data.outcomes} />}
        {check.error && (
          <Notice kind="error" title="Nothing could be verified">
            <p>{check.error.message}</p>
            <Button onClick={() => void check.refetch()}>Try again</Button>
          </Notice>
        )}
        {check.data && !verified && (
          <Notice
            kind="error"
            title="Do not move your validators: the service gave out something that does not hold"
          >
            <p>See above what is wrong. Nothing can be sent with it; the old committee goes on.</p>
          </Notice>
        )}
        {verified && (
          <div className="buttons">
            <Button onClick={() => download('certificate.json', check.data.certificate)}>
              Download certificate
            </Button>
          </div>
        )}
      </Card>
      {verified && <Movable ceremonyId={props.ceremony.ceremony_id} certificate={check.data.certificate} />}
    </>
  );
}

function Movable({ ceremonyId, certificate }: { ceremonyId: string; certificate: string }) {
  const shares = useMemo(() => sharesOf(certificate), [certificate]);
  return (
    <NeedsChain>{(chain) => <MoveCard chain={chain} ceremonyId={ceremonyId} shares={shares} />}</NeedsChain>
  );
}

function Outcomes({ outcomes }: { outcomes: readonly ReshareOutcome[] }) {
  const checks = Object.entries(RESHARE_CHECKS) as [ReshareCheck, string][];
  return (
    <ul className="checks">
      {checks.map(([check, words]) => {
        const outcome = outcomes.find((one) => one.check === check);
        const passed = outcome?.passed === true;
        return (
          <li key={check} className={`checked checked-${passed ? 'good' : 'bad'}`}>
            <span className="checked-sign" aria-hidden>
              {passed ? '✓' : '✗'}
            </span>
            <span>
              <strong>{words}</strong>
              <span className="sr-only">{passed ? ': holds. ' : ': does not hold. '}</span>
              <span className="hint wrap">{outcome?.detail ?? 'It was not checked.'}</span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}
