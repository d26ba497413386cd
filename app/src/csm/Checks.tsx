import type { Check } from './checks';

const SIGNS = { yes: '✓', no: '✗', unknown: '?' };
const WORDS = { yes: ': holds. ', no: ': does not hold. ', unknown: ': not known. ' };
const KINDS = { yes: 'good', no: 'bad', unknown: 'open' };

/** Checks with their results, as `verify/CheckList` shows those of the files. */
export function Checks({ checks }: { checks: readonly Check[] }) {
  return (
    <ul className="checks">
      {checks.map(({ id, title, holds, detail }) => (
        <li key={id} className={`checked checked-${KINDS[holds]}`}>
          <span className="checked-sign" aria-hidden>
            {SIGNS[holds]}
          </span>
          <span>
            <strong>{title}</strong>
            <span className="sr-only">{WORDS[holds]}</span>
            <span className="hint wrap">{detail}</span>
          </span>
        </li>
      ))}
    </ul>
  );
}
