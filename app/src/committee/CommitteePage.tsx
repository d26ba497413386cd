import { useMemo, useState } from 'react';
import { useOperators } from '../api/operators';
import { Button } from '../ui/Button';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { arrange, NO_FILTER } from './filter';
import { FilterBar } from './FilterBar';
import { OperatorList } from './OperatorList';
import { resize, toggle, useSelection } from './selection';
import { SelectionPanel } from './SelectionPanel';
import { SizePicker } from './SizePicker';

/** Who will hold the shares of the keys. */
export function CommitteePage() {
  const operators = useOperators();
  const [selection, setSelection] = useSelection();
  const [filter, setFilter] = useState(NO_FILTER);
  const shown = useMemo(() => arrange(operators.data ?? [], filter), [operators.data, filter]);
  return (
    <>
      <PageHead title="Choose a committee">
        These operators make the keys together. Each holds one share; none of them, and nobody else, ever
        holds a key.
      </PageHead>
      <div className="split">
        <div className="split-main">
          <SizePicker size={selection.size} onChange={(size) => setSelection(resize(selection, size))} />
          <FilterBar filter={filter} onChange={setFilter} count={shown.length} />
          {operators.isPending && <Skeleton label="The list of operators" rows={6} />}
          {operators.error && (
            <Notice kind="error" title="The operators cannot be shown">
              <p>{operators.error.message}</p>
              <Button onClick={() => void operators.refetch()}>Try again</Button>
            </Notice>
          )}
          {operators.data && shown.length === 0 && (
            <Empty
              title="No operator matches"
              action={<Button onClick={() => setFilter(NO_FILTER)}>Show all</Button>}
            >
              {operators.data.length === 0
                ? 'The registry has no operators yet.'
                : 'Try fewer letters or take a filter away.'}
            </Empty>
          )}
          {shown.length > 0 && (
            <OperatorList
              operators={shown}
              chosen={selection.ids}
              full={selection.ids.length >= selection.size}
              onToggle={(id) => setSelection(toggle(selection, id))}
            />
          )}
        </div>
        <aside className="split-side">
          <SelectionPanel selection={selection} operators={operators.data ?? []} onChange={setSelection} />
        </aside>
      </div>
    </>
  );
}
