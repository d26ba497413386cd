import { percent } from '../committee/OperatorList';
import { REASON_WORDS } from './figures';
import { KIND_WORDS, type Point } from './series';

interface Props {
  points: readonly Point[];
  operators: readonly { id: number; name: string }[];
}

/** What the charts show, newest first, for those who do not see them, and for the exact figures. */
export function SeriesTable({ points, operators }: Props) {
  return (
    <details className="more">
      <summary>The same as a table</summary>
      <div className="scroll-table" role="region" aria-label="Figures of the charts" tabIndex={0}>
        <table className="table table-figures">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Performed</th>
              <th scope="col">Missed, and why</th>
              {operators.map(({ id, name }) => (
                <th scope="col" key={id}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...points].reverse().map((point) => (
              <tr key={point.label}>
                <th scope="row">{point.label}</th>
                <td className="figure">
                  {point.kinds.map(({ kind, expected, submitted }) => (
                    <div key={kind}>
                      {submitted} of {expected} {KIND_WORDS[kind] ?? kind}
                    </div>
                  ))}
                </td>
                <td className="reasons">{missesInWords(point)}</td>
                {operators.map(({ id }) => {
                  const seen = point.seen.get(id);
                  return (
                    <td key={id} className="figure">
                      {seen === undefined ? '–' : percent(seen)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

/** Reasons that the operators agree on, and how many misses have none. */
export function missesInWords({ missed, misses }: Pick<Point, 'missed' | 'misses'>): string {
  if (missed === 0) return 'none';
  const words = misses.map(
    ([reason, count]) => `${count}: ${REASON_WORDS[reason] ?? reason.replaceAll('_', ' ')}`,
  );
  const unexplained = missed - misses.reduce((sum, [, count]) => sum + count, 0);
  if (unexplained > 0) words.push(`${unexplained}: no reason that the operators agree on`);
  return words.join('; ');
}
