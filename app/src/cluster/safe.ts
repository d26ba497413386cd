import { encodeFunctionData, parseAbi, zeroAddress, type Address, type Hex } from 'viem';
import { KEY_CALLS, type SubmittedKey } from '../check/csm';

/** Keys in one transaction: six million gas, which leaves a Safe room. */
export const KEYS_PER_TRANSACTION = 50;

/** What is asked of Lido's Accounting. A test holds it against `contracts/abi`. */
export const BOND_ABI = parseAbi([
  'function getBondAmountByKeysCount(uint256 keys, uint256 curveId) view returns (uint256)',
  'function getRequiredBondForNextKeys(uint256 nodeOperatorId, uint256 additionalKeys) view returns (uint256)',
]);

/** Where the keys go. */
export type Target =
  /** A new node operator; the id is known when the transaction is done. */
  | { kind: 'new'; gate: Address; manager: Address; reward: Address; extended: boolean }
  | { kind: 'existing'; module: Address; nodeOperatorId: bigint };

export interface SafeTransaction {
  to: Address;
  /** Wei. */
  value: bigint;
  data: Hex;
}

function joined(keys: readonly SubmittedKey[], field: keyof SubmittedKey): Hex {
  return `0x${keys.map((key) => key[field].slice(2)).join('')}`;
}

/** The call that brings keys, with the bond in ETH. `sender` is the Safe. */
export function keyTransaction(
  target: Target,
  sender: Address,
  keys: readonly SubmittedKey[],
  bond: bigint,
): SafeTransaction {
  const [publicKeys, signatures] = [joined(keys, 'pubkey'), joined(keys, 'signature')];
  const count = BigInt(keys.length);
  if (target.kind === 'existing') {
    const data = encodeFunctionData({
      abi: KEY_CALLS,
      functionName: 'addValidatorKeysETH',
      args: [sender, target.nodeOperatorId, count, publicKeys, signatures],
    });
    return { to: target.module, value: bond, data };
  }
  const management = {
    managerAddress: target.manager,
    rewardAddress: target.reward,
    extendedManagerPermissions: target.extended,
  };
  const data = encodeFunctionData({
    abi: KEY_CALLS,
    functionName: 'addNodeOperatorETH',
    args: [count, publicKeys, signatures, management, zeroAddress],
  });
  return { to: target.gate, value: bond, data };
}

/** The file that Safe's Transaction Builder loads. */
export function safeBatch(
  chainId: number,
  safe: Address,
  name: string,
  transactions: readonly SafeTransaction[],
  createdAtMs: number,
): string {
  const file = {
    version: '1.0',
    chainId: String(chainId),
    createdAt: createdAtMs,
    meta: {
      name,
      description: '',
      txBuilderVersion: '1.16.5',
      createdFromSafeAddress: safe,
      createdFromOwnerAddress: '',
    },
    transactions: transactions.map(({ to, value, data }) => ({
      to,
      value: value.toString(),
      data,
      contractMethod: null,
      contractInputsValues: null,
    })),
  };
  return JSON.stringify(file, undefined, 2);
}
