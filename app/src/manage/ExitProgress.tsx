import type { UseQueryResult } from '@tanstack/react-query';
import type { OperatorUpkeep } from '../api/upkeep';
import { when } from '../ceremony/status';
import { Button } from '../ui/Button';
import { Skeleton } from '../ui/Spinner';
import { OperatorWords } from './OperatorWords';
import { exitProgress, exitWord, orderedWords } from './progress';

type Upkeep = Pick<UseQueryResult<OperatorUpkeep[]>, 'data' | 'error' | 'refetch'>;

/** How far each operator says that it is with an exit. */
export function ExitProgress({ upkeep }: { upkeep: Upkeep }) {
  const { data: items, error, refetch } = upkeep;
  if (!items) {
    if (!error) return <Skeleton label="What operators say of the exit" rows={2} />;
    return (
      <>
        <p className="field-error">How far operators are cannot be shown: {error.message}</p>
        <Button onClick={() => void refetch()}>Try again</Button>
      </>
    );
  }
  if (items.length === 0) return null;
  return (
    <>
      <p role="status">{orderedWords(exitProgress(items))}.</p>
      <OperatorWords
        label="Operators on the exit"
        words={items.map(({ operator_id, exit, at_ms }) => ({
          operatorId: operator_id,
          ...exitWord(exit),
          ...(at_ms == null ? {} : { more: `last news ${when(at_ms)}` }),
        }))}
      />
      <p className="hint">
        Operators speak of themselves alone, every half minute. Whether the validator leaves is the beacon
        chain’s word.
      </p>
    </>
  );
}
