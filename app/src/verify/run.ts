import type { CheckOutcome, VerifyMessage, VerifyTask } from './types';

/** The part of the WebAssembly module that is used; `src/verify/wasm/verify.d.ts`. */
export interface Verification {
  readonly deposit_count: number;
  request(): string;
  certificate(seed: Uint8Array): string;
  deposits(first: number, count: number): string;
  free(): void;
}

/** Deposits that are checked before the page hears of progress. */
const CHUNK = 10;

/** Makes every check and tells about each. Every check runs even when one fails: the reader sees all that is wrong. */
export function runVerification(
  make: (certificate: string, depositData: string, expected: string) => Verification,
  task: VerifyTask,
  tell: (message: VerifyMessage) => void,
): void {
  let verification: Verification;
  try {
    verification = make(task.certificate, task.depositData, JSON.stringify(task.expected));
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    return;
  }
  try {
    tell({ kind: 'outcomes', outcomes: parse(verification.request()) });
    const seed = crypto.getRandomValues(new Uint8Array(32));
    tell({ kind: 'outcomes', outcomes: parse(verification.certificate(seed)) });
    const total = verification.deposit_count;
    let last: CheckOutcome = { check: 'deposits', passed: false, detail: 'There are no deposits.' };
    for (let done = 0; done < total; done += CHUNK) {
      last = JSON.parse(verification.deposits(done, CHUNK)) as CheckOutcome;
      tell({ kind: 'progress', done: Math.min(done + CHUNK, total), total });
      if (!last.passed) break;
    }
    tell({ kind: 'outcomes', outcomes: [last] });
    tell({ kind: 'end' });
  } catch (error) {
    tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  } finally {
    verification.free();
  }
}

function parse(json: string): CheckOutcome[] {
  return JSON.parse(json) as CheckOutcome[];
}
