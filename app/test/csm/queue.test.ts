import { encodeFunctionData, parseAbi, UserRejectedRequestError, zeroAddress, type Hex } from 'viem';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nextBatch, reduce, type Token } from '../../src/csm/queue/machine';
import { readKeys } from '../../src/csm/operators';
import { NotSent, type Leave } from '../../src/csm/queue/send';
import { Browser, NEW } from './browser';
import { ETH, world, type TestWallet, type World } from './chain';

const MODULE = parseAbi(['function pauseFor(uint256)', 'function resume()']);
let chain: World;
let wallet: TestWallet;
const newBrowser = () => new Browser(chain, wallet);
beforeAll(async () => {
  chain = await world();
});
beforeEach(async () => {
  wallet = await chain.newWallet();
});

const mine = (blocks = 4) => chain.client.mine({ blocks });

/** Keys in the module that this browser brought, per node operator. */
async function inModule(id: string): Promise<Set<Hex>> {
  return readKeys(chain.client, chain.contracts, BigInt(id), await chain.client.getBlockNumber());
}

describe('a queue', () => {
  test('makes a node operator and brings 55 keys in two transactions, the intention written down first', async () => {
    const browser = newBrowser();
    browser.plan([28, 27]);
    await browser.send('b0');
    expect(browser.log).toEqual(['ask', 'wallet', 'sent', 'sent']);
    await browser.look('b0');
    const id = browser.batch('b0').nodeOperatorId ?? '';
    expect(nextBatch(browser.journal)?.id).toBe('b1');
    await browser.send('b1');
    await browser.look('b1');
    expect(browser.journal.batches.map((batch) => [batch.state, batch.nodeOperatorId])).toEqual([
      ['submitted', id],
      ['submitted', id],
    ]);
    expect(await inModule(id)).toEqual(new Set(browser.keys.map((key) => key.pubkey)));
  });

  test.each<[Token, Leave]>([
    ['steth', 'permit'],
    ['steth', 'approve'],
  ])('pays in %s by %s', async (token, leave) => {
    const submit = parseAbi(['function submit(address) payable']);
    const data = encodeFunctionData({ abi: submit, functionName: 'submit', args: [zeroAddress] });
    await chain.client.waitForTransactionReceipt({
      hash: await wallet.sendTransaction({ to: chain.contracts.steth, data, value: 20n * ETH }),
    });
    const browser = newBrowser();
    browser.plan([3, 2], NEW, token);
    for (const id of ['b0', 'b1']) {
      await browser.send(id, leave);
      await browser.look(id);
    }
    expect(browser.journal.batches.map((batch) => batch.state)).toEqual(['submitted', 'submitted']);
  });

  test('declined in the wallet: free at once, and sent later', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    browser.wallet = () => Promise.reject(new UserRejectedRequestError(new Error('no')));
    await expect(browser.send('b0')).rejects.toThrow();
    expect(browser.batch('b0')).toMatchObject({ state: 'planned', ending: 'declined' });
    browser.wallet = (request) => wallet.sendTransaction(request);
    await browser.send('b0');
    await browser.look('b0');
    expect(browser.batch('b0').state).toBe('submitted');
  });

  test('the page is gone before the hash is known: the chain tells, and nothing is sent again', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    // The wallet sends, and its answer reaches nobody.
    browser.wallet = async (request) => {
      await wallet.sendTransaction(request);
      throw new Error('the page was closed');
    };
    await expect(browser.send('b0')).rejects.toThrow('closed');
    expect(browser.batch('b0').state).toBe('asked');
    await expect(browser.send('b0')).rejects.toThrow('Another transaction is under way');
    await browser.look('b0');
    expect(browser.batch('b0').state).toBe('submitted');
  });

  test('the page is gone and the wallet never sent: only a person’s word sets the keys free', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    browser.wallet = () => Promise.reject(new Error('the page was closed'));
    await expect(browser.send('b0')).rejects.toThrow('closed');
    await mine();
    const evidence = await browser.look('b0');
    expect(browser.batch('b0').state).toBe('asked');
    browser.journal = reduce(browser.journal, { type: 'denied', id: 'b0', evidence });
    expect(browser.batch('b0')).toMatchObject({ state: 'planned', ending: 'denied' });
  });

  test('cancelled in the wallet: free when the other transaction is deep enough, not before', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    await chain.client.setAutomine(false);
    try {
      const hash = await browser.send('b0');
      const { nonce, maxFeePerGas = 10n ** 9n } = await chain.client.getTransaction({ hash });
      await browser.look('b0');
      expect(browser.batch('b0').state).toBe('sent');
      await wallet.sendTransaction({
        to: wallet.account.address,
        value: 0n,
        nonce,
        gas: 21_000n,
        maxFeePerGas: maxFeePerGas * 3n,
        maxPriorityFeePerGas: maxFeePerGas * 2n,
      });
      await mine(1);
      await browser.look('b0');
      expect(browser.batch('b0').state).toBe('sent');
      await mine(3);
      await browser.look('b0');
      expect(browser.batch('b0')).toMatchObject({ state: 'planned', ending: 'replaced' });
    } finally {
      await chain.client.setAutomine(true);
    }
    await chain.client.waitForTransactionReceipt({ hash: await browser.send('b0') });
    await browser.look('b0');
    expect(browser.batch('b0').state).toBe('submitted');
  });

  test('sped up in the wallet: found without knowing the new hash', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    await chain.client.setAutomine(false);
    try {
      const hash = await browser.send('b0');
      const {
        to,
        input,
        value,
        gas,
        nonce,
        maxFeePerGas = 10n ** 9n,
      } = await chain.client.getTransaction({ hash });
      await wallet.sendTransaction({
        to,
        data: input,
        value,
        gas,
        nonce,
        maxFeePerGas: maxFeePerGas * 3n,
        maxPriorityFeePerGas: maxFeePerGas * 2n,
      });
      await mine(1);
    } finally {
      await chain.client.setAutomine(true);
    }
    await browser.look('b0');
    expect(browser.batch('b0').state).toBe('submitted');
  });

  test('reverts on the chain: free when that is deep enough, and said so', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    const asAdmin = async (name: 'pauseFor' | 'resume') => {
      const data =
        name === 'resume'
          ? encodeFunctionData({ abi: MODULE, functionName: name })
          : encodeFunctionData({ abi: MODULE, functionName: name, args: [1n] });
      await chain.asAdmin(chain.contracts.module, data);
    };
    // Everything was checked; then the module is paused before the transaction is mined.
    browser.wallet = async (request) => {
      await asAdmin('pauseFor');
      return wallet.sendTransaction(request);
    };
    try {
      await browser.send('b0');
      await browser.look('b0');
      expect(browser.batch('b0').state).toBe('sent');
      await mine();
      await browser.look('b0');
      expect(browser.batch('b0')).toMatchObject({ state: 'planned', ending: 'reverted' });
      await expect(browser.send('b0')).rejects.toThrow(NotSent);
    } finally {
      await asAdmin('resume');
    }
  });
});
