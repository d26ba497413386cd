import type { Address } from 'viem';
import { useAppConfig } from '../config/config';
import { Badge, type Tone } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card } from '../ui/Card';
import { Hash } from '../ui/Hash';
import { Notice } from '../ui/Notice';
import { useToast } from '../ui/Toasts';
import { TOKEN_NAMES } from './BondCard';
import { Checks } from './Checks';
import { useDraft } from './draft';
import { pubkeysByCeremony, type Known } from './known';
import { isOpen, mayDeny, nextBatch, nodeOperatorOf, type Batch } from './queue/machine';
import type { Step } from './queue/send';
import type { Queue } from './queue/useQueue';
import { useVerdicts } from './useVerdicts';

interface Props {
  queue: Queue;
  known: Known;
  account: Address;
}

const STEPS: Record<Step, string> = {
  checking: 'Checking with the chain…',
  permitting: 'Sign the permission in your wallet…',
  approving: 'Confirm the approval in your wallet, and wait for it…',
  simulating: 'Trying the transaction without sending it…',
  confirming: 'Confirm the transaction in your wallet…',
};

/** Batches that are queued, under way or done. It is written down in this browser before the wallet is asked. */
export function QueueCard({ queue, known, account }: Props) {
  const { batches } = known.journal;
  if (batches.length === 0) return null;
  const done = batches.filter((batch) => batch.state === 'submitted').length;
  return (
    <Card
      title="Your transactions"
      aside={
        <span className="hint" role="status">
          {done} of {batches.length} done
        </span>
      }
    >
      <ol className="rows">
        {batches.map((batch, at) => (
          <Row key={batch.id} batch={batch} place={at + 1} queue={queue} known={known} />
        ))}
      </ol>
      <Turn queue={queue} known={known} account={account} />
    </Card>
  );
}

function stateOf(batch: Batch, queue: Queue): { tone: Tone; word: string } {
  if (queue.sending?.id === batch.id && batch.state !== 'sent')
    return { tone: 'accent', word: 'in your wallet' };
  switch (batch.state) {
    case 'planned':
      return batch.ending ? { tone: 'warning', word: 'not sent' } : { tone: 'neutral', word: 'waits' };
    case 'asked':
      return { tone: 'warning', word: 'unclear' };
    case 'sent':
      return { tone: 'accent', word: 'sent' };
    case 'submitted':
      return { tone: 'good', word: 'in CSM' };
  }
}

const ENDINGS = {
  declined: 'You declined it in your wallet. Nothing was sent.',
  reverted: 'It failed on the chain: no key was added and no bond was taken, only gas was paid.',
  replaced:
    'Another transaction took its place (you cancelled it, or sent something else). No key was added.',
  denied: 'You said that your wallet never sent it.',
};

function Row({ batch, place, queue, known }: { batch: Batch; place: number; queue: Queue; known: Known }) {
  const { explorer_url } = useAppConfig();
  const { tone, word } = stateOf(batch, queue);
  const id = nodeOperatorOf(known.journal, batch);
  const hash = batch.attempt?.hashes.at(-1);
  return (
    <li className="row-plain">
      <span className="row-title">
        {place}. {batch.keys.length} {batch.keys.length === 1 ? 'key' : 'keys'}
      </span>
      <span className="hint">
        {id === undefined
          ? batch.target.kind === 'new'
            ? 'makes the node operator'
            : 'for the new node operator'
          : `node operator ${id}`}
        , bond in {TOKEN_NAMES[batch.token]}
      </span>
      {hash && (
        <span className="hint">
          {explorer_url ? (
            <a href={`${explorer_url}/tx/${hash}`} target="_blank" rel="noreferrer" className="mono">
              {hash.slice(0, 10)}…
            </a>
          ) : (
            <Hash value={hash} label="transaction" />
          )}
        </span>
      )}
      <Badge tone={tone}>{word}</Badge>
      {batch.state === 'planned' && batch.ending && <p className="hint csm-line">{ENDINGS[batch.ending]}</p>}
      {batch.elsewhere.length > 0 && (
        <p className="hint csm-line">
          {batch.elsewhere.length} of its keys came to CSM by another way and were taken out.
        </p>
      )}
    </li>
  );
}

/** What there is to do now. */
function Turn({ queue, known, account }: Props) {
  const open = known.journal.batches.find(isOpen);
  if (queue.sending) {
    return (
      <p role="status" className="csm-step">
        <span className="spinner-dot" aria-hidden /> {STEPS[queue.sending.step]}
      </p>
    );
  }
  if (open) return <UnderWay batch={open} queue={queue} />;
  return <Next queue={queue} known={known} account={account} />;
}

function UnderWay({ batch, queue }: { batch: Batch; queue: Queue }) {
  const toast = useToast();
  const { evidence, problem } = queue;
  const deny = () => {
    if (!evidence) return;
    queue
      .record({ type: 'denied', id: batch.id, evidence })
      .catch((error: unknown) => toast(error instanceof Error ? error.message : String(error)));
  };
  return (
    <>
      {queue.lookFailed !== undefined && (
        <Notice kind="warning" title="The chain cannot be read">
          <p>{queue.lookFailed}</p>
          <Button onClick={queue.look}>Look again</Button>
        </Notice>
      )}
      {batch.state === 'sent' ? (
        <Notice kind="info" title="Waiting for the chain">
          <p>
            You may close this page. If you speed the transaction up or cancel it in your wallet, this page
            finds out; nothing else is sent before it knows.
          </p>
        </Notice>
      ) : (
        <Notice kind="warning" title="Your wallet was asked, and it is not known how that ended">
          {problem?.id === batch.id && <p>It answered: {problem.words}</p>}
          <p>
            Open your wallet. If the transaction waits there, confirm or decline it; if it was sent, this page
            finds its keys in CSM by itself. Only if there is no trace of it, go on.
          </p>
          <Button disabled={!evidence || !mayDeny(batch, evidence)} onClick={deny}>
            My wallet has no such transaction
          </Button>
          {evidence && !mayDeny(batch, evidence) && (
            <p className="hint">
              {evidence.pendingNonce > evidence.headNonce
                ? 'A transaction of your account waits to be mined.'
                : 'The chain was not read far enough yet.'}
            </p>
          )}
        </Notice>
      )}
    </>
  );
}

function Next({ queue, known, account }: Props) {
  const toast = useToast();
  const [draft] = useDraft();
  const next = nextBatch(known.journal);
  const ids = [...new Set(next?.keys.map((key) => key.ceremonyId) ?? [])];
  const verdicts = useVerdicts(
    ids,
    known.ceremonies,
    known.operators,
    account,
    pubkeysByCeremony(known.validators),
  );
  if (!next) {
    return (
      <Notice kind="good" title="Everything is in CSM">
        <p>Lido deposits as soon as it is the keys&apos; turn in the queue.</p>
      </Notice>
    );
  }
  const place = known.journal.batches.indexOf(next) + 1;
  const refused = verdicts.find(({ verdict, error }) => error ?? verdict?.keys.length === 0);
  const ready = verdicts.every(({ verdict }) => verdict !== undefined) && !refused;
  const keys = verdicts.flatMap(({ verdict }) => verdict?.keys ?? []);
  const problem = queue.problem?.id === next.id ? queue.problem : undefined;
  const drop = () => {
    queue
      .record({ type: 'drop', id: next.id })
      .catch((error: unknown) => toast(error instanceof Error ? error.message : String(error)));
  };
  return (
    <>
      {problem && (
        <Notice kind="error" title="The transaction was not sent">
          <p>{problem.words}</p>
          {problem.checks.length > 0 && (
            <Checks checks={problem.checks.filter((check) => check.holds === 'no')} />
          )}
        </Notice>
      )}
      {refused && (
        <Notice kind="error" title="Its deposit data do not hold any more">
          <p>{refused.error?.message ?? 'Nothing is sent with them. Give this batch up.'}</p>
          <Button onClick={refused.retry}>Verify again</Button>
        </Notice>
      )}
      <div className="buttons">
        <Button
          kind="primary"
          busy={!ready && !refused}
          disabled={!ready}
          onClick={() => void queue.send(next, keys, draft.leave)}
        >
          {ready || refused ? `Send transaction ${place}` : 'Verifying the deposit data'}
        </Button>
        <Button onClick={drop}>Give it up</Button>
      </div>
    </>
  );
}
