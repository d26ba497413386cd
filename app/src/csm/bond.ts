import { zeroAddress, type Address, type PublicClient } from 'viem';
import { ACCOUNTING, STETH } from './abi';
import type { CsmContracts } from './contracts';
import type { Token } from './queue/machine';

/** What a bond is computed for: a node operator that is there, or the curve of the gate that makes a new one. */
export type BondFor = { nodeOperatorId: bigint } | { curveId: bigint };

/** Transfers of stETH round: an allowance has to have this much more (Lido's documentation). Wei. */
export const ROUNDING = 10n;

/**
 * Bond that so many more keys need, in wei of the token, by Accounting itself: for a node operator that is there, less what it has in
 * excess. `blockNumber` makes several answers fit together.
 */
export function readBond(
  client: PublicClient,
  { accounting }: Pick<CsmContracts, 'accounting'>,
  of: BondFor,
  token: Token,
  keys: number,
  blockNumber?: bigint,
): Promise<bigint> {
  const count = BigInt(keys);
  const at = {
    address: accounting,
    abi: ACCOUNTING,
    ...(blockNumber === undefined ? {} : { blockNumber }),
  } as const;
  if ('nodeOperatorId' in of) {
    const functionName =
      token === 'wsteth' ? 'getRequiredBondForNextKeysWstETH' : 'getRequiredBondForNextKeys';
    return client.readContract({ ...at, functionName, args: [of.nodeOperatorId, count] });
  }
  const functionName = token === 'wsteth' ? 'getBondAmountByKeysCountWstETH' : 'getBondAmountByKeysCount';
  return client.readContract({ ...at, functionName, args: [count, of.curveId] });
}

/** Bonds of the first n keys, for every n, at one block. */
export async function readBonds(
  client: PublicClient,
  contracts: CsmContracts,
  of: BondFor,
  token: Token,
  counts: readonly number[],
): Promise<bigint[]> {
  const block = await client.getBlockNumber();
  return Promise.all(counts.map((count) => readBond(client, contracts, of, token, count, block)));
}

export interface Balance {
  /** Wei of the token that the account has. */
  amount: bigint;
  /** Wei that Accounting may take; undefined for ETH, which needs no leave. */
  allowance: bigint | undefined;
}

export function tokenAddress(contracts: CsmContracts, token: Token): Address {
  return token === 'steth' ? contracts.steth : token === 'wsteth' ? contracts.wsteth : zeroAddress;
}

export async function readBalance(
  client: PublicClient,
  contracts: CsmContracts,
  token: Token,
  account: Address,
): Promise<Balance> {
  if (token === 'eth') return { amount: await client.getBalance({ address: account }), allowance: undefined };
  const of = { address: tokenAddress(contracts, token), abi: STETH } as const;
  const [amount, allowance] = await Promise.all([
    client.readContract({ ...of, functionName: 'balanceOf', args: [account] }),
    client.readContract({ ...of, functionName: 'allowance', args: [account, contracts.accounting] }),
  ]);
  return { amount, allowance };
}
