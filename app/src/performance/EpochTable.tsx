import { percent } from '../committee/OperatorList';
import { share, type EpochFigures } from './figures';

/** What the chart of all validators shows, newest first, for those who do not see it, and for the exact figures. */
export function EpochTable({ epochs }: { epochs: readonly EpochFigures[] }) {
  return (
    <details className="more">
      <summary>The same as a table</summary>
      <div className="scroll-table" role="region" aria-label="Figures of the chart" tabIndex={0}>
        <table className="table table-figures">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Performed</th>
              <th scope="col">Share</th>
            </tr>
          </thead>
          <tbody>
            {epochs.toReversed().map(({ epoch, submitted, expected }) => (
              <tr key={epoch}>
                <th scope="row">Epoch {epoch}</th>
                <td className="figure">
                  {submitted} of {expected}
                </td>
                <td className="figure">{percent(share(submitted, expected))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
