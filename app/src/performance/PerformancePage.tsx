import { lazy, Suspense, useMemo } from 'react';
import { useOperators } from '../api/operators';
import { usePerformance } from '../api/performance';
import { percent } from '../committee/OperatorList';
import { NeedsSession } from '../session/NeedsSession';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Empty } from '../ui/Empty';
import { Notice } from '../ui/Notice';
import { PageHead } from '../ui/PageHead';
import { Skeleton } from '../ui/Spinner';
import { EpochTable } from './EpochTable';
import { byEpoch, missReasons, share } from './figures';
import { Misses, Operators } from './Tables';

const Chart = lazy(() => import('./Chart'));

export function PerformancePage() {
  return (
    <>
      <PageHead title="Performance">
        How the duties of your validators were performed, as the operators of each committee say in their
        majority.
      </PageHead>
      <NeedsSession why="Figures of your validators are shown to you alone.">
        <Figures />
      </NeedsSession>
    </>
  );
}

function Figures() {
  const performance = usePerformance({});
  const operators = useOperators().data ?? [];
  const items = performance.data?.items;
  const epochs = useMemo(() => byEpoch(items ?? []), [items]);
  const reasons = useMemo(() => missReasons(items ?? []), [items]);
  if (performance.isPending) return <Skeleton label="The figures" rows={5} />;
  if (performance.error) {
    return (
      <Notice kind="error" title="The figures cannot be shown">
        <p>{performance.error.message}</p>
        <Button onClick={() => void performance.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (epochs.length === 0) {
    return (
      <Empty title="No duties yet">
        Figures appear one to two epochs after a validator has become active, some fifteen minutes.
      </Empty>
    );
  }
  const expected = epochs.reduce((sum, one) => sum + one.expected, 0);
  const submitted = epochs.reduce((sum, one) => sum + one.submitted, 0);
  return (
    <>
      <Card
        title="Duties performed"
        aside={<strong className="figure">{percent(share(submitted, expected))}</strong>}
      >
        <p className="hint figure">
          {submitted} of {expected} in epochs {epochs[0]?.epoch} to {epochs.at(-1)?.epoch}
        </p>
        <Suspense fallback={<Skeleton label="The chart" rows={4} />}>
          <Chart epochs={epochs} />
        </Suspense>
        <EpochTable epochs={epochs} />
      </Card>
      <div className="pair">
        <Operators figures={performance.data.operators} operators={operators} />
        <Misses reasons={reasons} />
      </div>
    </>
  );
}
