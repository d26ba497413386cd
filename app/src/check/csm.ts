import { decodeFunctionData, parseAbi, type Hex } from 'viem';

/** Every call of Lido's Community Staking Module and of its gates that brings keys. */
export const KEY_CALLS = parseAbi([
  'struct Management { address managerAddress; address rewardAddress; bool extendedManagerPermissions; }',
  'struct Permit { uint256 value; uint256 deadline; uint8 v; bytes32 r; bytes32 s; }',
  'function addValidatorKeysETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures) payable',
  'function addValidatorKeysStETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures, Permit permit)',
  'function addValidatorKeysWstETH(address from, uint256 nodeOperatorId, uint256 keysCount, bytes publicKeys, bytes signatures, Permit permit)',
  'function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, address referrer) payable returns (uint256)',
  'function addNodeOperatorStETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, Permit permit, address referrer) returns (uint256)',
  'function addNodeOperatorWstETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, Permit permit, address referrer) returns (uint256)',
  'function addNodeOperatorETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, bytes32[] proof, address referrer) payable returns (uint256)',
  'function addNodeOperatorStETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, Permit permit, bytes32[] proof, address referrer) returns (uint256)',
  'function addNodeOperatorWstETH(uint256 keysCount, bytes publicKeys, bytes signatures, Management management, Permit permit, bytes32[] proof, address referrer) returns (uint256)',
]);

/** Bytes of a key and of a deposit signature. */
const KEY_BYTES = 48;
const SIGNATURE_BYTES = 96;

export interface SubmittedKey {
  pubkey: Hex;
  signature: Hex;
}

export interface KeyCall {
  /** Name of the function. */
  name: string;
  /** The node operator that the keys are for; none when the call makes a new one. */
  nodeOperatorId: bigint | undefined;
  /** Manager and reward address of a new node operator; the zero address stands for whoever sends. */
  management: { managerAddress: Hex; rewardAddress: Hex; extendedManagerPermissions: boolean } | undefined;
  keys: readonly SubmittedKey[];
}

/** Reads the keys out of a transaction's data; an error says why it holds none. */
export function decodeKeyCall(data: Hex): KeyCall {
  let call: ReturnType<typeof decodeFunctionData<typeof KEY_CALLS>>;
  try {
    call = decodeFunctionData({ abi: KEY_CALLS, data });
  } catch {
    throw new Error('This is no call that brings keys to Lido’s Community Staking Module.');
  }
  const { functionName: name, args } = call;
  const adds = name.startsWith('addValidatorKeys');
  const [count, publicKeys, signatures] = (adds ? args.slice(2, 5) : args.slice(0, 3)) as [bigint, Hex, Hex];
  const keys = cut(publicKeys, KEY_BYTES);
  const signed = cut(signatures, SIGNATURE_BYTES);
  if (keys.length === 0 || BigInt(keys.length) !== count || signed.length !== keys.length) {
    throw new Error(
      `The call names ${count} keys and carries ${keys.length} keys and ${signed.length} signatures.`,
    );
  }
  return {
    name,
    nodeOperatorId: adds ? (args[1] as bigint) : undefined,
    management: adds ? undefined : (args[3] as KeyCall['management']),
    keys: keys.map((pubkey, at) => ({ pubkey, signature: signed[at] ?? '0x' })),
  };
}

/** Pieces of equal length; none when the length does not fit. */
function cut(bytes: Hex, length: number): Hex[] {
  const digits = bytes.slice(2).toLowerCase();
  if (digits.length % (length * 2) !== 0) return [];
  return Array.from(
    { length: digits.length / (length * 2) },
    (_, at): Hex => `0x${digits.slice(at * length * 2, (at + 1) * length * 2)}`,
  );
}
