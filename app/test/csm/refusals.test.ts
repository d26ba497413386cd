import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EMPTY, reduce, type QueueEvent } from '../../src/csm/queue/machine';
import { NotSent } from '../../src/csm/queue/send';
import { Browser } from './browser';
import { ETH, world, type TestWallet, type World } from './chain';

let chain: World;
let wallet: TestWallet;
const newBrowser = () => new Browser(chain, wallet);
beforeAll(async () => {
  chain = await world();
});
beforeEach(async () => {
  wallet = await chain.newWallet();
});

describe('nothing is sent', () => {
  const refused = async (browser: Browser, words: string) => {
    const error: unknown = await browser.send('b0').catch((one: unknown) => one);
    expect(error).toBeInstanceOf(NotSent);
    const { message, checks } = error as NotSent;
    expect(
      [message, ...checks.filter((check) => check.holds === 'no').map((check) => check.detail)].join(' '),
    ).toContain(words);
    expect(browser.log).not.toContain('wallet');
    expect(browser.batch('b0').state).toBe('planned');
  };

  test('with other withdrawal credentials than the vault that the chain names', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    browser.keys = browser.keys.map((key) => ({
      ...key,
      withdrawalCredentials: `0x01${'0'.repeat(22)}${'ab'.repeat(20)}`,
    }));
    await refused(browser, 'the credentials are others');
  });

  test('with keys that CSM has', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    const evidence = { block_hash: '0x', block_number: 1, contract: '0x', log_index: 0, tx_hash: '0x' };
    const pubkey = browser.keys[0]?.pubkey ?? '0x';
    browser.duplicates = { read_block: 9, submitted: [{ pubkey, node_operator_id: 4, evidence }] };
    await refused(browser, 'is there');
  });

  test('with keys of the node operator itself, whatever the service says', async () => {
    const first = newBrowser();
    first.plan([2]);
    await first.send('b0');
    await first.look('b0');
    const second = newBrowser();
    second.plan([2], { kind: 'existing', nodeOperatorId: first.batch('b0').nodeOperatorId ?? '' });
    second.keys = [...first.keys];
    second.journal = {
      version: 1,
      batches: [{ ...second.batch('b0'), keys: first.batch('b0').keys }],
    };
    await refused(second, 'would be there twice');
  });

  test('with keys that were not verified', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    browser.keys = browser.keys.slice(1);
    await refused(browser, 'not verified in this browser');
  });

  test('to a node operator of somebody else', async () => {
    const browser = newBrowser();
    browser.plan([2]);
    await browser.send('b0');
    await browser.look('b0');
    const nodeOperatorId = browser.batch('b0').nodeOperatorId ?? '';
    wallet = await chain.newWallet();
    const other = newBrowser();
    other.plan([1], { kind: 'existing', nodeOperatorId });
    await refused(other, 'can add keys to node operator');
  });

  test('without the money', async () => {
    await chain.client.setBalance({ address: wallet.account.address, value: ETH });
    const browser = newBrowser();
    browser.plan([2]);
    await refused(browser, 'less than the bond');
  });
});

test('events that nobody planned are refused', () => {
  const event: QueueEvent = { type: 'sent', id: 'nothing', hash: '0x' };
  expect(() => reduce(EMPTY, event)).toThrow('not in the queue');
});
