import { useEffect, useState } from 'react';
import { usePublicClient } from 'wagmi';
import { useAppConfig } from '../config/config';
import { withEvent } from './event';
import type { CheckName, CheckOutcome, VerifyMessage, VerifyTask } from './types';
import { CHECK_ORDER } from './types';

export interface VerificationState {
  outcomes: ReadonlyMap<CheckName, CheckOutcome>;
  /** Deposits checked so far. */
  progress: { done: number; total: number } | undefined;
  /** The verifier could not do its work. */
  failed: string | undefined;
  ended: boolean;
}

const NOTHING: VerificationState = {
  outcomes: new Map(),
  progress: undefined,
  failed: undefined,
  ended: false,
};

export function take(state: VerificationState, message: VerifyMessage): VerificationState {
  switch (message.kind) {
    case 'outcomes': {
      const outcomes = new Map(state.outcomes);
      for (const outcome of message.outcomes) outcomes.set(outcome.check, outcome);
      return { ...state, outcomes };
    }
    case 'progress':
      return { ...state, progress: { done: message.done, total: message.total } };
    case 'end':
      return { ...state, ended: true };
    case 'failed':
      return { ...state, failed: message.reason, ended: true };
  }
}

/** Whether every single check was made and passed. Anything less is a no. */
export function isVerified(state: VerificationState): boolean {
  return (
    state.ended &&
    state.failed === undefined &&
    CHECK_ORDER.every((check) => state.outcomes.get(check)?.passed === true)
  );
}

/** Verifies in a thread of its own; begins anew when the task changes, and does nothing without one. */
export function useVerification(task: VerifyTask | undefined): VerificationState {
  const { chain_id, contracts } = useAppConfig();
  const client = usePublicClient({ chainId: chain_id });
  const [held, setHeld] = useState<{ task: VerifyTask; state: VerificationState }>();
  useEffect(() => {
    if (!task) return;
    let worker: Worker | undefined;
    let left = false;
    const see = (message: VerifyMessage) => {
      if (left) return;
      setHeld((before) => ({ task, state: take(before?.task === task ? before.state : NOTHING, message) }));
    };
    const start = (complete: VerifyTask) => {
      if (left) return;
      worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
      worker.onmessage = (event: MessageEvent<VerifyMessage>) => see(event.data);
      worker.onerror = () =>
        see({ kind: 'failed', reason: 'The verifier stopped. Reload the page to try again.' });
      worker.postMessage(complete);
    };
    withEvent(task, client, contracts).then(start, () =>
      see({
        kind: 'failed',
        reason: 'The chain cannot be asked for the request. Reload the page to try again.',
      }),
    );
    return () => {
      left = true;
      worker?.terminate();
    };
  }, [task, client, contracts]);
  return held && held.task === task ? held.state : NOTHING;
}
