// A real reshare (`fixtures/reshare`), and the verifier of the page on a thread that is none.
import { readFileSync } from 'node:fs';
import { vi } from 'vitest';
import type { Address, Hex } from 'viem';
import type { Ceremony } from '../../src/api/ceremonies';
import type { Validator } from '../../src/api/validators';
import type { ReshareAnswer, ReshareTask } from '../../src/replace/verifier';
import { initSync } from '../../src/verify/wasm/verify';
import { operator } from '../support';

interface Certificate {
  ceremony_id: Hex;
  transcript: {
    request: { request: { owner: Address; withdrawal_address: string; reshare?: Record<string, unknown> } };
    committee: { operator_id: number; public_key: string }[];
    validators: { pubkey: Hex }[];
  };
}

const read = (name: string) => {
  const text = readFileSync(`fixtures/reshare/${name}.json`, 'utf8');
  return { text, ...(JSON.parse(text) as Certificate) };
};

/** The ceremony that made the keys, by operators 101 to 104. */
export const PREVIOUS = read('previous');
/** Operator 105 takes the place of 104. */
export const RESHARE = read('certificate');
export const { owner: FIXTURE_OWNER } = RESHARE.transcript.request.request;
export const PUBKEYS = RESHARE.transcript.validators.map(({ pubkey }) => pubkey);

/** Operators 101 to 105, with their own keys. */
export const OPERATORS = [...PREVIOUS.transcript.committee, ...RESHARE.transcript.committee.slice(3)].map(
  ({ operator_id, public_key }) => operator(operator_id, { public_key }),
);

const idsOf = ({ transcript }: Certificate) => transcript.committee.map(({ operator_id }) => operator_id);

export function ceremony(of: Certificate, changes: Partial<Ceremony> = {}): Ceremony {
  const { owner, withdrawal_address } = of.transcript.request.request;
  return {
    ceremony_id: of.ceremony_id,
    owner,
    cluster_pubkey: `0x02${'12'.repeat(32)}`,
    operator_ids: idsOf(of),
    withdrawal_address,
    validator_count: PUBKEYS.length,
    status: 'ready',
    missing_operators: [],
    created_at_ms: 1,
    updated_at_ms: 1,
    deadline_s: 1,
    nonce: '1',
    ...changes,
  };
}

/** The first validator of the ceremony; the contract has it with these operators. */
export function validator(committee = idsOf(PREVIOUS)): Validator {
  return {
    pubkey: PUBKEYS[0],
    owner: FIXTURE_OWNER,
    ceremony_id: PREVIOUS.ceremony_id,
    status: 'registered',
    operators: idsOf(PREVIOUS).map((operator_id) => ({ operator_id })),
    facts: { operator_ids: committee },
  } as unknown as Validator;
}

/** Runs the worker's own code, with the compiled verifier, in this thread. */
export async function withVerifier(): Promise<void> {
  initSync({ module: readFileSync('src/verify/wasm/verify_bg.wasm') });
  const waiting: Thread[] = [];
  class Thread {
    onmessage?: (event: { data: ReshareAnswer }) => void;
    postMessage(data: ReshareTask) {
      waiting.push(this);
      work?.call(window, new MessageEvent('message', { data }));
    }
    terminate = vi.fn();
  }
  vi.stubGlobal('postMessage', (data: ReshareAnswer) => waiting.shift()?.onmessage?.({ data }));
  await import('../../src/replace/worker');
  const work = self.onmessage;
  vi.stubGlobal('Worker', Thread);
}
