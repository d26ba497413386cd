import { concat, encodeFunctionData, size, zeroAddress, type Address, type Hex } from 'viem';
import { CS_MODULE, PERMISSIONLESS_GATE, VETTED_GATE } from './abi';
import type { CsmContracts } from './contracts';
import type { Target, Token } from './queue/machine';

/** A key with the signature of its deposit, as they were verified. */
export interface SignedKey {
  pubkey: Hex;
  signature: Hex;
}

/** EIP-2612; all zero means the allowance that is there. */
export interface Permit {
  value: bigint;
  deadline: bigint;
  v: number;
  r: Hex;
  s: Hex;
}

const NO_HASH: Hex = `0x${'00'.repeat(32)}`;
export const NO_PERMIT: Permit = { value: 0n, deadline: 0n, v: 0, r: NO_HASH, s: NO_HASH };

export interface Call {
  to: Address;
  data: Hex;
  value: bigint;
}

/** The call that brings keys to a node operator, or makes one with them. `bond` is in wei of the token. */
export function keysCall(
  contracts: CsmContracts,
  account: Address,
  target: Exclude<Target, { kind: 'made' }>,
  token: Token,
  keys: readonly SignedKey[],
  bond: bigint,
  permit: Permit = NO_PERMIT,
): Call {
  if (keys.some(({ pubkey, signature }) => size(pubkey) !== 48 || size(signature) !== 96))
    throw new Error('A key has 48 bytes and its signature 96.');
  const parts = [
    BigInt(keys.length),
    concat(keys.map((key) => key.pubkey)),
    concat(keys.map((key) => key.signature)),
  ] as const;
  const value = token === 'eth' ? bond : 0n;
  if (target.kind === 'existing') {
    const id = BigInt(target.nodeOperatorId);
    return { to: contracts.module, data: addKeys(account, id, token, parts, permit), value };
  }
  const gate = contracts.gates.find((one) => one.kind === target.gate);
  if (!gate) throw new Error('This gate is not on this network.');
  return { to: gate.address, data: enter(target, token, parts, permit), value };
}

type Parts = readonly [count: bigint, publicKeys: Hex, signatures: Hex];

function addKeys(account: Address, id: bigint, token: Token, parts: Parts, permit: Permit): Hex {
  const abi = CS_MODULE;
  switch (token) {
    case 'eth':
      return encodeFunctionData({
        abi,
        functionName: 'addValidatorKeysETH',
        args: [account, id, ...parts],
      });
    case 'steth':
      return encodeFunctionData({
        abi,
        functionName: 'addValidatorKeysStETH',
        args: [account, id, ...parts, permit],
      });
    case 'wsteth':
      return encodeFunctionData({
        abi,
        functionName: 'addValidatorKeysWstETH',
        args: [account, id, ...parts, permit],
      });
  }
}

function enter(
  { gate, manager, reward, extended, referrer, proof }: Extract<Target, { kind: 'new' }>,
  token: Token,
  parts: Parts,
  permit: Permit,
): Hex {
  const management = {
    managerAddress: manager,
    rewardAddress: reward,
    extendedManagerPermissions: extended,
  };
  if (gate === 'permissionless') {
    const abi = PERMISSIONLESS_GATE;
    return token === 'eth'
      ? encodeFunctionData({
          abi,
          functionName: 'addNodeOperatorETH',
          args: [...parts, management, referrer],
        })
      : encodeFunctionData({
          abi,
          functionName: token === 'steth' ? 'addNodeOperatorStETH' : 'addNodeOperatorWstETH',
          args: [...parts, management, permit, referrer],
        });
  }
  const abi = VETTED_GATE;
  return token === 'eth'
    ? encodeFunctionData({
        abi,
        functionName: 'addNodeOperatorETH',
        args: [...parts, management, [...proof], referrer],
      })
    : encodeFunctionData({
        abi,
        functionName: token === 'steth' ? 'addNodeOperatorStETH' : 'addNodeOperatorWstETH',
        args: [...parts, management, permit, [...proof], referrer],
      });
}

export const NOBODY = zeroAddress;
