import { SentRow } from '../network/SentRow';
import type { Kind, Sent } from '../network/journal';
import { useOwnJournal } from '../network/send';
import { Card } from '../ui/Card';

const NAMES: Record<Kind, (count: number) => string> = {
  request: () => 'Request for validators',
  'register-node': () => 'Register the cluster node',
  register: (count) => `Register ${many(count)}`,
  'top-up': (count) => `Top up ${many(count)}`,
  approve: () => 'Allow the fee to be taken',
  exit: (count) => `Exit of ${many(count)}`,
  remove: (count) => `Remove ${many(count)}`,
  replace: () => 'Move to the new committee',
  'fee-recipient': () => 'Change the fee recipient',
  claim: () => 'Claim rewards',
};

function many(count: number): string {
  return count === 1 ? 'one validator' : `${count} validators`;
}

interface Props {
  kinds: readonly Kind[];
  title: string;
  /** Only what is about this. */
  about?: string;
}

/** Transactions that were sent from this browser, with what became of them. Nothing when there are none. */
export function OwnSent({ kinds, title, about }: Props) {
  const journal = useOwnJournal();
  const shown = journal.all.filter((sent) => isShown(sent, kinds, about)).toReversed();
  if (shown.length === 0) return null;
  return (
    <Card title={title}>
      <ul className="rows">
        {shown.map((sent) => (
          <SentRow key={sent.id} sent={sent} title={NAMES[sent.kind](sent.about.length)} />
        ))}
      </ul>
    </Card>
  );
}

function isShown(sent: Sent, kinds: readonly Kind[], about: string | undefined): boolean {
  return kinds.includes(sent.kind) && (about === undefined || sent.about.includes(about));
}
