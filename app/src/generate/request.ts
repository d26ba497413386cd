import type { Address, Hex, TypedDataDomain } from 'viem';
import type { Schemas } from '../api/client';
import type { AppConfig } from '../config/config';
import type { Order } from './validation';

export type Request = Schemas['Request'];

/** 32 ETH in gwei: the only amount. */
const DEPOSIT_GWEI = 32_000_000_000;
/** A ceremony must begin within this time, or it never will. */
const DEADLINE_S = 3_600;

export const REQUEST_TYPES = {
  DepositDataRequest: [
    { name: 'owner', type: 'address' },
    { name: 'clusterPublicKey', type: 'bytes' },
    { name: 'operatorIds', type: 'uint32[]' },
    { name: 'validatorCount', type: 'uint32' },
    { name: 'withdrawalAddress', type: 'address' },
    { name: 'amountGwei', type: 'uint64' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint64' },
  ],
} as const;

/** A number that this owner has not used: below 2^53, so that it survives JSON. */
function freshNonce(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high & 0x1fffff) * 2 ** 32 + low;
}

export function buildRequest(
  owner: Address,
  config: AppConfig,
  operatorIds: readonly number[],
  order: Order,
  nowMs: number,
): Request {
  if (!config.cluster_pubkey)
    throw new Error('This service has no gateway yet; requests have nowhere to go.');
  return {
    chain_id: config.chain_id,
    owner,
    cluster_pubkey: config.cluster_pubkey,
    operator_ids: [...operatorIds],
    validator_count: order.validatorCount,
    withdrawal_address: order.withdrawalAddress,
    amount_gwei: DEPOSIT_GWEI,
    nonce: freshNonce(),
    deadline: Math.floor(nowMs / 1000) + DEADLINE_S,
  };
}

/**
 * What the wallet shows and signs. It is built here and not asked of the service, which could otherwise have the owner sign another
 * withdrawal address than the one on the screen.
 */
export function requestTypedData(request: Request) {
  const domain: TypedDataDomain = { name: 'Cluster Node', version: '1', chainId: request.chain_id };
  return {
    domain,
    types: REQUEST_TYPES,
    primaryType: 'DepositDataRequest',
    message: {
      owner: request.owner as Address,
      clusterPublicKey: request.cluster_pubkey as Hex,
      operatorIds: request.operator_ids,
      validatorCount: request.validator_count,
      withdrawalAddress: request.withdrawal_address as Address,
      amountGwei: BigInt(request.amount_gwei),
      nonce: BigInt(request.nonce),
      deadline: BigInt(request.deadline),
    },
  } as const;
}
