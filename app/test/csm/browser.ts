import { zeroAddress, type Hex } from 'viem';
import type { Schemas } from '../../src/api/client';
import { readEvidence } from '../../src/csm/queue/evidence';
import {
  EMPTY,
  reduce,
  type Batch,
  type Evidence,
  type Journal,
  type Target,
  type Token,
} from '../../src/csm/queue/machine';
import { sendBatch, type Leave, type Sender, type TransactionRequest } from '../../src/csm/queue/send';
import type { VerifiedKey } from '../../src/csm/verified';
import type { TestWallet, World } from './chain';

export const NEW: Target = {
  kind: 'new',
  gate: 'permissionless',
  manager: zeroAddress,
  reward: zeroAddress,
  extended: false,
  referrer: zeroAddress,
  proof: [],
};

/** A browser: its journal outlives its pages. */
export class Browser {
  constructor(
    readonly chain: World,
    readonly account: TestWallet,
  ) {
    this.wallet = (request) => account.sendTransaction(request);
  }

  journal: Journal = EMPTY;
  keys: VerifiedKey[] = [];
  duplicates: Schemas['Duplicates'] = { read_block: 0, submitted: [] };
  /** What the wallet does when it is asked. */
  wallet: (request: TransactionRequest) => Promise<Hex>;
  log: string[] = [];

  get sender(): Sender {
    return {
      client: this.chain.client,
      contracts: this.chain.contracts,
      account: this.account.account.address,
      duplicates: () => Promise.resolve(this.duplicates),
      validators: new Map(),
      now: () => 1,
      tell: () => undefined,
      record: (event) => {
        this.log.push(event.type);
        this.journal = reduce(this.journal, event);
        return Promise.resolve(this.journal);
      },
      send: (request) => {
        this.log.push('wallet');
        return this.wallet(request);
      },
      signTypedData: (data) => this.account.signTypedData(data),
    };
  }

  plan(sizes: readonly number[], target: Target = NEW, token: Token = 'eth') {
    const pieces = sizes.map((size) => this.chain.newKeys(size));
    this.keys.push(...pieces.flat());
    const batches = pieces.map((keys, at) => ({
      id: `b${at}`,
      target: at === 0 || target.kind === 'existing' ? target : ({ kind: 'made', batchId: 'b0' } as const),
      token,
      keys: keys.map(({ pubkey, ceremonyId }) => ({ pubkey, ceremonyId })),
    }));
    this.journal = reduce(this.journal, { type: 'plan', batches });
  }

  batch(id: string): Batch {
    const batch = this.journal.batches.find((one) => one.id === id);
    if (!batch) throw new Error(`no batch ${id}`);
    return batch;
  }

  send(id: string, leave: Leave = 'permit') {
    return sendBatch(this.sender, this.journal, this.batch(id), this.keys, leave);
  }

  /** Where every transaction gets a block by itself, the answer to its sender may come before the block. */
  private async settled() {
    const { client } = this.chain;
    while ((await client.getAutomine()) && (await client.getTxpoolStatus()).pending > 0)
      await new Promise((done) => setTimeout(done, 10));
  }

  async look(id: string): Promise<Evidence> {
    await this.settled();
    const evidence = await readEvidence(this.sender, this.journal, this.batch(id));
    this.journal = reduce(this.journal, { type: 'evidence', id, evidence });
    return evidence;
  }
}
