import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Address } from 'viem';
import { useConfig } from 'wagmi';
import { getConnection, sendTransaction, signTypedData } from 'wagmi/actions';
import { api, unwrap } from '../../api/client';
import { useAppConfig } from '../../config/config';
import type { CsmContracts } from '../contracts';
import { useClient } from '../useCsm';
import type { VerifiedKey } from '../verified';
import { describeRefusal } from '../words';
import type { Check } from '../checks';
import { readEvidence, type Sources } from './evidence';
import {
  isOpen,
  nodeOperatorOf,
  reduce,
  type Batch,
  type Evidence,
  type Journal,
  type QueueEvent,
} from './machine';
import { NotSent, noteNonce, sendBatch, type Leave, type Sender, type Step } from './send';
import { browserStore, scopeOf } from './store';

const store = browserStore();
/** How often the chain is looked at while a transaction is under way. */
const LOOK_MS = 4_000;

export interface Queue {
  /** Undefined until it is read. */
  journal: Journal | undefined;
  /** It cannot be read: nothing may be sent. */
  failed: string | undefined;
  /** What the chain said last of the batch that is under way. */
  evidence: Evidence | undefined;
  /** Reading the chain failed. */
  lookFailed: string | undefined;
  /** The batch that this page is sending, and how far it is. */
  sending: { id: string; step: Step } | undefined;
  /** Why the last sending ended. */
  problem: { id: string; words: string; checks: readonly Check[] } | undefined;
  record: (event: QueueEvent) => Promise<Journal>;
  send: (batch: Batch, keys: readonly VerifiedKey[], leave: Leave) => Promise<void>;
  look: () => void;
}

/** The service's index of the keys of CSM. */
export const askDuplicates: Sources['duplicates'] = (pubkeys) =>
  unwrap(api.POST('/v1/csm/duplicates', { body: { pubkeys: [...pubkeys] } }));

/** The queue of an account on this chain: what was written down, brought up to date by what the chain says. */
export function useQueue(contracts: CsmContracts, account: Address, validators: Sender['validators']): Queue {
  const client = useClient();
  const sources = useMemo<Sources>(
    () => ({ client, contracts, account, duplicates: askDuplicates }),
    [client, contracts, account],
  );
  const { scope, journal, failed, record } = useJournal(sources);
  const open = journal?.batches.find(isOpen);
  const looked = useLook(sources, scope, journal, open, record);
  const { sending, problem, send } = useSend(sources, scope, record, validators);
  return {
    journal,
    failed,
    evidence: open ? looked.data : undefined,
    lookFailed: looked.error ? describeRefusal(looked.error) : undefined,
    sending,
    problem,
    record,
    send,
    look: () => void looked.refetch(),
  };
}

function useJournal({ client, contracts, account }: Sources) {
  const queries = useQueryClient();
  const genesis = useQuery({
    queryKey: ['csm-genesis'],
    queryFn: async () => (await client.getBlock({ blockNumber: 0n })).hash,
    staleTime: Infinity,
  });
  const scope = genesis.data ? scopeOf(genesis.data, contracts.module, account) : undefined;
  const held = useQuery({
    queryKey: ['csm-journal', scope],
    queryFn: () => store.read(scope ?? ''),
    enabled: scope !== undefined,
    staleTime: Infinity,
    retry: false,
  });
  useEffect(
    () => store.watch(() => void queries.invalidateQueries({ queryKey: ['csm-journal'] })),
    [queries],
  );
  const record = useCallback(
    async (event: QueueEvent) => {
      if (scope === undefined) throw new NotSent('The chain cannot be read yet.');
      const after = await store.change(scope, (journal) => reduce(journal, event));
      queries.setQueryData(['csm-journal', scope], after);
      return after;
    },
    [scope, queries],
  );
  const error = genesis.error ?? held.error;
  return { scope, journal: held.data, failed: error ? describeRefusal(error) : undefined, record };
}

/** Looks at the chain until it is known how the batch that is under way ends. */
function useLook(
  sources: Sources,
  scope: string | undefined,
  journal: Journal | undefined,
  open: Batch | undefined,
  record: Queue['record'],
) {
  const queries = useQueryClient();
  return useQuery({
    queryKey: ['csm-evidence', scope, open?.id, open?.attempt?.hashes],
    queryFn: async () => {
      if (!journal || !open) throw new Error('Nothing is under way.');
      const hash = open.attempt?.hashes.at(-1);
      if (hash && !open.attempt?.certain) await noteNonce({ ...sources, record }, open.id, hash);
      const evidence = await readEvidence(sources, journal, open);
      const after = await record({ type: 'evidence', id: open.id, evidence });
      const now = after.batches.find((one) => one.id === open.id);
      if (now && !isOpen(now)) await refresh(queries);
      return evidence;
    },
    enabled: journal !== undefined && open !== undefined,
    refetchInterval: LOOK_MS,
    refetchIntervalInBackground: true,
    retry: false,
    staleTime: 0,
  });
}

/** What is different after a transaction. */
async function refresh(queries: ReturnType<typeof useQueryClient>): Promise<void> {
  const changed = [
    'csm-node-operators',
    'csm-bonds',
    'csm-balances',
    'csm-eligibility',
    'csm-checks',
    'validators',
  ];
  await queries.invalidateQueries({ predicate: ({ queryKey }) => changed.includes(String(queryKey[0])) });
}

function useSend(
  sources: Sources,
  scope: string | undefined,
  record: Queue['record'],
  validators: Sender['validators'],
) {
  const wallets = useConfig();
  const config = useAppConfig();
  const [sending, setSending] = useState<Queue['sending']>();
  const [problem, setProblem] = useState<Queue['problem']>();
  const send = useCallback<Queue['send']>(
    async (batch, keys, leave) => {
      if (scope === undefined) return;
      setProblem(undefined);
      setSending({ id: batch.id, step: 'checking' });
      const { account } = sources;
      const sender: Sender = {
        ...sources,
        validators,
        record,
        now: Date.now,
        tell: (step) => setSending({ id: batch.id, step }),
        send: (request) => {
          const connection = getConnection(wallets);
          if (connection.status !== 'connected')
            throw new NotSent('Your wallet is not connected yet. Nothing was sent; try again.');
          if (
            connection.address.toLowerCase() !== account.toLowerCase() ||
            connection.chainId !== config.chain_id
          )
            throw new NotSent('Your wallet has switched to another account or network. Nothing was sent.');
          return sendTransaction(wallets, { account, chainId: config.chain_id, ...request });
        },
        signTypedData: (data) => signTypedData(wallets, { account, ...data }),
      };
      try {
        await sendBatch(sender, await store.read(scope), batch, keys, leave);
      } catch (error) {
        const checks = error instanceof NotSent ? error.checks : [];
        setProblem({ id: batch.id, words: describeRefusal(error), checks });
      } finally {
        setSending(undefined);
      }
    },
    [scope, sources, validators, record, wallets, config.chain_id],
  );
  return { sending, problem, send };
}

/** Node operators that batches of this browser made. */
export const madeOperators = (journal: Journal | undefined): string[] => [
  ...new Set(journal?.batches.flatMap((batch) => nodeOperatorOf(journal, batch) ?? []) ?? []),
];
