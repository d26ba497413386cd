import { percent } from '../committee/OperatorList';
import { ChartTable } from './ChartTable';
import { share, type EpochFigures } from './figures';

const HEADS = ['When', 'Performed', 'Share'].map((word) => ({ key: word, word }));

/** What the chart of all validators shows, newest first. */
export function EpochTable({ epochs }: { epochs: readonly EpochFigures[] }) {
  return (
    <ChartTable label="Figures of the chart" heads={HEADS}>
      {epochs.toReversed().map(({ epoch, submitted, expected }) => (
        <tr key={epoch}>
          <th scope="row">Epoch {epoch}</th>
          <td className="figure">
            {submitted} of {expected}
          </td>
          <td className="figure">{percent(share(submitted, expected))}</td>
        </tr>
      ))}
    </ChartTable>
  );
}
