import { useAppConfig } from '../config/config';
import { Badge, type Tone } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Hash } from '../ui/Hash';
import type { Sent } from './journal';
import type { Outcome } from './outcome';
import { isAsking, useOutcome, useOwnJournal } from './send';

const WORDS: Record<Outcome['kind'], { tone: Tone; word: string; more?: string }> = {
  done: { tone: 'good', word: 'done' },
  pending: { tone: 'accent', word: 'waits for a block' },
  reverted: {
    tone: 'bad',
    word: 'failed',
    more: 'It was put into a block and reverted: nothing but gas was paid. You can send it again.',
  },
  replaced: {
    tone: 'warning',
    word: 'replaced',
    more: 'Another transaction of your wallet took its place. What counts is what the chain says now.',
  },
  unknown: {
    tone: 'warning',
    word: 'not on the chain',
    more: 'The chain does not know it. If your wallet does not show it as waiting any more, put it aside and send it again.',
  },
  lost: {
    tone: 'warning',
    word: 'answer lost',
    more: 'This page was closed before your wallet answered. Nothing of your account waits for a block: if your wallet does not ask any more, put this aside and send it again.',
  },
  maybe: {
    tone: 'warning',
    word: 'maybe on its way',
    more: 'This page was closed before your wallet answered, and a transaction of your account waits for a block. Look into your wallet before you send again.',
  },
};

/** One transaction that was sent from here, with what became of it. */
export function SentRow({ sent, title }: { sent: Sent; title: string }) {
  const journal = useOwnJournal();
  const { explorer_url } = useAppConfig();
  const outcome = useOutcome(sent);
  const state = isAsking(sent) ? undefined : outcome.data;
  const words = state ? WORDS[state.kind] : undefined;
  return (
    <li className="sent">
      <span className="row-title">{title}</span>
      {isAsking(sent) && <Badge tone="accent">answer in your wallet</Badge>}
      <span role="status">{words && <Badge tone={words.tone}>{words.word}</Badge>}</span>
      {outcome.error && <Badge tone="warning">the chain cannot be read</Badge>}
      {sent.hash &&
        (explorer_url ? (
          <a
            href={`${explorer_url.replace(/\/$/, '')}/tx/${sent.hash}`}
            target="_blank"
            rel="noreferrer"
            className="mono"
          >
            {sent.hash.slice(0, 10)}…
          </a>
        ) : (
          <Hash value={sent.hash} label="transaction hash" />
        ))}
      {state && state.kind !== 'pending' && (
        <Button kind="quiet" onClick={() => journal.remove(sent.id)}>
          {state.kind === 'done' ? 'Hide' : 'Put aside'}
        </Button>
      )}
      {words?.more && <span className="hint sent-more">{words.more}</span>}
    </li>
  );
}
