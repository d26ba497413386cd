import { BaseError, ContractFunctionRevertedError, decodeErrorResult, isHex, type Hex } from 'viem';
import { describeError } from '../wallet/errors';
import { ACCOUNTING, CS_MODULE, STETH, VETTED_GATE, WSTETH } from './abi';

/** What the contracts refuse with, in words that say what to do. */
const WORDS: Record<string, string> = {
  AccessDenied: 'This gate may not make node operators (any more). The service names an old one.',
  AlreadyConsumed: 'This address has used its place on the list already.',
  CannotAddKeys: 'This node operator cannot get keys this way.',
  EmptyKey: 'A key is empty.',
  InsufficientAllowance: 'Accounting may not take enough of this token. Approve it first.',
  InsufficientShares: 'There is not enough stETH in your wallet.',
  ERC20InsufficientAllowance: 'Accounting may not take enough of this token. Approve it first.',
  ERC20InsufficientBalance: 'There is not enough wstETH in your wallet.',
  InvalidAmount: 'The bond is too small: it has changed since it was read. Try again.',
  InvalidPermit: 'The token does not take this permission. Approve by a transaction instead.',
  InvalidProof: 'The proof does not fit the list of this gate.',
  KeysLimitExceeded: 'This node operator may not have so many keys.',
  NodeOperatorDoesNotExist: 'There is no such node operator.',
  ResumedExpected: 'CSM is paused and takes no keys now.',
  SenderIsNotEligible: 'The wallet that sends must be the one that the keys come from.',
  SenderIsNotManagerAddress: 'Only the manager of this node operator can add keys.',
};

const ERRORS = [...CS_MODULE, ...ACCOUNTING, ...VETTED_GATE, ...STETH, ...WSTETH].filter(
  (item) => item.type === 'error',
);

/** The name of a contract's error, from wherever an error of viem holds it. */
export function revertName(error: unknown): string | undefined {
  if (!(error instanceof BaseError)) return undefined;
  const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
  if (reverted instanceof ContractFunctionRevertedError && reverted.data) return reverted.data.errorName;
  let data: Hex | undefined;
  error.walk((cause) => {
    const held: unknown =
      typeof cause === 'object' && cause !== null && 'data' in cause ? cause.data : undefined;
    const inner: unknown = typeof held === 'object' && held !== null && 'data' in held ? held.data : held;
    if (isHex(inner) && inner.length >= 10) data = inner;
    return false;
  });
  if (data === undefined) return undefined;
  try {
    return decodeErrorResult({ abi: ERRORS, data }).errorName;
  } catch {
    return undefined;
  }
}

/** One sentence about why a transaction to CSM fails. */
export function describeRefusal(error: unknown): string {
  const name = revertName(error);
  if (name === undefined) return describeError(error);
  return WORDS[name] ?? `The contract refuses: ${name}.`;
}
