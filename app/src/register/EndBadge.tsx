import { BLOCKS_PER_DAY, blocksLeft } from '../network/fee';
import { Badge } from '../ui/Badge';

/** How near the end of a subscription is. */
export type Nearness = 'ended' | 'days' | 'weeks' | 'far';

export function nearness(end: bigint, head: bigint): Nearness {
  const left = blocksLeft(end, head);
  if (left === 0n) return 'ended';
  if (left < 7n * BLOCKS_PER_DAY) return 'days';
  return left < 30n * BLOCKS_PER_DAY ? 'weeks' : 'far';
}

export function EndBadge({ end, head }: { end: bigint; head: bigint }) {
  switch (nearness(end, head)) {
    case 'ended':
      return <Badge tone="bad">ended: operators are not paid</Badge>;
    case 'days':
      return <Badge tone="bad">ends within a week</Badge>;
    case 'weeks':
      return <Badge tone="warning">ends within 30 days</Badge>;
    case 'far':
      return <Badge tone="good">paid</Badge>;
  }
}
