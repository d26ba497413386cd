import type { Ceremony } from '../api/ceremonies';
import type { Operator } from '../api/operators';
import { STEPS, STEP_WORDS, type Progress } from './progress';

interface Props {
  ceremony: Ceremony;
  operators: readonly Operator[];
  progress: Progress;
}

const DONE = { reached: STEPS.length, aborted: false };

/** One row an operator, one cell a step. */
export function ProgressGrid({ ceremony, operators, progress }: Props) {
  // A certificate says who is done; the last reports of progress may come after it, or never.
  const certified = ceremony.status === 'ready' || ceremony.status === 'incomplete';
  return (
    <div className="grid-steps" role="table" aria-label="Progress of the operators">
      {ceremony.operator_ids.map((id) => {
        const reported = progress.operators.get(id) ?? { reached: -1, aborted: false };
        const name = operators.find((operator) => operator.operator_id === id)?.name ?? `Operator ${id}`;
        const missing = ceremony.missing_operators.includes(id);
        const { reached, aborted } = certified && !missing ? DONE : reported;
        const words = describe(reached, aborted, missing, progress.outcome !== undefined);
        return (
          <div key={id} role="row" className="grid-row">
            <span role="rowheader" className="grid-name">
              {name} <span className="hint">#{id}</span>
            </span>
            <span role="cell" className="grid-cells">
              {STEPS.map((step, at) => (
                <span
                  key={step}
                  title={STEP_WORDS[step]}
                  aria-hidden
                  className={cell(at, reached, aborted)}
                />
              ))}
            </span>
            <span role="cell" className={missing || aborted ? 'grid-words grid-words-bad' : 'grid-words'}>
              {words}
            </span>
          </div>
        );
      })}
    </div>
  );
}

function cell(at: number, reached: number, aborted: boolean): string {
  if (at < reached) return 'step step-done';
  if (at === reached) return aborted ? 'step step-bad' : 'step step-now';
  return 'step';
}

function describe(reached: number, aborted: boolean, missing: boolean, over: boolean): string {
  if (missing) return 'has not confirmed';
  if (aborted) return 'gave up';
  if (reached >= STEPS.length) return 'done';
  const step = STEPS[reached];
  if (step === undefined) return over ? 'not heard of' : 'not begun';
  return step;
}
