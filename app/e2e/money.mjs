// Pages that send money, when the wallet, the service or the session are not as they were.
import assert from 'node:assert/strict';
import { formatEther, parseAbi } from 'viem';
import { admin, anvil, keysInModule, reader } from './chain.mjs';
import * as steps from './steps.mjs';
import { andRestore, openPage } from './world.mjs';

const SLOW = { timeout: 60_000 };
const ANOTHER_NETWORK = 1;
/** Index of the fee for exits. */
const EXIT = 2;
const FEES = parseAbi([
  'function getActionFee(uint256) view returns (uint256)',
  'function setActionFees(uint8[], uint256[])',
]);

/** Logged in with a wallet of its own, with a ceremony of so many validators. */
async function withValidators({ browser, network, newOwner }, count) {
  const wallet = await newOwner();
  const watched = await openPage(browser, wallet, network);
  const { page } = watched;
  await steps.connectAndLogIn(page);
  await steps.chooseCommittee(page);
  const ceremonyId = await steps.generate(page, String(count));
  await steps.waitForVerified(page);
  return { ...watched, wallet, ceremonyId };
}

/** No block is made until `go`: what the wallet sent waits, and the person does something about it. */
async function withoutBlocks(network, work) {
  const chain = anvil(network);
  await chain.setIntervalMining({ interval: 0 });
  await andRestore(
    async () => {
      await work();
      await chain.mine({ blocks: 1 });
    },
    () => chain.setIntervalMining({ interval: 1 }),
  );
}

/** What wallets call speeding up: the same again with the same number, for more. With `changes`, another one in its place. */
async function replace(network, wallet, changes = {}) {
  const hash = wallet.sent.at(-1);
  const { to, input, value, nonce, gas, maxFeePerGas, maxPriorityFeePerGas } = await reader(
    network,
  ).getTransaction({ hash });
  return wallet.client.sendTransaction({
    to,
    data: input,
    value,
    nonce,
    gas,
    maxFeePerGas: maxFeePerGas * 3n,
    maxPriorityFeePerGas: maxPriorityFeePerGas * 3n,
    ...changes,
  });
}

/** What wallets call cancelling. */
const nothing = (wallet) => ({ to: wallet.account.address, data: '0x', value: 0n, gas: 21_000n });

async function replaced(world) {
  const { network } = world;
  const { page, context, wallet, ceremonyId, ...watched } = await withValidators(world, 2);
  const before = await keysInModule(network);
  const row = await steps.chooseForCsm(page, ceremonyId);
  await row.getByText('verified here').waitFor(SLOW);
  await steps.newOperator(page).click();
  await page.getByLabel('Keys per transaction').fill('1');
  await steps.submitButton(page).waitFor(SLOW);
  await withoutBlocks(network, async () => {
    await steps.submitButton(page).click();
    await page.getByText('Waiting for the chain').waitFor(SLOW);
    await replace(network, wallet);
  });
  await steps.queueSays(page, '1 of 2 done');
  assert.equal((await keysInModule(network)).length, before.length + 1, 'sped up is not sent twice');
  await steps.sendButton(page, 2).waitFor(SLOW);
  await withoutBlocks(network, async () => {
    await steps.sendButton(page, 2).click();
    await page.getByText('Waiting for the chain').waitFor(SLOW);
    await replace(network, wallet, nothing(wallet));
  });
  await page.getByText('Another transaction took its place').waitFor(SLOW);
  assert.equal((await keysInModule(network)).length, before.length + 1, 'cancelled');
  await steps.sendButton(page, 2).click(SLOW);
  await steps.everythingInCsm(page);

  await steps.link(page, 'Register').click();
  await steps.registerButton(page).waitFor(SLOW);
  await withoutBlocks(network, async () => {
    await steps.registerButton(page).click();
    await steps.sentAs(page, 'waits for a block').waitFor(SLOW);
    await replace(network, wallet, nothing(wallet));
  });
  await steps.sentAs(page, 'replaced').waitFor(SLOW);
  await steps.registerButton(page).waitFor(SLOW);
  await withoutBlocks(network, async () => {
    await steps.registerButton(page).click();
    await steps.sentAs(page, 'waits for a block').waitFor(SLOW);
    await replace(network, wallet);
  });
  await page.getByText('Every validator is registered').waitFor(SLOW);
  await steps.assertQuiet({ page, ...watched });
  await context.close();
}

/** The service changes what it gives out after it was verified once: nothing is sent with it. */
async function lies(world) {
  const { network } = world;
  const { page, context, wallet, ceremonyId } = await withValidators(world, 2);
  const row = await steps.chooseForCsm(page, ceremonyId);
  await row.getByText('verified here').waitFor(SLOW);
  await steps.newOperator(page).click();
  await page.getByLabel('Keys per transaction').fill('1');
  await steps.submitButton(page).click(SLOW);
  await steps.queueSays(page, '1 of 2 done');
  const asked = wallet.count('eth_sendTransaction');
  await page.route('**/v1/ceremonies/*/deposit-data', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body[0].withdrawal_credentials = `${body[0].withdrawal_credentials.slice(0, 24)}${'11'.repeat(20)}`;
    await route.fulfill({ response, body: JSON.stringify(body) });
  });
  await page.reload();
  await page.getByText('Its deposit data do not hold any more').waitFor(SLOW);
  assert.ok(await steps.sendButton(page, 2).isDisabled());
  // The same on the page that pays the operators: shares of a certificate that does not hold are not registered.
  await steps.link(page, 'Register').click();
  await page.getByText('These validators are not offered').waitFor(SLOW);
  assert.equal(await steps.registerButton(page).count(), 0);
  await page.unrouteAll();
  await page.route('**/v1/ceremonies/*/certificate', async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    const sealed = JSON.parse(text).attestations[0].envelopes[0];
    const other = sealed.replace(/..$/, (end) => (end === '00' ? '11' : '00'));
    assert.notEqual(sealed, other);
    await route.fulfill({ response, body: text.replace(sealed, other) });
  });
  await page.reload();
  await page.getByText('These validators are not offered').waitFor(SLOW);
  assert.equal(await steps.registerButton(page).count(), 0);
  assert.equal(wallet.count('eth_sendTransaction'), asked, 'the wallet is asked for nothing');
  assert.ok((await keysInModule(network)).length > 0);
  await context.close();
}

/** The session ends elsewhere: the cookie is there and worth nothing. */
async function endSession({ context, network }) {
  const answer = await context.request.post('/v1/auth/logout');
  assert.equal(answer.status(), 204);
  const domain = new URL(network.url).hostname;
  await context.addCookies([{ name: 'cluster_session', value: '0'.repeat(64), domain, path: '/v1' }]);
}

async function switchChain(page, wallet, chainId) {
  wallet.chainId = chainId;
  await page.evaluate((id) => window.__changeChain(id), chainId);
}

/** The fee for exits rises while the wallet asks: the order is put into a block and fails. Gives what sets the fee back. */
async function exitReverts(page, wallet, network) {
  const { contracts } = await (await fetch(`${network.url}/v1/app-config`)).json();
  const address = contracts.cluster_node;
  const client = reader(network);
  const fee = await client.readContract({ address, abi: FEES, functionName: 'getActionFee', args: [EXIT] });
  const set = async (next) => {
    const args = [[EXIT], [next]];
    const hash = await admin(network).writeContract({
      address,
      abi: FEES,
      functionName: 'setActionFees',
      args,
    });
    assert.equal((await client.waitForTransactionReceipt({ hash })).status, 'success');
  };
  wallet.beforeSending = () => {
    wallet.beforeSending = undefined;
    return set(2n * fee);
  };
  await steps.orderExit(page);
  await steps.sentAs(page, 'failed').waitFor(SLOW);
  const { status } = await client.getTransactionReceipt({ hash: wallet.sent.at(-1) });
  assert.equal(status, 'reverted');
  await page.getByText('nothing but gas was paid').waitFor();
  assert.equal(await page.locator('.checked-good', { hasText: 'Ordered by you' }).count(), 0);
  // What it costs now is read anew, and it can be ordered again.
  await page.getByText(`Fee: ${formatEther(2n * fee)} ETH`).waitFor(SLOW);
  return () => set(fee);
}

/** Wrong network, then ended session, on each page that sends: nothing is asked of the wallet, and nothing is lost. */
async function notAsItWas(world) {
  const { network } = world;
  const { page, context, wallet, ceremonyId, ...watched } = await withValidators(world, 1);
  const already = wallet.count('eth_sendTransaction');
  const asked = () => wallet.count('eth_sendTransaction') - already;
  const onAnotherNetwork = async (button) => {
    const before = asked();
    await switchChain(page, wallet, ANOTHER_NETWORK);
    await page.getByText('Your wallet is on another network').waitFor();
    assert.ok((await button.count()) === 0 || (await button.isDisabled()), 'nothing can be sent');
    assert.equal(asked(), before);
    await page.getByRole('button', { name: 'Switch to Hoodi' }).click();
    await page.getByText('Your wallet is on another network').waitFor({ state: 'detached' });
    await button.waitFor(SLOW);
  };
  const logInAgain = async () => {
    await page
      .getByText(/Your session has ended|Log in to see this/)
      .first()
      .waitFor(SLOW);
    await page.getByRole('main').getByRole('button', { name: 'Log in' }).first().click();
    await page
      .getByText(/Your session has ended|Log in to see this/)
      .first()
      .waitFor({ state: 'detached', ...SLOW });
  };

  const row = await steps.chooseForCsm(page, ceremonyId);
  await row.getByText('verified here').waitFor(SLOW);
  await steps.newOperator(page).click();
  await onAnotherNetwork(steps.newOperator(page));
  await steps.chooseForCsm(page, ceremonyId);
  await steps.submitButton(page).waitFor(SLOW);
  await endSession({ context, network });
  await steps.submitButton(page).click();
  await page.getByText('The transaction was not sent').waitFor(SLOW);
  assert.equal(asked(), 0, 'the wallet is not asked for what cannot be checked');
  await page.reload();
  await logInAgain();
  await steps.sendButton(page, 1).click(SLOW);
  await steps.everythingInCsm(page);

  await steps.link(page, 'Register').click();
  await steps.registerButton(page).waitFor(SLOW);
  await onAnotherNetwork(steps.registerButton(page));
  const held = wallet.hold();
  await steps.registerButton(page).click(SLOW);
  await held.asked;
  await endSession({ context, network });
  held.confirm();
  // What was paid for is on the chain, whoever is logged in; and is found again by who logs in.
  await logInAgain();
  await page.getByText('Every validator is registered').waitFor(SLOW);

  await steps.openValidator(page);
  await onAnotherNetwork(steps.exitButton(page));
  await page.getByText('Top up', { exact: true }).click();
  await onAnotherNetwork(page.getByRole('button', { name: 'Top up 1' }));
  const lowerAgain = await exitReverts(page, wallet, network);
  const exit = wallet.hold();
  await steps.orderExit(page);
  await exit.asked;
  await endSession({ context, network });
  exit.confirm();
  await logInAgain();
  await steps.exitOrdered(page);
  assert.equal(asked(), 4);
  await lowerAgain();
  await steps.assertQuiet({ page, ...watched }, [/401/]);
  await context.close();
}

export const tests = [
  { name: 'money: transactions that are sped up and cancelled', run: replaced },
  { name: 'money: the service lies after it was verified', run: lies },
  { name: 'money: another network, and sessions that end', run: notAsItWas },
].map((test) => ({ ...test, chain: 'anvil' }));
