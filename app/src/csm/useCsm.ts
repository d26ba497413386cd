import { useQueries, useQuery } from '@tanstack/react-query';
import type { Address, PublicClient } from 'viem';
import { usePublicClient } from 'wagmi';
import { api, unwrap } from '../api/client';
import { readBalance, readBonds, type BondFor } from './bond';
import { readContracts, readEligibility, type CsmContracts, type Gate } from './contracts';
import { readNodeOperator } from './operators';
import type { Token } from './queue/types';

/** What the pages of CSM read from the chain; all of it anew when it is a quarter of a minute old. */
const FRESH_MS = 15_000;

/** The client for reads; there is always one, since the service's chain is the only one. */
export function useClient(): PublicClient {
  const client = usePublicClient();
  if (!client) throw new Error('No chain is configured.');
  return client;
}

export function useChainInfo() {
  return useQuery({
    queryKey: ['chain'],
    queryFn: ({ signal }) => unwrap(api.GET('/v1/chain', { signal })),
    staleTime: FRESH_MS,
  });
}

/** Where CSM's contracts are. */
export function useContracts() {
  const client = useClient();
  const chain = useChainInfo();
  const lido = chain.data?.configured ? chain.data.lido : undefined;
  const contracts = useQuery({
    queryKey: ['csm-contracts', lido],
    queryFn: lido ? () => readContracts(client, lido) : () => Promise.reject(new Error('not configured')),
    enabled: lido !== undefined,
    staleTime: 5 * 60_000,
  });
  return { chain, contracts };
}

/** My node operators as the chain has them: those that the service found, and those that this browser made. */
export function useNodeOperators(contracts: CsmContracts, account: Address, made: readonly string[]) {
  const client = useClient();
  return useQuery({
    queryKey: ['csm-node-operators', contracts.module, account, made],
    queryFn: async ({ signal }) => {
      const { items } = await unwrap(api.GET('/v1/csm/operators', { signal }));
      const ids = new Set([...items.map((one) => BigInt(one.node_operator_id)), ...made.map(BigInt)]);
      const all = await Promise.all([...ids].map((id) => readNodeOperator(client, contracts, id)));
      const mine = (one: string) => one.toLowerCase() === account.toLowerCase();
      return all
        .filter((one) => mine(one.manager) || mine(one.reward))
        .sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    staleTime: FRESH_MS,
  });
}

/** Whether an account may enter by each gate with these proofs. */
export function useEligibility(gates: readonly Gate[], account: Address, proofs: ReadonlyMap<string, Proof>) {
  const client = useClient();
  return useQueries({
    queries: gates.map((gate) => {
      const proof = proofs.get(gate.kind) ?? [];
      return {
        queryKey: ['csm-eligibility', gate.address, account, proof],
        queryFn: () => readEligibility(client, gate, account, proof),
        staleTime: FRESH_MS,
      };
    }),
  });
}

type Proof = Parameters<typeof readEligibility>[3];

export function useBonds(
  contracts: CsmContracts,
  of: BondFor | undefined,
  token: Token,
  counts: readonly number[],
) {
  const client = useClient();
  const key = of && Object.values(of).map(String);
  return useQuery({
    queryKey: ['csm-bonds', contracts.accounting, of && Object.keys(of), key, token, counts],
    queryFn: () => (of ? readBonds(client, contracts, of, token, counts) : []),
    enabled: of !== undefined && counts.length > 0,
    refetchInterval: FRESH_MS,
  });
}

export function useBalances(contracts: CsmContracts, account: Address) {
  const client = useClient();
  return useQuery({
    queryKey: ['csm-balances', contracts.accounting, account],
    queryFn: async () => {
      const of = (token: Token) => readBalance(client, contracts, token, account);
      const [eth, steth, wsteth] = await Promise.all([of('eth'), of('steth'), of('wsteth')]);
      return { eth, steth, wsteth };
    },
    refetchInterval: FRESH_MS,
  });
}
