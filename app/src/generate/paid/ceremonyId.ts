import {
  concatBytes,
  hexToBytes,
  numberToBytes,
  parseEventLogs,
  sha256,
  stringToBytes,
  type Address,
  type Hash,
  type TransactionReceipt,
} from 'viem';
import { CLUSTER_NODE_ABI } from '../../network/abi';
import { sameAddress } from '../../session/session';
import { sameRequest, type Asked } from './asked';

/** An event of a contract, in whatever block its transaction is (`EventId` of protocol/core). */
export interface EventId {
  chainId: number;
  contract: Address;
  transactionHash: Hash;
  /** Position among the logs of this contract in this transaction. */
  logIndex: number;
}

const TAG = 'cluster-node/ceremony-of-event/1';

/** A byte string of a tagged hash: its type, its length in 8 bytes, and itself. */
function field(bytes: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(2), numberToBytes(bytes.length, { size: 8 }), bytes]);
}

const littleEndian = (value: number, size: number) => numberToBytes(value, { size }).reverse();

/** The ceremony that an event asks for: operators, gateway and service derive the same id. */
export function ceremonyOfEvent({ chainId, contract, transactionHash, logIndex }: EventId): Hash {
  const event = concatBytes([
    littleEndian(chainId, 8),
    hexToBytes(contract),
    hexToBytes(transactionHash),
    littleEndian(logIndex, 4),
  ]);
  return sha256(concatBytes([field(stringToBytes(TAG)), field(event)]));
}

type Receipt = Pick<TransactionReceipt, 'logs' | 'transactionHash' | 'status'>;

/** The ceremony that a transaction asked for; undefined when what was asked is not in it. */
export function ceremonyInReceipt(
  receipt: Receipt,
  chainId: number,
  contract: Address,
  asked: Asked,
): Hash | undefined {
  if (receipt.status !== 'success') return undefined;
  const own = receipt.logs.filter((log) => sameAddress(log.address, contract));
  const logIndex = own.findIndex((log) =>
    parseEventLogs({
      abi: CLUSTER_NODE_ABI,
      logs: [log],
      eventName: 'ValidatorDepositDataGeneration',
    }).some(({ args }) => sameRequest(args, asked)),
  );
  if (logIndex < 0) return undefined;
  return ceremonyOfEvent({ chainId, contract, transactionHash: receipt.transactionHash, logIndex });
}
