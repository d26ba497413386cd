import { BaseError, ContractFunctionRevertedError } from 'viem';
import { describeError } from '../wallet/errors';

/** Codes of the Network contract and the registry behind it (`contracts/src/interfaces`). */
const CODES: Record<string, string> = {
  A0: 'The network has disabled this owner.',
  A1: 'One of these validators is registered already. Read the chain again.',
  A2: 'The token could not be taken from your wallet: allow it first.',
  B1: 'Only the owner of the validators can do this: use the wallet that they belong to.',
  B2: 'One of these validators is not registered.',
  B3: 'Your wallet’s contract does not accept the refund.',
  C1: 'The amount pays for fewer blocks than the network’s minimum.',
  D0: 'The amount is not the fee, or your wallet has too little.',
  D1: 'An amount is zero, or a key is not one.',
  D2: 'The shares do not fit the committee.',
  E1: 'One of these validators is registered already, maybe by somebody else.',
  E2: 'An owner of operators cannot own validators, and your wallet owns one.',
  E3: 'An operator is in the committee twice.',
  E4: 'An operator of the committee is not active any more.',
  E5: 'An operator of the committee has as many validators as it may have.',
};

const ERRORS: Record<string, string> = {
  WrongFee: 'The fee has changed. Read the chain again.',
  ClusterNodeNotActive:
    'The cluster node of this service is not active in the contract; its operator has to register it.',
  ClusterNodeExists: 'Somebody has registered this cluster node already. Read the chain again.',
  OwnerPublicKeyMismatch: 'The public key is not that of your account: sign the sentence again.',
  InvalidCommittee: 'The contract takes 4, 7, 10 or 13 operators.',
  OperatorNotActive: 'An operator of the committee is not active any more. Choose another one.',
  NotValidatorOwner: 'One of these validators is not registered as yours.',
  OwnerDisabled: 'The network has disabled this owner.',
  PaidTooLong: 'The longest period is ten years.',
  ZeroFeeRecipient: 'The address must not be zero.',
  FeeNotReceived: 'The token arrived in part; fees cannot be paid with it.',
};

/** One sentence about why a contract's call fails. */
export function describeCall(error: unknown): string {
  if (error instanceof BaseError) {
    const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    if (reverted instanceof ContractFunctionRevertedError) {
      const name = reverted.data?.errorName;
      const code = reverted.reason ?? '';
      const known = CODES[code] ?? (name === undefined ? undefined : ERRORS[name]);
      if (known !== undefined) return known;
      if (code !== '') return `The contract refuses: ${code}.`;
      if (name !== undefined && name !== 'Error') return `The contract refuses: ${name}.`;
    }
    if (error.walk((cause) => (cause as Error).name === 'InsufficientFundsError')) {
      return 'Your wallet has too little for the amount and the gas.';
    }
  }
  return describeError(error);
}
