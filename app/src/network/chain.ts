import { useQuery } from '@tanstack/react-query';
import type { Address, PublicClient } from 'viem';
import { usePublicClient } from 'wagmi';
import { api, unwrap, type Schemas } from '../api/client';
import { useAppConfig } from '../config/config';

export type ChainInfo = Schemas['ChainInfo'];

/** Which contracts the service reads, and how far it got; looked at anew every so many milliseconds. */
export function useChainInfo(everyMs = 12_000) {
  return useQuery({
    queryKey: ['chain-info'],
    queryFn: ({ signal }) => unwrap(api.GET('/v1/chain', { signal })),
    refetchInterval: everyMs,
  });
}

export interface NetworkAddresses {
  network: Address;
  clusterNode: Address;
  operatorConfig: Address;
}

/** The contracts of the network; undefined where the service reads no chain. */
export function addressesOf(info: ChainInfo | undefined): NetworkAddresses | undefined {
  const held = info?.contracts;
  if (!held) return undefined;
  return {
    network: held.network as Address,
    clusterNode: held.cluster_node as Address,
    operatorConfig: held.operator_config as Address,
  };
}

/** Reads the chain of the service: through its execution node when it names one, and through the wallet otherwise. */
export function useReader(): PublicClient {
  const { chain_id } = useAppConfig();
  const client = usePublicClient({ chainId: chain_id });
  if (!client) throw new Error('The chain of this service is not one that the app knows.');
  return client;
}

export { readAll } from './read';
