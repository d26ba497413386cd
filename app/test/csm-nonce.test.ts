import type { Address, Hex } from 'viem';
import { expect, test } from 'vitest';
import { EMPTY, reduce, type Evidence, type QueueEvent } from '../src/csm/queue/machine';
import { noteNonce, type Sender } from '../src/csm/queue/send';

const ACCOUNT: Address = '0x00000000000000000000000000000000000000aa';
const OWNER: Address = '0x00000000000000000000000000000000000000BB';
const HASH: Hex = `0x${'12'.repeat(32)}`;

/** A batch that was sent in a transaction of `from` with the number 0, and what the queue thinks when nothing of it is on the chain. */
async function lookedUp(from: Address) {
  let journal = reduce(EMPTY, {
    type: 'plan',
    batches: [
      {
        id: 'b0',
        target: { kind: 'existing', nodeOperatorId: '7' },
        token: 'eth',
        keys: [{ pubkey: '0x01', ceremonyId: '0x02' }],
      },
    ],
  });
  const record = (event: QueueEvent) => Promise.resolve((journal = reduce(journal, event)));
  await record({ type: 'ask', id: 'b0', nonce: 0, block: 5, at: 0 });
  await record({ type: 'sent', id: 'b0', hash: HASH });
  const client = { getTransaction: () => Promise.resolve({ nonce: 0, from }) } as unknown as Sender['client'];
  await noteNonce({ client, record, account: ACCOUNT }, 'b0', HASH);
  // A contract has the number 1 from its birth on, whatever it sends.
  const evidence: Evidence = {
    block: 9,
    nonce: 1,
    headNonce: 1,
    pendingNonce: 1,
    receipts: [],
    present: [],
    complete: true,
  };
  await record({ type: 'evidence', id: 'b0', evidence });
  return journal.batches[0];
}

test('an account whose number went on has replaced its transaction', async () => {
  expect(await lookedUp(ACCOUNT.toUpperCase().replace('0X', '0x') as Address)).toMatchObject({
    state: 'planned',
    ending: 'replaced',
  });
});

test('the number of whoever sent it for a contract wallet says nothing: its keys are not free', async () => {
  expect(await lookedUp(OWNER)).toMatchObject({ state: 'sent', attempt: { certain: false } });
});
