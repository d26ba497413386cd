import { Link } from '@tanstack/react-router';
import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { useAppConfig } from '../config/config';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { download } from '../ui/download';
import { Notice } from '../ui/Notice';
import { Spinner } from '../ui/Spinner';
import { sameAddress } from '../session/session';
import { CheckList } from './CheckList';
import { useCeremonyCheck } from './useCeremonyCheck';

interface Props {
  ceremony: Ceremony;
  operators: readonly Operator[];
}

/** Checks everything in this browser, and gives the files out only when all of it holds. */
export function VerifyCard({ ceremony, operators }: Props) {
  const config = useAppConfig();
  const { files, task, state, verified } = useCeremonyCheck(ceremony, operators);
  const created = Math.floor(ceremony.created_at_ms / 1000);
  return (
    <Card title="Verified in this browser">
      <p className="hint">
        Neither the service nor any operator has to be believed: these checks ran on your machine, with the
        code that the operators run.
      </p>
      {files.error && (
        <Notice kind="error" title="The files cannot be fetched">
          <p>{files.error.message}</p>
          <Button onClick={() => void files.refetch()}>Try again</Button>
        </Notice>
      )}
      {files.isPending && <Spinner label="Fetching certificate and deposit data" />}
      {task && <CheckList state={state} />}
      {state.ended && !verified && (
        <Notice
          kind="error"
          title={
            state.failed === undefined
              ? 'Do not deposit: the service gave out something that does not hold'
              : 'Do not deposit: nothing could be verified'
          }
        >
          <p>
            {state.failed ??
              'See above what is wrong. The files are not offered, and nothing can be sent with them.'}
          </p>
        </Notice>
      )}
      {verified && task && (
        <>
          {!task.remembered && (
            <Notice kind="info" title="This browser did not make the request">
              <p>The operators&apos; keys were compared with the registry as the service shows it.</p>
            </Notice>
          )}
          <Target address={ceremony.withdrawal_address} vault={config.lido_withdrawal_vault} />
          <div className="buttons">
            <Button kind="primary" onClick={() => download(`deposit_data-${created}.json`, task.depositData)}>
              Download deposit data
            </Button>
            <Button onClick={() => download('certificate.json', task.certificate)}>
              Download certificate
            </Button>
            <Link
              to="/cluster/$ceremonyId"
              params={{ ceremonyId: ceremony.ceremony_id }}
              className="button button-plain"
            >
              Cluster page
            </Link>
          </div>
        </>
      )}
    </Card>
  );
}

function Target({ address, vault }: { address: string; vault: string }) {
  if (sameAddress(address, vault)) {
    return (
      <Notice kind="warning" title="Do not deposit 32 ETH yourself">
        <p>
          These keys are for Lido&apos;s Community Staking Module: upload the deposit data there with the
          bond. Lido deposits; ETH that you deposited yourself would belong to the vault.
        </p>
      </Notice>
    );
  }
  return (
    <Notice kind="info" title="For the launchpad">
      <p>Upload the deposit data there; each validator takes 32 ETH of your own.</p>
    </Notice>
  );
}
