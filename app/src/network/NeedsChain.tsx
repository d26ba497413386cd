import type { ReactNode } from 'react';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { addressesOf, useChainInfo, type ChainInfo, type NetworkAddresses } from './chain';

export interface Chain {
  info: ChainInfo;
  addresses: NetworkAddresses;
}

/** Shows its children where the service reads a chain with the network's contracts on it. */
export function NeedsChain({ children }: { children: (chain: Chain) => ReactNode }) {
  const info = useChainInfo();
  if (info.isPending) return <Skeleton label="The chain" rows={4} />;
  if (info.error) {
    return (
      <Notice kind="error" title="The contracts of the network are not known">
        <p>{info.error.message}</p>
        <Button onClick={() => void info.refetch()}>Try again</Button>
      </Notice>
    );
  }
  const addresses = addressesOf(info.data);
  if (!addresses) {
    return (
      <Empty title="This service reads no chain">
        Registrations, fees and exits are transactions with the network&apos;s contracts. Whoever runs the
        service names them in its configuration, under [chain].
      </Empty>
    );
  }
  return children({ info: info.data, addresses });
}
