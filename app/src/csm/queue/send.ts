import { encodeFunctionData, type Address, type Hex, type PublicClient, type TypedDataDomain } from 'viem';
import { sameAddress } from '../../session/session';
import { isRejection } from '../../wallet/errors';
import { CS_MODULE, STETH } from '../abi';
import { readBalance, readBond, ROUNDING, tokenAddress, type BondFor } from '../bond';
import { keysCall, NO_PERMIT, type Call, type Permit } from '../call';
import { checkBeforeSending, maySend, type Check } from '../checks';
import type { CsmContracts } from '../contracts';
import { readKeys, readNodeOperator } from '../operators';
import { permitData, permitOf } from '../permit';
import { gasLimit } from '../plan';
import type { VerifiedKey } from '../verified';
import { describeRefusal } from '../words';
import type { Sources } from './evidence';
import { nodeOperatorOf, type Batch, type Journal, type QueueEvent, type Target } from './machine';

/** How Accounting gets leave to take a token. */
export type Leave = 'permit' | 'approve';

export interface TransactionRequest extends Call {
  gas: bigint;
}

/** What sending needs besides the chain. */
export interface Sender extends Sources {
  /** Asks the wallet; gives the hash of the transaction. */
  send: (request: TransactionRequest) => Promise<Hex>;
  signTypedData: (data: SignableData) => Promise<Hex>;
  /** Writes an event down; resolves when it is on the disk. */
  record: (event: QueueEvent) => Promise<Journal>;
  validators: Parameters<typeof checkBeforeSending>[0]['validators'];
  now: () => number;
  /** Tells what is being done. */
  tell: (step: Step) => void;
}

export interface SignableData {
  domain: TypedDataDomain;
  types: Record<string, readonly { name: string; type: string }[]>;
  primaryType: string;
  message: Record<string, unknown>;
}

export type Step = 'checking' | 'permitting' | 'approving' | 'simulating' | 'confirming';

/** Nothing was sent, and this is why. */
export class NotSent extends Error {
  override readonly name = 'NotSent';

  constructor(
    message: string,
    readonly checks: readonly Check[] = [],
  ) {
    super(message);
  }
}

/** The target with the number of a node operator that an earlier batch made. */
function targetOf(journal: Journal, batch: Batch): Exclude<Target, { kind: 'made' }> {
  if (batch.target.kind !== 'made') return batch.target;
  const id = nodeOperatorOf(journal, batch);
  if (id === undefined) throw new NotSent('The node operator for this batch is not made yet.');
  return { kind: 'existing', nodeOperatorId: id };
}

/**
 * Sends one batch: checks everything anew, reads the bond, gets leave for the token, tries the call without sending it, writes the intention
 * down, asks the wallet. Gives the hash; throws `NotSent`, or what the wallet said.
 */
export async function sendBatch(
  sender: Sender,
  journal: Journal,
  batch: Batch,
  keys: readonly VerifiedKey[],
  leave: Leave,
): Promise<Hex> {
  const { client, contracts, account } = sender;
  const target = targetOf(journal, batch);
  sender.tell('checking');
  const chosen = keysOf(batch, keys);
  const checks = await readChecks(sender, target, chosen);
  if (!maySend(checks)) throw new NotSent('A check before sending does not hold. Nothing was sent.', checks);
  const bond = await readBond(client, contracts, bondFor(contracts, target), batch.token, chosen.length);
  const permit = await getLeave(sender, batch, bond, leave);
  sender.tell('simulating');
  const call = keysCall(contracts, account, target, batch.token, chosen, bond, permit);
  const gas = await tryCall(client, account, call);
  const [nonce, block] = await Promise.all([
    client.getTransactionCount({ address: account, blockTag: 'pending' }),
    client.getBlockNumber({ cacheTime: 0 }),
  ]);
  await sender.record({ type: 'ask', id: batch.id, nonce, block: Number(block), at: sender.now() });
  sender.tell('confirming');
  let hash: Hex;
  try {
    hash = await sender.send({ ...call, gas });
  } catch (error) {
    // Anything else leaves it open whether it was sent; the chain will say.
    if (isRejection(error) || error instanceof NotSent)
      await sender.record({ type: 'declined', id: batch.id });
    throw error;
  }
  await sender.record({ type: 'sent', id: batch.id, hash });
  await noteNonce(sender, batch.id, hash);
  return hash;
}

/** The verified keys of a batch, in its order. */
function keysOf(batch: Batch, keys: readonly VerifiedKey[]): VerifiedKey[] {
  const known = new Map(keys.map((key) => [key.pubkey.toLowerCase(), key]));
  return batch.keys.map(({ pubkey, ceremonyId }) => {
    const key = known.get(pubkey.toLowerCase());
    if (key?.ceremonyId !== ceremonyId)
      throw new NotSent(`The deposit data of ${pubkey.slice(0, 12)}… are not verified in this browser.`);
    return key;
  });
}

/** Everything that is checked, read anew. */
export async function readChecks(
  { client, contracts, account, duplicates, validators }: Pick<Sender, keyof Sources | 'validators'>,
  target: Exclude<Target, { kind: 'made' }>,
  keys: readonly VerifiedKey[],
): Promise<Check[]> {
  const id = target.kind === 'existing' ? BigInt(target.nodeOperatorId) : undefined;
  const head = await client.getBlockNumber({ cacheTime: 0 });
  const [paused, nodeOperator, held] = await Promise.all([
    client.readContract({ address: contracts.module, abi: CS_MODULE, functionName: 'isPaused' }),
    id === undefined
      ? undefined
      : Promise.all([readNodeOperator(client, contracts, id), readKeys(client, contracts, id, head)]).then(
          ([state, known]) => ({ state, keys: known }),
        ),
    duplicates(keys.map((key) => key.pubkey)),
  ]);
  return checkBeforeSending({ account, contracts, paused, keys, nodeOperator, duplicates: held, validators });
}

export function bondFor(contracts: CsmContracts, target: Exclude<Target, { kind: 'made' }>): BondFor {
  if (target.kind === 'existing') return { nodeOperatorId: BigInt(target.nodeOperatorId) };
  const gate = contracts.gates.find((one) => one.kind === target.gate);
  if (!gate) throw new NotSent('This gate is not on this network.');
  return { curveId: gate.curveId };
}

/** Makes sure that the account has the bond, and that Accounting may take it. */
async function getLeave(sender: Sender, batch: Batch, bond: bigint, leave: Leave): Promise<Permit> {
  const { client, contracts, account } = sender;
  const balance = await readBalance(client, contracts, batch.token, account);
  if (balance.amount < bond) throw new NotSent('Your wallet has less than the bond. Nothing was sent.');
  if (batch.token === 'eth' || bond === 0n) return NO_PERMIT;
  const wanted = bond + ROUNDING;
  if ((balance.allowance ?? 0n) >= wanted) return NO_PERMIT;
  if (leave === 'permit') {
    sender.tell('permitting');
    const token = tokenAddress(contracts, batch.token);
    const data = await permitData(client, token, account, contracts.accounting, wanted);
    if (!data)
      throw new NotSent('This token takes no signed permission. Choose to approve by a transaction.');
    return permitOf(data, await sender.signTypedData(data));
  }
  await approve(sender, batch, wanted);
  return NO_PERMIT;
}

/** Approval by a transaction of its own. It carries no key, and twice it does no harm. */
async function approve({ client, contracts, account, send, tell }: Sender, batch: Batch, wanted: bigint) {
  tell('approving');
  const call: Call = {
    to: tokenAddress(contracts, batch.token),
    data: encodeFunctionData({ abi: STETH, functionName: 'approve', args: [contracts.accounting, wanted] }),
    value: 0n,
  };
  const hash = await send({ ...call, gas: await tryCall(client, account, call) });
  const receipt = await client.waitForTransactionReceipt({ hash });
  if (receipt.status !== 'success') throw new NotSent('The approval failed on the chain. No key was sent.');
}

/** Runs a call without sending it; gives the limit of gas to send it with. */
async function tryCall(client: PublicClient, account: Address, call: Call): Promise<bigint> {
  let estimated: bigint;
  try {
    estimated = await client.estimateGas({ account, ...call });
  } catch (error) {
    throw new NotSent(describeRefusal(error));
  }
  const limit = gasLimit(estimated);
  if (limit === undefined)
    throw new NotSent('So many keys take more gas than one transaction may. Make smaller batches.');
  return limit;
}

/**
 * Looks the transaction up for its number: by it is told later whether another one took its place. Whoever sends for a contract wallet
 * has numbers of its own, which say nothing about those of the account.
 */
export async function noteNonce(
  { client, record, account }: Pick<Sender, 'client' | 'record' | 'account'>,
  id: string,
  hash: Hex,
): Promise<void> {
  try {
    const { nonce, from } = await client.getTransaction({ hash });
    if (sameAddress(from, account)) await record({ type: 'sent', id, hash, nonce });
  } catch {
    // Not every node shows what waits; it is looked up again with the evidence.
  }
}
