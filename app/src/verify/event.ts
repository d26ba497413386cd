import type { Hash, PublicClient } from 'viem';
import type { AppConfig } from '../config/config';
import type { ExpectedEvent, VerifyTask } from './types';

type Reader = Pick<PublicClient, 'getTransactionReceipt'>;

interface EventId {
  contract: string;
  transaction_hash: Hash;
  log_index: number;
}

/** The event that a certificate names as its owner's request; undefined for a request that was signed, and for what cannot be read. */
function eventOf(certificate: string): EventId | undefined {
  try {
    const { transcript } = JSON.parse(certificate) as { transcript?: { request?: { event?: EventId } } };
    return transcript?.request?.event;
  } catch {
    // The verifier says what is wrong with it.
    return undefined;
  }
}

/**
 * What the chain has at the event of a request: only a log of the network's own contract, in a transaction that succeeded. The verifier compares
 * it with the certificate; without one it says that nobody looked.
 */
export async function lookUpEvent(
  certificate: string,
  client: Reader | undefined,
  contracts: AppConfig['contracts'],
): Promise<ExpectedEvent | undefined> {
  const id = eventOf(certificate);
  if (!id || !client || !contracts) return undefined;
  if (id.contract.toLowerCase() !== contracts.cluster_node.toLowerCase()) return undefined;
  const receipt = await client.getTransactionReceipt({ hash: id.transaction_hash });
  if (receipt.status !== 'success') return undefined;
  const own = receipt.logs.filter((log) => log.address.toLowerCase() === id.contract.toLowerCase());
  const log = own[id.log_index];
  if (!log) return undefined;
  const { contract, transaction_hash, log_index } = id;
  return { contract, transaction_hash, log_index, topics: log.topics, data: log.data };
}

/** The task with what the chain has at its event, if its request is one. Rejects when the chain cannot be asked. */
export async function withEvent(
  task: VerifyTask,
  client: Reader | undefined,
  contracts: AppConfig['contracts'],
): Promise<VerifyTask> {
  const event = await lookUpEvent(task.certificate, client, contracts);
  return event ? { ...task, expected: { ...task.expected, event } } : task;
}
