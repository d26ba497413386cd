import {
  decodeEventLog,
  TransactionReceiptNotFoundError,
  type Address,
  type Hex,
  type PublicClient,
  type TransactionReceipt,
} from 'viem';
import type { Schemas } from '../../api/client';
import { CS_MODULE } from '../abi';
import type { CsmContracts } from '../contracts';
import { readKeys } from '../operators';
import { nodeOperatorOf, type Batch, type Evidence, type Journal } from './machine';

/** Blocks after which a transaction is believed to stay. A block that is taken back could bring one back that was replaced. */
export const DEPTH = 3n;
/** Blocks whose logs are asked for at a time, and how many times. */
const LOG_SPAN = 5_000n;
const LOG_QUESTIONS = 40;

type Duplicates = Schemas['Duplicates'];

/** Where evidence comes from. */
export interface Sources {
  client: PublicClient;
  contracts: CsmContracts;
  account: Address;
  /** The service's index of all keys of CSM. */
  duplicates: (pubkeys: readonly Hex[]) => Promise<Duplicates>;
}

/** Looks at the chain for what became of a batch. Fails when something cannot be read: nothing is concluded then. */
export async function readEvidence(sources: Sources, journal: Journal, batch: Batch): Promise<Evidence> {
  const { client, account } = sources;
  const head = await client.getBlockNumber({ cacheTime: 0 });
  const deep = head > DEPTH ? head - DEPTH : 0n;
  const [nonce, headNonce, pendingNonce, receipts] = await Promise.all([
    client.getTransactionCount({ address: account, blockNumber: deep }),
    client.getTransactionCount({ address: account, blockNumber: head }),
    client.getTransactionCount({ address: account, blockTag: 'pending' }),
    Promise.all((batch.attempt?.hashes ?? []).map((hash) => receiptOf(client, hash))),
  ]);
  const known = receipts.filter((receipt) => receipt !== undefined);
  const { present, complete } = await whereKeysAre(sources, journal, batch, known, head);
  return {
    block: Number(deep),
    nonce,
    headNonce,
    pendingNonce,
    receipts: known.map((receipt) => ({
      hash: receipt.transactionHash,
      success: receipt.status === 'success',
      block: Number(receipt.blockNumber),
    })),
    present,
    complete,
  };
}

async function receiptOf(client: PublicClient, hash: Hex): Promise<TransactionReceipt | undefined> {
  try {
    return await client.getTransactionReceipt({ hash });
  } catch (error) {
    if (error instanceof TransactionReceiptNotFoundError) return undefined;
    throw error;
  }
}

/** Which keys of the batch the module has at `head`: in the node operators that could have them, and wherever the service saw them. */
async function whereKeysAre(
  sources: Sources,
  journal: Journal,
  batch: Batch,
  receipts: readonly TransactionReceipt[],
  head: bigint,
): Promise<Pick<Evidence, 'present' | 'complete'>> {
  const pubkeys = batch.keys.map((key) => key.pubkey);
  const id = nodeOperatorOf(journal, batch);
  const made = receipts.flatMap((receipt) => madeBy(sources.contracts.module, receipt));
  const candidates = id === undefined ? new Set(made) : new Set([BigInt(id)]);
  let complete = id !== undefined || made.length > 0;
  if (id === undefined && made.length === 0) {
    const found = await madeSince(sources, batch, head);
    found.ids.forEach((one) => candidates.add(one));
    complete = found.complete;
  }
  const places = new Map<string, string>();
  for (const candidate of candidates) {
    const keys = await readKeys(sources.client, sources.contracts, candidate, head);
    for (const pubkey of pubkeys)
      if (keys.has(pubkey.toLowerCase() as Hex)) places.set(pubkey, candidate.toString());
  }
  if (places.size < pubkeys.length) complete = (await askService(sources, pubkeys, places, head)) || complete;
  const present = [...places].map(([pubkey, nodeOperatorId]) => ({ pubkey: pubkey as Hex, nodeOperatorId }));
  return { present, complete };
}

/** Adds what the service saw; says whether it has read deep enough to know of everything that will stay. */
async function askService(
  { duplicates }: Sources,
  pubkeys: readonly Hex[],
  places: Map<string, string>,
  head: bigint,
): Promise<boolean> {
  const answer = await duplicates(pubkeys);
  for (const { pubkey, node_operator_id } of answer.submitted) {
    const key = pubkeys.find((one) => one.toLowerCase() === pubkey.toLowerCase());
    if (key && !places.has(key) && node_operator_id !== null && node_operator_id !== undefined)
      places.set(key, String(node_operator_id));
  }
  const read = answer.read_block;
  return read !== null && read !== undefined && BigInt(read) >= head;
}

/** Ids of node operators that a transaction made. */
export function madeBy(module: Address, { logs }: Pick<TransactionReceipt, 'logs'>): bigint[] {
  return logs.flatMap((log) => {
    if (log.address.toLowerCase() !== module.toLowerCase()) return [];
    try {
      const { args } = decodeEventLog({
        abi: CS_MODULE,
        eventName: 'NodeOperatorAdded',
        data: log.data,
        topics: log.topics,
      });
      return [args.nodeOperatorId];
    } catch {
      return [];
    }
  });
}

/** Node operators with the batch's manager that were made since the wallet was asked. */
async function madeSince(
  { client, contracts, account }: Sources,
  batch: Batch,
  head: bigint,
): Promise<{ ids: bigint[]; complete: boolean }> {
  const { target, attempt } = batch;
  if (target.kind !== 'new' || !attempt) return { ids: [], complete: false };
  const zero = /^0x0{40}$/.test(target.manager);
  const args = { managerAddress: zero ? account : target.manager };
  const ids: bigint[] = [];
  // The block before: the wallet may be quicker than the number that was noted.
  let from = BigInt(Math.max(attempt.block - 1, 0));
  for (let asked = 0; from <= head; asked += 1) {
    if (asked >= LOG_QUESTIONS) return { ids, complete: false };
    const to = from + LOG_SPAN - 1n < head ? from + LOG_SPAN - 1n : head;
    const logs = await client.getContractEvents({
      address: contracts.module,
      abi: CS_MODULE,
      eventName: 'NodeOperatorAdded',
      args,
      fromBlock: from,
      toBlock: to,
    });
    ids.push(...logs.flatMap((log) => log.args.nodeOperatorId ?? []));
    from = to + 1n;
  }
  return { ids, complete: true };
}
