import { Link, useParams } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Hex } from 'viem';
import { ceremonyFile } from '../api/ceremonies';
import { useOperators } from '../api/operators';
import { requestOf, readFiles, taskOf, type Chosen } from '../check/files';
import { FilesField } from '../check/FilesField';
import { useAppConfig } from '../config/config';
import { sameAddress, useSession } from '../session/session';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { CheckList } from '../verify/CheckList';
import { isVerified, useVerification } from '../verify/useVerification';
import { MembersCard } from './MembersCard';
import { SafeCard } from './SafeCard';

/** A cluster as all its members see it: with the files alone, or as its owner from the service. */
export function ClusterPage() {
  const { ceremonyId } = useParams({ strict: false });
  const { owner } = useSession();
  const [chosen, setChosen] = useState<Chosen>({});
  const [refused, setRefused] = useState<string>();
  const attempt = (work: Promise<Chosen>) => {
    setRefused(undefined);
    work.then(setChosen, (error: unknown) =>
      setRefused(error instanceof Error ? error.message : String(error)),
    );
  };
  const fetchFiles = async (id: string): Promise<Chosen> => {
    const [certificate, depositData] = await Promise.all([
      ceremonyFile(id, 'certificate'),
      ceremonyFile(id, 'deposit-data'),
    ]);
    return { certificate, depositData };
  };
  const { certificate, depositData } = chosen;
  return (
    <>
      <PageHead title="Cluster">
        For every member of a group: the certificate of your ceremony verified on your own machine, the
        members&apos; signatures, and the transaction for your Safe. Files that you choose here leave this
        browser only if you send them on.
      </PageHead>
      <Card title="Files of the ceremony">
        {ceremonyId !== undefined && owner && (
          <Button kind="primary" onClick={() => attempt(fetchFiles(ceremonyId))}>
            Fetch from the service
          </Button>
        )}
        <FilesField chosen={chosen} refused={refused} onChoose={(files) => attempt(readFiles(files, chosen))}>
          The owner of the ceremony downloads both from its page.
        </FilesField>
      </Card>
      {certificate !== undefined && depositData !== undefined && (
        <Cluster certificate={certificate} depositData={depositData} wanted={ceremonyId} />
      )}
    </>
  );
}

function Cluster({ certificate, depositData, wanted }: Required<Chosen> & { wanted: string | undefined }) {
  const config = useAppConfig();
  const operators = useOperators();
  const task = useMemo(
    () => (operators.data ? taskOf({ certificate, depositData }, operators.data, config) : undefined),
    [certificate, depositData, operators.data, config],
  );
  const state = useVerification(task);
  const verified = isVerified(state);
  const request = requestOf(certificate);
  const id = task?.expected.ceremony_id;
  if (!request) {
    return (
      <Notice kind="error" title="Not a certificate">
        <p>The file has another shape.</p>
      </Notice>
    );
  }
  const other = wanted !== undefined && id !== undefined && id !== wanted;
  const names = new Map(operators.data?.map(({ operator_id, name }) => [operator_id, name]));
  return (
    <>
      <Card title="Certificate">
        {operators.error && <p className="field-error">{operators.error.message}</p>}
        <dl className="facts">
          <dt>Ceremony</dt>
          <dd className="mono">{id}</dd>
          <dt>Asked for by</dt>
          <dd className="mono">{request.owner}</dd>
          <dt>Operators</dt>
          <dd>{request.operator_ids.map((one) => names.get(one) ?? `Operator ${one}`).join(', ')}</dd>
          <dt>Validators</dt>
          <dd className="figure">{request.validator_count}</dd>
          <dt>Withdrawals go to</dt>
          <dd className="mono">
            {request.withdrawal_address}
            {sameAddress(request.withdrawal_address, config.lido_withdrawal_vault) && ' (Lido’s vault)'}
          </dd>
        </dl>
        {other && (
          <Notice kind="error" title="This is the certificate of another ceremony">
            <p>The address of this page names another one.</p>
          </Notice>
        )}
        {task && <CheckList state={state} />}
        {state.ended && !verified && (
          <Notice kind="error" title="These files do not hold">
            <p>{state.failed ?? 'See above what is wrong.'}</p>
          </Notice>
        )}
      </Card>
      {verified && !other && id !== undefined && (
        <>
          <MembersCard certificate={certificate} ceremonyId={id as Hex} />
          <SafeCard certificate={certificate} />
          <p className="hint">
            Before you confirm a transaction in your Safe,{' '}
            <Link to="/check">check that its keys are these</Link>.
          </p>
        </>
      )}
    </>
  );
}
