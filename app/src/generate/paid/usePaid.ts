import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { zeroAddress, type Address, type Hex } from 'viem';
import { useConnection } from 'wagmi';
import { useAppConfig } from '../../config/config';
import { CLUSTER_NODE_ABI } from '../../network/abi';
import { useReader } from '../../network/chain';
import type { Sent } from '../../network/journal';
import { readCurrency } from '../../network/read';
import { isAsking, useOwnJournal } from '../../network/send';
import { remember } from '../remembered';
import { isWithoutEffect, lookAtRequest, type RequestOutcome } from './outcome';

/** Index of the fee for deposit data (`ISafeStakeClusterNode.Action`). */
const GENERATE_ACTION = 1n;

/** What the contract asks for today, and whether it knows the cluster node that requests go to. */
export function useRequestTerms(contract: Address, clusterPubkey: Hex) {
  const client = useReader();
  return useQuery({
    queryKey: ['chain-read', 'request-terms', contract, clusterPubkey],
    queryFn: async () => {
      const of = { address: contract, abi: CLUSTER_NODE_ABI } as const;
      const [each, token, [nodeOwner, active]] = await Promise.all([
        client.readContract({ ...of, functionName: 'getActionFee', args: [GENERATE_ACTION] }),
        client.readContract({ ...of, functionName: '_token' }),
        client.readContract({ ...of, functionName: 'getClusterNode', args: [clusterPubkey] }),
      ]);
      const node = nodeOwner === zeroAddress ? 'unknown' : active ? 'active' : 'inactive';
      return { each, node, currency: await readCurrency(client, token) } as const;
    },
    refetchInterval: 12_000,
  });
}

export type RequestTerms = NonNullable<ReturnType<typeof useRequestTerms>['data']>;

/** What became of a request, looked at until there is an answer for good. Its ceremony is remembered, and `onAsked` told of it once. */
export function useRequestOutcome(contract: Address, sent: Sent, onAsked: (ceremonyId: string) => void) {
  const client = useReader();
  const { chain_id } = useAppConfig();
  const { address } = useConnection();
  const journal = useOwnJournal();
  const queries = useQueryClient();
  const account = address ?? zeroAddress;
  const asking = isAsking(sent);
  const outcome = useQuery<RequestOutcome>({
    queryKey: ['tx', 'request', sent.id, sent.hash ?? 'asked', sent.nonce ?? -1],
    queryFn: () => lookAtRequest(client, chain_id, contract, account, sent),
    enabled: address !== undefined && !asking,
    refetchInterval: ({ state }) => (isOver(state.data) ? false : 2_000),
  });
  const state = asking ? undefined : outcome.data;
  useEffect(() => {
    if (state?.kind === 'reverted') void queries.invalidateQueries({ queryKey: ['chain-read'] });
    if (state?.kind !== 'asked') return;
    const { asked, ceremonyId, transactionHash } = state;
    remember({
      ceremony_id: ceremonyId,
      validator_count: asked.validatorCount,
      withdrawal_address: asked.withdrawalAddress,
      operators: [...asked.operators],
      transaction_hash: transactionHash,
    });
    // From here on the ceremony's page has it; the next request may begin.
    journal.remove(sent.id);
    void queries.invalidateQueries({ queryKey: ['ceremonies'] });
    void queries.invalidateQueries({ queryKey: ['chain-read'] });
    onAsked(ceremonyId);
  }, [state, journal, sent.id, queries, onAsked]);
  return { state, asking, error: outcome.error };
}

function isOver(outcome: RequestOutcome | undefined): boolean {
  return isWithoutEffect(outcome) || outcome?.kind === 'asked';
}
