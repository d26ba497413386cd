import { Link } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { useOperators } from '../api/operators';
import { useAppConfig } from '../config/config';
import { sameAddress } from '../session/session';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { CheckList } from '../verify/CheckList';
import { isVerified, useVerification } from '../verify/useVerification';
import { readFiles, requestOf, taskOf, type Chosen } from './files';
import { FilesField } from './FilesField';
import { TransactionCard } from './TransactionCard';

/** For every member of a group: are the keys in our transaction those of our ceremony? Needs no login. */
export function CheckPage() {
  const [chosen, setChosen] = useState<Chosen>({});
  const [refused, setRefused] = useState<string>();
  const choose = (files: File[]) => {
    setRefused(undefined);
    readFiles(files, chosen).then(setChosen, (error: unknown) => {
      setRefused(error instanceof Error ? error.message : String(error));
    });
  };
  const { certificate, depositData } = chosen;
  return (
    <>
      <PageHead title="Check keys">
        Before your group confirms a transaction: are the keys in it those of your ceremony? Nothing that you
        choose here leaves this browser. Member signatures and the file for your Safe are on the{' '}
        <Link to="/cluster">cluster page</Link>.
      </PageHead>
      <Card title="Files of the ceremony">
        <FilesField chosen={chosen} refused={refused} onChoose={choose} />
      </Card>
      {certificate !== undefined && depositData !== undefined && (
        <Checked certificate={certificate} depositData={depositData} />
      )}
    </>
  );
}

function Checked({ certificate, depositData }: Required<Chosen>) {
  const config = useAppConfig();
  const operators = useOperators();
  const task = useMemo(
    () => (operators.data ? taskOf({ certificate, depositData }, operators.data, config) : undefined),
    [certificate, depositData, operators.data, config],
  );
  const state = useVerification(task);
  const verified = isVerified(state);
  const request = requestOf(certificate);
  return (
    <>
      <Card title="Ceremony">
        {operators.error && (
          <Notice kind="error" title="The registered keys of the operators are not there">
            <p>{operators.error.message}</p>
          </Notice>
        )}
        {!request && (
          <Notice kind="error" title="Not a certificate">
            <p>The file has another shape.</p>
          </Notice>
        )}
        {request && (
          <dl className="facts">
            <dt>Asked for by</dt>
            <dd className="mono">{request.owner}</dd>
            <dt>Operators</dt>
            <dd>{request.operator_ids.join(', ')}</dd>
            <dt>Withdrawals go to</dt>
            <dd className="mono">
              {request.withdrawal_address}
              {sameAddress(request.withdrawal_address, config.lido_withdrawal_vault) && ' (Lido’s vault)'}
            </dd>
          </dl>
        )}
        {task && <CheckList state={state} />}
        {state.ended && !verified && (
          <Notice kind="error" title="These files do not hold">
            <p>{state.failed ?? 'See above what is wrong.'}</p>
          </Notice>
        )}
      </Card>
      {verified && <TransactionCard certificate={certificate} />}
    </>
  );
}
