import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useConnection } from 'wagmi';
import { useCeremonies } from '../api/ceremonies';
import { useOperators } from '../api/operators';
import { useValidators } from '../api/validators';
import { useAppConfig } from '../config/config';
import { LoginButton } from '../session/LoginButton';
import { NeedsSession } from '../session/NeedsSession';
import { sameAddress, useSession } from '../session/session';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import type { CsmContracts } from './contracts';
import { QueueCard } from './QueueCard';
import { SubmitForm } from './SubmitForm';
import { isBusy } from './queue/machine';
import { useQueue } from './queue/useQueue';
import { useContracts } from './useCsm';
import { describeRefusal } from './words';

/** From verified deposit data to keys in Lido's Community Staking Module. */
export function SubmitPage() {
  return (
    <>
      <PageHead title="Submit to Lido CSM">
        You pay a bond and Lido deposits 32 ETH for each key. Everything is checked in this browser before
        your wallet is asked.
      </PageHead>
      <NeedsSession why="Your validators are shown to you alone.">
        <WithWallet />
      </NeedsSession>
    </>
  );
}

function WithWallet() {
  const { address, chainId } = useConnection();
  const { owner } = useSession();
  const config = useAppConfig();
  if (!address || !owner || !sameAddress(address, owner)) {
    return (
      <Empty title="Connect the wallet that owns the validators" action={<LoginButton />}>
        It pays the bond, and becomes the manager of the node operator unless you name another one.
      </Empty>
    );
  }
  if (chainId !== config.chain_id) return null;
  return <WithContracts account={owner} />;
}

function WithContracts({ account }: { account: `0x${string}` }) {
  const { chain, contracts } = useContracts();
  if (chain.data && !chain.data.configured) {
    return (
      <Empty
        title="This service reads no chain"
        action={
          <Link to="/ceremonies" className="button button-primary">
            See your ceremonies
          </Link>
        }
      >
        Keys cannot be submitted from here. Download the deposit data of a ceremony and upload them on
        Lido&apos;s own page, csm.lido.fi.
      </Empty>
    );
  }
  const error = chain.error ?? contracts.error;
  if (error) {
    return (
      <Notice kind="error" title="CSM cannot be read">
        <p>{describeRefusal(error)}</p>
        <Button
          onClick={() => {
            void chain.refetch();
            void contracts.refetch();
          }}
        >
          Try again
        </Button>
      </Notice>
    );
  }
  if (!contracts.data) return <Skeleton label="Lido’s contracts" rows={6} />;
  return <Workbench contracts={contracts.data} account={account} />;
}

function Workbench({ contracts, account }: { contracts: CsmContracts; account: `0x${string}` }) {
  const validators = useValidators();
  const ceremonies = useCeremonies(true);
  const operators = useOperators();
  const byKey = useMemo(
    () => new Map((validators.data ?? []).map((one) => [one.pubkey.toLowerCase(), one])),
    [validators.data],
  );
  const queue = useQueue(contracts, account, byKey);
  const failed = validators.error ?? ceremonies.error ?? operators.error;
  if (failed) {
    return (
      <Notice kind="error" title="Your validators cannot be shown">
        <p>{failed.message}</p>
        <Button
          onClick={() => {
            void validators.refetch();
            void ceremonies.refetch();
            void operators.refetch();
          }}
        >
          Try again
        </Button>
      </Notice>
    );
  }
  if (queue.failed !== undefined) {
    return (
      <Notice kind="error" title="The queue of this browser cannot be read">
        <p>{queue.failed}</p>
        <p>Nothing can be sent until it can: a key that is sent twice would block all others.</p>
      </Notice>
    );
  }
  if (!validators.data || !ceremonies.data || !operators.data || !queue.journal)
    return <Skeleton label="Your validators" rows={6} />;
  const known = {
    validators: validators.data,
    ceremonies: ceremonies.data,
    operators: operators.data,
    journal: queue.journal,
  };
  return (
    <>
      <QueueCard queue={queue} known={known} account={account} />
      {/* One thing at a time: what is queued comes first, and a short page shows it. */}
      {!isBusy(queue.journal) && (
        <SubmitForm queue={queue} known={known} contracts={contracts} account={account} />
      )}
    </>
  );
}
