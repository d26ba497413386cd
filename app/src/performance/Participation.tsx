import { RadioGroup } from 'radix-ui';
import { lazy, Suspense, useMemo, useState } from 'react';
import { useOperators } from '../api/operators';
import { useSeries, type Per } from '../api/performance';
import '../styles/manage.css';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Notice } from '../ui/Notice';
import { Skeleton } from '../ui/Spinner';
import { operatorsOf, toPoints, type Point } from './series';
import { SeriesTable } from './SeriesTable';

const DutiesChart = lazy(() => import('./SeriesCharts').then((charts) => ({ default: charts.DutiesChart })));
const OperatorChart = lazy(() =>
  import('./SeriesCharts').then((charts) => ({ default: charts.OperatorChart })),
);

const PERS: { per: Per; word: string }[] = [
  { per: 'epoch', word: 'By epoch' },
  { per: 'day', word: 'By day' },
];

/** One validator over time: what it did, what it missed and why, and which operators took part. */
export function Participation({ pubkey }: { pubkey: string }) {
  const [per, setPer] = useState<Per>('epoch');
  // Cursors of the pages between the newest one and the one that is shown.
  const [older, setOlder] = useState<readonly string[]>([]);
  const series = useSeries(pubkey, per, older.at(-1));
  const points = useMemo(() => toPoints(series.data?.items ?? [], per), [series.data, per]);
  const next = series.data?.next_cursor ?? undefined;
  return (
    <Card title="Duties and operators over time">
      <RadioGroup.Root
        className="chips"
        aria-label="One point stands for"
        value={per}
        onValueChange={(value) => {
          setPer(value as Per);
          setOlder([]);
        }}
      >
        {PERS.map((one) => (
          <RadioGroup.Item key={one.per} value={one.per} className="chip">
            {one.word}
          </RadioGroup.Item>
        ))}
      </RadioGroup.Root>
      {series.error && (
        <Notice kind="error" title="The figures cannot be shown">
          <p>{series.error.message}</p>
          <Button onClick={() => void series.refetch()}>Try again</Button>
        </Notice>
      )}
      {series.isPending && <Skeleton label="The figures" rows={4} />}
      {series.data && points.length === 0 && (
        <p className="hint">
          No duties yet. Figures appear one to two epochs after a validator has become active, some fifteen
          minutes.
        </p>
      )}
      {points.length > 0 && <Charts points={points} />}
      {(next ?? older.length > 0) && (
        <div className="inline">
          <Button disabled={next === undefined} onClick={() => next && setOlder([...older, next])}>
            Earlier
          </Button>
          <Button disabled={older.length === 0} onClick={() => setOlder(older.slice(0, -1))}>
            Later
          </Button>
        </div>
      )}
    </Card>
  );
}

function Charts({ points }: { points: readonly Point[] }) {
  const registry = useOperators().data ?? [];
  const operators = operatorsOf(points).map((id) => ({
    id,
    name: registry.find(({ operator_id }) => operator_id === id)?.name ?? `Operator ${id}`,
  }));
  return (
    <Suspense fallback={<Skeleton label="The charts" rows={4} />}>
      <DutiesChart points={points} />
      <h3>Operators</h3>
      <p className="hint">
        How often each operator’s signature was among those of the committee. A duty is performed when enough
        of them are.
      </p>
      <div className="strips">
        {operators.map(({ id, name }) => (
          <OperatorChart key={id} points={points} operatorId={id} name={name} />
        ))}
      </div>
      <SeriesTable points={points} operators={operators} />
    </Suspense>
  );
}
