import { percent } from '../committee/OperatorList';
import { ChartTable } from './ChartTable';
import { REASON_WORDS } from './figures';
import { KIND_WORDS, type Point } from './series';

interface Props {
  points: readonly Point[];
  operators: readonly { id: number; name: string }[];
}

const HEADS = ['When', 'Performed', 'Missed, and why'].map((word) => ({ key: word, word }));

/** What the charts of one validator show, newest first. */
export function SeriesTable({ points, operators }: Props) {
  const heads = [...HEADS, ...operators.map(({ id, name }) => ({ key: id, word: name }))];
  return (
    <ChartTable label="Figures of the charts" heads={heads}>
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
    </ChartTable>
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
