import type { Expected } from '../verify/types';
import type { Takeover } from './request';

/** To the thread that verifies. */
export type ReshareTask =
  | { kind: 'takeover'; certificate: string; chainId: number; owner: string; ceremonyId: string }
  | { kind: 'verify'; certificate: string; previous: string; expected: Expected };

/** From it. */
export type ReshareAnswer = { json: string } | { fault: string };

/** Checks of a reshare; the names of `app/wasm/src/check.rs`, in the order in which they are shown. */
export const RESHARE_CHECKS = {
  network: 'Network and fork version',
  request: 'It is the answer to your own request',
  committee: 'The new committee that you chose',
  withdrawal_address: 'Withdrawals go where they went before',
  takeover: 'The same keys, owner and deposits as the ceremony before',
  certificate: 'Signatures of you and the operators, new key shares',
  receipts: 'Every new operator holds its shares',
} as const;

export type ReshareCheck = keyof typeof RESHARE_CHECKS;

export interface ReshareOutcome {
  check: ReshareCheck;
  passed: boolean;
  detail: string;
}

function run(task: ReshareTask): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const stopped = 'The verifier stopped. Reload the page to try again.';
    worker.onmessage = ({ data }: MessageEvent<ReshareAnswer>) => {
      worker.terminate();
      if ('json' in data) resolve(JSON.parse(data.json));
      else reject(new Error(data.fault));
    };
    worker.onerror = () => {
      worker.terminate();
      reject(new Error(stopped));
    };
    worker.postMessage(task);
  });
}

/** What a reshare of a ceremony takes over, after its certificate was verified here. Rejects with a sentence when it does not hold. */
export async function readTakeover(
  certificate: string,
  chainId: number,
  owner: string,
  ceremonyId: string,
): Promise<Takeover> {
  return (await run({ kind: 'takeover', certificate, chainId, owner, ceremonyId })) as Takeover;
}

/** Every check of a reshare's certificate against the one before it. */
export async function verifyReshare(
  certificate: string,
  previous: string,
  expected: Expected,
): Promise<ReshareOutcome[]> {
  return (await run({ kind: 'verify', certificate, previous, expected })) as ReshareOutcome[];
}

/** Whether every single check was made and passed. Anything less is a no. */
export function holds(outcomes: readonly ReshareOutcome[]): boolean {
  const checks = Object.keys(RESHARE_CHECKS);
  return (
    checks.every((check) => outcomes.some((one) => one.check === check && one.passed)) &&
    outcomes.every(({ passed }) => passed)
  );
}
