import type { Schemas } from '../api/client';
import type { AppConfig } from '../config/config';
import type { Operator } from '../api/operators';
import type { VerifyTask } from '../verify/types';
import type { SubmittedKey } from './csm';

/** Larger than any file of a ceremony: 1,000 validators of 13 operators take some 4 MB. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface Chosen {
  certificate?: string;
  depositData?: string;
}

/** Sorts files by what is in them, not by their names. */
export async function readFiles(files: readonly File[], before: Chosen): Promise<Chosen> {
  const chosen = { ...before };
  for (const file of files) {
    if (file.size > MAX_BYTES) throw new Error(`${file.name} is larger than any file of a ceremony.`);
    const text = await file.text();
    let content: unknown;
    try {
      content = JSON.parse(text);
    } catch {
      throw new Error(`${file.name} is not JSON.`);
    }
    if (Array.isArray(content)) chosen.depositData = text;
    else if (typeof content === 'object' && content !== null && 'transcript' in content)
      chosen.certificate = text;
    else throw new Error(`${file.name} is neither a certificate nor deposit data.`);
  }
  return chosen;
}

/** The parts of a certificate that are looked at before it is verified. */
type Certificate = Pick<Schemas['Certificate'], 'ceremony_id' | 'transcript'>;

/**
 * What to verify: the certificate against the registered keys of its operators, on the network of the service. Whose ceremony it is, the
 * reader has to know: the page shows it.
 */
export function taskOf(
  chosen: Required<Chosen>,
  operators: readonly Operator[],
  config: AppConfig,
): VerifyTask | undefined {
  const request = requestOf(chosen.certificate);
  if (!request) return undefined;
  const ids = request.operator_ids;
  return {
    certificate: chosen.certificate,
    depositData: chosen.depositData,
    expected: {
      chain_id: config.chain_id,
      owner: request.owner,
      ceremony_id: (JSON.parse(chosen.certificate) as Certificate).ceremony_id,
      withdrawal_address: request.withdrawal_address,
      validator_count: request.validator_count,
      operators: operators
        .filter((one) => ids.includes(one.operator_id))
        .map(({ operator_id, public_key }) => ({ operator_id, public_key })),
      known_pubkeys: [],
    },
  };
}

/** The owner's request in a certificate; undefined when the file has another shape. */
export function requestOf(certificate: string): Schemas['Request'] | undefined {
  try {
    const { request } = (JSON.parse(certificate) as Certificate).transcript.request;
    const whole =
      typeof request.owner === 'string' &&
      Array.isArray(request.operator_ids) &&
      typeof request.withdrawal_address === 'string';
    return whole ? request : undefined;
  } catch {
    return undefined;
  }
}

/** Keys and deposit signatures of a certificate that was verified. */
export function keysOf(certificate: string): SubmittedKey[] {
  const { validators } = (JSON.parse(certificate) as Certificate).transcript;
  return validators.map(({ pubkey, deposit_signature }) => ({
    pubkey: pubkey as SubmittedKey['pubkey'],
    signature: deposit_signature as SubmittedKey['signature'],
  }));
}
