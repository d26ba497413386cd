import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from 'recharts';
import { percent } from '../committee/OperatorList';
import { share, type EpochFigures } from './figures';

/** Share of duties performed in each epoch. The table below it has the same figures for those who do not see it. */
export default function Chart({ epochs }: { epochs: readonly EpochFigures[] }) {
  const points = epochs.map((one) => ({
    epoch: one.epoch,
    performed: share(one.submitted, one.expected) * 100,
  }));
  return (
    <div
      className="chart"
      role="img"
      aria-label="Share of duties performed, by epoch; the table below has the same figures"
    >
      <ResponsiveContainer width="100%" height={240} initialDimension={{ width: 640, height: 240 }}>
        <AreaChart
          data={points}
          margin={{ top: 8, right: 8, bottom: 0, left: -12 }}
          accessibilityLayer={false}
        >
          <CartesianGrid stroke="var(--line)" vertical={false} />
          <XAxis dataKey="epoch" stroke="var(--text-soft)" tickLine={false} fontSize={12} minTickGap={24} />
          <YAxis
            domain={[0, 100]}
            stroke="var(--text-soft)"
            tickLine={false}
            axisLine={false}
            fontSize={12}
            unit=" %"
          />
          <Tooltip
            formatter={(value) => percent(Number(value) / 100)}
            labelFormatter={(epoch) => `Epoch ${Number(epoch)}`}
            contentStyle={{ background: 'var(--surface)', border: '1px solid var(--line)', borderRadius: 8 }}
          />
          <Area
            type="monotone"
            dataKey="performed"
            name="performed"
            stroke="var(--accent)"
            strokeWidth={2}
            fill="var(--accent-soft)"
            isAnimationActive={false}
          />
        </AreaChart>
      </ResponsiveContainer>
    </div>
  );
}
