import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import type { AppConfig } from '../config/config';
import { rememberedRequest } from '../generate/remembered';
import type { Expected } from './types';

/**
 * What the owner expects of a ceremony. What this browser remembers of the request comes first; the service's own words serve where it
 * remembers nothing, for example on another computer. Either way the certificate carries the owner's signature over all of it.
 */
export function expectedOf(
  ceremony: Ceremony,
  operators: readonly Operator[],
  config: AppConfig,
  owner: string,
): { expected: Expected; remembered: boolean } {
  const held = rememberedRequest(ceremony.ceremony_id);
  const registered = ceremony.operator_ids.flatMap((id) => {
    const operator = operators.find((one) => one.operator_id === id);
    return operator ? [{ operator_id: id, public_key: operator.public_key }] : [];
  });
  return {
    remembered: held !== undefined,
    expected: {
      chain_id: config.chain_id,
      owner,
      ceremony_id: ceremony.ceremony_id,
      withdrawal_address: held?.withdrawal_address ?? ceremony.withdrawal_address,
      validator_count: held?.validator_count ?? ceremony.validator_count,
      operators: held?.operators ?? registered,
      known_pubkeys: [],
    },
  };
}
