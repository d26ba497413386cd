import { type Address, type Hex, type PublicClient } from 'viem';
import { ACCOUNTING, CS_MODULE, PARAMETERS_REGISTRY } from './abi';
import type { CsmContracts } from './contracts';
import type { CurveInterval } from './plan';

export interface NodeOperator {
  id: bigint;
  manager: Address;
  reward: Address;
  extended: boolean;
  totalKeys: number;
  withdrawnKeys: number;
  depositedKeys: number;
  vettedKeys: number;
  curveId: bigint;
  curve: readonly CurveInterval[];
  /** Wei of bond that is there, and that its keys need. */
  bond: bigint;
  required: bigint;
  /** Most keys that are not withdrawn. */
  keysLimit: bigint;
}

/** One node operator, as the chain has it. */
export async function readNodeOperator(
  client: PublicClient,
  contracts: CsmContracts,
  id: bigint,
): Promise<NodeOperator> {
  const books = { address: contracts.accounting, abi: ACCOUNTING } as const;
  const [operator, curveId, [bond, required]] = await Promise.all([
    client.readContract({
      address: contracts.module,
      abi: CS_MODULE,
      functionName: 'getNodeOperator',
      args: [id],
    }),
    client.readContract({ ...books, functionName: 'getBondCurveId', args: [id] }),
    client.readContract({ ...books, functionName: 'getBondSummary', args: [id] }),
  ]);
  const [{ intervals }, keysLimit] = await Promise.all([
    client.readContract({ ...books, functionName: 'getCurveInfo', args: [curveId] }),
    client.readContract({
      address: contracts.parameters,
      abi: PARAMETERS_REGISTRY,
      functionName: 'getKeysLimit',
      args: [curveId],
    }),
  ]);
  return {
    id,
    manager: operator.managerAddress,
    reward: operator.rewardAddress,
    extended: operator.extendedManagerPermissions,
    totalKeys: operator.totalAddedKeys,
    withdrawnKeys: operator.totalWithdrawnKeys,
    depositedKeys: operator.totalDepositedKeys,
    vettedKeys: operator.totalVettedKeys,
    curveId,
    curve: intervals,
    bond,
    required,
    keysLimit,
  };
}

/** Keys that are read at a time: a call of some three million gas. */
const KEYS_AT_ONCE = 250;
const KEY_DIGITS = 96;

/** Every key of a node operator at a block, in small letters. */
export async function readKeys(
  client: PublicClient,
  { module }: CsmContracts,
  id: bigint,
  blockNumber: bigint,
): Promise<Set<Hex>> {
  const of = { address: module, abi: CS_MODULE, blockNumber } as const;
  const { totalAddedKeys } = await client.readContract({
    ...of,
    functionName: 'getNodeOperator',
    args: [id],
  });
  const keys = new Set<Hex>();
  for (let from = 0; from < totalAddedKeys; from += KEYS_AT_ONCE) {
    const count = Math.min(KEYS_AT_ONCE, totalAddedKeys - from);
    const bytes = await client.readContract({
      ...of,
      functionName: 'getSigningKeys',
      args: [id, BigInt(from), BigInt(count)],
    });
    const digits = bytes.slice(2).toLowerCase();
    for (let at = 0; at < digits.length; at += KEY_DIGITS) keys.add(`0x${digits.slice(at, at + KEY_DIGITS)}`);
  }
  return keys;
}
