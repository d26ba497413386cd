import { isHex, size, type Hex } from 'viem';
import type { Schemas } from '../api/client';

/** What the contract takes of one validator: public and sealed shares, in the order of the committee. */
export interface ValidatorShares {
  pubkey: Hex;
  operatorIds: readonly number[];
  publicShares: readonly Hex[];
  sealedShares: readonly Hex[];
}

/** Bytes of a key, of a share's public key and of a sealed share. */
const KEY_BYTES = 48;
const SEALED_BYTES = 93;

function bytes(value: unknown, length: number): Hex {
  if (typeof value !== 'string' || !isHex(value) || size(value) !== length) {
    throw new Error(`The certificate has something else where ${length} bytes belong.`);
  }
  return value;
}

/**
 * Every validator's shares out of a certificate that was verified: what is registered on chain is then what operators signed for. An
 * error says what is missing.
 */
export function sharesOf(certificateText: string): ValidatorShares[] {
  const certificate = JSON.parse(certificateText) as Schemas['Certificate'];
  const { committee, validators } = certificate.transcript;
  const operatorIds = committee.map(({ operator_id }) => operator_id);
  const envelopes = operatorIds.map((id) => {
    const attestation = certificate.attestations.find((one) => one.operator_id === id);
    if (!attestation) throw new Error(`Operator ${id} has not confirmed its shares.`);
    return attestation.envelopes;
  });
  return validators.map((validator, at) => {
    if (validator.share_pubkeys.length !== operatorIds.length) {
      throw new Error('The certificate has shares of another committee.');
    }
    return {
      pubkey: bytes(validator.pubkey, KEY_BYTES),
      operatorIds,
      publicShares: validator.share_pubkeys.map((key) => bytes(key, KEY_BYTES)),
      sealedShares: envelopes.map((of) => bytes(of[at], SEALED_BYTES)),
    };
  });
}
