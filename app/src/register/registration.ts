import type { Address } from 'viem';
import { NETWORK_ABI } from '../network/abi';
import type { Batch } from '../network/batches';
import type { ValidatorShares } from '../network/shares';

/** The call that registers a batch, every validator with its own shares and its own amount. */
export function registration(
  network: Address,
  owner: Address,
  { validators, operatorIds }: Batch<ValidatorShares>,
  each: bigint,
  native: boolean,
) {
  return {
    address: network,
    abi: NETWORK_ABI,
    functionName: 'batchRegisterValidator',
    args: [
      owner,
      validators.map(({ pubkey }) => pubkey),
      operatorIds,
      validators.map(({ publicShares }) => publicShares),
      validators.map(({ sealedShares }) => sealedShares),
      validators.length,
      each,
    ],
    ...(native ? { value: each * BigInt(validators.length) } : {}),
  };
}
