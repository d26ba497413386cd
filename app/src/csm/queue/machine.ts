import type { Hex } from 'viem';
import { type Batch, type Ending, type Evidence, type Journal, type QueueEvent } from './types';

export * from './types';

/** An event that the rule forbids. */
export class QueueRefusal extends Error {
  override readonly name = 'QueueRefusal';
}

const refuse = (words: string): never => {
  throw new QueueRefusal(words);
};

/** Batches of which a transaction may be under way. */
export const isOpen = (batch: Batch) => batch.state === 'asked' || batch.state === 'sent';

/** Whether something is queued or under way. */
export const isBusy = ({ batches }: Journal) => batches.some((batch) => batch.state !== 'submitted');

/** Keys that must not be offered again: queued, under way, or submitted. */
export function heldKeys(journal: Journal): Set<string> {
  return new Set(journal.batches.flatMap((batch) => batch.keys.map((key) => key.pubkey.toLowerCase())));
}

/** The node operator of a batch, as far as it is known. */
export function nodeOperatorOf(journal: Journal, { target, nodeOperatorId }: Batch): string | undefined {
  if (nodeOperatorId !== undefined) return nodeOperatorId;
  if (target.kind === 'existing') return target.nodeOperatorId;
  if (target.kind === 'new') return undefined;
  return journal.batches.find((one) => one.id === target.batchId)?.nodeOperatorId;
}

/** The batch whose turn it is; undefined while one is under way, and when there is none. */
export function nextBatch(journal: Journal): Batch | undefined {
  if (journal.batches.some(isOpen)) return undefined;
  return journal.batches.find(
    (batch) =>
      batch.state === 'planned' &&
      (batch.target.kind !== 'made' || nodeOperatorOf(journal, batch) !== undefined),
  );
}

/** The journal after an event. Throws `QueueRefusal` for what the rule forbids; the journal is as it was then. */
export function reduce(journal: Journal, event: QueueEvent): Journal {
  if (event.type === 'plan') return plan(journal, event.batches);
  const batch = journal.batches.find((one) => one.id === event.id);
  if (!batch) return refuse('This batch is not in the queue any more.');
  if (event.type === 'drop') return drop(journal, batch);
  const after = step(journal, batch, event);
  return { ...journal, batches: journal.batches.map((one) => (one.id === batch.id ? after : one)) };
}

function plan(
  journal: Journal,
  batches: readonly Pick<Batch, 'id' | 'target' | 'token' | 'keys'>[],
): Journal {
  const held = heldKeys(journal);
  const ids = new Set(journal.batches.map((batch) => batch.id));
  for (const { id, keys } of batches) {
    if (ids.has(id)) refuse('This batch is in the queue already.');
    ids.add(id);
    if (keys.length === 0) refuse('A batch needs at least one key.');
    for (const { pubkey } of keys) {
      if (held.has(pubkey.toLowerCase())) refuse(`The key ${pubkey.slice(0, 12)}… is in the queue already.`);
      held.add(pubkey.toLowerCase());
    }
  }
  const added = batches.map((batch): Batch => ({ ...batch, state: 'planned', elsewhere: [] }));
  return { ...journal, batches: [...prune(journal.batches), ...added] };
}

/** Submitted batches that are kept: the chain knows about older ones. */
const KEPT = 100;

function prune(batches: readonly Batch[]): Batch[] {
  const waitedFor = new Set(batches.flatMap(({ target }) => (target.kind === 'made' ? target.batchId : [])));
  const done = batches.filter((batch) => batch.state === 'submitted' && !waitedFor.has(batch.id));
  const gone = new Set(done.slice(0, Math.max(done.length - KEPT, 0)));
  return batches.filter((batch) => !gone.has(batch));
}

function drop(journal: Journal, batch: Batch): Journal {
  if (batch.state !== 'planned') refuse('A batch whose transaction may be under way cannot be given up.');
  // Nobody would make the node operator that they wait for.
  const gone = (one: Batch) =>
    one.id === batch.id || (one.target.kind === 'made' && one.target.batchId === batch.id);
  return { ...journal, batches: journal.batches.filter((one) => !gone(one)) };
}

function step(journal: Journal, batch: Batch, event: Exclude<QueueEvent, { type: 'plan' | 'drop' }>): Batch {
  switch (event.type) {
    case 'ask':
      if (nextBatch(journal)?.id !== batch.id)
        return refuse(
          'Another transaction is under way, or this batch is not next. Wait until it is known how it ends.',
        );
      return begin(batch, event);
    case 'declined':
      if (batch.state !== 'asked') return refuse('The wallet was not asked.');
      return free(batch, 'declined', []);
    case 'sent':
      return sent(batch, event);
    case 'evidence':
      return isOpen(batch) ? judge(batch, event.evidence) : batch;
    case 'denied':
      return denied(batch, event.evidence);
  }
}

function begin(batch: Batch, { nonce, block, at }: { nonce: number; block: number; at: number }): Batch {
  const after: Batch = {
    ...batch,
    state: 'asked',
    attempt: { nonce, certain: false, block, askedAt: at, hashes: [] },
  };
  delete after.ending;
  return after;
}

/** The keys are free again. Those that are in the module already leave the batch. */
function free(batch: Batch, ending: Ending, present: Evidence['present']): Batch {
  const there = new Set(present.map(({ pubkey }) => pubkey.toLowerCase()));
  const elsewhere = batch.keys
    .map(({ pubkey }) => pubkey)
    .filter((pubkey) => there.has(pubkey.toLowerCase()));
  const after: Batch = {
    ...batch,
    state: 'planned',
    ending,
    keys: batch.keys.filter(({ pubkey }) => !there.has(pubkey.toLowerCase())),
    elsewhere: [...batch.elsewhere, ...elsewhere],
  };
  delete after.attempt;
  return after;
}

function sent(batch: Batch, { hash, nonce }: { hash: Hex; nonce?: number }): Batch {
  const attempt = batch.attempt;
  if (!attempt || !isOpen(batch)) return refuse('The wallet was not asked.');
  const hashes = attempt.hashes.includes(hash) ? attempt.hashes : [...attempt.hashes, hash];
  const seen = nonce === undefined ? {} : { nonce, certain: true };
  return { ...batch, state: 'sent', attempt: { ...attempt, ...seen, hashes } };
}

function judge(batch: Batch, evidence: Evidence): Batch {
  const attempt = batch.attempt;
  if (!attempt) return batch;
  const [first] = evidence.present;
  if (first && evidence.present.length === batch.keys.length) {
    const mined = evidence.receipts.find((receipt) => receipt.success);
    return {
      ...batch,
      state: 'submitted',
      nodeOperatorId: first.nodeOperatorId,
      attempt: { ...attempt, hashes: mined ? [mined.hash] : attempt.hashes },
    };
  }
  if (!evidence.complete || evidence.receipts.some((receipt) => receipt.success)) return batch;
  const reverted = evidence.receipts.some((receipt) => receipt.block <= evidence.block);
  if (reverted) return free(batch, 'reverted', evidence.present);
  // Its number was used by another transaction, deep enough: a transaction of this number can never be mined.
  const passed = attempt.certain && evidence.receipts.length === 0 && evidence.nonce > attempt.nonce;
  return passed ? free(batch, 'replaced', evidence.present) : batch;
}

function denied(batch: Batch, evidence: Evidence): Batch {
  if (!mayDeny(batch, evidence)) return refuse('The chain does not yet show that nothing is under way.');
  return free(batch, 'denied', evidence.present);
}

/** Whether a person's word is enough: no hash is known, nothing of the account waits, and the keys are not in the module. */
export function mayDeny(batch: Batch, evidence: Evidence): boolean {
  return (
    batch.state === 'asked' &&
    batch.attempt?.hashes.length === 0 &&
    evidence.complete &&
    evidence.present.length === 0 &&
    evidence.pendingNonce <= evidence.headNonce
  );
}
