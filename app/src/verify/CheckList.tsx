import { CHECK_ORDER, CHECK_WORDS } from './types';
import type { VerificationState } from './useVerification';

/** Every check with its result as it comes. */
export function CheckList({ state }: { state: VerificationState }) {
  return (
    <ul className="checks">
      {CHECK_ORDER.map((check) => {
        const outcome = state.outcomes.get(check);
        const running = check === 'deposits' && !outcome && state.progress;
        const kind = outcome ? (outcome.passed ? 'good' : 'bad') : 'open';
        return (
          <li key={check} className={`checked checked-${kind}`}>
            <span className="checked-sign" aria-hidden>
              {outcome ? (outcome.passed ? '✓' : '✗') : '·'}
            </span>
            <span>
              <strong>{CHECK_WORDS[check]}</strong>
              <span className="sr-only">
                {outcome ? (outcome.passed ? ': holds. ' : ': does not hold. ') : ': not checked yet'}
              </span>
              {outcome && <span className="hint wrap">{outcome.detail}</span>}
              {running && (
                <span className="hint">
                  {running.done} of {running.total}
                </span>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
