import { useQuery } from '@tanstack/react-query';
import { zeroAddress, type Address } from 'viem';
import { api, unwrap, type Schemas } from '../api/client';
import { allPages } from '../api/pages';
import { useReader } from '../network/chain';
import { ACCOUNTING_ABI, FEE_DISTRIBUTOR_ABI, PARAMETERS_ABI, STRIKES_ABI } from './abi';
import type { Interval } from './leeway';

export type NodeOperator = Schemas['NodeOperatorView'];
export type Key = Schemas['KeyView'];
export type KeyState = Schemas['KeyState'];

/** Node operators of which the session's owner is manager or reward address. */
export function useNodeOperators() {
  return useQuery({
    queryKey: ['csm', 'operators'],
    queryFn: ({ signal }) => unwrap(api.GET('/v1/csm/operators', { signal })).then((page) => page.items),
  });
}

export function useNodeOperator(id: number) {
  return useQuery({
    queryKey: ['csm', 'operator', id],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/v1/csm/operators/{node_operator_id}', {
          params: { path: { node_operator_id: id } },
          signal,
        }),
      ),
    refetchInterval: 30_000,
  });
}

export function useKeys(id: number) {
  return useQuery({
    queryKey: ['csm', 'keys', id],
    queryFn: ({ signal }) =>
      allPages((cursor) =>
        unwrap(
          api.GET('/v1/csm/operators/{node_operator_id}/keys', {
            params: { path: { node_operator_id: id }, query: { limit: 100, ...cursor } },
            signal,
          }),
        ),
      ),
    refetchInterval: 60_000,
  });
}

/** What Lido's contracts ask of node operators with this bond curve. */
export interface Rules {
  /** Seconds from a request to the end of patience. */
  exitDelayS: bigint;
  strikesThreshold: bigint;
  /** Frames after which a strike is forgotten. */
  strikesLifetime: bigint;
  /** Taken from the network's performance it is the threshold; by the number of a key. */
  leeway: readonly Interval[];
  /** Wei, taken from the bond of a validator that was ejected for its strikes. */
  penalty: bigint;
}

export function useRules(accounting: Address | undefined, curveId: number | undefined) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'rules', accounting, curveId],
    queryFn: async (): Promise<Rules> => {
      const curve = BigInt(curveId ?? 0);
      const address = await client.readContract({
        address: accounting ?? zeroAddress,
        abi: ACCOUNTING_ABI,
        functionName: 'parametersRegistry',
      });
      const contract = { address, abi: PARAMETERS_ABI } as const;
      const [exitDelayS, [strikesLifetime, strikesThreshold], leeway, penalty] = await Promise.all([
        client.readContract({ ...contract, functionName: 'getAllowedExitDelay', args: [curve] }),
        client.readContract({ ...contract, functionName: 'getStrikesParams', args: [curve] }),
        client.readContract({ ...contract, functionName: 'getPerformanceLeewayData', args: [curve] }),
        client.readContract({ ...contract, functionName: 'getBadPerformancePenalty', args: [curve] }),
      ]);
      return { exitDelayS, strikesLifetime, strikesThreshold, leeway, penalty };
    },
    enabled: accounting !== undefined && curveId !== undefined,
    staleTime: 3_600_000,
  });
}

/** Where the rewards tree stands. */
export function useDistribution(accounting: Address | undefined, id: number) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'distribution', accounting, id],
    queryFn: async () => {
      const address = await client.readContract({
        address: accounting ?? zeroAddress,
        abi: ACCOUNTING_ABI,
        functionName: 'feeDistributor',
      });
      const contract = { address, abi: FEE_DISTRIBUTOR_ABI } as const;
      const [treeRoot, treeCid, logCid, distributed] = await Promise.all([
        client.readContract({ ...contract, functionName: 'treeRoot' }),
        client.readContract({ ...contract, functionName: 'treeCid' }),
        client.readContract({ ...contract, functionName: 'logCid' }),
        client.readContract({ ...contract, functionName: 'distributedShares', args: [BigInt(id)] }),
      ]);
      return { treeRoot, treeCid, logCid, distributed };
    },
    enabled: accounting !== undefined,
  });
}

/** Where the tree of strikes stands. The contract of penalties names the one of strikes. */
export function useStrikesRoot(exitPenalties: Address | undefined) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'strikes', exitPenalties],
    queryFn: async () => {
      const penalties = { address: exitPenalties ?? zeroAddress, abi: STRIKES_ABI } as const;
      const address = await client.readContract({ ...penalties, functionName: 'STRIKES' });
      const contract = { address, abi: STRIKES_ABI } as const;
      const [root, cid] = await Promise.all([
        client.readContract({ ...contract, functionName: 'treeRoot' }),
        client.readContract({ ...contract, functionName: 'treeCid' }),
      ]);
      return { root, cid };
    },
    enabled: exitPenalties !== undefined,
    refetchInterval: 300_000,
  });
}
