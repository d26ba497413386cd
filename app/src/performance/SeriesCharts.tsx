import {
  Area,
  AreaChart,
  Bar,
  BarChart,
  CartesianGrid,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from 'recharts';
import { percent } from '../committee/OperatorList';
import { meanSeen, type Point } from './series';

const TOOLTIP = { background: 'var(--surface)', border: '1px solid var(--line)', borderRadius: 8 };
const AXIS = { stroke: 'var(--text-soft)', tickLine: false, fontSize: 12 } as const;

/** Duties of a validator: performed below, missed above and hatched, so that nobody has to tell colours apart. */
export function DutiesChart({ points }: { points: readonly Point[] }) {
  return (
    <figure className="figure-chart">
      <div
        className="chart"
        role="img"
        aria-label="Duties performed and missed; the table below has the same figures"
      >
        <ResponsiveContainer width="100%" height={220} initialDimension={{ width: 640, height: 220 }}>
          <BarChart
            data={[...points]}
            margin={{ top: 8, right: 8, bottom: 0, left: -16 }}
            accessibilityLayer={false}
          >
            <defs>
              <pattern
                id="missed"
                width="6"
                height="6"
                patternUnits="userSpaceOnUse"
                patternTransform="rotate(45)"
              >
                <rect width="6" height="6" fill="var(--bad-soft)" />
                <rect width="3" height="6" fill="var(--bad)" />
              </pattern>
            </defs>
            <CartesianGrid stroke="var(--line)" vertical={false} />
            <XAxis dataKey="tick" {...AXIS} minTickGap={24} />
            <YAxis {...AXIS} axisLine={false} allowDecimals={false} />
            <Tooltip
              labelFormatter={(_, [first]) => (first?.payload as Point | undefined)?.label ?? ''}
              contentStyle={TOOLTIP}
              itemStyle={{ color: 'var(--text)' }}
              cursor={{ fill: 'var(--sunken)' }}
            />
            <Bar
              dataKey="submitted"
              name="performed"
              stackId="duties"
              fill="var(--accent)"
              isAnimationActive={false}
            />
            <Bar
              dataKey="missed"
              name="missed"
              stackId="duties"
              fill="url(#missed)"
              stroke="var(--bad)"
              isAnimationActive={false}
            />
          </BarChart>
        </ResponsiveContainer>
      </div>
      <figcaption className="legend">
        <span className="legend-mark legend-performed" aria-hidden /> performed
        <span className="legend-mark legend-missed" aria-hidden /> missed
      </figcaption>
    </figure>
  );
}

interface OperatorProps {
  points: readonly Point[];
  operatorId: number;
  name: string;
}

/** How often one operator took part. Each has a chart of its own, with its name beside it: up to thirteen lines in one cannot be told apart. */
export function OperatorChart({ points, operatorId, name }: OperatorProps) {
  const data = points.map(({ label, tick, seen }) => {
    const held = seen.get(operatorId);
    return { label, tick, seen: held === undefined ? null : held * 100 };
  });
  const mean = meanSeen(points, operatorId);
  return (
    <figure className="strip">
      <figcaption className="strip-head">
        <span>
          {name} <span className="hint">#{operatorId}</span>
        </span>
        <span className="figure">{mean === undefined ? 'no duties' : percent(mean)}</span>
      </figcaption>
      <div
        className="strip-chart"
        role="img"
        aria-label={`How often ${name} took part; the table below has the same figures`}
      >
        <ResponsiveContainer width="100%" height={72} initialDimension={{ width: 300, height: 72 }}>
          <AreaChart data={data} margin={{ top: 4, right: 4, bottom: 0, left: 4 }} accessibilityLayer={false}>
            <XAxis dataKey="tick" hide />
            <YAxis domain={[0, 100]} hide />
            <Tooltip
              formatter={(value) => [percent(Number(value) / 100), 'took part in']}
              labelFormatter={(_, [first]) => (first?.payload as { label?: string } | undefined)?.label ?? ''}
              contentStyle={TOOLTIP}
              itemStyle={{ color: 'var(--text)' }}
            />
            <Area
              type="stepAfter"
              dataKey="seen"
              stroke="var(--accent)"
              strokeWidth={2}
              fill="var(--accent-soft)"
              dot={data.length === 1}
              isAnimationActive={false}
            />
          </AreaChart>
        </ResponsiveContainer>
      </div>
    </figure>
  );
}
