import type { Schemas } from '../api/client';
import { isVerified, take, type VerificationState } from '../verify/useVerification';
import type { VerifyMessage, VerifyTask } from '../verify/types';
import type { SignedKey } from './call';

declare const verifiedMark: unique symbol;

/** A key whose deposit data this browser verified. Only `verifiedKeys` makes one, so that nothing else can be sent. */
export interface VerifiedKey extends SignedKey {
  /** 32 bytes, 0x hex in small letters. */
  withdrawalCredentials: string;
  ceremonyId: string;
  readonly [verifiedMark]: true;
}

export interface Verdict {
  ceremonyId: string;
  state: VerificationState;
  /** Empty unless every check holds. */
  keys: readonly VerifiedKey[];
  /** The files, as they were verified. */
  task: VerifyTask;
}

/** The keys of a file that was verified; none when a single check is missing or failed. */
export function verifiedKeys(task: VerifyTask, state: VerificationState): VerifiedKey[] {
  if (!isVerified(state)) return [];
  const deposits = JSON.parse(task.depositData) as Schemas['DepositData'][];
  return deposits.map(
    (deposit) =>
      ({
        pubkey: `0x${deposit.pubkey.toLowerCase()}`,
        signature: `0x${deposit.signature.toLowerCase()}`,
        withdrawalCredentials: `0x${deposit.withdrawal_credentials.toLowerCase()}`,
        ceremonyId: task.expected.ceremony_id,
      }) as VerifiedKey,
  );
}

const START: VerificationState = {
  outcomes: new Map(),
  progress: undefined,
  failed: undefined,
  ended: false,
};

/** One verification at a time: each takes a whole core. */
let last: Promise<unknown> = Promise.resolve();

/** Verifies a ceremony's files in a thread of its own. */
export function verify(task: VerifyTask): Promise<Verdict> {
  const run = last.then(() => runWorker(task));
  last = run.catch(() => undefined);
  return run;
}

function runWorker(task: VerifyTask): Promise<Verdict> {
  return new Promise((resolve) => {
    const worker = new Worker(new URL('../verify/worker.ts', import.meta.url), { type: 'module' });
    let state = START;
    const see = (message: VerifyMessage) => {
      state = take(state, message);
      if (!state.ended) return;
      worker.terminate();
      const ceremonyId = task.expected.ceremony_id;
      resolve({ ceremonyId, state, keys: verifiedKeys(task, state), task });
    };
    worker.onmessage = (event: MessageEvent<VerifyMessage>) => see(event.data);
    worker.onerror = () =>
      see({ kind: 'failed', reason: 'The verifier stopped. Reload the page to try again.' });
    worker.postMessage(task);
  });
}
