import { queryOptions, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { zeroAddress, type Abi, type Address, type Hash } from 'viem';
import { useConfig, useConnection } from 'wagmi';
import { writeContract } from 'wagmi/actions';
import { useAppConfig } from '../config/config';
import { sameAddress } from '../session/session';
import { isRejection } from '../wallet/errors';
import { GAS_CAP } from './batches';
import { useChainInfo, useReader } from './chain';
import { isOver, isSettled, lookAt, type Outcome, type OutcomeClient } from './outcome';
import { useJournal, type Kind, type Sent } from './journal';

/** A call of a contract, made ready. */
export interface Call {
  address: Address;
  abi: Abi;
  functionName: string;
  args: readonly unknown[];
  value?: bigint;
}

export interface Order {
  kind: Kind;
  about: readonly string[];
  call: Call;
  /**
   * Whether the chain would take the same once more, and charge for it. Only one of the kind is then under way at a time, and it is under way
   * until its owner declined it or puts it aside.
   */
  alone?: boolean;
}

/** The call would take more gas than any transaction may. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/** One of the kind is under way already. */
export class UnderWay extends Error {
  override readonly name = 'UnderWay';
  override readonly message = 'The same was sent already, maybe in another tab. See first what became of it.';
}

/** Who must sign what is sent here: the wallet that the validators belong to. */
export function useOwnWallet(owner: Address | undefined) {
  // After a reload the wallet is known before it can be asked anything.
  const { address, status, chainId } = useConnection();
  const { chain_id } = useAppConfig();
  const ready = status === 'connected' && chainId === chain_id && sameAddress(address, owner);
  return { ready, account: ready ? address : undefined };
}

/** The journal of the connected account. */
export function useOwnJournal() {
  const { address } = useConnection();
  const { chain_id } = useAppConfig();
  return useJournal(address, chain_id);
}

const asking = new Set<string>();

/** Whether this very page waits for the wallet's answer. */
export function isAsking(sent: Sent): boolean {
  return sent.hash === undefined && asking.has(sent.id);
}

/**
 * Tries the call on the chain, then asks the wallet. What the wallet is asked is written down first, and the hash when it comes: a
 * reload in between finds both.
 */
export function useSend() {
  const wallets = useConfig();
  const client = useReader();
  const { address } = useConnection();
  const { chain_id } = useAppConfig();
  const journal = useOwnJournal();
  return useMutation({
    mutationFn: async ({ kind, about, call, alone = false }: Order): Promise<Hash> => {
      if (!address) throw new Error('Connect a wallet first.');
      const { abi, functionName, args, value } = call;
      const request = {
        address: call.address,
        abi,
        functionName,
        args,
        ...(value === undefined ? {} : { value }),
      };
      // The contract's own word comes first: its reasons are clearer than those of an estimate.
      await client.simulateContract({ ...request, account: address });
      const estimate = await client.estimateContractGas({ ...request, account: address });
      if (estimate > GAS_CAP) throw new TooLarge('This would take more gas than one transaction may.');
      // A tenth more: the state may change until the transaction is in a block.
      const gas = (estimate * 11n) / 10n < GAS_CAP ? (estimate * 11n) / 10n : GAS_CAP;
      const id = crypto.randomUUID();
      const entry: Sent = { id, kind, about, asked_ms: Date.now() };
      if (alone) entry.block = Number(await client.getBlockNumber({ cacheTime: 0 }));
      // Nothing is awaited between this look and the entry: what another tab wrote is seen.
      if (alone && journal.now().some((one) => one.kind === kind)) throw new UnderWay();
      asking.add(id);
      journal.add(entry);
      try {
        const hash = await writeContract(wallets, { ...request, gas, chainId: chain_id });
        journal.change(id, { hash });
        // Its number tells later whether another transaction took its place; without it one only knows less. Whoever sends for a
        // contract wallet has numbers of its own.
        client.getTransaction({ hash }).then(
          ({ nonce, from }) => {
            if (sameAddress(from, address)) journal.change(id, { nonce });
          },
          () => undefined,
        );
        return hash;
      } catch (error) {
        // Whatever else a wallet fails with, it may have sent the transaction before.
        if (!alone || isRejection(error)) journal.remove(id);
        throw error;
      } finally {
        asking.delete(id);
      }
    },
  });
}

function outcomeQuery(client: OutcomeClient, address: Address | undefined, sent: Sent) {
  return queryOptions<Outcome>({
    queryKey: ['tx', sent.id, sent.hash ?? 'asked', sent.nonce ?? -1],
    queryFn: () => lookAt(client, address ?? zeroAddress, sent),
    enabled: address !== undefined && !isAsking(sent),
    refetchInterval: ({ state }) => (state.data && isSettled(state.data) ? false : 3_000),
  });
}

/** Whether the service has not read this block yet; asked more often while it has not. */
function useBehind(block: bigint | undefined): boolean {
  const [behind, setBehind] = useState(false);
  const { data } = useChainInfo(behind ? 2_000 : undefined);
  const read = data?.read_block;
  const now = block !== undefined && data?.configured === true && (read == null || BigInt(read) < block);
  if (now !== behind) setBehind(now);
  return now;
}

/** What became of a transaction, looked at until nothing more will come of it. */
export function useOutcome(sent: Sent) {
  const client = useReader();
  const queries = useQueryClient();
  const { address } = useConnection();
  const outcome = useQuery(outcomeQuery(client, address, sent));
  const settled = outcome.data !== undefined && isSettled(outcome.data);
  const block = outcome.data && 'block' in outcome.data ? outcome.data.block : undefined;
  const behind = useBehind(block);
  useEffect(() => {
    if (!settled) return;
    // The chain is not what it was: everything that was read of it is read anew, and what the service says once it has come so far.
    void queries.invalidateQueries({ queryKey: ['chain-read'] });
    for (const key of ['validators', 'validator', 'csm']) void queries.invalidateQueries({ queryKey: [key] });
  }, [settled, behind, queries]);
  return outcome;
}

/** What must not be offered again yet: everything that transactions are about which have not ended without effect. */
export function useTaken(sent: readonly Sent[]): ReadonlySet<string> {
  const client = useReader();
  const { address } = useConnection();
  return useQueries({
    queries: sent.map((one) => outcomeQuery(client, address, one)),
    combine: (outcomes) => new Set(sent.flatMap((one, at) => (isOver(outcomes[at]?.data) ? [] : one.about))),
  });
}
