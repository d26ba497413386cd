import { type Address, type Hash, type PublicClient } from 'viem';
import { CLUSTER_NODE_ABI } from '../../network/abi';
import type { Sent } from '../../network/journal';
import { lookAt, type Outcome } from '../../network/outcome';
import { ceremonyInReceipt } from './ceremonyId';
import { parseAbout, sameRequest, type Asked } from './asked';

/** What became of a paid request. */
export type RequestOutcome =
  /** In a block: its ceremony, and the transaction that has it now. */
  | { kind: 'asked'; ceremonyId: Hash; transactionHash: Hash; asked: Asked }
  /** In a block, and it asks for nothing that was written down. */
  | { kind: 'other' }
  | Exclude<Outcome, { kind: 'done' }>;

export type RequestClient = Pick<
  PublicClient,
  'getTransactionReceipt' | 'getTransaction' | 'getTransactionCount' | 'getBlockNumber' | 'getContractEvents'
>;

/** Blocks of one question for logs: as many as public nodes take. */
const RANGE = 2_000n;
/** Questions at most: two months. */
const QUESTIONS = 220;

/**
 * Looks on the chain. A wallet may have sent the request under another hash than it gave, or without giving one: so where the hash leads
 * nowhere, the contract's own events are looked through, from the block on in which the wallet was asked.
 */
export async function lookAtRequest(
  client: RequestClient,
  chainId: number,
  contract: Address,
  account: Address,
  sent: Sent,
): Promise<RequestOutcome> {
  const asked = parseAbout(account, sent.about);
  if (!asked) return { kind: 'other' };
  const outcome = await lookAt(client, account, sent);
  if (outcome.kind === 'reverted' || outcome.kind === 'pending') return outcome;
  const hash = outcome.kind === 'done' ? sent.hash : await findTransaction(client, contract, asked, sent);
  if (hash === undefined) return outcome.kind === 'done' ? { kind: 'other' } : outcome;
  const receipt = await client.getTransactionReceipt({ hash });
  const ceremonyId = ceremonyInReceipt(receipt, chainId, contract, asked);
  return ceremonyId ? { kind: 'asked', ceremonyId, transactionHash: hash, asked } : { kind: 'other' };
}

async function findTransaction(
  client: RequestClient,
  address: Address,
  asked: Asked,
  { block }: Sent,
): Promise<Hash | undefined> {
  if (block === undefined) return undefined;
  const head = await client.getBlockNumber({ cacheTime: 0 });
  let fromBlock = BigInt(block) + 1n;
  for (let question = 0; fromBlock <= head && question < QUESTIONS; question += 1) {
    const last = fromBlock + RANGE - 1n;
    const toBlock = last < head ? last : head;
    const found = await client.getContractEvents({
      address,
      abi: CLUSTER_NODE_ABI,
      eventName: 'ValidatorDepositDataGeneration',
      fromBlock,
      toBlock,
      strict: true,
    });
    const own = found.find(({ args }) => sameRequest(args, asked));
    if (own) return own.transactionHash;
    fromBlock = toBlock + 1n;
  }
  return undefined;
}

/** Whether the same may be asked again without anybody's leave: it had no effect, for good. */
export function isWithoutEffect(outcome: RequestOutcome | undefined): boolean {
  return outcome?.kind === 'reverted';
}
