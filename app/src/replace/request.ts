import type { Address, Hex } from 'viem';
import type { Schemas } from '../api/client';
import type { AppConfig } from '../config/config';
import { buildRequest, REQUEST_TYPES, requestTypedData, type Request } from '../generate/request';

/** What a reshare takes over, out of a verified certificate. Mirrors `Takeover` in `app/wasm/src/reshare.rs`. */
export interface Takeover {
  reshare: Schemas['Reshare'];
  cluster_pubkey: string;
  operator_ids: readonly number[];
  validator_count: number;
  withdrawal_address: string;
  amount_gwei: number;
  pubkeys: readonly string[];
}

export type ReshareRequest = Request & { reshare: Schemas['Reshare'] };

/** `ReshareRequest` of `protocol/core/src/eip712.rs`: the fields of an ordinary request, and what it takes over. */
export const RESHARE_TYPES = {
  ReshareRequest: [
    ...REQUEST_TYPES.DepositDataRequest,
    { name: 'previousCeremony', type: 'bytes32' },
    { name: 'previousOperatorIds', type: 'uint32[]' },
    { name: 'previousShareKeys', type: 'bytes32[]' },
    { name: 'validators', type: 'bytes32' },
  ],
} as const;

/** A request with the terms of the ceremony that it takes over, to the gateway of today. */
export function buildReshare(
  owner: Address,
  config: AppConfig,
  operatorIds: readonly number[],
  takeover: Takeover,
  nowMs: number,
): ReshareRequest {
  const order = {
    validatorCount: takeover.validator_count,
    withdrawalAddress: takeover.withdrawal_address as Address,
  };
  return {
    ...buildRequest(owner, config, operatorIds, order, nowMs),
    amount_gwei: takeover.amount_gwei,
    reshare: takeover.reshare,
  };
}

/** What the wallet shows and signs. */
export function reshareTypedData(request: ReshareRequest) {
  const { domain, message } = requestTypedData(request);
  const { previous, operator_ids, share_keys, validators } = request.reshare;
  return {
    domain,
    types: RESHARE_TYPES,
    primaryType: 'ReshareRequest',
    message: {
      ...message,
      previousCeremony: previous as Hex,
      previousOperatorIds: operator_ids,
      previousShareKeys: share_keys as Hex[],
      validators: validators as Hex,
    },
  } as const;
}
