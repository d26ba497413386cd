import type { ReactNode } from 'react';

interface Props {
  /** What the table is called for those who hear it. */
  label: string;
  heads: readonly { key: string | number; word: string }[];
  /** Rows, newest first. */
  children: ReactNode;
}

/** What a chart shows, folded away below it: for those who do not see the chart, and for the exact figures. */
export function ChartTable({ label, heads, children }: Props) {
  return (
    <details className="more">
      <summary>The same as a table</summary>
      <div className="scroll-table" role="region" aria-label={label} tabIndex={0}>
        <table className="table table-figures">
          <thead>
            <tr>
              {heads.map(({ key, word }) => (
                <th scope="col" key={key}>
                  {word}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      </div>
    </details>
  );
}
