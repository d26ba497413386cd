import type { Address } from 'viem';
import { useAppConfig } from '../../config/config';
import type { Sent } from '../../network/journal';
import { useOwnJournal } from '../../network/send';
import { describeCall } from '../../network/words';
import { Badge, type Tone } from '../../ui/Badge';
import { Button } from '../../ui/Button';
import { Card } from '../../ui/Card';
import { Hash } from '../../ui/Hash';
import type { RequestOutcome } from './outcome';
import { useRequestOutcome } from './usePaid';

const WORDS: Record<RequestOutcome['kind'], { tone: Tone; word: string; more?: string }> = {
  asked: { tone: 'good', word: 'in a block' },
  pending: {
    tone: 'accent',
    word: 'waits for a block',
    more: 'You can leave this page; it is not sent again.',
  },
  reverted: {
    tone: 'bad',
    word: 'failed',
    more: 'It was put into a block and reverted: nothing but gas was paid. Put it aside, then pay again.',
  },
  other: {
    tone: 'warning',
    word: 'something else',
    more: 'The transaction is in a block and does not ask for these validators. Look into your wallet, then put this aside.',
  },
  replaced: {
    tone: 'warning',
    word: 'replaced',
    more: 'Another transaction of your wallet took its place, and the contract has no such request of yours: nothing was paid. Put it aside, then pay again.',
  },
  unknown: {
    tone: 'warning',
    word: 'not on the chain',
    more: 'The chain does not know it, and the contract has no such request of yours. If your wallet does not show it as waiting any more, put it aside and pay again.',
  },
  lost: {
    tone: 'warning',
    word: 'no answer',
    more: 'Your wallet’s answer did not arrive. The contract has no such request of yours, and nothing of your account waits for a block: if your wallet does not ask any more, put this aside and pay again.',
  },
  maybe: {
    tone: 'warning',
    word: 'maybe on its way',
    more: 'Your wallet’s answer did not arrive, and a transaction of your account waits for a block. Wait for it: if it is the request, this page goes on by itself.',
  },
};

interface Props {
  contract: Address;
  sent: Sent;
  onAsked: (ceremonyId: string) => void;
}

/** The request that is under way. While it is shown no other one is offered. */
export function OpenRequest({ contract, sent, onAsked }: Props) {
  const journal = useOwnJournal();
  const { explorer_url } = useAppConfig();
  const { state, asking, error } = useRequestOutcome(contract, sent, onAsked);
  const words = state && WORDS[state.kind];
  const hash = sent.hash;
  return (
    <Card title="Your request is under way">
      <div className="sent">
        <span className="row-title">
          {sent.about[1] === '1' ? 'One validator' : `${sent.about[1] ?? ''} validators`}
        </span>
        <span role="status">
          {asking && <Badge tone="accent">answer in your wallet</Badge>}
          {!asking && !words && !error && <Badge>looking on the chain</Badge>}
          {words && <Badge tone={words.tone}>{words.word}</Badge>}
        </span>
        {hash &&
          (explorer_url ? (
            <a
              href={`${explorer_url.replace(/\/$/, '')}/tx/${hash}`}
              target="_blank"
              rel="noreferrer"
              className="mono"
            >
              {hash.slice(0, 10)}…
            </a>
          ) : (
            <Hash value={hash} label="transaction hash" />
          ))}
        {state && !['pending', 'asked', 'maybe'].includes(state.kind) && (
          <Button kind="quiet" onClick={() => journal.remove(sent.id)}>
            Put aside
          </Button>
        )}
        {words?.more && <span className="hint sent-more">{words.more}</span>}
        {error && (
          <span className="field-error sent-more">
            The chain cannot be read: {describeCall(error)} It is tried again.
          </span>
        )}
      </div>
    </Card>
  );
}
